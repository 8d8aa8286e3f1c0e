"""Which schema a journal has. Standard library only: the read-only look asks it too."""

from __future__ import annotations

import sqlite3

from rotator.adapters.journal.errors import Newer, NotAJournal
from rotator.adapters.journal.snapshot import end_snapshot
from rotator.domain.failures import Overtaken
from rotator.domain.times import quoted

KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010")
"""The schemas that this version of the rotator can migrate from, oldest first; the last is the one that it uses."""
HEAD = KNOWN[-1]
ROLLING = "0008"
"""A rotator on this schema or a later one may go on while the journal gets the last one under it.

What was added since, it neither reads nor breaks. A migration that changes what is there moves this to itself: a test
sees whether it had to.
"""

APPLICATION = 0x726F7461
"""SQLite's application id of a journal: the letters "rota"."""


def may_go_on(version: str) -> bool:
    """Whether those who run on this schema, which is known, may do so while it becomes the last one."""
    return KNOWN.index(version) >= KNOWN.index(ROLLING)


def overtaken(newer: Newer) -> Overtaken:
    """What becomes of a process that had the journal open before."""
    return Overtaken(newer.message, "this process ends; start the newer one, which goes on with what it had in hand")


def version_of(connection: sqlite3.Connection) -> str | None:
    """The journal's schema; None of an empty file. Raises `NotAJournal` and `Newer`."""
    if connection.in_transaction:
        return _version_of(connection)
    connection.execute("BEGIN")  # somebody may be making the journal right now
    try:
        return _version_of(connection)
    finally:
        end_snapshot(connection)


def _version_of(connection: sqlite3.Connection) -> str | None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables and application in (0, APPLICATION):
        return None
    if application != APPLICATION or "alembic_version" not in tables:
        raise NotAJournal("the file is a database, but not a journal of the rotator", "name another file as state")
    version = str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    if version not in KNOWN:
        hint = "install that version again, or restore the journal from before it"
        raise Newer(f"a newer rotator wrote this journal (schema {quoted(version)}, this one knows {HEAD})", hint)
    return version
