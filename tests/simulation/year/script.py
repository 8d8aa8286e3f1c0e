"""What people, clocks and the weather do in a year, and in which moment; the seed says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from random import Random

from rotator.app import pausing, steering
from rotator.app.assembly import Assembly
from rotator.config.errors import ConfigError
from rotator.domain.failures import Failure, Fenced
from rotator.domain.records import Verb
from rotator.domain.rotation import Mode
from rotator.domain.secret import Secret
from rotator.engine import handed, providing, starting
from tests.simulation.year.checks import Checks
from tests.simulation.year.laws import LAWS, Law
from tests.simulation.year.machine import VirtualDaemon
from tests.simulation.year.provider import YearProvider
from tests.simulation.year.time import DAY, HOUR, true_time
from tests.simulation.year.truth import FOREVER, SERVICE, Span, Subject, Truth

Command = Callable[[Assembly], None]
AGAIN = 600.0
"""Seconds after which a person tries again what was not possible just now."""
WEEK = 7 * DAY


@dataclass(frozen=True, slots=True)
class Pause:
    """How the process ends next, and for how many seconds there is none. `upgrade`: the next version comes then."""

    seconds: float
    upgrade: bool = False


class Script:
    """`due` acts; the rest says what there is to do. `write`: the config's file, from what is so now."""

    def __init__(
        self,
        truth: Truth,
        checks: Checks,
        providers: dict[str, YearProvider],
        random: Random,
        days: float,
        write: Callable[[], None],
    ) -> None:
        self._truth, self._checks, self._providers, self._random = truth, checks, providers, random
        self._write = write
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self.laws: dict[str, Law] = dict(LAWS)
        self.days = days
        self.daemon: VirtualDaemon | None = None
        self.pause: Pause | None = None
        self._back: float | None = None

    # -- when ----------------------------------------------------------------------------------------------------

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Do it then, whether the service runs or not."""
        self._serial += 1
        heappush(self._events, (when, self._serial, act))

    def command(self, when: float, act: Command) -> None:
        """An operator's command, tried again until there is a service that takes it."""

        def given() -> None:
            try:
                if self.daemon is None:
                    raise Fenced
                act(self.daemon.current())
            except (Fenced, Failure, ConfigError):
                self.command(self._truth.time.seconds + AGAIN, act)

        self.at(when, given)

    def next_event(self) -> float:
        """When something happens next."""
        return self._events[0][0] if self._events else FOREVER

    def due(self) -> None:
        """Do what is to be done by now."""
        while self._events and self._events[0][0] <= self._truth.time.seconds:
            heappop(self._events)[2]()

    def _some_day(self, first: float = 0.02, last: float = 0.98) -> float:
        return self._random.uniform(first, last) * self.days * DAY

    def _scaled(self, a_year: float) -> int:
        return max(1, round(a_year * self.days / 365))

    # -- what ----------------------------------------------------------------------------------------------------

    def plan(self, daily: Callable[[Assembly], None]) -> None:
        """Everything that is known beforehand."""
        self._plan_weather()
        self._plan_process()
        self._plan_clock()
        self._plan_people()
        self._plan_reloads()
        for day in range(1, int(self.days) + 1):
            self.command(day * DAY, daily)
        for hour in range(1, int(self.days * 24)):
            self.at(hour * HOUR, self._checks.housekeeping)
        self.at(self.days * DAY + 2.0, lambda: self.stop(Pause(FOREVER)))

    def _plan_weather(self) -> None:
        for name, spans in self._truth.down.items():
            if name == SERVICE:
                continue
            times = sorted(self._some_day() for _ in range(self._scaled(8)))
            for number, begin in enumerate(times):
                hours = 30.0 if number == len(times) // 2 else self._random.uniform(0.2, 6.0)
                if not spans or spans[-1].end + DAY < begin:
                    spans.append(Span(begin, begin + hours * HOUR))

    def _plan_process(self) -> None:
        for _ in range(self._scaled(90)):
            self.at(self._some_day(), self._kill)
        for _ in range(self._scaled(12)):
            self.at(self._some_day(), lambda: self.stop(Pause(self._random.uniform(5, 600))))
        for _ in range(self._scaled(4)):
            self.at(self._some_day(), lambda: self.stop(Pause(60.0, upgrade=True)))
        for share in (0.38, 0.8):
            self.at(share * self.days * DAY, lambda: self.stop(Pause(WEEK)))

    def _plan_clock(self) -> None:
        """By an hour and by a day, ahead and back, for hours; each time somebody sets it right again."""
        for number, ahead in enumerate((HOUR, -HOUR, DAY, -DAY, -DAY, DAY)):
            begin = (0.08 + 0.15 * number + self._random.uniform(0, 0.04)) * self.days * DAY
            self.at(begin, lambda ahead=ahead: self._set_clock(ahead))  # type: ignore[misc]
            self.at(begin + self._random.uniform(2, 12) * HOUR, lambda: self._set_clock(0.0))

    def _plan_people(self) -> None:
        everybody = list(self._truth.subjects.values())
        for subject in self._some(everybody, 0.1):
            begin = self._some_day(0.02, 0.8)
            self._plan_hold(subject, begin, begin + self._random.uniform(1, 6) * WEEK)
        for share in (0.3, 0.62):
            begin = share * self.days * DAY
            self.command(begin, self._pauses)
            self.command(begin + min(WEEK, self.days * DAY / 20), self._ends_pause)
        for subject in self._some(everybody, 0.06):
            self.command(self._some_day(), lambda a, s=subject: self._rotates(a, s))  # type: ignore[misc]
        for subject in self._some(everybody, 0.06):
            self.command(self._some_day(), lambda a, s=subject: self._assumes_compromise(a, s))  # type: ignore[misc]
        # One in the midst of a freeze, and one on hold: neither may stop it.
        for subject in self._some(everybody, 0.01):
            when = (0.3 * self.days + 1) * DAY
            self._plan_hold(subject, when - DAY / 2, when + WEEK)
            self.command(when, lambda a, s=subject: self._assumes_compromise(a, s))  # type: ignore[misc]

    def _plan_reloads(self) -> None:
        """Shorter, longer, shorter again; and credentials that come, go and come back, and change their name."""
        for share, name, every in (
            (0.15, "monthly", 20.0),
            (0.25, "office", 60.0),
            (0.45, "monthly", 40.0),
            (0.55, "quarterly", 35.0),
            (0.66, "fortnight", 21.0),
            (0.72, "monthly", 15.0),
            (0.85, "skipped", 10.0),
        ):
            self.at(share * self.days * DAY, lambda n=name, e=every: self._changes(n, e))  # type: ignore[misc]
        everybody = list(self._truth.subjects.values())
        for subject in self._some(everybody, 0.03):
            self.at(self._some_day(), lambda s=subject: self._removes(s))  # type: ignore[misc]
        for subject in self._some(everybody, 0.02):
            self.command(self._some_day(), lambda a, s=subject: self._renames(a, s))  # type: ignore[misc]
        for subject in self._some(everybody, 0.03):
            subject.absent.append(Span(0.0))
            self.at(self._some_day(0.1, 0.7), lambda s=subject: self._puts_back(s))  # type: ignore[misc]

    def _some(self, everybody: list[Subject], share: float) -> list[Subject]:
        return self._random.sample(everybody, max(1, round(share * len(everybody))))

    # -- the process ----------------------------------------------------------------------------------------------

    def _kill(self) -> None:
        if self.daemon is not None:
            self.daemon.site.life.die_after(self._random.randint(1, 150))

    def stop(self, pause: Pause) -> None:
        """Politely."""
        if self.pause is None or self.pause.seconds < pause.seconds:
            self.pause = pause
        if self.daemon is not None:
            self.daemon.stop()

    def taken_pause(self) -> Pause | None:
        """What was said last of how the process ends, once."""
        taken, self.pause = self.pause, None
        return taken

    def away(self, pause: Pause) -> None:
        """Nobody serves for so long; afterwards it is seen how what was missed is caught up."""
        if pause.seconds >= DAY:
            back = self._truth.time.seconds + pause.seconds
            self.at(back + 1.5 * HOUR, lambda: self._checks.spread(back))

    def _set_clock(self, ahead: float) -> None:
        self._checks.housekeeping()
        self._truth.time.set_ahead(ahead)
        self._truth.counts["clock set"] += 1

    # -- people ---------------------------------------------------------------------------------------------------

    def _plan_hold(self, subject: Subject, begin: float, end: float) -> None:
        def holds(assembly: Assembly) -> None:
            steering.steer(assembly, subject.name, Verb.HOLD, "an audit")
            subject.held.append(Span(self._truth.time.seconds))
            self._truth.counts["holds"] += 1
            self.command(max(end, self._truth.time.seconds + HOUR), releases)

        def releases(assembly: Assembly) -> None:
            steering.steer(assembly, subject.name, Verb.RELEASE, "it is over")
            for span in subject.held:  # one release ends all of them
                span.end = min(span.end, self._truth.time.seconds)

        self.command(begin, holds)

    def _pauses(self, assembly: Assembly) -> None:
        pausing.pause(assembly.journal, assembly.clock.now(), None, "a freeze week")
        self._truth.paused.append(Span(self._truth.time.seconds))

    def _ends_pause(self, assembly: Assembly) -> None:
        pausing.end(assembly.journal, assembly.clock.now())
        self._truth.paused[-1].end = self._truth.time.seconds

    def _rotates(self, assembly: Assembly, subject: Subject) -> None:
        spec = assembly.config.credentials.get(subject.name)
        if spec is None or subject.name != subject.who:
            raise Fenced
        starting.start(spec, assembly.journal, assembly.ids, assembly.clock, mode=Mode.MANUAL, reason="asked")

    def _assumes_compromise(self, assembly: Assembly, subject: Subject) -> None:
        """Not while a store is away, or soon will be: that it is left behind then is in other tests."""
        spec, now = assembly.config.credentials.get(subject.name), self._truth.time.seconds
        if spec is None or subject.name != subject.who:
            raise Fenced
        names = (subject.provider, *subject.stores)
        if any(span.meets(now - HOUR, now + DAY) for name in names for span in self._truth.down[name]):
            raise Fenced
        starting.assume_compromise(
            spec, assembly.journal, assembly.ids, assembly.clock, owner="a command", lease=assembly.timing.lease
        )

    def heard(self, action: str, name: str, message: str) -> None:
        """The person who makes keys hears of it: asked for one, or told what is wrong and that a key would help."""
        subject = self._checks.by_name.get(name)
        asked = action in ("needs a key", "exposed until a person acts") or f"`rotator provide {name}`" in message
        if subject is None or not asked:
            return
        if subject.person and subject.person[-1].end == FOREVER:
            return
        subject.person.append(Span(self._truth.time.seconds))
        delay = self._random.choice((0.1, 1.0, 1.0, 4.0, 20.0, 70.0)) * HOUR
        self.command(self._truth.time.seconds + delay, lambda a: self._hands_over(a, subject))

    def _hands_over(self, assembly: Assembly, subject: Subject) -> None:
        spec, time = assembly.config.credentials.get(subject.name), self._truth.time
        row = assembly.journal.open_rotation(subject.name)
        if spec is not None and row is not None and handed.awaits(row):
            provider = self._providers[subject.provider]
            key = provider.make(subject.who, born=time.now())
            try:
                value = Secret({"secret": key.value})
                providing.provide(spec, assembly.world_of(spec), value, time.sleep, asked_by=row.id)
            except Failure:
                provider.delete_in_console(subject.who, key)
                raise
            self._truth.counts["handed over"] += 1
        subject.person[-1].end = time.seconds + HOUR

    def resume_stuck(self, assembly: Assembly) -> None:
        """Once a day somebody looks at what is parked."""
        for name in steering.stuck(assembly):
            self._truth.counts["resumed"] += 1
            steering.steer(assembly, name, Verb.RESUME, "looked at")

    # -- the config -----------------------------------------------------------------------------------------------

    def _reload(self) -> None:
        self._write()
        self._truth.counts["reloads"] += 1
        if self.daemon is not None:
            self.daemon.site.changed = True
            self.daemon.reload()

    def _changes(self, name: str, every: float) -> None:
        law = self.laws[name] = replace(self.laws[name], every=every)
        for subject in self._truth.subjects.values():
            if subject.law.name == name:
                subject.laws.append((self._truth.time.seconds, law))
        self._reload()

    def _removes(self, subject: Subject) -> None:
        if not subject.here:
            return
        subject.absent.append(Span(self._truth.time.seconds))
        back = self._truth.time.seconds + self._random.uniform(0.5, 30) * DAY
        self.at(back, lambda: self._puts_back(subject))
        self._reload()

    def _puts_back(self, subject: Subject) -> None:
        if self.daemon is None:  # nobody adopts it now
            self.at(self._truth.time.seconds + AGAIN, lambda: self._puts_back(subject))
            return
        subject.absent[-1].end = now = self._truth.time.seconds
        if subject.absent[-1].begin == 0.0:  # it is adopted only now
            subject.current().since, subject.current().wall = now, self._truth.time.now()
        self._reload()

    def _renames(self, assembly: Assembly, subject: Subject) -> None:
        """For a day; nobody does that in the middle of a rotation, or where one comes meanwhile.

        The journal knows two credentials then, and what one has as its current key the other does not delete (rule 6).
        """
        name = subject.who if subject.name != subject.who else f"{subject.who}-renamed"
        if not subject.here or assembly.journal.open_rotation(subject.name) is not None:
            raise Fenced
        soon = subject.law.earliest(subject.current().wall) < true_time(self._truth.time.seconds + 3 * DAY)
        if name != subject.who and (soon or subject.current().adopted or any(s.end == FOREVER for s in subject.held)):
            raise Fenced
        del self._checks.by_name[subject.name]
        subject.name = name
        self._checks.by_name[name] = subject
        subject.renamed.append(self._truth.time.seconds)
        self._truth.counts["renamed"] += 1
        self._reload()
        if name != subject.who:
            back = self._truth.time.seconds + self._random.uniform(2, 24) * HOUR
            self.command(back, lambda a: self._renames(a, subject))
