"""When a person was asked to delete an old key, where the provider has no deletion."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; nobody was asked before."""
    op.add_column("old_key", sa.Column("to_delete_since", sa.BigInteger))
