"""This rotator's own environment, remembered as it changes: whether it had a bad package in March is asked in May.

Kept like a consumer's inventory, beside the journal, under a name that no consumer can have. What is the same as before
costs a few looks at folders and one at the journal, and nothing is read.
"""

from __future__ import annotations

import site
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.domain.failures import Permanent
from rotator.domain.packages import Inventory
from rotator.ports import Inventories

if TYPE_CHECKING:
    from rotator.app.assembly import Assembly

OWN = "this rotator"
"""What its own inventory is called; no consumer can be, by the blank in it."""
KEPT = "own environment:"
"""Under this and the environment's path the journal remembers how its folders were when it was recorded."""


def folders() -> list[Path]:
    """Where this Python finds distributions. What it finds beside scripts, in `sys.path[0]`, is no installation."""
    known = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    paths = dict.fromkeys(Path(each) for each in (*known, *sys.path[1:]) if each)
    return [each for each in paths if each.is_dir()]


def keep_own(assembly: Assembly, paths: Sequence[Path] | None = None) -> bool:
    """Record what this environment has, if its folders changed since that was done; whether anything was new.

    `paths`: its folders. Twice: nothing. Raises what the journal raises.
    """
    found = folders() if paths is None else [*paths]
    name, now = KEPT + sys.prefix, _state(found)
    if assembly.journal.recall(name) == now:
        return False
    from rotator.app.inventories import inventories_of
    from rotator.app.own_installation import installed_in

    at = assembly.clock.now()
    with suppress(Permanent):  # an environment that cannot be read is told by `audit`, and is no record
        [own] = installed_in(found, consumer=OWN, at=at, origin=sys.prefix).inventories
        news = inventories_of(assembly).record([own], at) > 0
        assembly.journal.remember(name, now)
        return news
    return False


def _state(paths: Sequence[Path]) -> str:
    """The same while nothing is added to these folders or taken from them."""
    state = sha256()
    for path in paths:
        with suppress(OSError):  # one that is gone changes it by missing
            state.update(f"{path}\0{path.stat().st_mtime_ns}\n".encode())
    return state.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHistory:
    """What is known of this environment. `held`: all records of it, with the components that were asked for.

    `since`: from when on anything is known of it.
    """

    held: tuple[Inventory, ...]
    since: datetime

    def known(self, start: datetime) -> bool:
        """Whether all that it had from then on is known."""
        return self.since <= start


def history_of(kept: Inventories, holding: Sequence[Inventory], now: datetime) -> OwnHistory:
    """By its records, and by its folders: what they have now they have had since they were changed last."""
    changed = datetime.fromtimestamp(max((each.stat().st_mtime for each in folders()), default=0.0), UTC)
    first = min((each.since for each in kept.history(OWN)), default=now)
    return OwnHistory(held=tuple(each for each in holding if each.consumer == OWN), since=min(changed, first))
