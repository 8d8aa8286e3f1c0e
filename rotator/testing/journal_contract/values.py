"""What the contract's tests write into a journal, and how they call it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Mode, Rotation
from rotator.ports import Change, Journal

T = TypeVar("T")

NOW = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
LEASE = timedelta(seconds=60)
SECOND = timedelta(seconds=1)
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
NOTHING = Change()
THREADS = 8


class Signer:
    """Signs the checkpoints of a journal under test, with a key that everybody knows."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.public_key: bytes = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """As the installation does."""
        return self._key.sign(message)

    def check(self, message: bytes, signature: str) -> None:
        """Raises `InvalidSignature` for what `sign` did not give, in hexadecimal digits."""
        self._key.public_key().verify(bytes.fromhex(signature), message)


SIGNER = Signer()


def rotation(rotation_id: str, credential: str = "openai", **fields: Any) -> Rotation:
    """A row that nobody has saved yet, due at `NOW`."""
    times = {"started_at": NOW, "next_at": NOW, "since": NOW}
    return Rotation(
        **{"id": rotation_id, "credential": credential, "mode": Mode.SCHEDULED, "reason": "due", **times, **fields}
    )


def event(action: str = "mint", subject: str = "", **detail: str) -> Event:
    """An intent."""
    return Event(kind=EventKind.INTENT, action=action, subject=subject, detail=detail)


def noting(*actions: str) -> Change:
    """A change that only adds events."""
    return Change(events=tuple(event(action) for action in actions))


def begun(journal: Journal, rotation_id: str = "r1", credential: str = "openai", **fields: Any) -> Rotation:
    """An open row, held by nobody."""
    row = rotation(rotation_id, credential, **fields)
    assert journal.begin(row, NOTHING)
    return row


def claimed(journal: Journal, rotation_id: str = "r1", credential: str = "openai", **fields: Any) -> Rotation:
    """An open row that `anna` has claimed at `NOW`."""
    begun(journal, rotation_id, credential, **fields)
    (row,) = journal.claim(owner="anna", now=NOW, lease=LEASE, limit=1, only=[credential])
    return row


def answer_lost(call: Callable[[], T]) -> T:
    """Do it, lose the answer, and do it again, as a caller would."""
    call()
    return call()


def at_once(calls: Sequence[Callable[[], object]]) -> list[Any]:
    """What each call returned or raised, all of them begun at the same moment, each in a thread of its own."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
