"""The journal's tables as they are now. No column may hold a secret; a test says of each what it holds.

Instants are microseconds since 1970 in UTC. How an older journal becomes this one is in `migrations`.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from rotator.domain.rotation import TERMINAL

METADATA = MetaData()

Instant = BigInteger
Flag = Integer
# Compared byte by byte on both databases; an index over a language's order breaks when that order is revised.
Text = sqlalchemy.Text().with_variant(sqlalchemy.Text(collation="C"), "postgresql")


def required(name: str, kind: Any, default: str | None = None) -> Column[Any]:
    """A column that is never null."""
    return Column(name, kind, nullable=False, server_default=None if default is None else text(default))


def where(condition: str) -> dict[str, Any]:
    """What a partial index is over."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


CREDENTIAL = Table(
    "credential",
    METADATA,
    Column("name", Text, primary_key=True, nullable=False),
    Column("current", Text, index=True),
    Column("current_since", Instant),
    Column("next_due", Instant),
    required("held", Flag, "0"),
    required("held_why", Text, "''"),
    required("fence", Integer, "0"),
    required("drift", Text, "'[]'"),
    required("outage", Flag, "0"),
    required("spec", Text, "''"),
    required("last_writes", Text, "'[]'"),
    Column("open_rotation", Text),  # so that `due` needs one index and `save` one row
    Index(
        "ix_credential_due",
        "next_due",
        "name",
        **where("held = 0 AND open_rotation IS NULL AND next_due IS NOT NULL"),
    ),
)

KEY = Table(
    "key",
    METADATA,
    Column("number", Integer, primary_key=True),
    required("key_id", Text),
    Column("credential", Text, ForeignKey("credential.name"), nullable=False),
    required("origin", Text),
    required("since", Instant),
    Column("fingerprint", Text),
    Column("rotation", Text),
    Column("dead_at", Instant),
    UniqueConstraint("credential", "key_id"),
)

ROTATION = Table(
    "rotation",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("credential", Text, ForeignKey("credential.name"), nullable=False, index=True),
    required("mode", Text),
    required("reason", Text),
    required("started_at", Instant),
    required("next_at", Instant),
    required("since", Instant),
    required("phase", Text),
    required("fence", Integer),
    Column("owner", Text),
    required("clean", Flag),
    required("attempts", Integer),
    Column("failing_since", Instant),
    Column("waiting_until", Instant),
    Column("waiting_for", Text),
    Column("waiting_note", Text),
    Column("problem_message", Text),
    Column("problem_hint", Text),
    Column("parked_from", Text),
    required("turns", Integer),
    Column("ends_as", Text),
    Column("ended_at", Instant),
    Column("old_current", Text),
    required("fixed", Flag),
    required("baseline", Text),
    Column("slot", Text),
    required("mint_fences", Text),
    Column("first_mint_at", Instant),
    Column("last_mint_at", Instant),
    Column("escrow", Text),
    Column("new_key", Text),
    Column("minted_at", Instant),
    Column("verified_at", Instant),
    Column("live_at", Instant),
    required("beyond_pivot", Flag),
    Column("exposure_end", Instant),
    Column("asked_at", Instant),
    required("supersedes", Text),
    required("outage", Flag),
    required("open", Flag),
    required("priority", Integer, "0"),
    CheckConstraint(
        "(open = 1) = (phase NOT IN (" + ", ".join(f"'{phase.value}'" for phase in sorted(TERMINAL)) + "))",
        name="open_follows_phase",
    ),
    Index("ux_rotation_open", "credential", unique=True, **where("open = 1")),
    # A claimed row moves to the end of its lease, so nobody's search walks over it.
    Index("ix_rotation_claim", "priority", "next_at", **where("open = 1")),
    # An incident's rotations are few, and are asked for years later.
    Index("ix_rotation_emergency", "reason", **where("mode IN ('compromise', 'contain_first')")),
)

OLD_KEY = Table(
    "old_key",
    METADATA,
    Column("rotation", Text, ForeignKey("rotation.id"), primary_key=True, nullable=False),
    Column("position", Integer, primary_key=True, nullable=False),
    Column("key_id", Text, nullable=False, index=True),
    Column("fingerprint", Text),
    required("had", Flag),
    Column("kept_in", Text),
    Column("disabled_at", Instant),
    Column("deleted_at", Instant),
    Column("first_refused_at", Instant),
    Column("proof", Text),
    Column("dead_at", Instant),
    Column("to_delete_since", Instant),
    # Deaths that nobody can prove are few, and are counted again and again.
    Index("ix_old_key_unproven", "rotation", **where("proof = 'unproven'")),
)

