"""A look at the journal for `rotator status` and `history`: sqlite3 alone, no SQLAlchemy, nothing written or migrated.

It may be used while others write, and without any right to write the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote

from rotator.adapters.journal import rows
from rotator.adapters.journal.errors import DAMAGED, RESTORE, Damaged, NotAJournal, Older, failure_of, primary
from rotator.adapters.journal.location import path_of
from rotator.adapters.journal.snapshot import end_snapshot
from rotator.adapters.journal.version import HEAD, version_of
from rotator.domain.changes import OLDER, REMEMBERED
from rotator.domain.failures import Failure
from rotator.domain.records import ChainedEvent, Checkpoint, CredentialRow, KnownKey
from rotator.domain.rotation import Rotation

T = TypeVar("T")

NEWEST_FIRST = "ORDER BY number DESC LIMIT ?"


def look_at(url: str, *, base: Path | None = None, busy: timedelta = timedelta(seconds=5)) -> ReadOnlyJournal:
    """Open the journal at this URL for reading.

    Raises `NotAJournal` also where there is none yet, `Older` for one that must be migrated first, `Newer`, `Damaged`.
    """
    path = path_of(url, base)
    if not path.is_file() or path.stat().st_size == 0:
        raise NotAJournal(f"there is no journal at {path}", "nothing was rotated yet, or state names another file")
    try:
        connection, version = _connect(path, busy)
    except sqlite3.Error as error:
        raise _refusal(path, error) from error
    if version != HEAD:
        connection.close()
        raise Older(f"an older rotator wrote {path}", "every command that writes migrates it, `rotator check` too")
    return ReadOnlyJournal(connection)


def _connect(path: Path, busy: timedelta) -> tuple[sqlite3.Connection, str | None]:
    """A connection, and the schema that was read on it."""
    # Without a write-ahead log nobody has it open; asked before, because the attempt may make one.
    open_somewhere = path.with_name(path.name + "-wal").exists()
    try:
        return _try(path, busy, "mode=ro")
    except sqlite3.OperationalError:
        # Who may not write the directory, or finds the disk full, cannot make the files of the write-ahead log.
        if open_somewhere:
            raise
        return _try(path, busy, "mode=ro&immutable=1")


def _try(path: Path, busy: timedelta, options: str) -> tuple[sqlite3.Connection, str | None]:
    uri, timeout = f"file:{quote(str(path))}?{options}", busy.total_seconds()
    connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        return connection, version_of(connection)
    except BaseException:
        connection.close()
        raise


def _refusal(path: Path, error: sqlite3.Error) -> Failure:
    if primary(error) == sqlite3.SQLITE_NOTADB:
        return NotAJournal(f"{path} is not a journal of the rotator", "see what state names")
    if primary(error) in DAMAGED:
        return Damaged(f"{path} is damaged", RESTORE)
    return failure_of(error)


class ReadOnlyJournal:
    """The methods of `rotator.ports.Journal` that answer people's questions. To be closed, or used in a `with`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> ReadOnlyJournal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Twice: nothing more."""
        self._connection.close()

    def rotation(self, rotation_id: str) -> Rotation | None:
        """The row as committed."""
        return next(iter(self._rotations("WHERE id = ?", rotation_id)), None)

    def open_rotation(self, credential: str) -> Rotation | None:
        """The credential's one open rotation."""
        return next(iter(self._rotations("WHERE credential = ? AND open = 1", credential)), None)

    def open_rotations(self) -> tuple[Rotation, ...]:
        """All that are open, the oldest first."""
        return self._rotations("WHERE open = 1 ORDER BY number")

    def rotations(self, credential: str | None = None, *, limit: int = 1000) -> tuple[Rotation, ...]:
        """Rotations, the one opened last first."""
        if credential is None:
            return self._rotations(NEWEST_FIRST, max(limit, 0))
        return self._rotations(f"WHERE credential = ? {NEWEST_FIRST}", credential, max(limit, 0))

    def credential(self, name: str) -> CredentialRow:
        """The credential's row; a fresh one for a name never saved."""
        return next(iter(self._credentials("WHERE name = ?", name)), CredentialRow(name=name))

    def credentials(self, after: str = "", limit: int | None = None) -> tuple[CredentialRow, ...]:
        """All rows, or a page of them, by name."""
        most = -1 if limit is None else max(limit, 0)
        return self._credentials("WHERE name > ? ORDER BY name LIMIT ?", after, most)

    def keys(self, credential: str) -> tuple[KnownKey, ...]:
        """The keys that belong to a credential, the one first known first."""
        return self._read(
            lambda: tuple(
                rows.KEY.decode(record)
                for record in self._select("key", rows.KEY.columns, "WHERE credential = ? ORDER BY number", credential)
            )
        )

    def every_key(self) -> tuple[KnownKey, ...]:
        """The keys of all credentials, by the credential's name; of each the one first known first."""
        return self._read(
            lambda: tuple(map(rows.KEY.decode, self._select("key", rows.KEY.columns, "ORDER BY credential, number")))
        )

    def events(self, rotation_id: str | None = None, *, after: int = 0, limit: int = 10000) -> tuple[ChainedEvent, ...]:
        """Events as committed; `after` leaves out so many, which of one rotation is its `seq`."""
        clause = "WHERE number > ? ORDER BY number LIMIT ?"
        values: tuple[object, ...] = (after, max(limit, 0))
        if rotation_id is not None:
            clause, values = "WHERE rotation = ? AND seq > ? ORDER BY seq LIMIT ?", (rotation_id, *values)
        return self._read(
            lambda: tuple(map(rows.decode_event, self._select("event", rows.EVENT_COLUMNS, clause, *values)))
        )

    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """All signed checkpoints, oldest first."""
        columns = rows.CHECKPOINT.columns
        return self._read(
            lambda: tuple(map(rows.CHECKPOINT.decode, self._select("checkpoint", columns, "ORDER BY number")))
        )

    def older_than_world(self) -> str | None:
        """Why this journal was found older than the world, or None."""
        found = self._read(lambda: list(self._select("meta", ("value",), "WHERE name = ?", OLDER)))
        return found[0][0] if found else None

    def recall(self, name: str) -> str | None:
        """What was remembered under a name."""
        found = self._read(lambda: list(self._select("meta", ("value",), "WHERE name = ?", REMEMBERED + name)))
        return found[0][0] if found else None

    # -- inside ------------------------------------------------------------------------------------------------

    def _credentials(self, clause: str, *values: object) -> tuple[CredentialRow, ...]:
        columns = rows.CREDENTIAL.columns
        return self._read(
            lambda: tuple(map(rows.CREDENTIAL.decode, self._select("credential", columns, clause, *values)))
        )

    def _rotations(self, clause: str, *values: object) -> tuple[Rotation, ...]:
        def read() -> tuple[Rotation, ...]:
            records = list(self._select("rotation", rows.ROTATION_COLUMNS, clause, *values))
            return tuple(
                rows.decode_rotation(
                    record,
                    self._parts("old_key", rows.OLD_KEY, record[0]),
                    self._parts("place_state", rows.PLACE_STATE, record[0]),
                    self._parts("consumer_state", rows.CONSUMER_STATE, record[0]),
                )
                for record in records
            )

        return self._read(read)

    def _parts(self, table: str, shape: rows.Shape[T], rotation_id: str) -> tuple[T, ...]:
        found = self._select(table, shape.columns, "WHERE rotation = ? ORDER BY position", rotation_id)
        return tuple(map(shape.decode, found))

    def _select(self, table: str, columns: Iterable[str], clause: str, *values: object) -> Iterable[rows.Record]:
        """`table`, `columns` and `clause` are texts of this file."""
        return self._connection.execute(f"SELECT {', '.join(columns)} FROM {table} {clause}", values)  # noqa: S608

    def _read(self, question: Callable[[], T]) -> T:
        """One answer from one snapshot."""
        try:
            self._connection.execute("BEGIN")
            try:
                return question()
            finally:
                end_snapshot(self._connection)
        except sqlite3.Error as error:
            raise failure_of(error) from error
