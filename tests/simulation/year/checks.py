"""What must be so, asked of the truth: at every mint, write, death and commit, and at the end of every day.

    twice         nothing scheduled begins before its policy can want it: once for one due time
    freeze        nothing scheduled begins, or retires a key, while a window or blackout forbids it
    pause, hold   nothing scheduled begins in a pause; nothing is minted for a credential on hold
    too old       no key stays current, once it is due by the letter of its policy and nothing is in the way, for more
                  than `SLACK` of such time
    dead key      no consumer reads a key that is put out of use, and none is cut off before its overlap is over
    orphan        no key lives that is nobody's, for longer than three days in which it could be swept
    warning       "too old" is said when it is so, and "about to be too old" before it
    housekeeping  every duty is done in its time, whatever the wall clock says
    spread        what was missed is caught up spread over an hour
    emergency     a stolen key is dead and proven within `SLACK`, whatever is paused or held
    count         there were as many rotations as the policy implies
    trail         the journal's trail is whole

`SLACK` is what the product's documentation allows when something went wrong: an hour in which what was missed is
spread, an hour until enrolling looks at a changed policy, an hour at most for a server's own word when to come back;
minutes for the rotation itself. What is in the way: an outage of its provider or of a store, the service being down, a
pause, a hold, a closed window or a blackout, not being in the config, a person who was asked and has not come yet, a
rotation that is rolled back and the hour after it. A clock that is wrong adds by how much it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from rotator.domain.records import Event
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.ports import Journal
from tests.simulation.year.laws import Law
from tests.simulation.year.machine import PERIODS
from tests.simulation.year.provider import YearKey, YearProvider
from tests.simulation.year.store import YearStore
from tests.simulation.year.time import DAY, HOUR, VirtualTime, true_time
from tests.simulation.year.truth import SERVICE, Begin, Live, Span, Subject, Truth

SLACK = 3 * HOUR
STEP = 900.0
MINUTE = 60.0
ENOUGH = 20
"""So many must have been missed before their spread is judged."""


class Checks:
    """Watches the journal, the providers, the stores, and who is told of what."""

    def __init__(self, truth: Truth, providers: dict[str, YearProvider], stores: dict[str, YearStore]) -> None:
        self.truth = truth
        self.time: VirtualTime = truth.time
        self.by_name: dict[str, Subject] = {}
        self._providers = providers
        self._stores = stores
        self._rotations: dict[str, Begin] = {}
        self._left: dict[tuple[str, str], float] = {}  # who, value -> since when no store holds it
        for provider in providers.values():
            provider.on_death, provider.on_mint = self.on_death, self.on_mint
        for store in stores.values():
            store.on_write = self.on_write

    # -- the journal's watcher -----------------------------------------------------------------------------------

    def began(self, row: Rotation) -> None:
        """Told of every rotation that is open from now on."""
        subject, now = self.by_name[row.credential], self.time.seconds
        begin = self._rotations[row.id] = Begin(row.id, row.mode.value, now)
        if row.mode is Mode.SCHEDULED:
            self._may_begin(subject)
        subject.begins.append(begin)
        self.truth.counts[f"begun: {row.mode.value}"] += 1

    def _may_begin(self, subject: Subject) -> None:
        now, wall = self.time.seconds, self.time.now()
        if not subject.law.open(wall):
            self.truth.violate(
                "freeze", subject.name, f"a rotation begins at {wall}, when {subject.law.name} is closed"
            )
        if any(span.covers(now) for span in self.truth.paused):
            self.truth.violate("pause", subject.name, "a rotation begins while all is paused")
        if any(span.covers(now) for span in subject.held):
            self.truth.violate("hold", subject.name, "a rotation begins while it is on hold")
        earliest = self._earliest(subject, subject.current())
        if earliest is not None and true_time(now) < earliest - timedelta(seconds=MINUTE):
            what = f"a rotation begins, and by {subject.law.name} not before {earliest} can one"
            self.truth.violate("twice", subject.name, what)

    def _earliest(self, subject: Subject, live: Live) -> datetime | None:
        """The least that any policy wanted since its key went live."""
        renamed = bool(subject.renamed) and subject.renamed[-1] > live.since  # adopted anew, by whom age may be unknown
        if subject.law.every is not None and (live.adopted or renamed):
            return None
        since = live.wall
        laws = [law for (_, law), end in _until_next(subject.laws) if end > live.since]
        return min(law.earliest(since) for law in laws) - timedelta(seconds=self.time.wrong_by(live.since))

    def committed(self, row: Rotation) -> None:
        """Told of every row that was written."""
        begin = self._rotations[row.id]
        if begin.phase == "live" and row.phase is Phase.RETIRING and row.mode is Mode.SCHEDULED:
            subject = self.by_name[row.credential]
            if not subject.law.open(self.time.now()):
                self.truth.violate("freeze", subject.name, f"a key is retired, and {subject.law.name} is closed")
        if row.mode is not Mode(begin.mode):
            begin.mode, begin.at = row.mode.value, self.time.seconds  # an emergency joined it
        if row.phase is Phase.ROLLING_BACK and begin.phase != row.phase.value:
            self.by_name[row.credential].back.append(Span(self.time.seconds))
        if row.phase is Phase.ROLLED_BACK and (back := self.by_name[row.credential].back):
            back[-1].end = self.time.seconds + HOUR
        begin.phase = row.phase.value
        if row.phase.terminal and begin.ended is None:
            begin.ended = self.time.seconds
            self.truth.counts[f"ended: {row.phase.value}"] += 1

    # -- who is told ---------------------------------------------------------------------------------------------

    def alert(self, action: str, subject: str, message: str) -> None:
        """Told of what people are told of."""
        self.truth.counts[f"alert: {action}"] += 1
        found = self.by_name.get(subject)
        if found is None or not found.lives:
            return
        live = found.current()
        if action == "about to be too old":
            live.warned = True
        if action == "too old" and not (live.warned or live.told_too_old > 0) and self._could_warn(found, live):
            self.truth.violate("warning", subject, f"nobody was warned before: {message}")
        if action == "too old":
            live.told_too_old = self.time.seconds

    def _could_warn(self, subject: Subject, live: Live) -> bool:
        """Whether one has looked since the key was to be warned of, with the policy of now and a right clock."""
        since = self.time.seconds - subject.law.leeway(true_time(live.since)).total_seconds()
        changed = subject.laws[-1][0] >= since or any(span.end >= since for span in (*subject.absent, *subject.back))
        return self.truth.served(since) and not changed and live.since < since and not live.adopted

    # -- effects -------------------------------------------------------------------------------------------------

    def on_mint(self, who: str) -> None:
        """Told of every key that is made."""
        subject = self.truth.subjects[who]
        self.truth.counts["minted"] += 1
        emergency = any(begin.mode == "compromise" and begin.ended is None for begin in subject.begins[-3:])
        held = any(span.begin + HOUR <= self.time.seconds < span.end for span in subject.held)
        if held and not emergency:
            self.truth.violate("hold", subject.name, "a key is minted while it is on hold")

    def on_write(self, who: str) -> None:
        """Told when consumers read something else."""
        subject, now = self.truth.subjects[who], self.time.seconds
        held = {self._stores[store].current(who) for store in subject.stores}
        provider = self._providers[subject.provider]
        for value in held:
            key = provider.by_value.get(value or "")
            if key is None or now >= key.accepted_until or not key.live:
                self.truth.violate("dead key", subject.name, "a store was given a key that is refused")
        if len(held) == 1:
            (value,) = held
            self._goes_live(subject, value or "")

    def _goes_live(self, subject: Subject, value: str) -> None:
        lives, now = subject.lives, self.time.seconds
        if lives and lives[-1].value == value:
            return
        if len(lives) > 1 and lives[-2].value == value:  # it was put back
            lives.pop()
            lives[-1].looked = lives[-1].put_back = now
            self.truth.counts["put back"] += 1
            return
        self.overdue(subject)
        self._left[subject.who, lives[-1].value] = now
        lives.append(Live(value, now, self.time.now()))
        self.truth.counts["went live"] += 1

    def on_death(self, who: str, key: YearKey) -> None:
        """Told of every key that is put out of use."""
        subject, now = self.truth.subjects[who], self.time.seconds
        self.truth.counts["died"] += 1
        if any(self._stores[store].current(who) == key.value for store in subject.stores):
            self.truth.violate("dead key", subject.name, f"{key.id} is put out of use, and consumers read it")
        left = self._left.pop((who, key.value), None)
        if left is None:
            return
        emergency = any(begin.mode == "compromise" for begin in subject.begins[-2:])
        overlap = min(law.overlap for (_, law), end in _until_next(subject.laws) if end > left).total_seconds()
        if not emergency and now - left < overlap - self.time.wrong_by(left) - MINUTE:
            self.truth.violate(
                "dead key", subject.name, f"{key.id} is retired {now - left:.0f} s after it was replaced"
            )

    # -- at the end of a day, and often --------------------------------------------------------------------------

    def overdue(self, subject: Subject) -> None:
        """For how long its key was due and nothing was in the way; violated beyond `SLACK`."""
        live, now, law = subject.current(), self.time.seconds, subject.law
        due = max(self.due(subject, live), subject.laws[-1][0], live.looked)
        if now <= due:
            return
        live.looked = now
        excuses = [span for span in self.truth.excuses(subject) if span.meets(due, now)]
        at = due
        while at < now:
            if not any(span.covers(at) for span in excuses) and law.open(true_time(at)):
                live.overdue += min(STEP, now - at)
            at += STEP
        allowed = SLACK + self.time.wrong_by(live.since - HOUR)
        if live.overdue > allowed:
            age = (now - live.since) / DAY
            what = f"{age:.2f} days old, {law.name}, for {live.overdue / HOUR:.1f} h longer than anything explains"
            self.truth.violate("too old", subject.name, what)

    def due(self, subject: Subject, live: Live) -> float:
        """By when its policy wants its key replaced, in seconds; later if what was adopted is spread.

        Counted from when it went live by the wall clock, which is all that the service can know.
        """
        law, since = subject.law, live.wall
        if live.adopted and law.every is not None:
            period, judged = timedelta(days=law.every), self._judged(subject, live)
            aged = (live.born or since) + period
            known = live.born is not None or judged > live.since
            due = law.next_open(aged if known and aged > true_time(judged) else true_time(judged) + period * law.spread)
        else:
            due = max(law.latest(since), law.next_open(since + law.overlap))  # one rotation after the other
        return (due - true_time(0.0)).total_seconds()

    def _judged(self, subject: Subject, live: Live) -> float:
        """When somebody looked last at how old an adopted key is: what was held or absent is looked at afterwards."""
        ends = (span.end for span in (*subject.held, *subject.absent) if span.end <= self.time.seconds)
        return max(live.since, subject.laws[-1][0], *ends) if len(subject.laws) > 1 else live.since

    def housekeeping(self) -> None:
        """Every duty was done within two of its periods, unless there was nobody to do it."""
        now = self.time.seconds
        for name, period in PERIODS.items():
            long = 2.5 * period.total_seconds()
            up = not any(span.meets(now - long, now) for span in self.truth.down[SERVICE][-10:])
            if up and now > long and now - self.truth.duties.get(name, 0.0) > long:
                self.truth.violate("housekeeping", name, f"not done for {(now - self.truth.duties[name]) / HOUR:.1f} h")

    def day(self, journal: Journal) -> None:
        """All that is asked at the end of a day."""
        for subject in self.truth.subjects.values():
            if subject.here and subject.lives:
                self.overdue(subject)
                self._told(subject, journal)
                self._orphans(subject, journal)
                self._emergencies(subject)

    def _told(self, subject: Subject, journal: Journal) -> None:
        """A key that is too old is spoken of every day."""
        live, now = subject.current(), self.time.seconds
        due = self.due(subject, live)
        if live.adopted and subject.law.every is not None:
            due = max(due, live.since + subject.law.every * DAY)  # nobody may know how old it is
        due += subject.law.leeway(true_time(live.since)).total_seconds()
        since = max(due, live.put_back, subject.laws[-1][0], *(span.end for span in subject.absent[-1:])) + 5 * HOUR
        if now < since or not self.truth.served(now - 5 * HOUR) or self.time.wrong_by(live.since):
            return
        row = journal.open_rotation(subject.name)
        if (row is None or not row.beyond_pivot) and now - live.told_too_old > DAY + 5 * HOUR:
            self.truth.violate("warning", subject.name, f"{(now - live.since) / DAY:.1f} days old, and nobody is told")

    def _orphans(self, subject: Subject, journal: Journal) -> None:
        now, provider = self.time.seconds, self._providers[subject.provider]
        read = {self._stores[store].current(subject.who) for store in subject.stores}
        strays = {key.id for key in provider.living(subject.who) if key.value not in read}
        excused = any(span.meets(now - DAY, now) for span in self.truth.excuses(subject))
        if not strays or excused or journal.open_rotation(subject.name) is not None:
            strays = set()
        subject.stray_since = {key: subject.stray_since.get(key, now) for key in strays}
        for key, since in subject.stray_since.items():
            if now - since > 3 * DAY:
                self.truth.violate("orphan", subject.name, f"{key} lives and is nobody's")

    def _emergencies(self, subject: Subject) -> None:
        for begin in subject.begins[-3:]:
            if begin.mode != "compromise" or begin.ended is not None:
                continue
            away = sum(min(s.end, self.time.seconds) - max(s.begin, begin.at) for s in self._kept(subject, begin.at))
            if self.time.seconds - begin.at - away > SLACK:
                self.truth.violate("emergency", subject.name, f"not over: it is {begin.phase}")

    def _kept(self, subject: Subject, since: float) -> list[Span]:
        names = (subject.provider, *subject.stores, SERVICE)
        spans = [span for name in names for span in self.truth.down[name]] + subject.person
        return [span for span in spans if span.meets(since, self.time.seconds)]

    def spread(self, back: float) -> None:
        """Asked an hour and a half after a week away: what was missed did not begin all at once."""
        always = [each for each in self.truth.subjects.values() if each.law.open(true_time(back))]
        # What was under way when the service went has its end first, and what is due then begins at once.
        always = [each for each in always if all(not b.at < back <= (b.ended or back) for b in each.begins[-3:])]
        hour = range(int(back), int(back + 1.2 * HOUR))
        begun = [b.at for each in always for b in each.begins if b.mode == "scheduled" and int(b.at) in hour]
        self.truth.counts["caught up"] += len(begun)
        if len(begun) < ENOUGH:
            return
        most = max((sum(1 for each in begun if at <= each < at + 300) for at in begun), default=0)
        if most > len(begun) / 3:
            self.truth.violate("spread", "all", f"{most} of {len(begun)} rotations that were missed began within 5 min")

    def count(self) -> None:
        """Asked at the end: no credential was rotated more or less often than its policy implies."""
        for subject in self.truth.subjects.values():
            least, most = self._implied(subject)
            asked = sum(1 for begin in subject.begins if begin.mode != "scheduled") + len(subject.renamed)
            done = len(subject.lives) - 1
            if not least <= done <= most + asked:
                what = f"rotated {done} times, and its policy implies {least} to {most}, {asked} more were asked for"
                self.truth.violate("count", subject.name, what)

    def _implied(self, subject: Subject) -> tuple[int, int]:
        """The fewest and the most scheduled rotations that the policies allow that were in force."""
        least = most = 0
        since = subject.lives[0].since  # who came into the config only later was adopted then
        while (since := self._latest_live(subject, since)) < self.time.seconds:
            least += 1
        since = 0.0
        while (since := self._earliest_live(subject, since)) < self.time.seconds:
            most += 1
        return least, most + 1  # what was adopted may be due at once

    def _earliest_live(self, subject: Subject, since: float) -> float:
        """When the next key can be live at the earliest, if one went live at `since`."""
        laws = [law for (_, law), end in _until_next(subject.laws) if end > since]
        return min((law.earliest(true_time(since)) - true_time(0.0)).total_seconds() for law in laws)

    def _latest_live(self, subject: Subject, since: float) -> float:
        """When the next key must be live at the latest: due, and `SLACK` in which nothing was in the way."""
        law = max(subject.laws, key=lambda each: each[1].every or 0.0)[1]
        at, free = (law.latest(true_time(since)) - true_time(0.0)).total_seconds(), 0.0
        wrong = self.time.wrong_by(since)
        excuses = self.truth.excuses(subject)
        while free < SLACK + wrong and at < self.time.seconds:
            near = [span for span in excuses if span.meets(at, at + DAY)]
            for _ in range(96):
                if law.open(true_time(at)) and not any(span.covers(at) for span in near):
                    free += STEP
                at += STEP
        return at


class Told:
    """Implements `rotator.ports.Observer`: the checks and the person hear of everything."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self.others: list[Callable[[str, str, str], None]] = []

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """The journal is watched itself."""

    def alert(self, action: str, subject: str, message: str) -> None:
        for other in self.others:
            other(action, subject, message)
        self._checks.alert(action, subject, message)


def _until_next(laws: Sequence[tuple[float, Law]]) -> list[tuple[tuple[float, Law], float]]:
    """Each law with the time at which the next one took its place."""
    ends = [at for at, _ in laws[1:]] + [float("inf")]
    return list(zip(laws, ends, strict=True))
