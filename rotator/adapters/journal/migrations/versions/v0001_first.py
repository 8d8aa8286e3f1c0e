"""The first schema: rotations with their parts, credentials, keys, requests, and the trail.

A migration never imports the tables of today: it says what there was then.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

APPLICATION = 0x726F7461
APPEND_ONLY = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END
"""


def required(name: str, kind: type[sa.Integer | sa.BigInteger | sa.Text], default: str | None = None) -> sa.Column:  # type: ignore[type-arg]
    """A column that is never null."""
    return sa.Column(name, kind, nullable=False, server_default=None if default is None else sa.text(default))


def instants(*names: str) -> list[sa.Column[int]]:
    """Columns for what may not have happened yet."""
    return [sa.Column(name, sa.BigInteger) for name in names]


def texts(*names: str) -> list[sa.Column[str]]:
    """Columns for what may be missing."""
    return [sa.Column(name, sa.Text) for name in names]


def upgrade() -> None:
    """Make everything."""
    op.execute(f"PRAGMA application_id = {APPLICATION}")
    _credentials()
    _rotations()
    _parts()
    _requests()
    _trail()
    op.create_table("meta", sa.Column("name", sa.Text, primary_key=True), required("value", sa.Text))


def _credentials() -> None:
    op.create_table(
        "credential",
        sa.Column("name", sa.Text, primary_key=True),
        *texts("current"),
        *instants("current_since", "next_due"),
        required("held", sa.Integer, "0"),
        required("held_why", sa.Text, "''"),
        required("fence", sa.Integer, "0"),
        required("drift", sa.Text, "'[]'"),
        required("outage", sa.Integer, "0"),
        required("spec", sa.Text, "''"),
    )
    op.create_index("ix_credential_current", "credential", ["current"])
    op.create_table(
        "key",
        sa.Column("number", sa.Integer, primary_key=True),
        required("key_id", sa.Text),
        sa.Column("credential", sa.Text, sa.ForeignKey("credential.name"), nullable=False),
        required("origin", sa.Text),
        required("since", sa.BigInteger),
        *texts("fingerprint", "rotation"),
        *instants("dead_at"),
        sa.UniqueConstraint("credential", "key_id"),
    )


def _rotations() -> None:
    op.create_table(
        "rotation",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("credential", sa.Text, sa.ForeignKey("credential.name"), nullable=False),
        required("mode", sa.Text),
        required("reason", sa.Text),
        required("started_at", sa.BigInteger),
        required("next_at", sa.BigInteger),
        required("since", sa.BigInteger),
        required("phase", sa.Text),
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
        required("baseline", sa.Text),
        *texts("slot"),
        required("mint_fences", sa.Text),
        *instants("first_mint_at", "last_mint_at"),
        *texts("escrow", "new_key"),
        *instants("minted_at", "verified_at", "live_at"),
        required("beyond_pivot", sa.Integer),
        *instants("exposure_end", "asked_at"),
        required("supersedes", sa.Text),
        required("outage", sa.Integer),
        required("open", sa.Integer),
        sa.CheckConstraint("open = (phase NOT IN ('done', 'rolled_back', 'superseded'))", name="open_follows_phase"),
    )
    op.create_index("ix_rotation_credential", "rotation", ["credential"])
    op.create_index("ux_rotation_open", "rotation", ["credential"], unique=True, sqlite_where=sa.text("open = 1"))
    op.create_index("ix_rotation_next_at", "rotation", ["next_at"], sqlite_where=sa.text("open = 1"))


def _parts() -> None:
    op.create_table(
        "old_key",
        sa.Column("rotation", sa.Text, sa.ForeignKey("rotation.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        required("key_id", sa.Text),
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
        sa.Column("rotation", sa.Text, sa.ForeignKey("rotation.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        required("store", sa.Text),
        required("ref", sa.Text),
        *texts("expected", "version"),
        *instants("promoted_at", "put_back_at", "rewritten_at", "trouble_since"),
        *texts("left_behind"),
    )


def _requests() -> None:
    op.create_table(
        "request",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("credential", sa.Text, sa.ForeignKey("credential.name"), nullable=False),
        required("verb", sa.Text),
        required("why", sa.Text),
        required("at", sa.BigInteger),
        *instants("answered_at"),
    )
    op.create_index("ix_request_waiting", "request", ["credential"], sqlite_where=sa.text("answered_at IS NULL"))


def _trail() -> None:
    op.create_table(
        "event",
        sa.Column("number", sa.Integer, primary_key=True),
        required("rotation", sa.Text),
        required("seq", sa.Integer),
        required("at", sa.BigInteger),
        required("fence", sa.Integer),
        required("previous", sa.Text),
        required("digest", sa.Text),
        required("kind", sa.Text),
        required("action", sa.Text),
        required("subject", sa.Text),
        required("detail", sa.Text),
        sa.UniqueConstraint("rotation", "seq"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("number", sa.Integer, primary_key=True),
        required("at", sa.BigInteger),
        required("heads", sa.Text),
        required("previous", sa.Text),
        required("digest", sa.Text),
        required("signature", sa.Text),
        required("last_event", sa.Integer),
    )
    for table in ("event", "checkpoint"):
        for verb in ("update", "delete"):
            op.execute(APPEND_ONLY.format(table=table, verb=verb))
