"""What must always hold, asked after every effect with the truth that only the fakes know."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta

from rotator.domain.acknowledgement import PREFIX as ACKNOWLEDGED
from rotator.domain.credential import Credential, PlaceKind
from rotator.domain.keys import KeyState, MintRequest
from rotator.domain.records import EventKind
from rotator.domain.rotation import Mode, Phase, Proof, Rotation
from rotator.engine.world import Timing
from rotator.ports import Change
from rotator.testing.simulator.journal import SimulatedJournal
from rotator.testing.simulator.provider import PERSON, PREFIX, Act, SimulatedKey, SimulatedProvider
from rotator.testing.simulator.schedule import START, Schedule
from rotator.testing.simulator.store import SimulatedStore, Where, Written

GIVING_UP = frozenset({Phase.PLANNED, Phase.MINTING, Phase.STAGING, Phase.PROMOTING})
KILLS_OLD = ("deleted", "disabled")


@dataclass(frozen=True, slots=True)
class Violation:
    """Which invariant broke first, how, and when in seconds of virtual time."""

    invariant: str
    what: str
    at: float


class Broken(BaseException):
    """The seed is over: an invariant broke."""


@dataclass(eq=False, slots=True)
class Estate:
    """One installation as the invariants see it; principals and specs by the credential's name.

    `proved`: what consumers truly acknowledged.
    """

    name: str
    journal: SimulatedJournal
    stores: Mapping[str, SimulatedStore]
    principals: Mapping[str, str]
    specs: Mapping[str, Credential]
    proved: AbstractSet[tuple[str, str, str]]  # rotation, consumer, key
    exposed_until: dict[str, float] = field(default_factory=dict)
    restored: bool = False


class Invariants:
    """Watches every fake of one world."""

    def __init__(self, schedule: Schedule, provider: SimulatedProvider, estates: Mapping[str, Estate]) -> None:
        self._schedule = schedule
        self._provider = provider
        self._estates = estates
        self._owners = {store: estate for estate in estates.values() for store in estate.stores.values()}
        self._by_journal = {estate.journal: estate for estate in estates.values()}
        self.violations: list[Violation] = []
        self._marks: set[str] = set()
        self.published: set[str] = set()  # the keys that consumers could read anywhere
        # A value may be lost by no fault of ours where a store that keeps values only detects other writers.
        self._lossy = not all(store.exact for store in self._owners if store.readable)
        self.request_timeout = Timing().request.total_seconds()
        provider.watcher = self
        for estate in estates.values():
            estate.journal.watcher = self
            for store in estate.stores.values():
                store.watcher = self

    def broken(self, invariant: str, *what: object) -> None:
        """Note it; the world ends at its next step."""
        text = " ".join(str(each) for each in what)
        self.violations.append(Violation(invariant, text, self._schedule.now))
        self._schedule.tell("BROKEN", invariant, text)

    # -- keys ------------------------------------------------------------------------------------------------------

    def mint_sent(self, request: MintRequest, principal: str, by: Act) -> None:
        """One request for each mark, and none while a key of the same rotation can be seen to live."""
        if self._estates[by.installation].restored:
            return  # fences of a restored journal come again; what must hold is that nothing in use dies
        if request.mark in self._marks:
            self.broken("one mint per fence", by.rotation, "asks again with", request.mark)
        self._marks.add(request.mark)
        timeout, lag = self.request_timeout, self._provider.offers.list_lag.total_seconds()
        for key in self._provider.living(principal):
            ours = key.rotation == by.rotation and key.whose == by.installation and key.slot is None
            prompt = key.born - key.sent < timeout and self._schedule.now > key.born
            if ours and prompt and not key.mark_copied:
                self.broken("I2", by.rotation, "mints while", key.id, "of its own lives, within a list lag of", lag)

    def minted(self, key: SimulatedKey, by: Act) -> None:
        """Rule 10: no mint matches a slot any more whose rotation was rolled back."""
        row = self._estates[by.installation].journal.inner.rotation(by.rotation)
        if key.slot is not None and row is not None and row.phase is Phase.ROLLED_BACK:
            self.broken("rule 10", key.id, "was minted after", row.id, "was rolled back")

    def key_touched(self, key: SimulatedKey, by: Act, action: str) -> None:
        """I8: nobody touches what another installation, or a person, made."""
        if by.installation != PERSON and key.whose != by.installation and not key.mark_copied:
            self.broken("I8", by.actor, action, key.id, "of", key.whose)
        if by.actor.endswith("reconciler"):
            self._check_sightings(key, by)

    def _check_sightings(self, key: SimulatedKey, by: Act) -> None:
        """Rule 9: an orphan is seen twice, a list lag apart, before it is revoked."""
        estate = self._estates[by.installation]
        for credential in estate.principals:
            seen = estate.journal.first_seen(credential, key.id)
            lag = self._provider.offers.list_lag
            if seen is None or self._schedule.instant() - seen < lag or seen == self._schedule.instant():
                self.broken("two sightings", key.id, "revoked at first sight")

    def key_refused(self, key: SimulatedKey, by: Act, action: str) -> None:
        """I1 and I3, when a key was put out of use."""
        if by.installation == PERSON:
            return
        for store, estate in self._owners.items():
            for credential in estate.principals:
                held = store.current(credential)
                if held is not None and self._key_in(held) is key:
                    self._check_current(estate, store, credential, held, key, by, f"{action} by {by.actor} {by.phase}")
        if by.phase == Phase.RETIRING and action in KILLS_OLD:
            self._check_retired(key, by)

    def _check_retired(self, key: SimulatedKey, by: Act) -> None:
        estate = self._estates[by.installation]
        row = estate.journal.inner.rotation(by.rotation)
        if row is None or row.phase is not Phase.RETIRING:
            return
        self._check_overlap(estate, row, key)
        for store in estate.stores.values():
            held = store.current(row.credential)
            if held is None or held.blind or row.store(store.name, row.credential).left_behind is not None:
                continue
            if held.by.installation == PERSON and held.serial > by.began:
                continue
            now = self._key_in(held)
            if now is not None and now.refused_by is not None and now.refused_by.installation == PERSON:
                continue  # who deleted the wrong key may go on before anybody can say so
            if now is None or now.id != row.new_key or now.state is not KeyState.ENABLED:
                self.broken("I3", key.id, "retired while", store.name, "holds", now and now.id, "not", row.new_key)

    def _check_overlap(self, estate: Estate, row: Rotation, key: SimulatedKey) -> None:
        """No old key dies before the overlap is over, which only true acknowledgements of all consumers shorten."""
        spec = estate.specs[row.credential]
        least, shortest = row.rules.overlap(spec.policy), spec.policy.min_overlap
        if shortest is not None and all(self._has_proved(estate, row, name) for name in spec.consumers):
            least = min(least, max(shortest, self._provider.offers.propagation))
        if row.live_at is None or self._schedule.instant() - row.live_at < least:
            self.broken("overlap", key.id, "retired before", least, "since", row.live_at)

    def _has_proved(self, estate: Estate, row: Rotation, consumer: str) -> bool:
        return (row.id, consumer, row.new_key) in estate.proved

    def _check_consumers(self, estate: Estate, row: Rotation) -> None:
        """Only who truly has the new key counts as having acknowledged it."""
        for state in row.consumers:
            if state.acknowledged and not self._has_proved(estate, row, state.name):
                self.broken("acknowledged", state.name, "counts and did not prove", row.new_key, "of", row.id)

    # -- places ----------------------------------------------------------------------------------------------------

    def written(self, store: SimulatedStore, where: Where, now: Written | None, before: Written | None) -> None:
        """I1, when a current value was written."""
        ref, kind, _ = where
        if kind is not PlaceKind.CURRENT or now is None:
            return
        key = self._key_in(now)
        self.published |= {key.id} if key is not None else set()
        self._lossy = self._lossy or now.by.installation == PERSON
        self._schedule.tell("current", store.name, ref, key.id if key else "?", "blind" if now.blind else "")
        rewritten = before is not None and before.fields == now.fields
        if key is not None and not store.readable:
            self._check_written_last(self._owners[store], ref, key, now.by)
        if key is not None and now.by.installation != PERSON and not rewritten:
            estate = self._owners[store]
            self._check_current(estate, store, ref, now, key, now.by, f"written by {now.by.actor} {now.by.phase}")

    def _check_written_last(self, estate: Estate, credential: str, key: SimulatedKey, by: Act) -> None:
        """What cannot be read is promoted when every other store that is not left behind was read back."""
        row = estate.journal.inner.rotation(by.rotation)
        if row is None or row.phase is not Phase.PROMOTING or by.phase != Phase.PROMOTING or key.id != row.new_key:
            return
        for name, store in estate.stores.items():
            state = row.store(name, credential)
            if store.readable and state.left_behind is None and state.promoted_at is None:
                self.broken("written last", key.id, "was written unread before", name, "was promoted")

    def _check_current(
        self,
        estate: Estate,
        store: SimulatedStore,
        credential: str,
        held: Written,
        key: SimulatedKey,
        by: Act,
        how: str,
    ) -> None:
        if not self._provider.refuses(key) or held.blind:
            return
        if key.refused_by is None or key.refused_by.installation == PERSON:
            return
        if held.by.installation == PERSON and held.serial > by.seen:
            return
        if not self._excepted(estate, store, credential):
            row = estate.journal.inner.open_rotation(credential)
            self.broken("I1", store.name, "has", key.id, how, row and (row.id, row.mode.value, row.phase.value))

    def _excepted(self, estate: Estate, store: SimulatedStore, credential: str) -> bool:
        """A store left behind; an outage that was accepted, until the new key is live."""
        known = estate.journal.inner.credential(credential)
        row = estate.journal.inner.open_rotation(credential)
        if f"{store.name}:{credential}" in known.drift:
            return True
        if row is not None and row.store(store.name, credential).left_behind is not None:
            return True
        outage = known.outage or (row is not None and row.outage)
        accepted = row is not None and row.mode is Mode.CONTAIN_FIRST
        return outage and (accepted or not self._provider.offers.strategy.overlap)

    def _key_in(self, held: Written) -> SimulatedKey | None:
        return self._provider.by_value.get(held.fields.get("API_KEY", ""))

    # -- rows ------------------------------------------------------------------------------------------------------

    def committed(self, journal: SimulatedJournal, row: Rotation, before: Rotation | None, change: Change) -> None:
        """I4, I5, I6, and that a rollback leads to something that works."""
        estate = self._by_journal[journal]
        if before is None or before.phase is not row.phase:
            why = row.problem.message if row.problem else ""
            self._schedule.tell("row", row.id, row.mode.value, row.phase.value, why)
            self._check_phase(estate, row)
            self._check_sweep(row, before)
        self._check_proofs(row, before)
        self._check_handed_over(row, before)
        self._check_consumers(estate, row)
        if not estate.restored:
            self._check_patience(row)
            self._check_loyalty(row, before)
        for event in change.events:
            saves = event.action == "save in escrow"  # the value is in memory alone: nothing may come first
            if event.kind is EventKind.INTENT and journal.waiting_requests(row.credential) and not saves:
                self.broken("rule 12", row.id, event.action, "intended while an operator's request waits")
            if any(
                secret in text
                for secret in (PREFIX, ACKNOWLEDGED)
                for text in (event.action, event.subject, *event.detail.values())
            ):
                self.broken("I4", "a value in the trail:", event.action)
        if before is None or change.successor is not None:
            still_open = [each.id for each in journal.inner.rotations(row.credential) if each.open]
            if len(still_open) > 1:
                self.broken("I5", *still_open)

    def _check_handed_over(self, row: Rotation, before: Rotation | None) -> None:
        """A key that a person made is taken only if it is new, and is never taken for younger than it is."""
        key = self._provider.keys_by_id.get(row.new_key or "")
        if key is None or not key.made_by_hand or (before is not None and before.new_key == row.new_key):
            return
        minted = (row.minted_at - START).total_seconds() if row.minted_at is not None else 0.0
        until = (row.exposure_end - START).total_seconds() if row.exposure_end is not None else 0.0
        if key.born < until or key.id in row.baseline or minted > key.born + 0.001:
            self.broken("handed over", key.id, "born", key.born, "minted at", minted, "exposed until", until)

    def _check_patience(self, row: Rotation) -> None:
        """Rule 11: what fails transiently before the new key is live gives up within a day."""
        if row.failing_since is None or row.beyond_pivot or row.rules.emergency or row.phase not in GIVING_UP:
            return
        decided = min(self._schedule.instant(), row.next_at)  # who stalls between deciding and committing is not late
        failing = (decided - row.failing_since).total_seconds()
        if row.owner is None and row.attempts and failing > Timing().give_up.total_seconds() + 600:
            self.broken("rule 11", row.id, row.phase.value, "goes on failing after", failing)

    def _check_loyalty(self, row: Rotation, before: Rotation | None) -> None:
        """Rule 11: a key that is live is not given up for what only lasts, told by the words that it had all along."""
        if before is None or before.phase is not Phase.LIVE or before.failing_since is None:
            return
        lasted = self._schedule.instant() - before.failing_since >= Timing().give_up
        if lasted and row.phase is Phase.ROLLING_BACK and row.problem == before.problem:
            self.broken("rule 11", row.id, "gave up a live key:", row.problem.message if row.problem else "")

    def _check_sweep(self, row: Rotation, before: Rotation | None) -> None:
        """Rule 9: what was not clean ends only when no effect of it can be under way any more."""
        if before is None or before.phase is not Phase.SWEEPING or row.phase not in (Phase.DONE, Phase.ROLLED_BACK):
            return
        waited = self._schedule.instant() - before.since
        if not row.clean and waited < 2 * Timing().lease + self._provider.offers.list_lag:
            self.broken("sweep", row.id, "was not clean and ended after", waited)

    def _check_proofs(self, row: Rotation, before: Rotation | None) -> None:
        """A proof is the truth at the moment at which it is written down."""
        for old in row.old_keys:
            earlier = before.old_key(old.key_id) if before is not None else None
            key = self._provider.keys_by_id.get(old.key_id)
            fresh = old.proof not in (None, Proof.UNPROVEN) and (earlier is None or earlier.proof is None)
            # A value that is refused already, by everybody's refusal or by a mint in its place, is not worth keeping.
            refused = self._provider.refuses_everybody_until > 0.0 or not self._provider.offers.strategy.overlap
            lossy = self._lossy or refused or any(state.left_behind for state in row.stores)
            if fresh and old.proof is Proof.ABSENT and old.key_id == row.old_current and not lossy:
                self.broken("proof", old.key_id, "is only absent, and its value was current in every store")
            if old.proof is Proof.ABSENT and self._provider.slow_deaths:
                continue  # a list cannot tell of a key that works on although it is gone
            if fresh and key is not None and self._provider.accepts(key):
                self.broken("proof", old.key_id, "is", str(old.proof), "and accepted all the same")
            if fresh and key is not None and self._provider.comes_in(key):
                self.broken("proof", old.key_id, "is", str(old.proof), "and somebody is in with it, or will be")

    def _check_phase(self, estate: Estate, row: Rotation) -> None:
        if PREFIX in f"{row.problem}{row.waiting}{row.reason}":
            self.broken("I4", "a value in the row of", row.id)
        if row.phase is Phase.SWEEPING and row.rules.emergency and row.ends_as is None:
            self._check_all_that_belong(estate, row)
        if row.phase is Phase.DONE and row.rules.emergency:
            self._check_emergency(estate, row)
        # A restored journal without marks cannot always tell that it is: then its word of the old key is old too.
        knows = not estate.restored or self._provider.offers.strategy.marked
        if row.phase is Phase.ROLLED_BACK and knows:
            self._check_rolled_back(estate, row)

    def _check_all_that_belong(self, estate: Estate, row: Rotation) -> None:
        """I6: every key that a list showed when the emergency was declared is dealt with before the sweep."""
        asked = (row.asked_at - START).total_seconds() if row.asked_at is not None else 0.0
        for key in self._provider.living(estate.principals[row.credential]):
            ours = key.whose == estate.name and not key.mark_copied and key.handed
            if ours and key.listed_from < asked and key.id != row.new_key and row.old_key(key.id) is None:
                self.broken("I6", key.id, "belongs and is no old key of", row.id)

    def _check_emergency(self, estate: Estate, row: Rotation) -> None:
        """I6: whatever was made before the exposure end lets nobody in any more."""
        until = estate.exposed_until.get(row.credential, 0.0)
        for key in self._provider.keys_by_id.values():
            ours = key.whose == estate.name and key.principal == estate.principals[row.credential]
            works = key.state is KeyState.ENABLED if self._provider.slow_deaths else self._provider.accepts(key)
            if ours and key.handed and not key.mark_copied and key.born < until and works:
                self.broken("I6", key.id, "made before the exposure end is accepted at done of", row.id)

    def _check_rolled_back(self, estate: Estate, row: Rotation) -> None:
        current = estate.journal.inner.credential(row.credential).current
        key = self._provider.keys_by_id.get(current or "")
        if key is None or (self._provider.refuses(key) and (key.refused_by and key.refused_by.installation != PERSON)):
            self.broken("rolled back", row.id, "to", current, "which does not work")

    # -- at the end ------------------------------------------------------------------------------------------------

    def at_rest(self) -> None:
        """I2, progress and drift, when nothing more is to come."""
        for estate in self._estates.values():
            if estate.restored:
                continue
            for credential in estate.principals:
                self._at_rest(estate, credential)

    def _at_rest(self, estate: Estate, credential: str) -> None:
        row = estate.journal.inner.open_rotation(credential)
        if row is not None:
            why = row.problem.message if row.problem else row.waiting
            self.broken("progress", row.id, row.mode.value, row.phase.value, why, row.parked_from)
            return
        current = estate.journal.inner.credential(credential).current
        for key in self._provider.living(estate.principals[credential]):
            ours = key.whose == estate.name and key.handed
            if ours and key.id != current and not (key.mark_copied or key.adopted):
                self.broken("I2", key.id, "lives, made by", key.rotation or "hand", "current is", current)
        held = {store.name: self._key_in(now) for store in estate.stores.values() if (now := store.current(credential))}
        now_current = self._provider.keys_by_id.get(current or "")
        by = now_current.refused_by if now_current is not None else None
        if by is not None and by.installation == PERSON:
            return  # deleted by mistake when all was over: only another rotation helps
        off = [name for name, key in held.items() if key is None or key.id != current]
        if off:
            self.broken("drift", *off, "not at", current)

    def exposed(self, estate: Estate, credential: str, until: timedelta) -> None:
        """An emergency was declared: what was made before `START + until` may be stolen."""
        estate.exposed_until[credential] = max(estate.exposed_until.get(credential, 0.0), until.total_seconds())


__all__ = ["START", "Broken", "Estate", "Invariants", "Violation"]
