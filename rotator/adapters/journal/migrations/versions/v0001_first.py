"""The first schema: rotations with their parts, credentials, keys, requests, and the trail.

A migration never imports the tables of today: it says what there was then.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

APPLICATION = 0x726F7461
TERMINAL = ("done", "rolled_back", "superseded")
COMMENT = "journal of the rotator"
ON_SQLITE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END
"""
FUNCTION = """
CREATE FUNCTION trail_only_grows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the trail is append-only' USING ERRCODE = 'restrict_violation'; END $$
"""
ON_POSTGRESQL = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION trail_only_grows()
"""
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def where(condition: str) -> dict[str, Any]:
    """What a partial index is over."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def required(name: str, kind: Any, default: str | None = None) -> sa.Column:  # type: ignore[type-arg]
    """A column that is never null."""
    return sa.Column(name, kind, nullable=False, server_default=None if default is None else sa.text(default))


def instants(*names: str) -> list[sa.Column[int]]:
    """Columns for what may not have happened yet."""
    return [sa.Column(name, sa.BigInteger) for name in names]


def texts(*names: str) -> list[sa.Column[str]]:
    """Columns for what may be missing."""
    return [sa.Column(name, Text) for name in names]


def upgrade() -> None:
    """Make everything."""
    if on_sqlite():
        op.execute(f"PRAGMA application_id = {APPLICATION}")
    else:
        op.execute(f"COMMENT ON TABLE alembic_version IS '{COMMENT}'")
    _credentials()
    _rotations()
    _parts()
    _requests()
    _trail()
    op.create_table("meta", sa.Column("name", Text, primary_key=True), required("value", Text))


def _credentials() -> None:
    op.create_table(
        "credential",
        sa.Column("name", Text, primary_key=True),
        *texts("current"),
        *instants("current_since", "next_due"),
        required("held", sa.Integer, "0"),
        required("held_why", Text, "''"),
        required("fence", sa.Integer, "0"),
        required("drift", Text, "'[]'"),
        required("outage", sa.Integer, "0"),
        required("spec", Text, "''"),
    )
    op.create_index("ix_credential_current", "credential", ["current"])
    op.create_table(
        "key",
        sa.Column("number", sa.Integer, primary_key=True),
        required("key_id", Text),
        sa.Column("credential", Text, sa.ForeignKey("credential.name"), nullable=False),
        required("origin", Text),
        required("since", sa.BigInteger),
        *texts("fingerprint", "rotation"),
        *instants("dead_at"),
        sa.UniqueConstraint("credential", "key_id"),
    )


def _rotations() -> None:
    op.create_table(
        "rotation",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", Text, nullable=False, unique=True),
        sa.Column("credential", Text, sa.ForeignKey("credential.name"), nullable=False),
        required("mode", Text),
        required("reason", Text),
        required("started_at", sa.BigInteger),
        required("next_at", sa.BigInteger),
        required("since", sa.BigInteger),
        required("phase", Text),
        required("fence", sa.Integer),
        *texts("owner"),
        required("clean", sa.Integer),
        required("attempts", sa.Integer),
        *instants("failing_since", "waiting_until"),
        *texts("waiting_for", "waiting_note", "problem_message", "problem_hint", "parked_from"),
        required("turns", sa.Integer),
        *texts("ends_as"),
        *instants("ended_at"),
        *texts("old_current"),
        required("fixed", sa.Integer),
        required("baseline", Text),
        *texts("slot"),
        required("mint_fences", Text),
        *instants("first_mint_at", "last_mint_at"),
        *texts("escrow", "new_key"),
        *instants("minted_at", "verified_at", "live_at"),
        required("beyond_pivot", sa.Integer),
        *instants("exposure_end", "asked_at"),
        required("supersedes", Text),
        required("outage", sa.Integer),
        required("open", sa.Integer),
        sa.CheckConstraint(f"(open = 1) = (phase NOT IN {TERMINAL})", name="open_follows_phase"),
    )
    op.create_index("ix_rotation_credential", "rotation", ["credential"])
    op.create_index("ux_rotation_open", "rotation", ["credential"], unique=True, **where("open = 1"))
    op.create_index("ix_rotation_next_at", "rotation", ["next_at"], **where("open = 1"))


def _parts() -> None:
    op.create_table(
        "old_key",
        sa.Column("rotation", Text, sa.ForeignKey("rotation.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        required("key_id", Text),
        *texts("fingerprint"),
        required("had", sa.Integer),
        *texts("kept_in"),
        *instants("disabled_at", "deleted_at", "first_refused_at"),
        *texts("proof"),
        *instants("dead_at"),
    )
    op.create_index("ix_old_key_key_id", "old_key", ["key_id"])
    op.create_table(
        "place_state",
        sa.Column("rotation", Text, sa.ForeignKey("rotation.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        required("store", Text),
        required("ref", Text),
        *texts("expected", "version"),
        *instants("promoted_at", "put_back_at", "rewritten_at", "trouble_since"),
        *texts("left_behind"),
    )


def _requests() -> None:
    op.create_table(
        "request",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("credential", Text, sa.ForeignKey("credential.name"), nullable=False),
        required("verb", Text),
        required("why", Text),
        required("at", sa.BigInteger),
        *instants("answered_at"),
    )
    op.create_index("ix_request_waiting", "request", ["credential"], **where("answered_at IS NULL"))


def _trail() -> None:
    op.create_table(
        "event",
        sa.Column("number", sa.Integer, primary_key=True),
        required("rotation", Text),
        required("seq", sa.Integer),
        required("at", sa.BigInteger),
        required("fence", sa.Integer),
        required("previous", Text),
        required("digest", Text),
        required("kind", Text),
        required("action", Text),
        required("subject", Text),
        required("detail", Text),
        sa.UniqueConstraint("rotation", "seq"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("number", sa.Integer, primary_key=True),
        required("at", sa.BigInteger),
        required("heads", Text),
        required("previous", Text),
        required("digest", Text),
        required("signature", Text),
        required("last_event", sa.Integer),
    )
    if not on_sqlite():
        op.execute(FUNCTION)
    for table in ("event", "checkpoint"):
        for verb in ("update", "delete") if on_sqlite() else ("update", "delete", "truncate"):
            op.execute((ON_SQLITE if on_sqlite() else ON_POSTGRESQL).format(table=table, verb=verb))


def on_sqlite() -> bool:
    """Whether it is SQLite that is migrated."""
    return op.get_context().dialect.name == "sqlite"
