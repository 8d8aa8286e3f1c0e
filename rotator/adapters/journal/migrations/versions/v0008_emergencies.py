"""The rotations of an incident by an index, however many others came after them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
EMERGENCY = sa.text("mode IN ('compromise', 'contain_first')")


def upgrade() -> None:
    """Index what is there."""
    op.create_index("ix_rotation_emergency", "rotation", ["reason"], sqlite_where=EMERGENCY, postgresql_where=EMERGENCY)
