"""What was due and could not be begun: kept for whoever looks before it is tried again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from rotator.app import standing
from rotator.app.standing import Trouble
from rotator.domain.failures import Failure
from rotator.ports import Journal

KIND = "cannot begin"


def keep_not_begun(journal: Journal, problems: Mapping[str, tuple[str, str]], now: datetime, again: timedelta) -> None:
    """Besides what was kept and still is so; a journal that is away keeps nothing. Twice: the beginning stays.

    `problems`: message and hint by name.
    """
    try:
        kept = {each.subject: each.words for each in not_begun(journal, now, again)}
    except Failure:
        return
    said = {name: message + (f" — {hint}" if hint else "") for name, (message, hint) in problems.items()}
    standing.keep(journal, KIND, (kept | said).items(), now)


def not_begun(journal: Journal, now: datetime, again: timedelta) -> tuple[Trouble, ...]:
    """What still waits to be tried again, which it is after `again` at most. Raises what the journal does."""
    found = standing.recall(journal, KIND)
    return tuple(_still(journal, found, now + again)) if found else ()


def _still(journal: Journal, found: Iterable[Trouble], soon: datetime) -> Iterable[Trouble]:
    """One that rotates was begun, one on hold is told as that, and one that is due later waits for nothing now."""
    troubles = {each.subject: each for each in found}
    rotating = {row.credential for row in journal.open_rotations(troubles)}
    for row in journal.credentials_among(troubles):
        if row.name not in rotating and not row.held and row.next_due is not None and row.next_due <= soon:
            yield troubles[row.name]
