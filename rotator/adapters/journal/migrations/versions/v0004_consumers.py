"""What a rotation knows of its consumers. Those of rotations that are open are known from their next publication on."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "consumer_state",
        sa.Column("rotation", sa.Text, sa.ForeignKey("rotation.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("way", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("tell_at", sa.BigInteger),
        sa.Column("told_at", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("trouble", sa.Text),
        sa.Column("picked_up_at", sa.BigInteger),
        sa.Column("how", sa.Text),
    )
