"""What the reconciler saw last, and what incidents left at large, as numbers that outlive the process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rotator.app import aftermath, incidents
from rotator.config.errors import ConfigError
from rotator.domain.times import UnreadableError, format_time, parse_time
from rotator.engine.reconciling import Reconciled
from rotator.ports import Journal

FOUND = "found by the reconciler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A pass over all credentials that ended `at`. `foreign`: how many keys that no credential has, by provider."""

    at: datetime | None = None
    foreign: Mapping[str, int] = field(default_factory=dict)


def keep_found(journal: Journal, results: Iterable[Reconciled], provider_of: Mapping[str, str], now: datetime) -> None:
    """Keep the numbers of a pass. A key that several credentials' principals share counts once."""
    keys = {(provider_of[each.credential], key.id) for each in results for key in each.foreign_keys}
    numbers: Counter[str] = Counter(dict.fromkeys(sorted(set(provider_of.values())), 0))
    numbers.update(provider for provider, _ in keys)
    journal.remember(FOUND, json.dumps({"at": format_time(now), "foreign": numbers}))


def recall_found(journal: Journal) -> Found:
    """The numbers of the last pass; none where there was none, or where they cannot be read."""
    text = journal.recall(FOUND)
    try:
        found = json.loads(text) if text is not None else {}
        foreign = {str(provider): int(number) for provider, number in found.get("foreign", {}).items()}
        return Found(at=parse_time(found["at"]) if "at" in found else None, foreign=foreign)
    except (ValueError, TypeError, AttributeError, UnreadableError):
        return Found()


def at_large(journal: Journal) -> tuple[int, dict[str, int]]:
    """How many incidents are open, and by provider how many keys of theirs may be a thief's and are not proven dead."""
    open_ = [each for each in incidents.remembered(journal) if _open(journal, each)]
    keys = set()
    for incident in open_:
        after = aftermath.recall(journal, incident)
        if after is not None:
            keys |= {each.place for each in after.living}
    return len(open_), dict(Counter(provider for provider, _, _ in keys))


def _open(journal: Journal, incident: str) -> bool:
    try:
        return incidents.still_open(journal, incident)
    except ConfigError:
        return True  # nobody can read whether it was closed
