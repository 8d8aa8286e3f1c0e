"""The statements that count, in SQLAlchemy Core.

A census is asked with all credentials' groups as one parameter: a JSON object of numbers by name. A number is the
group's own times `GROUP`, plus the greatest age that is allowed there in seconds; 0: as each one's due time says.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, and_, case, func, literal_column, or_, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from rotator.adapters.journal.schema import CHECKPOINT, CREDENTIAL, OLD_KEY, ROTATION, SIGHTING
from rotator.adapters.journal.session import Statement
from rotator.adapters.journal.statements import first, given
from rotator.domain.figures import SHARES

GROUP = 1 << 36
"""More seconds than any policy allows."""


class numbers_of(GenericFunction[str]):  # noqa: N801 - functions are written so
    """The names and numbers of a JSON object that is one parameter."""

    inherit_cache = True


@compiles(numbers_of, "sqlite")
def _on_sqlite(element: numbers_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each{compiler.process(element.clause_expr, **options)}"


@compiles(numbers_of, "postgresql")
def _on_postgresql(element: numbers_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each_text(CAST({compiler.process(element.clauses, **options)} AS json))"


def _plain(value: int) -> ColumnElement[int]:
    return literal_column(str(value), BigInteger)


_LIVING = (
    select(func.count())
    .where(OLD_KEY.c.rotation == ROTATION.c.id, OLD_KEY.c.dead_at.is_(None), OLD_KEY.c.proof.is_(None))
    .scalar_subquery()
)
OPEN_IN_SHORT = Statement(
    select(
        ROTATION.c.credential,
        ROTATION.c.mode,
        ROTATION.c.phase,
        ROTATION.c.started_at,
        ROTATION.c.since,
        ROTATION.c.waiting_for,
        ROTATION.c.failing_since,
        ROTATION.c.live_at,
        _LIVING,
    ).where(ROTATION.c.open == literal_column("1"))
)
ORPHANS = Statement(
    select(SIGHTING.c.credential, func.count(), func.min(SIGHTING.c.first_seen)).group_by(SIGHTING.c.credential)
)
UNPROVEN = Statement(
    select(ROTATION.c.credential, func.count(), func.max(OLD_KEY.c.dead_at))
    .join(ROTATION, ROTATION.c.id == OLD_KEY.c.rotation)
    .where(OLD_KEY.c.proof == literal_column("'unproven'"))
    .group_by(ROTATION.c.credential)
)
HEAD = first(
    select(CHECKPOINT.c.number, CHECKPOINT.c.at, CHECKPOINT.c.digest, CHECKPOINT.c.last_event).order_by(
        CHECKPOINT.c.number.desc()
    )
)
_WITHOUT_SPACES = func.replace(CREDENTIAL.c.name, literal_column("' '"), literal_column("''"))
HOW_MANY = Statement(select(func.count()).select_from(CREDENTIAL).where(CREDENTIAL.c.name == _WITHOUT_SPACES))
"""Rows of credentials; a name with a space is a trail's of our own, such as the config's."""


def _census() -> Any:
    """As many rows as there are groups of which the journal knows a credential."""
    row = CREDENTIAL.c
    asked = numbers_of(given("groups")).table_valued("key", "value")
    number = sql_cast(asked.c.value, BigInteger)
    group, seconds = number // _plain(GROUP), number % _plain(GROUP)
    age = given("now") - row.current_since
    # Of a credential that became due before it had its key, 1: it is as old as can be.
    own = case((row.next_due > row.current_since, row.next_due - row.current_since), else_=_plain(1))
    allowed = case((seconds > _plain(0), seconds * _plain(1_000_000)), else_=own)
    aged = and_(row.current_since.is_not(None), or_(seconds > _plain(0), row.next_due.is_not(None)))
    free = and_(row.held == _plain(0), row.open_rotation.is_(None))

    def counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((condition, literal_column("1", Integer)), else_=literal_column("0", Integer)))

    # Divided by and not multiplied with a hundred: a clock that is far off must not make a number too large.
    within = [counted(and_(aged, age // _plain(100) <= allowed // _plain(10_000) * _plain(share))) for share in SHARES]
    return (
        select(
            group.label("grouped"),
            func.count(),
            counted(row.current.is_(None)),
            counted(row.held != _plain(0)),
            counted(row.open_rotation.is_not(None)),
            counted(and_(free, row.next_due <= given("now"))),
            counted(and_(aged, age > allowed)),
            counted(row.drift != literal_column("'[]'")),
            counted(row.outage != _plain(0)),
            counted(aged),
            func.min(row.current_since),
            func.min(case((row.held == _plain(0), row.next_due))),
            *within,
        )
        .join(CREDENTIAL, row.name == asked.c.key)
        .group_by(literal_column("grouped"))
    )


CENSUS = Statement(_census())
