"""`rotator.ports.Journal` on a database, for many threads and several processes.

Reads run in the caller's thread on a connection of its own, each answer from one snapshot; writes run in the writer's
thread and are durable when they return. What is SQLite's or PostgreSQL's own is in `sqlite` and in `postgres`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import cached_property, partial
from types import TracebackType
from typing import Self, TypeVar

from rotator.adapters.journal import figures, overview, reading, rows, writing
from rotator.adapters.journal import statements as sql
from rotator.adapters.journal.inventories import JournalInventories
from rotator.adapters.journal.session import Session
from rotator.adapters.journal.tokens import JournalTokens
from rotator.adapters.journal.writer import Writer
from rotator.domain.changes import OLDER, REMEMBERED, check_begin, check_commit, check_restore, check_save
from rotator.domain.figures import Census, Figures, Group
from rotator.domain.outline import Outline
from rotator.domain.records import ChainedEvent, Checkpoint, CredentialRow, Event, KnownKey, Request, Sighting, Verb
from rotator.domain.rotation import Rotation
from rotator.domain.trail import Signer
from rotator.ports import Change

T = TypeVar("T")


class DurableJournal(ABC):
    """The journal in a database. To be closed, or used in a `with`; closing finishes what other threads are writing.

    Beside the failures of the port a method raises `ValueError` and `TypeError` for what a defect of the caller would
    write: another credential's rows, a `Secret`, a naive time.
    """

    def __init__(self, writer: Writer, signer: Signer | None = None) -> None:
        """`signer` is needed for `checkpoint` alone."""
        self._writer = writer
        self._signer = signer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what was asked for, then let go of the database. Twice: nothing more."""
        self._writer.close()

    @cached_property
    def inventories(self) -> JournalInventories:
        """Which packages consumers had when: `rotator.ports.Inventories`, in the same database."""
        return JournalInventories(self._writer.run, self._read)

    @cached_property
    def tokens(self) -> JournalTokens:
        """The API's tokens: `rotator.ports.Tokens`, in the same database."""
        return JournalTokens(self._writer.run, self._read)

    # -- rotations ---------------------------------------------------------------------------------------------

    def begin(self, rotation: Rotation, change: Change) -> bool:
        """Open a rotation; what was asked of an earlier one is dropped. Twice: False."""
        check_begin(rotation, change)
        return self._writer.run(partial(writing.begin, rotation=rotation, change=change))

    def claim(
        self, *, owner: str, now: datetime, lease: timedelta, limit: int, only: Collection[str] | None = None
    ) -> tuple[Rotation, ...]:
        """Take open rows that are due. Twice: other rows, until the lease is over."""
        work = partial(writing.claim, owner=owner, now=now, lease=lease, limit=limit, only=only)
        return self._writer.run(work)

    def seize(self, rotation_id: str, *, owner: str, now: datetime, lease: timedelta) -> Rotation | None:
        """Take the row from whoever holds it. Twice: taken again, with the next fence."""
        return self._writer.run(partial(writing.seize, rotation_id=rotation_id, owner=owner, now=now, lease=lease))

    def commit(self, row: Rotation, now: datetime, change: Change, *, heed: bool = False) -> tuple[Request, ...]:
        """Save the row and the change under its fence. Twice: saved again, its events too; an ended row is `Fenced`

        once another rotation of the credential is open, or if it would be opened again.
        """
        check_commit(row, change)
        values = rows.encode_rotation(row)
        work = partial(writing.commit, row=row, values=values, now=now, change=change, heed=heed)
        first = partial(writing.saved_first, row=row, values=values, now=now, change=change)
        return self._writer.run(work, ahead=first)

    def rotation(self, rotation_id: str) -> Rotation | None:
        """The row as committed."""
        return self._read(lambda session: reading.rotation(session, sql.ROTATION_BY_ID, {"id": rotation_id}))

    def open_rotation(self, credential: str) -> Rotation | None:
        """The credential's one open rotation."""
        wanted = {"credential": credential}
        return self._read(lambda session: reading.rotation(session, sql.OPEN_OF_CREDENTIAL, wanted))

    def rotating(self) -> tuple[str, ...]:
        """The names of the credentials of which one is open, sorted."""
        return self._read(reading.rotating)

    def open_rotations(self, only: Collection[str] | None = None) -> tuple[Rotation, ...]:
        """All that are open, the oldest first; or those of these credentials."""
        return self._read(lambda session: reading.open_rotations(session, only))

    def rotations(self, credential: str | None = None, *, limit: int = 1000) -> tuple[Rotation, ...]:
        """Rotations, the one opened last first."""
        return self._read(lambda session: reading.newest(session, credential, max(limit, 0)))

    def emergencies(self, reason: str = "") -> tuple[Rotation, ...]:
        """Rotations of emergencies whose reason begins so, the one opened last first."""
        return self._read(lambda session: reading.emergencies(session, reason))

    def next_wake(self, only: Collection[str] | None = None) -> datetime | None:
        """The earliest `next_at` of an open row that is not parked; one that a request woke is not."""
        return self._read(lambda session: reading.next_wake(session, only))

    # -- credentials and keys ----------------------------------------------------------------------------------

    def credential(self, name: str) -> CredentialRow:
        """The credential's row; a fresh one for a name never saved."""
        return self._look(lambda session: reading.credential(session, name))

    def credentials(self, after: str = "", limit: int | None = None) -> tuple[CredentialRow, ...]:
        """All rows, or a page of them, by name."""
        return self._look(lambda session: reading.credentials(session, after, limit))

    def credentials_among(self, names: Collection[str]) -> tuple[CredentialRow, ...]:
        """The rows of these names, by name."""
        return self._look(lambda session: reading.credentials_among(session, names))

    def due(self, now: datetime, limit: int) -> tuple[CredentialRow, ...]:
        """Credentials to rotate, the longest due first."""
        return self._look(lambda session: reading.due(session, now, max(limit, 0)))

    def save(self, row: CredentialRow, now: datetime, change: Change) -> CredentialRow:
        """Save a credential under its fence with no rotation open. Twice: `Fenced`."""
        check_save(row.name, change)
        return self._writer.run(partial(writing.save, row=row, now=now, change=change))

    def keys(self, credential: str) -> tuple[KnownKey, ...]:
        """The keys that belong to a credential, the one first known first."""
        return self._look(lambda session: reading.keys(session, credential))

    def every_key(self) -> tuple[KnownKey, ...]:
        """The keys of all credentials, by the credential's name; of each the one first known first."""
        return self._look(reading.every_key)

    def holders(self, key_id: str) -> tuple[str, ...]:
        """The names, sorted, of the credentials whose current key this is."""
        return self._look(lambda session: reading.holders(session, key_id))

    # -- operators and the reconciler --------------------------------------------------------------------------

    def ask(self, credential: str, verb: Verb, why: str, now: datetime) -> Request:
        """Leave a request. Twice in a row: the same request. Raises `LookupError` when no rotation is open."""
        return self._writer.run(partial(writing.ask, credential=credential, verb=verb, why=why, now=now))

    def note(self, credential: str, events: Sequence[Event], now: datetime) -> None:
        """Add to a credential's own trail. Twice: it is there twice."""
        check_save(credential, Change(events=tuple(events)))
        self._writer.run(partial(writing.note, credential=credential, events=tuple(events), now=now))

    def sight(self, credential: str, key_ids: Collection[str], now: datetime) -> tuple[Sighting, ...]:
        """Remember first sightings, by key id. Twice: the first time counts."""
        return self._writer.run(partial(writing.sight, credential=credential, key_ids=key_ids, now=now))

    # -- the trail ---------------------------------------------------------------------------------------------

    def events(self, rotation_id: str | None = None, *, after: int = 0, limit: int = 10000) -> tuple[ChainedEvent, ...]:
        """Events as committed; `after` leaves out so many, which of one rotation is its `seq`."""
        return self._look(lambda session: reading.events(session, rotation_id, after, max(limit, 0)))

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """All signed checkpoints, oldest first."""
        return self._look(reading.checkpoints)

    def checkpoint(self, now: datetime) -> Checkpoint | None:
        """Close what happened since the last one. Twice: None. Raises `Permanent` without a signer."""
        return self._writer.run(partial(writing.checkpoint, now=now, signer=self._signer))

    # -- what outlives a process, and its own age --------------------------------------------------------------

    def recall(self, name: str) -> str | None:
        """What was remembered under a name."""
        return self._look(lambda session: reading.recall(session, REMEMBERED + name))

    def remember(self, name: str, text: str | None) -> None:
        """Remember a short text. Twice: the later one counts."""
        self._writer.run(partial(writing.remember, name=REMEMBERED + name, value=text))

    def replace(self, name: str, text: str, *, expected: str | None) -> bool:
        """Remember a text in the place of another one. Twice: True again."""
        work = partial(writing.replace_text, name=REMEMBERED + name, value=text, expected=expected)
        return self._writer.run(work)

    def remembered(self, prefix: str) -> tuple[str, ...]:
        """The names that begin so, sorted."""
        found = self._look(lambda session: reading.remembered(session, REMEMBERED + prefix))
        return tuple(each.removeprefix(REMEMBERED) for each in found)

    def restore(self, row: Rotation, now: datetime) -> None:
        """Enter or overwrite a row that is over. Twice: the same. Raises `Fenced` for one that is open here."""
        check_restore(row)
        self._writer.run(partial(writing.restore, row=row, now=now))

    def older_than_world(self) -> str | None:
        """Why this journal was found older than the world, or None."""
        return self._look(lambda session: reading.recall(session, OLDER))

    def set_older_than_world(self, why: str | None) -> None:
        """Remember it. Twice: the later word counts."""
        self._writer.run(partial(writing.remember, name=OLDER, value=why))

    # -- in numbers --------------------------------------------------------------------------------------------

    def figures(self) -> Figures:
        """What is open and what is wrong."""
        return self._read(figures.figures)

    def census(self, groups: Sequence[Group], now: datetime) -> Census:
        """Every credential counted in its group."""
        return self._read(lambda session: figures.census(session, groups, now))

    # -- for people who look -----------------------------------------------------------------------------------

    def outline(self, after: str = "", limit: int = 1000) -> tuple[Outline, ...]:
        """Credentials in short, by name."""
        return self._look(lambda session: overview.outline(session, after, limit))

    def amiss(self, limit: int) -> tuple[CredentialRow, ...]:
        """Those that are held or drift."""
        return self._look(lambda session: overview.amiss(session, limit))

    def last_event(self) -> int:
        """The number of the newest event."""
        return self._look(overview.last_event)

    # -- inside ------------------------------------------------------------------------------------------------

    def _read(self, question: Callable[[Session], T]) -> T:
        """The answer to several statements, all of one moment."""

        def of_one_moment(session: Session) -> T:
            with session.snapshot():
                return question(session)

        return self._look(of_one_moment)

    @abstractmethod
    def _look(self, question: Callable[[Session], T]) -> T:
        """The answer to one statement, on a connection that nobody else uses meanwhile."""
