"""The journal of a config, opened; and the verdict on its trail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.adapters.journal.opening import open_journal as open_sqlite
from rotator.adapters.journal.sqlite import SqliteJournal
from rotator.adapters.journal.verifying import Broken, Counted, Intact, verify_log
from rotator.config.installation import Installation
from rotator.config.reading import Config
from rotator.ports import Journal

if TYPE_CHECKING:
    from rotator.app.assembly import Assembly


def open_journal(config: Config, installation: Installation) -> SqliteJournal:
    """Open what `state` names; a relative path is relative to the config. Raises `Failure`."""
    return open_sqlite(config.state, signer=installation, base=config.base, busy=config.lease / 4)


def open_at(path: Path, installation: Installation) -> SqliteJournal:
    """Open the journal in one file."""
    return open_sqlite(f"sqlite:///{path}", signer=installation)


def close_journal(assembly: Assembly) -> None:
    """Close an assembly's journal if it was opened, so that one file is left and not three. Twice: nothing more."""
    if "opened" in vars(assembly) and isinstance(assembly.opened, SqliteJournal):
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
