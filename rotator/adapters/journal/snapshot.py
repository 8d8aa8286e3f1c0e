"""How a look at several rows of one moment ends, for readers with SQLAlchemy and without."""

from __future__ import annotations

import sqlite3


def end_snapshot(connection: sqlite3.Connection) -> None:
    """End a reading transaction. A full or broken disk has ended it already: that must not hide what is wrong."""
    if connection.in_transaction:
        connection.execute("COMMIT")
