"""What people, thieves and the weather do to a world, and in which moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.domain.credential import PlaceKind
from rotator.domain.failures import Failure, JournalOlder
from rotator.domain.records import Verb
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.engine import starting
from rotator.ports import Change
from rotator.testing.memory import MemoryJournal
from rotator.testing.simulator.faults import HOT
from rotator.testing.simulator.invariants import Estate
from rotator.testing.simulator.journal import backup
from rotator.testing.simulator.provider import BY_A_PERSON
from rotator.testing.simulator.schedule import START
from rotator.testing.simulator.store import SimulatedStore
from rotator.testing.simulator.world import CREDENTIAL, RECONCILED_EVERY, Installation, Scenario, Simulated

RESUMES = 6
"""How often a stuck rotation is resumed, after whatever was wrong around it was mended."""
PASSES = 4
"""How many passes of the reconciler the world is given at the end."""
HOUR = 3600.0
BACK = ("rolling_back", "withdrawing")


class Script:
    """Decides, by the seed, what happens when; `Simulated` is what it happens to."""

    def __init__(self, simulated: Simulated) -> None:
        self.world = simulated
        self.random = simulated.random
        self.schedule = simulated.schedule
        self.wanted = dict.fromkeys(simulated.installations, self.random.choice((1, 1, 2, 3)))
        self._saved = MemoryJournal()
        self._exposed: dict[str, float] = {}
        self.events = self._drawn(simulated.scenario)
        self.met: Counter[tuple[str, str, str]] = Counter()  # event, mode, phase
        self._releases: list[Callable[[Installation], str]] = []
        self.resumed: Counter[str] = Counter()
        self.passes = PASSES
        self._rate = self.random.choice((1 / 40, 1 / 80, 1 / 160))

    def _drawn(self, scenario: Scenario) -> list[Callable[[Installation], str]]:
        random, events = self.random, list[Callable[[Installation], str]]()
        if scenario.emergencies:
            events += [self.emergency] * random.choice((0, 0, 1, 1, 2))
        if scenario.operators:
            events += random.choices((self.roll_back, self.hold), k=random.choice((0, 0, 1, 2)))
        if scenario.outages:
            weather = (self.store_down, self.store_down, self.provider_down, self.provider_refuses, self.store_denies)
            events += random.choices(weather, k=random.choice((0, 0, 1, 2)))
            if self.emergency not in events and random.random() < 0.05:
                events.append(self.store_down_for_long)
        if scenario.foreign and random.random() < 0.25:
            events.append(random.choice((self.foreign_value, self.old_value)))
        if scenario.renamer:
            events += random.choices((self.garbled_mark, self.copied_mark, self.foreign_mark), k=2)
        if scenario.focus is not None:
            events = random.sample(events, len(events))
            ours = (self.emergency, self.roll_back, self.hold)
            events.insert(0, random.choice(ours))
            if scenario.focus in BACK:
                return [self.turn_back, *events]
            return [self.contain, *events] if scenario.focus == "containing" else events
        if scenario.restore:
            events += [self.backup, self.restore]
        else:
            random.shuffle(events)
        return events

    # -- when -------------------------------------------------------------------------------------------------------

    def between(self, gap: float) -> bool:
        """Before each step, and in an idle gap: perhaps the next event."""
        if self.world.invariants.violations:
            return False
        if not self.events or not self._in_focus():
            return False
        if gap == 0.0:
            near = HOT if self.schedule.steps < self.schedule.hot_until else 1.0
            if self.random.random() < self._rate * near and self._anything_open():
                self._happens()
            return False
        if gap > 60.0 and self.random.random() < 0.1:
            self.schedule.now += min(gap * self.random.random(), 50 * HOUR)
            self._happens()
            return True
        return False

    def _in_focus(self) -> bool:
        """Whether the phase that events are aimed at is there, or on the way back the one where the way begins."""
        focus = self.world.scenario.focus
        if focus is None or self.events[0] in self._releases:
            return True
        rows = (each.journal.inner.open_rotation(CREDENTIAL) for each in self.world.installations.values())
        phases = {row.phase.value for row in rows if row is not None}
        if self.events[0] == self.contain:
            return bool(phases)
        if self.events[0] == self.turn_back:
            return bool(phases & {"promoting", "live"}) or self._about_to_mint(phases)
        return focus in phases

    def _about_to_mint(self, phases: set[str]) -> bool:
        """Where the mint is the pivot, the way back begins right before it, with an open escrow."""
        if self.world.strategy.overlap or "minting" not in phases:
            return False
        stores = [store for each in self.world.installations.values() for store in each.stores.values()]
        return any(kind is PlaceKind.PENDING for store in stores for _, kind, _ in store.held)

    def _anything_open(self) -> bool:
        return any(each.journal.inner.open_rotation(CREDENTIAL) for each in self.world.installations.values())

    def _happens(self, index: int = 0) -> None:
        event = self.events.pop(index)
        installation = self.random.choice(list(self.world.installations.values()))
        row = installation.journal.inner.open_rotation(CREDENTIAL)
        name = event(installation)
        mode, phase = (row.mode.value, row.phase.value) if row is not None else ("-", "-")
        self.met[(name, mode, phase)] += 1
        self.schedule.tell("event", name, phase)

    def quiet(self) -> bool:
        """Nobody has anything to do but the reconciler: what comes next; True when nothing does."""
        waiting = [each for each in self.world.installations.values() if self._next_rotation(each)]
        if waiting:
            return False
        others = [each for each in self.events if each not in self._releases]
        if others:
            self._happens(self.events.index(others[0]))
            return False
        mended = [self._mend(each) for each in self.world.installations.values()]
        if any(mended):
            return False
        self.schedule.calm = True
        if self.passes:
            self.passes -= 1
            self.schedule.now += RECONCILED_EVERY
            for each in self.world.installations.values():
                self.world.hire(each, f"{each.name}-reconciler", self.world.reconcile)
            return False
        return True

    def _next_rotation(self, installation: Installation) -> bool:
        if installation.journal.inner.older_than_world() is not None:
            return False
        if not self.wanted[installation.name] or installation.journal.inner.open_rotation(CREDENTIAL) is not None:
            return False
        if self.events and self.random.random() < 0.1:
            return False
        self.wanted[installation.name] -= 1
        mode = self.random.choice((Mode.SCHEDULED, Mode.MANUAL))

        def begin(where: Installation) -> None:
            try:
                starting.start(where.spec, where.journal, where.time, where.time, mode=mode, reason="due")
            except (Failure, JournalOlder) as failure:
                self.schedule.tell("cannot begin", failure.message)

        self.world.hire(installation, f"{installation.name}-planner", begin)
        return True

    # -- what people do about it ---------------------------------------------------------------------------------------

    def _mend(self, installation: Installation) -> bool:
        """Take every cause away, release what is held, resume what is stuck; whether there was anything to do."""
        if installation.journal.inner.older_than_world() is not None:
            return False  # everything stands still until it is rebuilt
        mended = self._clear_weather(installation)
        row = installation.journal.inner.open_rotation(CREDENTIAL)
        if installation.journal.inner.credential(CREDENTIAL).held:
            self._release(installation, row)
            mended = True
        if row is not None and row.phase is Phase.STUCK and self.resumed[row.id] < RESUMES:
            self.resumed[row.id] += 1
            self.schedule.calm = self.resumed[row.id] > 2
            self.schedule.now += HOUR
            self.schedule.tell("event", "resume", row.id, row.problem and row.problem.message)
            if row.problem is not None and row.problem.hint.startswith("rotate again"):
                self.emergency(installation)
            else:
                self._delete_as_told(row)
                self._ask(installation, Verb.RESUME)
            mended = True
        return mended

    def _delete_as_told(self, row: Rotation) -> None:
        """Who resumes what is stuck does first what the hint says."""
        words = set(row.problem.hint.split()) if row.problem is not None else set()
        for old in row.old_keys:
            if old.to_delete_since is not None and old.key_id in words:
                self.world.provider.delete_in_console(self.world.provider.keys_by_id[old.key_id])

    def _clear_weather(self, installation: Installation) -> bool:
        provider, mended = self.world.provider, False
        provider.down_until = min(provider.down_until, self.schedule.now)
        provider.refuses_everybody_until = min(provider.refuses_everybody_until, self.schedule.now)
        for store in installation.stores.values():
            mended = mended or store.denied
            store.denied, store.down_until = False, 0.0
            held = store.current(CREDENTIAL)
            if not store.readable:
                mended = self._given_up(installation, store) or mended
                continue
            current = self.world.provider.keys_by_id.get(installation.live() or "")
            if held is None or held.by is not BY_A_PERSON or current is None:
                continue
            if held.fields != (fields := {"API_KEY": current.value}):
                store.put(CREDENTIAL, fields)
                mended = True
        return mended

    def _given_up(self, installation: Installation, store: SimulatedStore) -> bool:
        """A person deletes what the rotator says is not its own, and cannot read: it may be, when it landed late."""
        held = store.current(CREDENTIAL)
        last = installation.journal.inner.credential(CREDENTIAL).last_write(store.name, CREDENTIAL)
        if held is None or (last is not None and last.version in (None, held.version)):
            return False
        store.clear(CREDENTIAL)
        return True

    def _release(self, installation: Installation, row: Rotation | None) -> None:
        if row is not None:
            self._ask(installation, Verb.RELEASE)
            return
        now = self.schedule.instant()
        known = installation.journal.inner.credential(CREDENTIAL)
        installation.journal.inner.save(replace(known, held=False), now, Change())

    def _ask(self, installation: Installation, verb: Verb) -> None:
        installation.journal.ask(CREDENTIAL, verb, "simulated", self.schedule.instant())

    # -- events ----------------------------------------------------------------------------------------------------

    def contain(self, installation: Installation) -> str:
        """An emergency that accepts the outage."""
        return self.emergency(installation, contain_first=True)

    def emergency(self, installation: Installation, *, contain_first: bool = False) -> str:
        """Somebody declares the keys stolen, at once or some time after they were safe again."""
        contain_first = contain_first or self.random.random() < 0.35
        now = self.schedule.now
        earlier = self.random.choice((None, None, 60.0, HOUR, 12 * HOUR))
        end = None if earlier is None else max(0.0, now - earlier)
        until = now if end is None else end
        estate = self.world.estates[installation.name]

        def declare(where: Installation) -> None:
            try:
                starting.assume_compromise(
                    where.spec,
                    where.journal,
                    where.time,
                    where.time,
                    owner=self.schedule.current.name,
                    lease=where.world.timing.lease,
                    contain_first=contain_first,
                    exposure_end=None if end is None else self._instant(end),
                )
            except Failure as failure:
                self.schedule.tell("cannot declare", failure.message)
                self.schedule.sleep(5.0)
                declare(where)
                return
            self.world.invariants.exposed(estate, CREDENTIAL, timedelta(seconds=until))

        self.world.hire(installation, f"{installation.name}-emergency", declare)
        return "contain_first" if contain_first else "compromise"

    def _instant(self, seconds: float) -> datetime:
        return START + timedelta(seconds=round(seconds, 3))

    def roll_back(self, installation: Installation) -> str:
        """An operator asks to go back."""
        if installation.journal.inner.open_rotation(CREDENTIAL) is not None:
            self._ask(installation, Verb.ROLLBACK)
        return "rollback"

    def turn_back(self, installation: Installation) -> str:
        """The same, so that the way back is there to aim at."""
        return self.roll_back(installation)

    def hold(self, installation: Installation) -> str:
        """An operator holds, and somebody releases."""
        if installation.journal.inner.open_rotation(CREDENTIAL) is not None:
            self._ask(installation, Verb.HOLD)
            self._to_be_released(installation)
        return "hold"

    def _to_be_released(self, installation: Installation) -> None:
        """What is held may go on some time later; nobody forgets to say so."""

        def release(_: Installation) -> str:
            row = installation.journal.inner.open_rotation(CREDENTIAL)
            if row is not None or installation.journal.inner.credential(CREDENTIAL).held:
                self._release(installation, row)
            else:
                self._to_be_released(installation)
            return "release"

        self._releases.append(release)
        self.events.insert(0 if self.world.scenario.focus else len(self.events), release)

    def store_down(self, installation: Installation) -> str:
        store = self.random.choice(list(installation.stores.values()))
        store.down_until = self.schedule.now + self.random.choice((30.0, 300.0, 3 * HOUR))
        return "store down"

    def store_down_for_long(self, installation: Installation) -> str:
        self.random.choice(list(installation.stores.values())).down_until = self.schedule.now + 30 * HOUR
        return "store down for a day"

    def store_denies(self, installation: Installation) -> str:
        self.random.choice(list(installation.stores.values())).denied = True
        return "store denies"

    def provider_down(self, installation: Installation) -> str:
        self.world.provider.down_until = self.schedule.now + self.random.choice((30.0, 300.0, 3 * HOUR))
        return "provider down"

    def provider_refuses(self, installation: Installation) -> str:
        self.world.provider.refuses_everybody_until = self.schedule.now + self.random.choice((300.0, 3 * HOUR))
        return "provider refuses everybody"

    def foreign_value(self, installation: Installation) -> str:
        """A person writes a value that nobody here knows."""
        key = self.world.provider.make("elsewhere", "person")
        self._written_by_hand(installation, key.value)
        return "foreign value"

    def old_value(self, installation: Installation) -> str:
        """A person writes a value that this credential had before."""
        principal = installation.spec.principal.name
        ours = [
            key
            for key in self.world.provider.keys_by_id.values()
            if key.principal == principal and key.whose == installation.name
        ]
        key = self.random.choice(ours)
        self._written_by_hand(installation, key.value, published=key.id in self.world.invariants.published)
        return "old value"

    def _written_by_hand(self, installation: Installation, value: str, *, published: bool = True) -> None:
        """`published`: else nobody can have it, and only where the rotator could see it is it written all the same."""
        store = self.random.choice(list(installation.stores.values()))
        if store.up() and (published or store.readable):
            store.put(CREDENTIAL, {"API_KEY": value})

    def garbled_mark(self, installation: Installation) -> str:
        """Somebody renames one of our keys."""
        self._rename(installation.name, "cleaned up by ops, 2026")
        return "garbled mark"

    def copied_mark(self, installation: Installation) -> str:
        """Somebody copies a mark of ours to a key of their own."""
        marks = [key.mark for key in self.world.provider.keys_by_id.values() if key.mark]
        if marks:
            self._rename("person", self.random.choice(marks))
        return "copied mark"

    def foreign_mark(self, installation: Installation) -> str:
        """Somebody puts another installation's mark on a key of ours."""
        self._rename(installation.name, "rot-other-x001-1-aaaaaaaaaaaaa")
        return "foreign mark"

    def _rename(self, whose: str, mark: str) -> None:
        keys = [key for key in self.world.provider.keys_by_id.values() if key.whose == whose and key.live]
        if keys:
            key = self.random.choice(keys)
            key.mark, key.mark_copied = mark, True
            self.schedule.tell("renamed", key.id, mark)

    def backup(self, installation: Installation) -> str:
        """The journal is copied."""
        self._saved = backup(installation.journal.inner)
        self._exposed = dict(self.world.estates[installation.name].exposed_until)
        return "backup"

    def _forget_untold(self, estate: Estate) -> None:
        """The exposure ends go back to those of the copy, unless a rotation that was lost with the journal can be seen.

        It can by a value of its own in a store, as it is now, or by a key that it minted. Excused is more than an
        emergency that had not begun: one that had disabled or deleted keys and no more; and one that had joined a
        rotation of the copy, whatever it did since, because its commands stand in that row alone. Where one lost
        rotation can be seen nothing is excused, for no credential: rebuilding has to find it.
        """
        lost = {row.id for row in estate.journal.inner.rotations()} - {row.id for row in self._saved.rotations()}
        written = {held.by.rotation for store in estate.stores.values() for held in store.held.values()}
        minted = {key.rotation for key in self.world.provider.keys_by_id.values()}
        if not lost & (written | minted):
            estate.exposed_until = dict(self._exposed)

    def restore(self, installation: Installation) -> str:
        """The copy takes the journal's place; every process is started again."""
        estate = self.world.estates[installation.name]
        estate.restored = True
        self._forget_untold(estate)
        ours = [each for each in self.schedule.actors if each.installation == installation.name]
        self.schedule.drop(ours)
        installation.journal.replaced_by(self._saved)
        self._to_be_released(installation)

        def starts(where: Installation) -> None:
            self.world.reconcile(where)
            self.world.staff(where)

        self.world.hire(installation, f"{installation.name}-start", starts)
        return "restore"
