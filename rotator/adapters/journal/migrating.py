"""Runs the packaged migrations with Alembic, without an `alembic.ini`. Imported only when a journal needs one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from rotator.adapters.journal.version import HEAD, version_of

if TYPE_CHECKING:
    from rotator.adapters.journal.postgres.connecting import Connection

SCRIPTS = Path(__file__).parent / "migrations"


def config() -> Config:
    """Alembic's configuration, made here."""
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made


def versions() -> tuple[str, ...]:
    """All schemas that there are migrations to, oldest first."""
    scripts = ScriptDirectory.from_config(config())
    return tuple(reversed([script.revision for script in scripts.walk_revisions()]))


def upgrade(connection: sqlite3.Connection, to: str = HEAD) -> None:
    """Migrate in one transaction, from whatever the journal is by then: another process may have been faster.

    Raises `sqlite3.Error`, and then the journal is as it was.
    """
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool, pool_reset_on_return=None)
    made = config()
    try:
        with engine.connect() as migrating:
            migrating.exec_driver_sql("BEGIN IMMEDIATE")
            if version_of(connection) != to:
                made.attributes["connection"] = migrating
                command.upgrade(made, to)
            migrating.commit()
    except DBAPIError as error:
        raise cast("sqlite3.Error", error.orig) from error


def upgrade_postgres(connection: Connection, wanted: Callable[[], bool], to: str = HEAD) -> None:
    """Migrate in one transaction, in which `wanted` first looks whether that is still necessary, and keeps others away.

    Raises what `wanted` raises and `psycopg.Error`, and then the journal is as it was.
    """
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connection,
        poolclass=StaticPool,
        pool_reset_on_return=None,
        use_native_hstore=False,
    )
    made = config()
    try:
        with engine.connect() as migrating:
            migrating.exec_driver_sql("BEGIN")
            if wanted():
                made.attributes["connection"] = migrating
                command.upgrade(made, to)
            migrating.commit()
    except DBAPIError as error:
        raise cast("Exception", error.orig) from error
