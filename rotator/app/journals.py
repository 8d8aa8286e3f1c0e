"""The journal of a config, opened; whether a daemon may have it; and the verdict on its trail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from rotator.adapters.journal.durable import DurableJournal
from rotator.adapters.journal.errors import CannotOpen
from rotator.adapters.journal.location import for_replicas, path_of
from rotator.adapters.journal.lock import exclusively
from rotator.adapters.journal.opening import open_journal as open_sqlite
from rotator.adapters.journal.postgres.clock import DatabaseClock
from rotator.adapters.journal.sqlite import SqliteJournal
from rotator.adapters.journal.verifying import Broken, Counted, Intact, verify_log
from rotator.config.errors import ConfigError
from rotator.config.installation import Installation
from rotator.config.reading import Config
from rotator.config.references import Reference
from rotator.domain.failures import Transient
from rotator.ports import Clock, Journal

if TYPE_CHECKING:
    from rotator.adapters.journal.postgres.journal import PostgresJournal
    from rotator.app.assembly import Assembly

NO_DRIVER = "state is on PostgreSQL, and psycopg is not installed"


def open_journal(
    config: Config,
    installation: Installation,
    resolve: Callable[[Reference], str],
    clock: Clock,
    *,
    daemon: bool = False,
) -> DurableJournal:
    """Open what `state` names; a relative path is relative to the config. Raises `Failure`.

    `resolve` turns the reference to the database's password into it. `clock`: a `DatabaseClock` is told the database's
    time. `daemon`: the caller is within `alone`.
    """
    if not for_replicas(config.state):
        return open_sqlite(config.state, signer=installation, base=config.base, busy=config.lease / 4, locked=daemon)
    told = clock if isinstance(clock, DatabaseClock) else DatabaseClock(clock)
    password = password_of(config.state_password, resolve)
    opened: DurableJournal = postgres().open_journal(
        config.state, clock=told, password=password, signer=installation, request=config.lease / 4
    )
    return opened


def postgres() -> ModuleType:
    """What opens a journal on PostgreSQL. Raises `CannotOpen` where the extra is not installed."""
    try:
        from rotator.adapters.journal.postgres import opening
    except ImportError as error:
        raise CannotOpen(NO_DRIVER, "pip install 'rotator[replicas]'") from error
    return opening


def password_of(reference: Reference | None, resolve: Callable[[Reference], str]) -> Callable[[], str] | None:
    """Gives the password when a connection is made, so that it may be changed while we run."""
    if reference is None:
        return None

    def password() -> str:
        try:
            return resolve(reference)
        except ConfigError as error:
            message = f"the password of the database: {error.message}"
            raise Transient(message, error.hint) from None

    return password


def look_at(config: Config, resolve: Callable[[Reference], str], clock: DatabaseClock) -> PostgresJournal:
    """A journal on PostgreSQL, for reading. Raises `Failure`, `NoJournalYet` among them."""
    password = password_of(config.state_password, resolve)
    opened: PostgresJournal = postgres().look_at(config.state, clock=clock, password=password, request=config.lease / 4)
    return opened


@contextmanager
def alone(config: Config) -> Iterator[None]:
    """A daemon's claim on the journal: one on SQLite, any number on PostgreSQL. Raises `InUse` and `NotWritable`."""
    if for_replicas(config.state):
        yield
        return
    with exclusively(path_of(config.state, config.base)):
        yield


def shared(journal: Journal) -> PostgresJournal | None:
    """The journal as that of replicas, if it is."""
    if isinstance(journal, SqliteJournal):
        return None
    from rotator.adapters.journal.postgres.journal import PostgresJournal

    return journal if isinstance(journal, PostgresJournal) else None


def open_at(path: Path, installation: Installation) -> SqliteJournal:
    """Open the journal in one file."""
    return open_sqlite(f"sqlite:///{path}", signer=installation)


def close_journal(assembly: Assembly) -> None:
    """Close an assembly's journal if it was opened, so that one file is left and not three. Twice: nothing more."""
    if "opened" in vars(assembly) and isinstance(assembly.opened, DurableJournal):
        assembly.opened.close()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the trail is what was written, and a line for people about each thing found."""

    ok: bool
    lines: tuple[str, ...]


def verify_trail(journal: Journal, installation: Installation, head: str | None) -> Verdict:
    """Check chains, checkpoints and signatures; `head`: a checkpoint's digest as it was noted outside."""
    found = verify_log(journal, installation.public(), head)
    counted = _counted(found)
    if isinstance(found, Broken):
        return Verdict(False, (*found.problems, counted))
    if isinstance(found, Intact):
        return Verdict(True, ("nothing was rewritten, removed or cut off up to the known head", counted))
    return Verdict(
        True, ("internally consistent only: without --head nobody can say whether its end was cut off", counted)
    )


def _counted(found: Counted) -> str:
    head = f"; head {found.head}" if found.head else ""
    return f"{found.events} events, {found.unclosed} not closed yet, {found.checkpoints} checkpoints{head}"
