"""Whether the daemon works: a heartbeat that it writes beside its state, for who asks without a network.

The file holds one line, `rotator-alive 1 BOOT SECONDS`: which boot of the machine, and its seconds since then, which
go on in suspend and never jump. So neither a clock that was set nor a file that outlived a reboot is taken for life.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rotator.adapters.journal.location import for_replicas, path_of
from rotator.adapters.machine import MachineClock
from rotator.config.reading import Config

NAME = "daemon.alive"
EVERY = timedelta(seconds=30)
"""The longest between two heartbeats."""
WITHIN = 3 * EVERY
"""One that is older is none: two may come late on a busy machine."""
_LINE = re.compile(r"rotator-alive 1 ([0-9a-f-]{1,40}) ([0-9]{1,12}\.[0-9]{3})\n")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class NotAlive:
    """Why nobody can say that the daemon works, and what helps."""

    message: str
    hint: str


def folder_of(config: Config, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the heartbeat of this config's daemon is: beside the journal's file, else where the machine keeps state.

    A journal on PostgreSQL is many daemons'; the heartbeat is the one's on this machine.
    """
    if not for_replicas(config.state):
        return path_of(config.state, config.base).parent
    given = given_folder(environment)
    if given is not None:
        return given
    home = environment.get("XDG_STATE_HOME") or str(Path(environment.get("HOME") or "/", ".local", "state"))
    return Path(home, "rotator")


def given_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """`$STATE_DIRECTORY`, which systemd sets and our image does; the first if there are several."""
    first = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(first) if first else None


def write_heartbeat(folder: Path, boottime: float | None = None) -> None:
    """Say that the daemon works now. Whole or not at all; twice: the later one counts. Raises `OSError`.

    To be called by what would notice that the work stands still, not by a thread that only writes heartbeats.
    """
    seconds = MachineClock().boottime() if boottime is None else boottime
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = folder / f".{NAME}.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        with os.fdopen(descriptor, "w") as file:
            # rounded down: a heartbeat from a moment ahead would be one of another boot
            file.write(f"rotator-alive 1 {_boot()} {math.floor(seconds * 1000) / 1000:.3f}\n")
        fresh.replace(folder / NAME)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def remove_heartbeat(folder: Path) -> None:
    """The daemon ends as it was asked to. Twice: nothing more."""
    (folder / NAME).unlink(missing_ok=True)


def is_alive(folder: Path, boottime: float | None = None) -> bool:
    """Whether there was a heartbeat a moment ago; what cannot be read is none."""
    return why_not(folder, boottime) is None


def why_not(folder: Path, boottime: float | None = None) -> NotAlive | None:
    """Why the daemon cannot be said to work; None where it does."""
    path, seconds = folder / NAME, MachineClock().boottime() if boottime is None else boottime
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = _LINE.fullmatch(file.read(_LONGEST).decode("ascii", "replace"))
    except FileNotFoundError:
        return NotAlive(f"no daemon runs with its state in {folder}", "start it: `rotator daemon`")
    except OSError as error:
        return NotAlive(f"{path} cannot be read: {error.strerror}", "ask as the user that the daemon runs as")
    if found is None:
        return NotAlive(f"{path} is no heartbeat", "remove it; the daemon writes another one")
    age = seconds - float(found[2])
    if found[1] != _boot() or age < 0:
        return NotAlive("the daemon's last heartbeat is from before a restart of the machine", "start the daemon")
    if age > WITHIN.total_seconds():
        return NotAlive(f"the daemon's last heartbeat is {age:.0f} s old", "see its log, then restart it")
    return None


def _boot() -> str:
    """Which boot of the machine; a dash where a sandbox does not tell."""
    try:
        return _BOOT.read_text().strip()[:40] or "-"
    except OSError:
        return "-"
