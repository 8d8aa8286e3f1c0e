"""Why a journal cannot be opened, and what SQLite says, in the words of `rotator.domain.failures`.

Permanent
├── Unreadable       a row holds what none of ours wrote
└── CannotOpen       the journal was not opened; nothing was changed
    ├── NoDirectory      its directory does not exist
    ├── NotAJournal      there is a file or a database, but no journal of ours in it
    │   └── NoJournalYet     a database without tables, and a look makes none
    ├── Damaged          SQLite finds it malformed
    ├── NotWritable      this user may not write it
    ├── Newer            written by a newer version of the rotator
    ├── Older            read-only: it must be migrated first
    └── InUse            another daemon has it, or an older version does while it must be migrated
"""

from __future__ import annotations

import sqlite3

from rotator.domain.failures import Failure, Permanent, Transient


class CannotOpen(Permanent):
    """The journal was not opened; nothing was changed."""


class NoDirectory(CannotOpen):
    """The directory that the journal should be in does not exist."""


class NotAJournal(CannotOpen):
    """There is a file or a database, but it is no journal of the rotator."""


class NoJournalYet(NotAJournal):
    """The database has no tables yet, and a look at it makes none."""


class Damaged(CannotOpen):
    """It was a journal, and SQLite finds it malformed."""


class NotWritable(CannotOpen):
    """This user may not write the file or its directory."""


class Newer(CannotOpen):
    """A newer version of the rotator wrote it."""


class Older(CannotOpen):
    """An older version of the rotator wrote it, and a read-only look migrates nothing."""


class InUse(CannotOpen):
    """Another daemon on this host has it."""


RESTORE = "restore it from a backup, then `rotator reconcile --rebuild`"


class Unreadable(Permanent):
    """A row holds what the rotator never writes."""

    def __init__(self, of: str) -> None:
        super().__init__(f"the journal holds a {of} that cannot be read", RESTORE)


_TRANSIENT = {
    sqlite3.SQLITE_BUSY: (
        "the journal is locked by another process",
        "another `rotate` is writing; it goes on by itself",
    ),
    sqlite3.SQLITE_LOCKED: ("the journal is locked", "another `rotate` is writing; it goes on by itself"),
    sqlite3.SQLITE_PROTOCOL: ("the journal is locked", "keep it on a local disk, not on a network file system"),
    sqlite3.SQLITE_FULL: ("the disk of the journal is full", "free some space; nothing was lost"),
    sqlite3.SQLITE_IOERR: ("the disk of the journal fails", "see if it is full or broken; nothing was lost"),
    sqlite3.SQLITE_CANTOPEN: ("the journal's files cannot be opened", "see its directory's permissions"),
    sqlite3.SQLITE_READONLY: ("the journal is read-only", "see the permissions of its file and directory"),
    sqlite3.SQLITE_NOMEM: ("no memory for the journal", ""),
    sqlite3.SQLITE_INTERRUPT: ("the journal was interrupted", ""),
}
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA)


def primary(error: sqlite3.Error) -> int:
    """SQLite's primary result code; the extended one has it in its lower byte."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def failure_of(error: sqlite3.Error) -> Failure:
    """The failure that a port may raise for this error."""
    code = primary(error)
    if code in _TRANSIENT:
        message, hint = _TRANSIENT[code]
        return Transient(message, hint)
    if code in DAMAGED:
        return Permanent("the journal is damaged", RESTORE)
    return Permanent(f"the journal refuses: {error}", "this is a defect of the rotator; nothing was written")
