"""Every statement of the journal, in SQLAlchemy Core. Parameters carry the names of the columns that they are for.

The databases differ in how a list comes as one parameter, in upserts, in locks, which SQLite has no words for, in who
numbers events, and in whose clock counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Insert,
    Integer,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    extract,
    func,
    insert,
    literal_column,
    null,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from rotator.adapters.journal import rows
from rotator.adapters.journal.schema import (
    CHECKPOINT,
    CONSUMER_STATE,
    CREDENTIAL,
    EVENT,
    KEY,
    META,
    OLD_KEY,
    PLACE_STATE,
    REQUEST,
    ROTATION,
    SIGHTING,
)
from rotator.adapters.journal.session import Statement
from rotator.domain.changes import OF_THE_ROTATION
from rotator.domain.rotation import RULES


def given(name: str) -> BindParameter[Any]:
    """A parameter."""
    return bindparam(name)


_LIMIT: BindParameter[int] = bindparam("limit", type_=Integer)
_NONE: ColumnElement[int] = literal_column("0")


def most(found: Select[Any]) -> Statement:
    """At most `limit` of the rows, from the first; SQLAlchemy would make a parameter of the offset."""
    return Statement(found.limit(_LIMIT).offset(_NONE))


def first(found: Select[Any]) -> Statement:
    """The first of the rows."""
    return Statement(found.limit(literal_column("1")).offset(_NONE))


class texts_of(GenericFunction[str]):  # noqa: N801 - functions are written so
    """The texts of a JSON list that is one parameter: hundreds of names do not make a new statement."""

    inherit_cache = True


@compiles(texts_of, "sqlite")
def _on_sqlite(element: texts_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each{compiler.process(element.clause_expr, **options)}"


@compiles(texts_of, "postgresql")
def _on_postgresql(element: texts_of, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json))"


def among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether the column is in a JSON list of texts, given as one parameter."""
    names = texts_of(given(name)).table_valued("value")
    return column.in_(select(names.c.value))


def columns(table: Table, names: Iterable[str]) -> Select[Any]:
    """These columns of a table, in this order."""
    return select(*(table.c[name] for name in names))


def setting(table: Table, names: Iterable[str]) -> Update:
    """An update of these columns to parameters of the same names."""
    return update(table).values({name: given(name) for name in names})


def inserting(table: Table, names: Iterable[str]) -> Insert:
    """An insert of parameters of these names."""
    return insert(table).values({name: given(name) for name in names})


def saving(table: Table, names: Sequence[str], unique: Sequence[str], *, first: bool = False) -> Statement:
    """Insert, or update what has the same values in the unique columns; `first`: leave it as it is."""

    def made(insert: Any) -> Any:
        statement = insert(table).values({name: given(name) for name in names})
        if first:
            return statement.on_conflict_do_nothing(index_elements=list(unique))
        changed = {name: statement.excluded[name] for name in names if name not in unique}
        return statement.on_conflict_do_update(index_elements=list(unique), set_=changed)

    def on_postgresql() -> Any:
        from sqlalchemy.dialects.postgresql import insert

        return made(insert)

    return Statement(made(sqlite.insert), postgresql=on_postgresql)


def mine(found: Select[Any], *, skip: bool = False) -> Select[Any]:
    """The rows, kept from other transactions; `skip`: but for those that another keeps. SQLite has no word for it."""
    return found.with_for_update(key_share=True, skip_locked=skip)


# -- rotations -------------------------------------------------------------------------------------------------------

_ONE: ColumnElement[int] = literal_column("1", Integer)
DATABASE_NOW = sql_cast(extract("epoch", func.statement_timestamp()) * literal_column("1000000"), BigInteger)
"""Microseconds since 1970, by PostgreSQL's clock."""
_ROTATION = columns(ROTATION, rows.ROTATION_COLUMNS)
_OPEN = ROTATION.c.open == literal_column("1")  # as text: only so does SQLite see that the partial index fits
_DUE = and_(_OPEN, ROTATION.c.next_at <= given("now"))
_ASKED = exists(select(_ONE).where(REQUEST.c.credential == given("credential"), REQUEST.c.answered_at.is_(None)))
_NEVER_CHANGES = ("id", "credential", "started_at", "fence")
_STORED = (*rows.ROTATION_COLUMNS, "open", "priority")

