"""What one transaction keeps from others until it ends, on a database that lets several write at the same time.

Rows are enough where there is one; advisory locks are for what has none yet, and for the order of the trail. Two
transactions that wait for each other are one too many: the database ends one of them, which is then done again.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Integer, func, literal_column, select

from rotator.adapters.journal.schema import ROTATION
from rotator.adapters.journal.session import Statement
from rotator.adapters.journal.statements import given, mine


def number(value: int) -> ColumnElement[int]:
    """One of the two numbers of an advisory lock: the first says what the second one is about."""
    return literal_column(str(value), Integer)


CREDENTIALS, TRAIL, MIGRATING, RUNNING, INVENTORIES, TOKENS = (0x726F7461 + each for each in range(6))
"""First numbers. Nobody else in this database should use them."""
_OPEN = ROTATION.c.open == literal_column("1")

ROTATION_BY_ID = Statement(mine(select(ROTATION.c.fence).where(ROTATION.c.id == given("id"))))
OPEN_OF_CREDENTIAL = Statement(
    mine(select(ROTATION.c.fence).where(_OPEN, ROTATION.c.credential == given("credential")))
)
CREDENTIAL = Statement(select(func.pg_advisory_xact_lock(number(CREDENTIALS), func.hashtext(given("name")))))
"""Also one that has no row yet. An index refuses a second open rotation anyway; to wait is cheaper than to be refused,

which replicas that start the same due ones would be all the time.
"""
ALL_INVENTORIES = Statement(select(func.pg_advisory_xact_lock(number(INVENTORIES), number(0))))
"""Who records compares with what is there, and writes what is not."""
ALL_TOKENS = Statement(select(func.pg_advisory_xact_lock(number(TOKENS), number(0))))
"""Who makes or ends one adds to its chain."""
TRAIL_END = Statement(select(func.pg_advisory_xact_lock(number(TRAIL), number(0))))
"""Who lengthens the trail does so alone: events are numbered in the order of commits."""
