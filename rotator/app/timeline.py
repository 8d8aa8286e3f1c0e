"""One rotation over time: its phases, and what was done to each store and each key, as marks on one axis.

A phase may take a tenth of a second and the next one a day, so the axis is not to scale: each phase is as wide as the
logarithm of its time, and within a phase time is even.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log10

from rotator.domain.records import ChainedEvent, EventKind
from rotator.domain.rotation import Phase, Rotation

LEAST = 1.0
"""The width of a phase of no time, in the same measure as the logarithm of its milliseconds."""
STORE_WORDS = {
    "keep previous": "old value kept",
    "save in escrow": "saved",
    "stage": "staged",
    "promote": "promoted",
    "finish promotion": "promoted",
    "put back": "put back",
    "rewrite": "written again",
    "mend": "mended",
    "left behind": "left behind",
    "foreign value stays": "foreign value",
}
KEY_WORDS = {
    "contain": "disabled",
    "disable": "disabled",
    "delete": "deleted",
    "proven": "proven dead",
    "revoke": "deleted",
    "needs a deletion": "a person is asked",
}
BAD = frozenset({"left behind", "foreign value stays"})
OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One phase, from `left` on, `width` wide, of a whole that is 1. `ends`: None while it goes on."""

    phase: Phase
    begins: datetime
    ends: datetime | None
    left: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What happened at one moment. `detail`: how it failed, or how it is known; empty where there is nothing to add."""

    at: datetime
    where: float
    what: str
    good: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One store, key or consumer. `alive`: from where to where a key works, of a whole that is 1; `sure`: it died."""

    kind: str
    name: str
    marks: tuple[Mark, ...]
    alive: tuple[float, float] | None = None
    sure: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All of it. `ends`: where the rotation was over, or now."""

    begins: datetime
    ends: datetime
    stretches: tuple[Stretch, ...]
    lanes: tuple[Lane, ...]


def timeline(row: Rotation, events: Sequence[ChainedEvent], now: datetime) -> Timeline:
    """From the row and the events of its chain, in their order. Twice: the same."""
    ends = max(row.ended_at or now, row.started_at)
    stretches = tuple(_stretches(row, events, ends))
    axis = _Axis(stretches)
    lanes = (*_stores(row, events, axis), *_keys(row, events, axis, ends), *_consumers(row, axis))
    return Timeline(begins=row.started_at, ends=ends, stretches=stretches, lanes=lanes)


# -- the axis ----------------------------------------------------------------------------------------------------------


def _stretches(row: Rotation, events: Sequence[ChainedEvent], ends: datetime) -> Iterator[Stretch]:
    known = {phase.value: phase for phase in Phase}
    steps = [(Phase.PLANNED, row.started_at)]
    for each in events:
        if each.event.kind is EventKind.PHASE and each.event.action == "phase" and each.event.subject in known:
            phase = known[each.event.subject]
            steps.append((phase, max(each.at, steps[-1][1])))
    spans = [
        (phase, begins, steps[at + 1][1] if at + 1 < len(steps) else None)
        for at, (phase, begins) in enumerate(steps)
        if not phase.terminal
    ]
    widths = [_width(begins, until or ends) for _, begins, until in spans]
    whole, left = sum(widths), 0.0
    for (phase, begins, until), width in zip(spans, widths, strict=True):
        yield Stretch(phase=phase, begins=begins, ends=until, left=left, width=width / whole)
        left += width / whole


def _width(begins: datetime, ends: datetime) -> float:
    return LEAST + log10(1 + max((ends - begins).total_seconds(), 0.0) * 1000)


class _Axis:
    """Where an instant is."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches = stretches

    def __call__(self, at: datetime, ends: datetime | None = None) -> float:
        found = self._stretches[0]
        for each in self._stretches:
            if each.begins > at:
                break
            found = each
        until = found.ends or ends
        if until is None or until <= found.begins:
            return found.left + found.width / 2
        share = (at - found.begins) / (until - found.begins)
        return found.left + found.width * min(max(share, 0.0), 1.0)


# -- the lanes ---------------------------------------------------------------------------------------------------------


def _stores(row: Rotation, events: Sequence[ChainedEvent], axis: _Axis) -> Iterator[Lane]:
    for state in row.stores:
        name = f"{state.store}:{state.ref}"
        marks = list(_marks(events, name, STORE_WORDS, axis))
        note = f"left behind: {state.left_behind}" if state.left_behind else "written, not read" if state.unread else ""
        yield Lane(kind="store", name=name, marks=tuple(marks), note=note)


def _keys(row: Rotation, events: Sequence[ChainedEvent], axis: _Axis, ends: datetime) -> Iterator[Lane]:
    if row.new_key is not None:
        moments = ((row.minted_at, "minted"), (row.verified_at, "verified"), (row.live_at, "live"))
        marks = [Mark(at=at, where=axis(at), what=what) for at, what in moments if at is not None]
        since = row.minted_since or row.started_at
        withdrawn = any(each.event.action == "withdraw" for each in events)
        until = axis(ends) if withdrawn else 1.0
        yield Lane(kind="new key", name=row.new_key, marks=tuple(marks), alive=(axis(since), until))
    for old in row.old_keys:
        killed = min((at for at in (old.disabled_at, old.deleted_at) if at is not None), default=old.dead_at)
        marks = list(_marks(events, old.key_id, KEY_WORDS, axis))
        if old.first_refused_at is not None:
            marks.append(Mark(at=old.first_refused_at, where=axis(old.first_refused_at), what="refused first"))
        if old.dead_at is not None and not any(each.what == KEY_WORDS["proven"] for each in marks):
            marks.append(Mark(at=old.dead_at, where=axis(old.dead_at), what=KEY_WORDS["proven"]))
        proof = old.proof.value if old.proof is not None else ""
        yield Lane(
            kind="old key",
            name=old.key_id,
            marks=tuple(sorted(marks, key=lambda each: each.at)),
            alive=(0.0, axis(killed) if killed is not None else 1.0),
            sure=proof in ("refused", "absent"),
            note=f"proof: {proof}" if proof else "not proven dead",
        )


def _consumers(row: Rotation, axis: _Axis) -> Iterator[Lane]:
    for each in row.consumers:
        moments = ((each.told_at, "told"), (each.picked_up_at, "picked up"))
        marks = tuple(Mark(at=at, where=axis(at), what=what) for at, what in moments if at is not None)
        how = f"known by {each.how.value}" if each.how is not None else ""
        yield Lane(kind="consumer", name=each.name, marks=marks, note=each.trouble or how)


def _marks(events: Iterable[ChainedEvent], subject: str, words: dict[str, str], axis: _Axis) -> Iterator[Mark]:
    for each in events:
        event = each.event
        if event.subject != subject or event.kind is EventKind.INTENT or event.action not in words:
            continue
        result = event.detail.get("result", OK)
        good = result == OK and event.action not in BAD
        detail = event.detail.get("proof", "") or event.detail.get("why", "") or ("" if result == OK else result)
        yield Mark(at=each.at, where=axis(each.at), what=words[event.action], good=good, detail=detail)
