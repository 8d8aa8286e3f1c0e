"""What is known of places that cannot be read: the last write to each.

Nothing was published to one before, so there is nothing to fill in.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("credential", sa.Column("last_writes", sa.Text, nullable=False, server_default=sa.text("'[]'")))
    op.add_column("place_state", sa.Column("unread", sa.Integer, nullable=False, server_default=sa.text("0")))