ROTATION_BY_ID = Statement(_ROTATION.where(ROTATION.c.id == given("id")))
OPEN_OF_CREDENTIAL = Statement(_ROTATION.where(_OPEN, ROTATION.c.credential == given("credential")))
_NEWEST_FIRST = _ROTATION.order_by(ROTATION.c.number.desc())
ROTATING = Statement(select(ROTATION.c.credential).where(_OPEN).order_by(ROTATION.c.credential))
OPEN = Statement(_ROTATION.where(_OPEN).order_by(ROTATION.c.number))
OPEN_AMONG = Statement(_ROTATION.where(_OPEN, among(ROTATION.c.credential, "only")).order_by(ROTATION.c.number))
ROTATIONS = most(_NEWEST_FIRST)
ROTATIONS_OF = most(_NEWEST_FIRST.where(ROTATION.c.credential == given("credential")))
_EMERGENCY = text("mode IN ('compromise', 'contain_first')")  # as the partial index has it
EMERGENCIES = Statement(
    _NEWEST_FIRST.where(_EMERGENCY, ROTATION.c.reason >= given("reason"), ROTATION.c.reason < given("beyond"))
)


_PRIORITIES = sorted({rules.priority for rules in RULES.values()}, reverse=True)


def _most_urgent() -> Select[Any]:
    """One look into the index for each priority: an index cannot be walked down one column and up the next."""
    looks = []
    for priority in _PRIORITIES:
        of_one = _ROTATION.where(_DUE, ROTATION.c.priority == literal_column(str(priority)))
        ordered = of_one.order_by(ROTATION.c.next_at, ROTATION.c.number)
        found = mine(ordered.limit(_LIMIT).offset(_NONE), skip=True).subquery(f"urgent_{priority}")
        looks.append(select(*found.c))
    found = union_all(*looks).subquery("urgent")
    return select(*found.c)


DUE = most(_most_urgent())
DUE_AMONG = most(
    mine(
        _ROTATION.where(_DUE, among(ROTATION.c.credential, "only")).order_by(
            ROTATION.c.priority.desc(), ROTATION.c.next_at, ROTATION.c.number
        ),
        skip=True,
    )
)
_SOON = select(func.min(ROTATION.c.next_at)).where(_OPEN, ROTATION.c.next_at < given("never"))
SOONEST_OF_EACH_PRIORITY = Statement(
    union_all(*(_SOON.where(ROTATION.c.priority == literal_column(str(priority))) for priority in _PRIORITIES))
)
"""As above: a look into the index for each."""
SOONEST_AMONG = Statement(_SOON.where(among(ROTATION.c.credential, "only")))
FENCE_AND_OPEN = Statement(select(ROTATION.c.fence, ROTATION.c.open).where(ROTATION.c.id == given("id")))

INSERT_ROTATION = Statement(inserting(ROTATION, _STORED))
RESTORE_ROTATION = saving(ROTATION, _STORED, ["id"])
SAVE_ROTATION = Statement(
    setting(ROTATION, [name for name in _STORED if name not in _NEVER_CHANGES]).where(
        ROTATION.c.id == given("id"), ROTATION.c.fence == given("fence"), _OPEN
    )
)
SAVE_UNASKED_ROTATION = Statement(
    setting(ROTATION, [name for name in _STORED if name not in _NEVER_CHANGES]).where(
        ROTATION.c.id == given("id"), ROTATION.c.fence == given("fence"), _OPEN, ~_ASKED
    )
)
"""The same where no request waits: one statement instead of two for nearly every commit."""
SAVE_ENDED_ROTATION = Statement(
    setting(ROTATION, [name for name in _STORED if name not in _NEVER_CHANGES]).where(ROTATION.c.id == given("id"))
)
TAKE = Statement(
    update(ROTATION)
    .where(ROTATION.c.id == given("id"))
    .values(
        fence=ROTATION.c.fence + _ONE,
        owner=given("owner"),
        next_at=given("next_at"),
        clean=case((ROTATION.c.owner.is_(None), ROTATION.c.clean), else_=literal_column("0")),
    )
)
WAKE = Statement(
    update(ROTATION)
    .where(
        _OPEN,
        ROTATION.c.credential == given("credential"),
        ROTATION.c.owner.is_(None),
        ROTATION.c.next_at > given("now"),
    )
    .values(next_at=given("now"))
)


