"""The journal in plain dicts: for simulators and for tests of other people's plugins. Forgets everything at exit.

It keeps the very values it is given and chains events only when somebody reads them, so a commit takes microseconds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from threading import RLock

from rotator.domain.changes import (
    NEVER,
    OF_THE_ROTATION,
    RESTORED,
    check_begin,
    check_commit,
    check_restore,
    check_save,
)
from rotator.domain.failures import Fenced
from rotator.domain.figures import Census, Counted, Figures, Group, Head
from rotator.domain.outline import Outline
from rotator.domain.records import (
    ChainedEvent,
    Checkpoint,
    CredentialRow,
    Event,
    KnownKey,
    Request,
    Sighting,
    Verb,
)
from rotator.domain.rotation import Proof, Rotation
from rotator.domain.trail import START, Signer, chained, close, credential_chain
from rotator.ports import Change
from rotator.testing.figures import in_short, tally


class MemoryJournal:
    """`rotator.ports.Journal` without a file. One lock around each method: safe for threads, not for processes.

    `signer` is needed for `checkpoint` alone.
    """

    def __init__(self, signer: Signer | None = None) -> None:
        self._signer = signer
        self._lock = RLock()
        self._rows: dict[str, Rotation] = {}
        self._open: dict[str, str] = {}  # credential -> id of its open rotation
        self._credentials: dict[str, CredentialRow] = {}
        self._keys: dict[str, dict[str, KnownKey]] = {}
        self._requests: dict[str, list[Request]] = {}  # the unanswered ones
        self._asked = 0
        self._sightings: dict[str, dict[str, Sighting]] = {}
        self._log: list[tuple[str, datetime, int, Event]] = []
        self._chained: list[ChainedEvent] = []  # of as much of the log as was read so far
        self._heads: dict[str, ChainedEvent] = {}
        self._checkpoints: list[Checkpoint] = []
        self._closed = 0  # how much of the log the last checkpoint covers
        self._remembered: dict[str, str] = {}
        self._older: str | None = None

    # -- rotations ---------------------------------------------------------------------------------------------

    def begin(self, rotation: Rotation, change: Change) -> bool:
        """Open a rotation; what was asked of an earlier one is dropped. Twice: False."""
        check_begin(rotation, change)
        with self._lock:
            if rotation.credential in self._open or rotation.id in self._rows:
                return False
            waiting = self._requests.get(rotation.credential, ())
            self._requests[rotation.credential] = [each for each in waiting if each.verb not in OF_THE_ROTATION]
            self._write(rotation.credential, change)
            self._insert(rotation)
            self._note(rotation.id, rotation.started_at, rotation.fence, change.events)
            return True

    def claim(
        self, *, owner: str, now: datetime, lease: timedelta, limit: int, only: Collection[str] | None = None
    ) -> tuple[Rotation, ...]:
        """Take open rows that are due. Twice: other rows, until the lease is over."""
        with self._lock:
            if self._older is not None or limit <= 0:
                return ()
            due = [row for row in self._open_rows(only) if row.next_at <= now]
            due.sort(key=lambda row: (-row.rules.priority, row.next_at))
            return tuple(self._take(row, owner, now + lease) for row in due[:limit])

    def seize(self, rotation_id: str, *, owner: str, now: datetime, lease: timedelta) -> Rotation | None:
        """Take the row from whoever holds it. Twice: taken again, with the next fence."""
        with self._lock:
            row = self._rows.get(rotation_id)
            return self._take(row, owner, now + lease) if row is not None and row.open else None

    def commit(self, row: Rotation, now: datetime, change: Change, *, heed: bool = False) -> tuple[Request, ...]:
        """Save the row and the change under its fence. Twice: saved again, its events too; an ended row is `Fenced`

        once another rotation of the credential is open, or if it would be opened again.
        """
        check_commit(row, change)
        with self._lock:
            self._check_fence(row, change)
            waiting = self._requests.get(row.credential)
            if waiting:
                waiting = [each for each in waiting if each.id not in change.answered]
                if heed and waiting:
                    return tuple(waiting)
                # Whoever answered one request may not have seen the next: nobody holds the row, so it is woken.
                if waiting and row.owner is None and row.open and row.next_at > now:
                    row = replace(row, next_at=now)
            self._rows[row.id] = row
            if not row.open:
                self._open.pop(row.credential, None)
            self._write(row.credential, change)
            self._note(row.id, now, row.fence, change.events)
            if change.successor is not None:
                self._insert(change.successor)
            return ()

    def rotation(self, rotation_id: str) -> Rotation | None:
        """The row as committed."""
        with self._lock:
            return self._rows.get(rotation_id)

    def open_rotations(self, only: Collection[str] | None = None) -> tuple[Rotation, ...]:
        """All that are open, the oldest first; or those of these credentials."""
        with self._lock:
            found = [row for row in self._rows.values() if row.open]  # in the order in which they were begun
            return tuple(row for row in found if only is None or row.credential in only)

    def rotating(self) -> tuple[str, ...]:
        """The names of the credentials of which one is open, sorted."""
        with self._lock:
            return tuple(sorted(self._open))

    def open_rotation(self, credential: str) -> Rotation | None:
        """The credential's one open rotation."""
        with self._lock:
            rotation_id = self._open.get(credential)
            return None if rotation_id is None else self._rows[rotation_id]

    def rotations(self, credential: str | None = None, *, limit: int = 1000) -> tuple[Rotation, ...]:
        """Rotations, the one opened last first."""
        with self._lock:
            rows = [row for row in reversed(self._rows.values()) if credential in (None, row.credential)]
            return tuple(rows[: max(limit, 0)])

    def emergencies(self, reason: str = "") -> tuple[Rotation, ...]:
        """Rotations of emergencies whose reason begins so, the one opened last first."""
        return tuple(
            row
            for row in self.rotations(limit=len(self._rows))
            if row.rules.emergency and row.reason.startswith(reason)
        )

    def next_wake(self, only: Collection[str] | None = None) -> datetime | None:
        """The earliest `next_at` of an open row that is not parked; one that a request woke is not."""
        with self._lock:
            return min((row.next_at for row in self._open_rows(only) if row.next_at < NEVER), default=None)

    # -- credentials and keys ----------------------------------------------------------------------------------

    def credential(self, name: str) -> CredentialRow:
        """The credential's row; a fresh one for a name never saved."""
        with self._lock:
            return self._credentials.get(name) or CredentialRow(name=name)

    def credentials(self, after: str = "", limit: int | None = None) -> tuple[CredentialRow, ...]:
        """All rows, or a page of them, by name."""
        with self._lock:
            names = [name for name in sorted(self._credentials) if name > after]
            return tuple(self._credentials[name] for name in names[:limit])

    def credentials_among(self, names: Collection[str]) -> tuple[CredentialRow, ...]:
        """The rows of these names, by name."""
        with self._lock:
            return tuple(self._credentials[name] for name in sorted(set(names)) if name in self._credentials)

    def due(self, now: datetime, limit: int) -> tuple[CredentialRow, ...]:
        """Credentials to rotate, the longest due first."""
        with self._lock:
            found = [
                (row.next_due, row.name, row)
                for row in self._credentials.values()
                if row.next_due is not None and row.next_due <= now and not row.held and row.name not in self._open
            ]
            return tuple(row for _, _, row in sorted(found, key=lambda each: each[:2])[: max(limit, 0)])

    def save(self, row: CredentialRow, now: datetime, change: Change) -> CredentialRow:
        """Save a credential under its fence with no rotation open. Twice: `Fenced`."""
        check_save(row.name, change)
        with self._lock:
            if row.name in self._open:
                raise Fenced(f"a rotation of {row.name} is open")
            if row.fence != self.credential(row.name).fence:
                raise Fenced(f"{row.name} was written by somebody else")
            saved = replace(row, fence=row.fence + 1)
            self._credentials[row.name] = saved
            self._write(row.name, change)
            self._note(credential_chain(row.name), now, saved.fence, change.events)
            return saved

    def note(self, credential: str, events: Sequence[Event], now: datetime) -> None:
        """Add to a credential's own trail. Twice: it is there twice."""
        with self._lock:
            self._note(credential_chain(credential), now, self.credential(credential).fence, tuple(events))

    def keys(self, credential: str) -> tuple[KnownKey, ...]:
        """The keys that belong to a credential, the one first known first."""
        with self._lock:
            return tuple(self._keys.get(credential, {}).values())

    def every_key(self) -> tuple[KnownKey, ...]:
        """The keys of all credentials, by the credential's name; of each the one first known first."""
        with self._lock:
            return tuple(key for name in sorted(self._keys) for key in self._keys[name].values())

    def holders(self, key_id: str) -> tuple[str, ...]:
        """The names, sorted, of the credentials whose current key this is."""
        with self._lock:
            return tuple(sorted(row.name for row in self._credentials.values() if row.current == key_id))

    # -- operators and the reconciler --------------------------------------------------------------------------

    def ask(self, credential: str, verb: Verb, why: str, now: datetime) -> Request:
        """Leave a request. Twice in a row: the same request. Raises `LookupError` when no rotation is open."""
        with self._lock:
            row = self.open_rotation(credential)
            if row is None:
                raise LookupError(f"no rotation of {credential} is open")
            waiting = self._requests.setdefault(credential, [])
            if not waiting or (waiting[-1].verb, waiting[-1].why) != (verb, why):
                self._asked += 1
                waiting.append(Request(id=self._asked, credential=credential, verb=verb, why=why, at=now))
            if row.owner is None and row.next_at > now:
                self._rows[row.id] = replace(row, next_at=now)
            return waiting[-1]

    def sight(self, credential: str, key_ids: Collection[str], now: datetime) -> tuple[Sighting, ...]:
        """Remember first sightings, by key id. Twice: the first time counts."""
        with self._lock:
            before = self._sightings.get(credential, {})
            after = {
                key_id: before.get(key_id) or Sighting(credential=credential, key_id=key_id, first_seen=now)
                for key_id in sorted(set(key_ids))
            }
            self._sightings[credential] = after
            return tuple(after.values())

    # -- the trail ---------------------------------------------------------------------------------------------

    def events(self, rotation_id: str | None = None, *, after: int = 0, limit: int = 10000) -> tuple[ChainedEvent, ...]:
        """Events as committed; `after` leaves out so many, which of one rotation is its `seq`."""
        with self._lock:
            self._chain()
            found = [each for each in self._chained if rotation_id in (None, each.rotation)]
            return tuple(found[after : after + max(limit, 0)])

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """All signed checkpoints, oldest first."""
        with self._lock:
            return tuple(self._checkpoints)

    def checkpoint(self, now: datetime) -> Checkpoint | None:
        """Close what happened since the last one. Twice: None. Raises `Permanent` without a signer."""
        with self._lock:
            if self._closed == len(self._log):
                return None
            self._chain()
            moved = {name for name, *_ in self._log[self._closed :]}
            heads = {name: self._heads[name].digest for name in sorted(moved)}
            last = self._checkpoints[-1] if self._checkpoints else None
            self._checkpoints.append(close(last, now, heads, self._signer))
            self._closed = len(self._log)
            return self._checkpoints[-1]

    # -- what outlives a process, and its own age --------------------------------------------------------------

    def recall(self, name: str) -> str | None:
        """What was remembered under a name."""
        return self._remembered.get(name)

    def remember(self, name: str, text: str | None) -> None:
        """Remember a short text. Twice: the later one counts."""
        with self._lock:
            self._remembered.pop(name, None)
            if text is not None:
                self._remembered[name] = text

    def replace(self, name: str, text: str, *, expected: str | None) -> bool:
        """Remember a text in the place of another one. Twice: True again."""
        with self._lock:
            if self._remembered.get(name) == expected:
                self._remembered[name] = text
            return self._remembered.get(name) == text

    def remembered(self, prefix: str) -> tuple[str, ...]:
        """The names that begin so, sorted."""
        with self._lock:
            return tuple(sorted(each for each in self._remembered if each.startswith(prefix)))

    def restore(self, row: Rotation, now: datetime) -> None:
        """Enter or overwrite a row that is over. Twice: the same. Raises `Fenced` for one that is open here."""
        check_restore(row)
        with self._lock:
            stored = self._rows.get(row.id)
            if stored is not None and stored.open:
                raise Fenced(f"rotation {row.id} is open")
            if stored != row:
                self._rows[row.id] = row
                self._credentials.setdefault(row.credential, CredentialRow(name=row.credential))
                self._note(row.id, now, row.fence, (RESTORED,))

    def older_than_world(self) -> str | None:
        """Why this journal was found older than the world, or None."""
        return self._older

    def set_older_than_world(self, why: str | None) -> None:
        """Remember it. Twice: the later word counts."""
        with self._lock:
            self._older = why

    # -- in numbers --------------------------------------------------------------------------------------------

    def figures(self) -> Figures:
        """What is open and what is wrong."""
        with self._lock:
            seen = {name: list(each.values()) for name, each in self._sightings.items() if each}
            dead: dict[str, list[datetime | None]] = {}
            for row in self._rows.values():
                for old in row.old_keys:
                    if old.proof is Proof.UNPROVEN:
                        dead.setdefault(row.credential, []).append(old.dead_at)
            return Figures(
                open=tuple(in_short(row) for row in self._open_rows(None)),
                orphans={
                    name: Counted(number=len(each), at=min(one.first_seen for one in each))
                    for name, each in seen.items()
                },
                unproven={
                    name: Counted(number=len(each), at=max((at for at in each if at is not None), default=None))
                    for name, each in dead.items()
                },
                head=self._head(),
                older=self._older is not None,
            )

    def _head(self) -> Head:
        unclosed = len(self._log) - self._closed
        if not self._checkpoints:
            return Head(unclosed=unclosed)
        last = self._checkpoints[-1]
        return Head(number=last.number, at=last.at, digest=last.digest, unclosed=unclosed)

    def census(self, groups: Sequence[Group], now: datetime) -> Census:
        """Every credential counted in its group."""
        with self._lock:
            mine = [[row for row in self._credentials.values() if row.name in group.names] for group in groups]
            counted = tuple(tally(rows, group, self._open, now) for rows, group in zip(mine, groups, strict=True))
            credentials = sum(" " not in name for name in self._credentials)
            return Census(groups=counted, strangers=credentials - sum(map(len, mine)))

    # -- for people who look -----------------------------------------------------------------------------------

    def outline(self, after: str = "", limit: int = 1000) -> tuple[Outline, ...]:
        """Credentials in short, by name."""
        with self._lock:
            found = (row for name, row in sorted(self._credentials.items()) if name > after)
            return tuple(
                Outline(
                    row.name,
                    row.current is not None,
                    row.current_since,
                    row.next_due,
                    row.held,
                    bool(row.drift),
                    row.name in self._open,
                )
                for row in islice(found, max(limit, 0))
            )

    def amiss(self, limit: int) -> tuple[CredentialRow, ...]:
        """Those that drift, then those that are held, each by name."""
        with self._lock:
            rows = sorted(self._credentials.values(), key=lambda row: (not row.drift, row.name))
            found = [row for row in rows if row.held or row.drift]
            return tuple(found[: max(limit, 0)])

    def last_event(self) -> int:
        """How many events there are."""
        with self._lock:
            return len(self._log)

    # -- inside ------------------------------------------------------------------------------------------------

    def _open_rows(self, only: Collection[str] | None) -> list[Rotation]:
        """In the order in which they were opened, so that a run replays."""
        if only is None:
            return [self._rows[rotation_id] for rotation_id in self._open.values()]
        names = frozenset(only)
        return [self._rows[rotation_id] for name, rotation_id in self._open.items() if name in names]

    def _take(self, row: Rotation, owner: str, until: datetime) -> Rotation:
        clean = row.clean and row.owner is None
        taken = replace(row, fence=row.fence + 1, owner=owner, next_at=until, clean=clean)
        self._rows[row.id] = taken
        return taken

    def _check_fence(self, row: Rotation, change: Change) -> None:
        stored = self._rows.get(row.id)
        if stored is None or stored.fence != row.fence:
            raise Fenced(f"rotation {row.id} is somebody else's")
        if not stored.open and (row.open or row.credential in self._open or change.successor is not None):
            raise Fenced(f"rotation {row.id} is over")
        if change.successor is not None and change.successor.id in self._rows:
            raise ValueError(f"there is a rotation {change.successor.id} already")

    def _insert(self, rotation: Rotation) -> None:
        self._rows[rotation.id] = rotation
        self._open[rotation.credential] = rotation.id
        row = self.credential(rotation.credential)
        self._credentials[row.name] = replace(row, fence=row.fence + 1)

    def _write(self, credential: str, change: Change) -> None:
        """What a change holds beside rows and events. The credential's fence is the journal's, never the caller's."""
        if change.credential is not None:
            fence = self.credential(credential).fence
            row = change.credential
            self._credentials[credential] = row if row.fence == fence else replace(row, fence=fence)
        if change.keys:
            self._keys.setdefault(credential, {}).update((key.key_id, key) for key in change.keys)
        if change.answered:
            waiting = self._requests.get(credential, [])
            self._requests[credential] = [each for each in waiting if each.id not in change.answered]

    def _note(self, chain: str, at: datetime, fence: int, events: tuple[Event, ...]) -> None:
        self._log.extend((chain, at, fence, event) for event in events)

    def _chain(self) -> None:
        for name, at, fence, event in self._log[len(self._chained) :]:
            head = self._heads.get(name)
            seq, previous = (head.seq + 1, head.digest) if head else (1, START)
            self._heads[name] = chained(name, seq, at, fence, event, previous)
            self._chained.append(self._heads[name])
