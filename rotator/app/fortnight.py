"""What comes due on each of the next fourteen days, by the wall clock of each policy: windows and freezes are seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from rotator.app.seeing import Scope
from rotator.app.surveying import Standing, State, Survey
from rotator.config.reading import Config
from rotator.domain.policy import Policy
from rotator.domain.wallclock import wall
from rotator.policy.windows import next_open

DAYS = 14
MOST_NAMED = 12
"""Of a day with more than so many each provider is told, and how many of it."""
AWAY = frozenset({State.HELD, State.STUCK, State.ROTATING})
"""Those of which the calendar alone does not say when they are rotated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One that comes due. `at`: when it may begin. `zone`: whose day it is. `moved`: by a closed window or a freeze."""

    name: str
    provider: str
    at: datetime
    zone: str
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day. `named`: all of it, or nothing where there are many, which `providers` counts. `freezes`: in words."""

    day: date
    number: int
    named: tuple[Due, ...]
    providers: Mapping[str, int]
    freezes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fortnight:
    """The days from today on. `overdue`: of today's number those whose time has come. `away`: held, stuck, rotating."""

    now: datetime
    at: datetime
    days: tuple[Day, ...]
    overdue: int = 0
    away: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        """How many come due in all of it."""
        return sum(day.number for day in self.days)

    @property
    def most(self) -> int:
        """Those of the fullest day; at least 1."""
        return max((day.number for day in self.days), default=0) or 1


@dataclass(slots=True)
class _Gathered:
    named: list[Due] = field(default_factory=list)
    providers: Counter[str] = field(default_factory=Counter)
    number: int = 0


def fortnight(survey: Survey, scope: Scope, now: datetime) -> Fortnight:
    """From a survey; nothing is asked. Twice: the same."""
    config, end = survey.config, now + timedelta(days=DAYS + 1)
    days: dict[date, _Gathered] = {(now + timedelta(days=each)).date(): _Gathered() for each in range(DAYS)}
    first, overdue, away, unknown = now.date(), 0, 0, 0
    for each in survey.seen(scope):
        if each.state is State.BROKEN:
            unknown += 1
            continue
        if each.state in AWAY:
            away += 1
            continue
        if each.due is not None and each.due >= end:
            continue
        spec = config.credentials.get(each.name)
        if each.due is None or spec is None:
            unknown += 1
            continue
        overdue += each.due <= now
        wanted = max(each.due, now)
        at = _opens(spec.policy, wanted)
        day = max(wall(at, spec.policy.tz).date() if spec.policy.window else at.date(), first)
        if day in days:
            _add(days[day], each, at, spec.policy, at > wanted)
    freezes = _freezes(config, (each.name for each in survey.seen(scope)), days)
    return Fortnight(
        now=now,
        at=survey.at,
        days=tuple(_day(day, found, freezes.get(day, ())) for day, found in days.items()),
        overdue=overdue,
        away=away,
        unknown=unknown,
    )


def _opens(policy: Policy, instant: datetime) -> datetime:
    return next_open(policy, instant) if policy.window or policy.blackouts else instant


def _add(found: _Gathered, each: Standing, at: datetime, policy: Policy, moved: bool) -> None:
    found.number += 1
    found.providers[each.provider] += 1
    if found.number <= MOST_NAMED:
        found.named.append(Due(name=each.name, provider=each.provider, at=at, zone=str(policy.tz), moved=moved))


def _day(day: date, found: _Gathered, freezes: Iterable[str]) -> Day:
    named = sorted(found.named, key=lambda each: (each.at, each.name)) if found.number <= MOST_NAMED else ()
    return Day(
        day=day,
        number=found.number,
        named=tuple(named),
        providers=dict(found.providers.most_common()),
        freezes=tuple(freezes),
    )


def _freezes(config: Config, names: Iterable[str], days: Iterable[date]) -> dict[date, list[str]]:
    """Of each day the policies of these credentials that are frozen on it."""
    policies: dict[str, Policy] = {}
    frozen = any(spec.policy.blackouts for spec in config.credentials.values())
    for name in names if frozen else ():
        spec = config.credentials.get(name)
        if spec is not None and spec.policy.blackouts:
            policies.setdefault(config.policies.get(name, ""), spec.policy)
    found: dict[date, list[str]] = {}
    for day in days:
        for name, policy in sorted(policies.items()):
            for blackout in policy.blackouts:
                if blackout.first <= day <= blackout.last:
                    found.setdefault(day, []).append(f"{name or 'a policy'} is frozen {blackout}")
    return found