PLACE_STATE = Table(
    "place_state",
    METADATA,
    Column("rotation", Text, ForeignKey("rotation.id"), primary_key=True, nullable=False),
    Column("position", Integer, primary_key=True, nullable=False),
    required("store", Text),
    required("ref", Text),
    Column("expected", Text),
    Column("version", Text),
    Column("promoted_at", Instant),
    Column("put_back_at", Instant),
    Column("rewritten_at", Instant),
    Column("trouble_since", Instant),
    Column("left_behind", Text),
    required("unread", Flag, "0"),
)

CONSUMER_STATE = Table(
    "consumer_state",
    METADATA,
    Column("rotation", Text, ForeignKey("rotation.id"), primary_key=True, nullable=False),
    Column("position", Integer, primary_key=True, nullable=False),
    required("name", Text),
    required("since", Instant),
    required("way", Text, "''"),
    Column("tell_at", Instant),
    Column("told_at", Instant),
    required("attempts", Integer, "0"),
    Column("trouble", Text),
    Column("picked_up_at", Instant),
    Column("how", Text),
)

REQUEST = Table(
    "request",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("credential", Text, ForeignKey("credential.name"), nullable=False),
    required("verb", Text),
    required("why", Text),
    required("at", Instant),
    Column("answered_at", Instant),
    Index("ix_request_waiting", "credential", **where("answered_at IS NULL")),
)

EVENT = Table(
    "event",
    METADATA,
    Column("number", Integer, primary_key=True),
    required("rotation", Text),  # or `credential:NAME`
    required("seq", Integer),
    required("at", Instant),
    required("fence", Integer),
    required("previous", Text),
    required("digest", Text),
    required("kind", Text),
    required("action", Text),
    required("subject", Text),
    required("detail", Text),
    UniqueConstraint("rotation", "seq"),
)

CHECKPOINT = Table(
    "checkpoint",
    METADATA,
    Column("number", Integer, primary_key=True),
    required("at", Instant),
    required("heads", Text),
    required("previous", Text),
    required("digest", Text),
    required("signature", Text),
    required("last_event", Integer),  # its number
)

SIGHTING = Table(
    "sighting",
    METADATA,
    Column("credential", Text, primary_key=True, nullable=False),
    Column("key_id", Text, primary_key=True, nullable=False),
    required("first_seen", Instant),
)

RATE_BUCKET = Table(
    "rate_bucket",  # on PostgreSQL: what all replicas share
    METADATA,
    Column("account", Text, primary_key=True, nullable=False),
    required("free_at", Instant),
    required("paused_until", Instant, "0"),
)

COMPONENT = Table(
    "component",  # a package in a version, each once
    METADATA,
    Column("id", Integer, primary_key=True),
    required("ecosystem", Text),
    required("name", Text),
    required("version", Text),
    required("elsewhere", Text),
    required("hashed", Integer),  # -1: nobody can say
    UniqueConstraint("ecosystem", "name", "version", "elsewhere", "hashed"),
)

BUNDLE = Table(
    "bundle",  # a few components that stay together: most of a lockfile is as it was before
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
)

BUNDLE_COMPONENT = Table(
    "bundle_component",
    METADATA,
    Column("bundle", Integer, ForeignKey("bundle.id"), primary_key=True, nullable=False),
    Column("component", Integer, ForeignKey("component.id"), primary_key=True, nullable=False, index=True),
)

CONTENTS = Table(
    "contents",  # all components of an inventory
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
)

CONTENTS_BUNDLE = Table(
    "contents_bundle",
    METADATA,
    Column("contents", Integer, ForeignKey("contents.id"), primary_key=True, nullable=False),
    Column("bundle", Integer, ForeignKey("bundle.id"), primary_key=True, nullable=False, index=True),
)

INVENTORY = Table(
    "inventory",
    METADATA,
    Column("number", Integer, primary_key=True),
    required("consumer", Text),
    required("origin", Text),
    required("kind", Text),
    required("commit", Text),
    required("since", Instant),
    Column("until", Instant),
    required("gaps", Text),
    Column("contents", Integer, ForeignKey("contents.id"), nullable=False, index=True),
    required("recorded_at", Instant),
    Index("ix_inventory_consumer_origin", "consumer", "origin"),
)

API_TOKEN = Table(
    "api_token",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("digest", Text, nullable=False, unique=True),  # SHA-256 of 256 random bits
    required("role", Text),
    required("owners", Text),
    required("consumer", Text),
    required("why", Text),
    required("created_at", Instant),
    Column("expires_at", Instant),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
)

META = Table(
    "meta",
    METADATA,
    Column("name", Text, primary_key=True, nullable=False),
    required("value", Text),
)
