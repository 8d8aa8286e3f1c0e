"""Claims by urgency, due credentials by one index, and the reconciler's sightings.

`priority` and `open_rotation` follow from what is there, so rotations that are open go on as they were.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
PRIORITY = {"scheduled": 0, "manual": 1, "compromise": 2, "contain_first": 3}


def where(condition: str) -> dict[str, Any]:
    """What a partial index is over."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    """Add, fill in, and index."""
    op.add_column("rotation", sa.Column("priority", sa.Integer, nullable=False, server_default=sa.text("0")))
    rotation = sa.table("rotation", sa.column("mode"), sa.column("priority"))
    op.execute(rotation.update().values(priority=sa.case(PRIORITY, value=rotation.c.mode, else_=0)))
    op.drop_index("ix_rotation_next_at", "rotation")
    op.create_index("ix_rotation_claim", "rotation", ["priority", "next_at"], **where("open = 1"))

    op.add_column("credential", sa.Column("open_rotation", Text))
    op.execute(
        "UPDATE credential SET open_rotation ="
        " (SELECT id FROM rotation WHERE rotation.credential = credential.name AND rotation.open = 1)"
    )
    op.create_index(
        "ix_credential_due",
        "credential",
        ["next_due", "name"],
        **where("held = 0 AND open_rotation IS NULL AND next_due IS NOT NULL"),
    )
    op.create_table(
        "sighting",
        sa.Column("credential", Text, primary_key=True),
        sa.Column("key_id", Text, primary_key=True),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
    )
