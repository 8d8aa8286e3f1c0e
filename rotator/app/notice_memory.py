"""What each target was told, remembered by the journal: across restarts, and for the other replicas.

It is remembered after it was delivered, so that a crash in between, or two replicas at the same moment, tell it twice:
at least once, and nearly always once.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from rotator.domain.notices import Notice, Severity
from rotator.domain.times import UnreadableError, format_time, parse_time
from rotator.policy.notifying import COUNTERPARTS
from rotator.ports import Clock, Journal

PREFIX = "notice:"
TOGETHER = 5
"""More than so many that were delivered as one are remembered as one."""
LONGEST = 200
"""Characters of their words."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notice that was delivered at `notice.at`; `record`: the name under which it is remembered."""

    notice: Notice
    record: str


class NoticeMemory:
    """Of one target. Safe for many threads. What the journal does not answer counts as never told."""

    def __init__(self, target: str, journal: Callable[[], Journal], clock: Clock, again: timedelta) -> None:
        self._prefix = f"{PREFIX}{target}:"
        self._journal = journal
        self._clock = clock
        self._again = again
        self._known: dict[str, Told] | None = None
        self._unwritten: set[str] = set()  # records of which the journal does not have what is known here
        self._lock = threading.Lock()

    # -- as a target asks ------------------------------------------------------------------------------------------

    def news(self, notices: Sequence[Notice]) -> Sequence[Notice]:
        """Those that are not told yet, each trouble once; an end only of what was told."""
        known = self._loaded()
        latest: dict[str, Notice] = {}
        for each in notices:
            latest.pop(each.key, None)
            latest[each.key] = each  # what began and ended meanwhile is told by its end, or by nothing
        return [each for each in latest.values() if self._is_news(each, known)]

    def _is_news(self, notice: Notice, known: Mapping[str, Told]) -> bool:
        told = known.get(notice.key) or self._of_another(notice.key)
        if notice.over:
            return told is not None
        # a time far ahead was noted by a clock that was wrong
        return told is None or abs(self._clock.now() - told.notice.at) >= self._again

    def told(self, notices: Sequence[Notice]) -> None:
        """Remember it; of an end, forget."""
        now = self._clock.now()
        begun = [each for each in notices if not each.over]
        ended = [each.key for each in notices if each.over]
        if len(begun) > TOGETHER:
            self._remember(f"{self._prefix}{begun[0].key}+{len(begun)}", begun, now)
        else:
            for each in begun:
                self._remember(f"{self._prefix}{each.key}", [each], now)
        over: dict[str, None] = {}
        for each in begun:
            if each.kind in COUNTERPARTS:
                over.pop(each.key, None)
                over[replace(each, kind=COUNTERPARTS[each.kind]).key] = None
        self.forget([*ended, *over])

    # -- as who looks after it asks --------------------------------------------------------------------------------

    def standing(self) -> tuple[Notice, ...]:
        """What was told and not ended, as the journal has it now; `at` is when it was told last.

        What it did not take counts as it is known here, and is tried again.
        """
        with self._lock:
            before, unwritten, self._known = self._known or {}, frozenset(self._unwritten), None
        read = self._loaded()
        with self._lock:
            for key in [key for key, each in read.items() if each.record in unwritten]:
                del read[key]
            read.update({key: each for key, each in before.items() if each.record in unwritten})
            left = {record: _of_record(read, record) for record in unwritten}
            found = tuple(each.notice for each in read.values())
        self._write_each(left)
        return found

    def forget(self, keys: Sequence[str]) -> None:
        """Forget these troubles."""
        known = self._loaded()
        with self._lock:
            gone = [known.pop(key) for key in keys if key in known]
            left = {each.record: _of_record(known, each.record) for each in gone}
        self._write_each(left)

    # -- the journal -----------------------------------------------------------------------------------------------

    def _remember(self, record: str, notices: Sequence[Notice], now: datetime) -> None:
        known = self._loaded()
        told = [_at(each, now) for each in notices]
        with self._lock:
            moved = {known[each.key].record: None for each in told if each.key in known}
            known.update({each.key: Told(each, record) for each in told})
            left = {name: _of_record(known, name) for name in (record, *moved)}  # the new one first
        self._write_each(left)

    def _write_each(self, records: Mapping[str, Sequence[Notice]]) -> None:
        for record, notices in records.items():
            text = json.dumps([_as_record(each) for each in notices]) if notices else None
            try:
                self._journal().remember(record, text)
            except Exception:  # noqa: BLE001 - it is tried again; after a restart it is told again, better than never
                self._unwritten.add(record)
            else:
                self._unwritten.discard(record)

    def _loaded(self) -> dict[str, Told]:
        with self._lock:
            if self._known is None:
                # where a crash left two records of one trouble, the newer counts
                self._known = {each.notice.key: each for each in sorted(self._read(), key=lambda each: each.notice.at)}
            return self._known

    def _read(self) -> Iterator[Told]:
        try:
            journal = self._journal()
            for record in journal.remembered(self._prefix):
                yield from _from_record(record, journal.recall(record))
        except Exception:  # noqa: BLE001 - the same
            return

    def _of_another(self, key: str) -> Told | None:
        """What another replica remembered since this one looked."""
        record = f"{self._prefix}{key}"
        try:
            found = list(_from_record(record, self._journal().recall(record)))
        except Exception:  # noqa: BLE001 - the same
            return None
        for each in found:
            with self._lock:
                if self._known is not None:
                    self._known[each.notice.key] = each
        return found[0] if found else None


def _of_record(known: Mapping[str, Told], record: str) -> list[Notice]:
    return [each.notice for each in known.values() if each.record == record]


def _at(notice: Notice, now: datetime) -> Notice:
    return Notice(
        kind=notice.kind,
        severity=notice.severity,
        subject=notice.subject,
        what=notice.what,
        words=notice.words[:LONGEST],
        command=notice.command,
        owner=notice.owner,
        about=notice.about,
        at=now,
    )


def _as_record(notice: Notice) -> dict[str, str]:
    texts = ("kind", "severity", "subject", "what", "words", "command", "owner", "about")
    return {**{name: str(getattr(notice, name)) for name in texts}, "at": format_time(notice.at)}


def _from_record(record: str, text: str | None) -> Iterator[Told]:
    """What a record says; nothing where nobody understands it."""
    if text is None:
        return
    try:
        found: Any = json.loads(text)
        for each in found:
            at, severity = parse_time(each["at"]), Severity(each["severity"])
            yield Told(Notice(**{**each, "at": at, "severity": severity}), record)
    except (ValueError, TypeError, KeyError, UnreadableError):
        return  # it is told again, better than never
