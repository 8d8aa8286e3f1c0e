"""Which schema a database has, and whether it is ours."""

from __future__ import annotations

from typing import Any

from rotator.adapters.journal.errors import CannotOpen, Newer, NotAJournal
from rotator.adapters.journal.postgres import errors
from rotator.adapters.journal.postgres.address import Address, shown
from rotator.adapters.journal.postgres.connecting import Connection
from rotator.adapters.journal.version import HEAD, KNOWN
from rotator.domain.times import quoted

COMMENT = "journal of the rotator"
"""On the table that every program with Alembic has: so it is known to be ours."""

_LOOK = """
SELECT pg_is_in_recovery(), current_schema(), has_schema_privilege(current_schema(), 'CREATE'), (
    SELECT count(*) FROM pg_class AS made
    WHERE made.relnamespace = current_schema()::regnamespace AND made.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = made.oid AND classid = 'pg_class'::regclass AND deptype = 'e')
), obj_description(to_regclass(quote_ident(current_schema()) || '.alembic_version'), 'pg_class')
"""


def version_of(connection: Connection, address: Address, *, reading: bool = False) -> str | None:
    """The schema; None where there are no tables yet. A standby is enough for `reading`.

    Raises `CannotOpen` and its kin, and `psycopg.Error`.
    """
    found = connection.execute(_LOOK).fetchone()
    assert found is not None
    standby, schema, may_make, tables, comment = found
    if standby and not reading:
        raise errors.standby(address)
    if schema is None:
        raise CannotOpen(
            f"{address.user} has no schema in database {shown(address)}",
            f"CREATE SCHEMA AUTHORIZATION {address.user}, or set search_path",
        )
    if not tables:
        if not may_make and not reading:
            raise errors.no_permission(address)
        return None
    if comment != COMMENT:
        hint = "give the rotator a database, or a schema, of its own"
        raise NotAJournal(f"database {shown(address)} holds tables of another application", hint)
    return _known(connection)


def _known(connection: Connection) -> str:
    found: tuple[Any, ...] | None = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    version = str(found[0]) if found else ""
    if version not in KNOWN:
        hint = "install that version again, or restore the journal from before it"
        raise Newer(f"a newer rotator wrote this journal (schema {quoted(version)}, this one knows {HEAD})", hint)
    return version
