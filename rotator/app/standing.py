"""Troubles that a duty of the service found and that nothing in the journal tells of: kept for whoever looks later."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotator.domain.failures import Failure
from rotator.domain.times import UnreadableError, format_time, parse_time
from rotator.ports import Journal

PREFIX = "standing: "
MOST, LONGEST = 100, 500
"""Troubles of one kind that are kept, and characters of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What was found last at `at`. `since`: when it was found first. `kind`: a word that alerts use."""

    kind: str
    subject: str
    words: str
    since: datetime
    at: datetime


def keep(journal: Journal, kind: str, found: Iterable[tuple[str, str]], now: datetime) -> None:
    """All that is true of one kind now, by subject; of none nothing is kept. A journal that is away keeps nothing.

    Twice: the beginning stays.
    """
    try:
        before = {each.subject: each.since for each in recall(journal, kind)}
        kept = [
            {"subject": subject[:LONGEST], "words": words[:LONGEST], "since": format_time(before.get(subject, now))}
            for subject, words in list(found)[:MOST]
        ]
        if kept or before:
            text = json.dumps({"at": format_time(now), "found": kept}) if kept else None
            journal.remember(PREFIX + kind, text)
    except Failure:
        return  # it is found again at the next look


def recall(journal: Journal, kind: str) -> tuple[Trouble, ...]:
    """What was kept; nothing where nobody understands it."""
    text = journal.recall(PREFIX + kind)
    if text is None:
        return ()
    try:
        found: Any = json.loads(text)
        at = parse_time(found["at"])
        return tuple(
            Trouble(kind=kind, subject=each["subject"], words=each["words"], since=parse_time(each["since"]), at=at)
            for each in found["found"]
        )
    except (ValueError, TypeError, KeyError, UnreadableError):
        return ()  # it is found again at the next look