# -- the parts of a rotation -----------------------------------------------------------------------------------------


class Parts:
    """The rows of one table that belong to a rotation, in their order."""

    def __init__(self, table: Table, shape: rows.Shape[Any]) -> None:
        self.shape = shape
        mine = columns(table, ("rotation", *shape.columns)).order_by(table.c.rotation, table.c.position)
        self.of_one = Statement(mine.where(table.c.rotation == given("rotation")))
        self.of_many = Statement(mine.where(among(table.c.rotation, "rotations")))
        self.save = saving(table, ("rotation", "position", *shape.columns), ("rotation", "position"))
        beyond = table.c.position >= given("position")
        self.drop = Statement(delete(table).where(table.c.rotation == given("rotation"), beyond))


OLD_KEYS = Parts(OLD_KEY, rows.OLD_KEY)
PLACE_STATES = Parts(PLACE_STATE, rows.PLACE_STATE)
CONSUMER_STATES = Parts(CONSUMER_STATE, rows.CONSUMER_STATE)
PARTS = (OLD_KEYS, PLACE_STATES, CONSUMER_STATES)
"""In the order in which `rows.decode_rotation` takes them."""


# -- credentials and keys --------------------------------------------------------------------------------------------

_CREDENTIAL = columns(CREDENTIAL, rows.CREDENTIAL.columns)
_DESCRIBED = [name for name in rows.CREDENTIAL.columns if name != "fence"]

CREDENTIAL_BY_NAME = Statement(_CREDENTIAL.where(CREDENTIAL.c.name == given("name")))
CREDENTIALS_AMONG = Statement(_CREDENTIAL.where(among(CREDENTIAL.c.name, "only")).order_by(CREDENTIAL.c.name))
CREDENTIALS = most(_CREDENTIAL.where(CREDENTIAL.c.name > given("after")).order_by(CREDENTIAL.c.name))


def _due_credentials(now: ColumnElement[Any]) -> Select[Any]:
    fitting = (CREDENTIAL.c.held == _NONE, CREDENTIAL.c.open_rotation.is_(None), CREDENTIAL.c.next_due.is_not(None))
    found = _CREDENTIAL.where(*fitting, CREDENTIAL.c.next_due <= now).order_by(CREDENTIAL.c.next_due, CREDENTIAL.c.name)
    return found.limit(_LIMIT).offset(_NONE)


DUE_CREDENTIALS = Statement(_due_credentials(given("now")), postgresql=lambda: _due_credentials(DATABASE_NOW))
HOLDERS = Statement(
    select(CREDENTIAL.c.name).where(CREDENTIAL.c.current == given("current")).order_by(CREDENTIAL.c.name)
)
DESCRIBE_CREDENTIAL = saving(CREDENTIAL, _DESCRIBED, ["name"])
"""All but the fence, which is the journal's."""
MAKE_CREDENTIAL = saving(CREDENTIAL, ["name"], ["name"], first=True)
OPEN_CREDENTIAL = Statement(
    update(CREDENTIAL)
    .where(CREDENTIAL.c.name == given("name"))
    .values(fence=CREDENTIAL.c.fence + _ONE, open_rotation=given("rotation"))
)
CLOSE_CREDENTIAL = Statement(
    update(CREDENTIAL)
    .where(CREDENTIAL.c.name == given("name"), CREDENTIAL.c.open_rotation == given("rotation"))
    .values(open_rotation=null())
)
RAISE_FENCE = Statement(
    update(CREDENTIAL)
    .where(
        CREDENTIAL.c.name == given("name"),
        CREDENTIAL.c.fence == given("fence"),
        CREDENTIAL.c.open_rotation.is_(None),
    )
    .values(fence=CREDENTIAL.c.fence + _ONE)
)
KEYS_OF = Statement(
    columns(KEY, rows.KEY.columns).where(KEY.c.credential == given("credential")).order_by(KEY.c.number)
)
EVERY_KEY = Statement(columns(KEY, rows.KEY.columns).order_by(KEY.c.credential, KEY.c.number))
SAVE_KEY = saving(KEY, rows.KEY.columns, ["credential", "key_id"])


