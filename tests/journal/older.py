"""What a journal held when the first version of the rotator left it, row by row, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rotator.adapters.journal import rows
from rotator.domain.records import CredentialRow, KnownKey, Origin, Request, Verb
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.domain.trail import START, chained, close
from rotator.testing.journal_contract import SIGNER
from rotator.testing.journal_contract.full import filled
from rotator.testing.journal_contract.values import NEVER, NOW, SECOND, event, rotation

LATER = ("last_writes", "priority", "unread", "to_delete_since")
"""Columns that came with later versions."""


def readable(row: Rotation) -> Rotation:
    """The row as it was when every place could be read and every provider deleted its keys."""
    stores = tuple(replace(each, unread=False) for each in row.stores)
    return replace(row, stores=stores, old_keys=tuple(replace(each, to_delete_since=None) for each in row.old_keys))


CREDENTIALS = (
    CredentialRow(name="done", next_due=NOW, fence=4, spec="5d"),
    CredentialRow(name="full", current="k1", next_due=NOW, fence=1, drift=("aws:a",), held=True, held_why="audit"),
    CredentialRow(name="manual", next_due=NOW, fence=1),
    CredentialRow(name="parked", fence=1),
    CredentialRow(name="stolen", next_due=NOW, fence=2),
)
ROTATIONS = (
    rotation("r1", "done", phase=Phase.DONE, ended_at=NOW, fence=5),
    replace(readable(filled(rotation("r2", "full", fence=3, owner="a process that died"))), consumers=()),
    rotation("r3", "manual", mode=Mode.MANUAL, fence=1),
    rotation("r4", "parked", phase=Phase.STUCK, parked_from=Phase.LIVE, next_at=NEVER, fence=2),
    rotation("r5", "stolen", mode=Mode.COMPROMISE, next_at=NOW + SECOND, fence=7),
)
KEYS = (
    KnownKey(key_id="k1", credential="full", origin=Origin.ADOPTED, since=NOW),
    KnownKey(key_id="k2", credential="full", origin=Origin.MINTED, since=NOW, rotation="r2", fingerprint="ab"),
)
ROLLBACK = Request(id=1, credential="manual", verb=Verb.ROLLBACK, why="bad key", at=NOW)


def first_rows() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row with its table, in an order that foreign keys allow."""
    for table, values in _rows():
        yield table, {name: value for name, value in values.items() if name not in LATER}


def _rows() -> Iterator[tuple[str, dict[str, Any]]]:
    for credential in CREDENTIALS:
        yield "credential", rows.CREDENTIAL.encode(credential)
    for key in KEYS:
        yield "key", rows.KEY.encode(key)
    for row in ROTATIONS:
        yield "rotation", rows.encode_rotation(row)
        for position, old in enumerate(row.old_keys):
            yield "old_key", {"rotation": row.id, "position": position, **rows.OLD_KEY.encode(old)}
        for position, store in enumerate(row.stores):
            yield "place_state", {"rotation": row.id, "position": position, **rows.PLACE_STATE.encode(store)}
    yield "request", rows.REQUEST.encode(ROLLBACK)
    link = chained("r2", 1, NOW, 3, event("mint"), START)
    yield "event", rows.encode_event(link)
    closed = close(None, NOW, {"r2": link.digest}, SIGNER)
    yield "checkpoint", {**rows.CHECKPOINT.encode(closed), "last_event": 1}
    yield "meta", {"name": "remembered: reconciled at", "value": "yesterday"}
