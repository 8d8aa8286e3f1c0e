"""Which packages consumers had when. Nothing was known of that before."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables; what is in them stays."""
    op.create_table(
        "component",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("ecosystem", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("elsewhere", TEXT, nullable=False),
        sa.Column("hashed", sa.Integer, nullable=False),
        sa.UniqueConstraint("ecosystem", "name", "version", "elsewhere", "hashed"),
    )
    op.create_table(
        "bundle",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", TEXT, nullable=False, unique=True),
    )
    op.create_table(
        "bundle_component",
        sa.Column("bundle", sa.Integer, sa.ForeignKey("bundle.id"), primary_key=True, nullable=False),
        sa.Column("component", sa.Integer, sa.ForeignKey("component.id"), primary_key=True, nullable=False),
    )
    op.create_index("ix_bundle_component_component", "bundle_component", ["component"])
    op.create_table(
        "contents",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", TEXT, nullable=False, unique=True),
    )
    op.create_table(
        "contents_bundle",
        sa.Column("contents", sa.Integer, sa.ForeignKey("contents.id"), primary_key=True, nullable=False),
        sa.Column("bundle", sa.Integer, sa.ForeignKey("bundle.id"), primary_key=True, nullable=False),
    )
    op.create_index("ix_contents_bundle_bundle", "contents_bundle", ["bundle"])
    op.create_table(
        "inventory",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("consumer", TEXT, nullable=False),
        sa.Column("origin", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("commit", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger),
        sa.Column("gaps", TEXT, nullable=False),
        sa.Column("contents", sa.Integer, sa.ForeignKey("contents.id"), nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_inventory_consumer_origin", "inventory", ["consumer", "origin"])
    op.create_index("ix_inventory_contents", "inventory", ["contents"])
    _only_grows("inventory")


def _only_grows(table: str) -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for verb in ("update", "delete"):
        begun = f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}"
        if sqlite:
            op.execute(f"{begun} BEGIN SELECT RAISE(ABORT, 'inventories are append-only'); END")
        else:
            op.execute(f"{begun} FOR EACH STATEMENT EXECUTE FUNCTION trail_only_grows()")
