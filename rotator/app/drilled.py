"""What a rehearsal showed: how long until the deaths, and which keys could not be proven dead, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from rotator.app.bounds import Bounds
from rotator.app.drilling import Cast, Stage
from rotator.app.planning import Planned
from rotator.domain.headway import Stand, stand_of
from rotator.domain.keys import Minter
from rotator.domain.rotation import Rotation

PLACE = 6
"""Requests to each place on the longest path, as the plan reckons them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """From the command on. `contained`: when the first and the last old key was disabled; `died`: was refused.

    `over`: when the last one that came to its end had. None: nothing of it happened.
    """

    contained: tuple[timedelta, timedelta] | None = None
    died: tuple[timedelta, timedelta] | None = None
    over: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AtProvider:
    """One provider's part."""

    provider: str
    credentials: int
    proven: int
    times: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """A credential whose old keys are not proven dead at the end. `person`: because one is waited for."""

    credential: str
    why: str
    hint: str = ""
    person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """All of it. `by_word`: proven only by their drivers' word, because no plain request tries their keys."""

    selected: int
    proven: int
    times: Times
    providers: tuple[AtProvider, ...] = ()
    bounds: Bounds | None = None
    unproven: tuple[Unproven, ...] = ()
    by_word: tuple[str, ...] = ()
    latency: timedelta
    speed: float

    @property
    def persons(self) -> tuple[str, ...]:
        """Who waits for a person: no time of theirs is in any number."""
        return tuple(each.credential for each in self.unproven if each.person)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocked:
    """When the command came, and how much faster than life it went from there."""

    began: datetime
    speed: float

    def times(self, rows: Sequence[Rotation]) -> Times:
        """What happened to these, as if it had gone at life's speed."""
        old = [each for row in rows for each in row.old_keys]
        return Times(
            contained=self._both(each.disabled_at for each in old),
            died=self._both(each.dead_at for each in old),
            over=(self._both(row.ended_at for row in rows) or (None, None))[1],
        )

    def _both(self, instants: Iterable[datetime | None]) -> tuple[timedelta, timedelta] | None:
        known = [each for each in instants if each is not None]
        if not known:
            return None
        return (min(known) - self.began) * self.speed, (max(known) - self.began) * self.speed


def drilled(
    stage: Stage,
    players: Cast,
    rows: Mapping[str, Rotation],
    errors: Mapping[str, tuple[str, str]],
    plans: Sequence[Planned],
    began: datetime,
) -> Drilled:
    """Read the rows of a rehearsal that is over. `errors`: what could not be begun, on the stage or before it."""
    clocked = Clocked(began=began, speed=stage.pace.speed)
    real = {name: stage.real[spec.provider] for name, spec in stage.assembly.config.credentials.items()}
    proven = [name for name, row in rows.items() if stand_of(row) is Stand.PROVEN]
    providers = []
    for provider in dict.fromkeys(real.values()):
        theirs = [row for name, row in rows.items() if real.get(name) == provider]
        providers.append(
            AtProvider(
                provider=provider,
                credentials=sum(each == provider for each in real.values()),
                proven=sum(row.credential in proven for row in theirs),
                times=clocked.times(theirs),
            )
        )
    unproven = [_unproven(name, row, players) for name, row in rows.items() if name not in proven]
    return Drilled(
        selected=len({*real, *errors, *players.refused}),
        proven=len(proven),
        times=clocked.times(list(rows.values())),
        providers=tuple(providers),
        bounds=_bounds(stage, players, plans, real),
        unproven=(*_refused({**players.refused, **errors}), *unproven),
        by_word=tuple(name for name in proven if players.offers[name].probe is None),
        latency=stage.pace.latency,
        speed=stage.pace.speed,
    )


def nobody(players: Cast, errors: Mapping[str, tuple[str, str]], latency: timedelta) -> Drilled:
    """Where nobody can take part."""
    refused = {**players.refused, **errors}
    return Drilled(
        selected=len(refused), proven=0, times=Times(), unproven=tuple(_refused(refused)), latency=latency, speed=1.0
    )


def _refused(errors: Mapping[str, tuple[str, str]]) -> Iterable[Unproven]:
    for name, (message, hint) in errors.items():
        yield Unproven(credential=name, why=f"cannot be begun: {message.removeprefix(f'{name}: ')}", hint=hint)


def _unproven(name: str, row: Rotation, players: Cast) -> Unproven:
    offers, stand = players.offers[name], stand_of(row)
    if stand is Stand.PERSON:
        makes = offers.strategy.minter is Minter.PERSON
        deeds = [*(["makes its key"] if makes else []), *([] if offers.deletes else ["deletes the old one"])]
        where = f" at {offers.console_url}" if offers.console_url else ""
        why = f"a person {' and '.join(deeds) or 'is waited for'}{where}"
        return Unproven(credential=name, why=why, hint=f"`rotator provide {name}`" if makes else "", person=True)
    if row.problem is not None:
        return Unproven(credential=name, why=row.problem.message, hint=row.problem.hint)
    alive = ", ".join(old.key_id for old in row.old_keys if old.proof is None)
    return Unproven(credential=name, why=f"{stand.value} when the drill ended" + (f": {alive}" if alive else ""))


def _bounds(stage: Stage, players: Cast, plans: Sequence[Planned], real: Mapping[str, str]) -> Bounds | None:
    """Both lower bounds of the real thing, by the plan's own reckoning, at this drill's latency."""
    good = [each for each in plans if each.problem is None]
    if not good:
        return None
    paths = [
        stage.pace.latency * (each.requests + PLACE * len(each.places)) + players.offers[each.credential].last_look
        for each in good
    ]
    limits: dict[str, timedelta] = {}
    for each in good:
        rate = players.rates[real[each.credential]]
        if rate is not None:
            limit = timedelta(seconds=each.requests / rate)
            limits[real[each.credential]] = limits.get(real[each.credential], timedelta(0)) + limit
    mean = sum(paths, timedelta(0)) / len(paths)
    return Bounds(path=max(paths), waves=mean * ceil(len(good) / stage.assembly.config.parallel), limits=limits)
