"""Opens a journal: makes it where there is none, migrates an older one, and refuses what is none of ours.

Everything that a new or older journal needs happens in one transaction, so a crash leaves it as it was.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import nullcontext, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import QueuePool

from rotator.adapters.journal import errors
from rotator.adapters.journal.errors import CannotOpen, Damaged, NoDirectory, NotAJournal, NotWritable
from rotator.adapters.journal.location import path_of
from rotator.adapters.journal.lock import exclusively
from rotator.adapters.journal.sqlite import SqliteJournal, SqliteSession
from rotator.adapters.journal.version import HEAD, version_of
from rotator.adapters.journal.writer import Writer
from rotator.domain.failures import Failure
from rotator.domain.trail import Signer

HEADER = 100
"""Bytes of the header of every database; SQLite would take a file of one byte for an empty one."""
READERS = 8
"""Connections that stay open for reading; more are opened for as long as more threads read at the same moment."""
READING_KB = 256
"""KiB of pages that each of them keeps, where SQLite would keep 2 MB: the machine has the file in memory anyway."""


def open_journal(
    url: str,
    *,
    signer: Signer | None = None,
    base: Path | None = None,
    busy: timedelta = timedelta(seconds=5),
    locked: bool = False,
) -> SqliteJournal:
    """Open the journal at `sqlite:///relative` or `sqlite:////absolute`, made with mode 0600 where there is none.

    `base`: what a relative path is relative to; None: the working directory. `busy`: how long a write waits for other
    processes before it is `Transient`. `locked`: the caller holds the daemon's lock (`rotator.adapters.journal.lock`).
    Raises `CannotOpen` and its kin, and `Transient` for a full disk or a locked file; then nothing was changed.
    """
    path = path_of(url, base)
    _check_file(path)
    try:
        writing = connect(path, busy)
        session = SqliteSession(writing)
        try:
            session.watch()
            _prepare(path, writing, locked)
        except BaseException:
            writing.close()
            raise
    except sqlite3.Error as error:
        raise _refusal(path, error) from error
    return SqliteJournal(_readers(path, busy), Writer(session), signer)


def connect(path: Path, busy: timedelta, *, reader: bool = False) -> sqlite3.Connection:
    """A connection on which nothing begins by itself; a reader's can write nothing."""
    connection = sqlite3.connect(path, timeout=busy.total_seconds(), isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        # NORMAL may lose the last commits when the power fails: a minted key that nobody remembers.
        connection.execute("PRAGMA synchronous = FULL")
        if reader:
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{READING_KB}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_file(path: Path) -> None:
    """An existing file is not opened here: closing it would end the locks that SQLite holds for this process."""
    try:
        if not path.parent.is_dir():
            raise NoDirectory(f"there is no directory {path.parent}", "make it, or name another place as state")
        if path.is_dir():
            raise NotAJournal(f"{path} is a directory", "name a file as state")
        if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
            raise _not_writable(path.parent)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        if 0 < path.stat().st_size < HEADER:
            raise _no_journal(path)
    except OSError as error:
        raise NotWritable(f"{path} cannot be opened: {error.strerror}", "see its directory and its disk") from error


def _not_writable(path: Path) -> NotWritable:
    return NotWritable(f"{path} cannot be written by this user", "see its owner and permissions")


def _no_journal(path: Path) -> NotAJournal:
    return NotAJournal(f"{path} is not a journal of the rotator", "name another file as state")


def _refusal(path: Path, error: sqlite3.Error) -> Failure:
    """What SQLite said while opening."""
    code = errors.primary(error)
    if code == sqlite3.SQLITE_NOTADB:
        return _no_journal(path)
    if code in errors.DAMAGED:
        return Damaged(f"{path} is damaged", errors.RESTORE)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return _not_writable(path)
    return errors.failure_of(error)


def _prepare(path: Path, connection: sqlite3.Connection, locked: bool) -> None:
    """Bring the file to the schema of this version."""
    version = version_of(connection)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise CannotOpen(f"{path} cannot have a write-ahead log", "keep it on a local disk")
    if version == HEAD:
        # Tells at once whether it can be written: of a file that can only be read, SQLite says so no earlier.
        connection.execute("DELETE FROM meta WHERE 0")
        return
    # An older daemon would go on writing what the new schema does not expect.
    alone = nullcontext() if version is None or locked else exclusively(path, hint="it is of an older version: stop it")
    with alone:
        from rotator.adapters.journal.migrating import upgrade

        upgrade(connection)


def _readers(path: Path, busy: timedelta) -> Engine:
    return create_engine(
        "sqlite://",
        creator=partial(connect, path, busy, reader=True),
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=-1,
        pool_reset_on_return=None,  # every snapshot has ended when its connection comes back
    )
