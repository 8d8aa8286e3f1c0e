"""Deaths that nobody can prove by an index, however many keys died before them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
UNPROVEN = sa.text("proof = 'unproven'")


def upgrade() -> None:
    """Index what is there."""
    op.create_index("ix_old_key_unproven", "old_key", ["rotation"], sqlite_where=UNPROVEN, postgresql_where=UNPROVEN)