# -- operators and the reconciler ------------------------------------------------------------------------------------

_WAITING = and_(REQUEST.c.credential == given("credential"), REQUEST.c.answered_at.is_(None))

WAITING_REQUESTS = Statement(columns(REQUEST, rows.REQUEST.columns).where(_WAITING).order_by(REQUEST.c.id))
INSERT_REQUEST = Statement(inserting(REQUEST, [name for name in rows.REQUEST.columns if name != "id"]))
ANSWER = Statement(
    update(REQUEST).where(_WAITING, REQUEST.c.id == given("id")).values(answered_at=given("answered_at"))
)
DROP_REQUESTS = Statement(
    update(REQUEST)
    .where(_WAITING, REQUEST.c.verb.in_([literal_column(f"'{verb.value}'") for verb in sorted(OF_THE_ROTATION)]))
    .values(answered_at=given("answered_at"))
)

_SIGHTING = columns(SIGHTING, rows.SIGHTING.columns).where(SIGHTING.c.credential == given("credential"))

SIGHTINGS_OF = Statement(_SIGHTING.order_by(SIGHTING.c.key_id))
FORGET_SIGHTINGS = Statement(
    delete(SIGHTING).where(SIGHTING.c.credential == given("credential"), ~among(SIGHTING.c.key_id, "key_ids"))
)
SIGHT = saving(SIGHTING, rows.SIGHTING.columns, ["credential", "key_id"], first=True)


# -- the trail -------------------------------------------------------------------------------------------------------

_EVENT = columns(EVENT, rows.EVENT_COLUMNS)

EVENTS = most(_EVENT.where(EVENT.c.number > given("after")).order_by(EVENT.c.number))
EVENTS_OF = most(
    _EVENT.where(EVENT.c.rotation == given("rotation"), EVENT.c.seq > given("after")).order_by(EVENT.c.seq)
)
HEAD_OF = first(
    select(EVENT.c.seq, EVENT.c.digest).where(EVENT.c.rotation == given("rotation")).order_by(EVENT.c.seq.desc())
)
_NEXT = select(func.coalesce(func.max(EVENT.c.number), _NONE) + _ONE).scalar_subquery()
INSERT_EVENT = Statement(
    inserting(EVENT, rows.EVENT_COLUMNS),
    # A sequence counts in the order of inserts and not of commits, and what is rolled back leaves a gap.
    postgresql=lambda: inserting(EVENT, rows.EVENT_COLUMNS).values(number=_NEXT),
)
LAST_EVENT = Statement(select(func.max(EVENT.c.number)))
_MOVED = (
    select(EVENT.c.rotation, func.max(EVENT.c.seq).label("seq"))
    .where(EVENT.c.number > given("after"))
    .group_by(EVENT.c.rotation)
    .subquery()
)
MOVED_HEADS = Statement(
    select(EVENT.c.rotation, EVENT.c.digest).join(
        _MOVED, and_(EVENT.c.rotation == _MOVED.c.rotation, EVENT.c.seq == _MOVED.c.seq)
    )
)

_CHECKPOINT = columns(CHECKPOINT, rows.CHECKPOINT.columns)

CHECKPOINTS = Statement(_CHECKPOINT.order_by(CHECKPOINT.c.number))
LAST_CHECKPOINT = first(
    columns(CHECKPOINT, (*rows.CHECKPOINT.columns, "last_event")).order_by(CHECKPOINT.c.number.desc())
)
INSERT_CHECKPOINT = Statement(inserting(CHECKPOINT, (*rows.CHECKPOINT.columns, "last_event")))


# -- the journal itself ----------------------------------------------------------------------------------------------

READ_META = Statement(select(META.c.value).where(META.c.name == given("name")))
META_NAMES = Statement(select(META.c.name).where(META.c.name >= given("prefix"), META.c.name < given("beyond")))
WRITE_META = saving(META, ["name", "value"], ["name"])
ADD_META = saving(META, ["name", "value"], ["name"], first=True)
REPLACE_META = Statement(
    update(META).where(META.c.name == given("name"), META.c.value == given("expected")).values(value=given("value"))
)
DROP_META = Statement(delete(META).where(META.c.name == given("name")))
