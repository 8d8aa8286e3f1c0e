"""A provider that knows the truth about each key, and tells it as late and as rarely as its capabilities allow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, CapFull, Conflict, Denied, Transient
from rotator.domain.keys import (
    BY_HAND,
    STRATEGIES,
    Capabilities,
    Disabling,
    Key,
    KeyState,
    Minted,
    Minter,
    MintRequest,
    Probe,
    Strategy,
    Verdict,
    slot_of,
    unlisted_id,
)
from rotator.domain.secret import Secret
from rotator.testing.simulator.faults import Faults
from rotator.testing.simulator.schedule import FOREVER, START, Actor, Schedule

PREFIX = "sk-sim-"
"""How every value of a simulated key begins, so that one that leaked is easy to find."""
PERSON = "person"
KINDS: dict[str, Strategy] = {**STRATEGIES, "assisted": BY_HAND}
"""Every strategy; and one once more, at a provider that lists nothing and deletes nothing by its API."""


@dataclass(frozen=True, slots=True)
class Act:
    """Who did something, and what they can have seen before.

    `seen`: the step of the commit before the intent; `began`: the one at which the saga's step began.
    """

    installation: str
    actor: str
    rotation: str
    mode: str
    phase: str
    seen: int
    began: int = 0

    @classmethod
    def of(cls, actor: Actor) -> Act:
        seen, began = actor.commits[-2], actor.began
        return cls(actor.installation, actor.name, actor.rotation, actor.mode, actor.phase, seen, began)


BY_A_PERSON = Act(PERSON, PERSON, "", "-", "-", 0)


@dataclass(eq=False, slots=True)
class SimulatedKey:
    """One key and the truth about it; times in seconds of virtual time.

    `whose`: the installation that made it, or `person`. `accepted_from`/`accepted_until`: it flaps before and shortly
    after. `listed_from`/`listed_until`: the list lags. `session_from`: a login that was under way when it died is a
    session from then on, until it is ended.
    """

    id: str
    principal: str
    whose: str
    value: str
    born: float
    sent: float = 0.0
    mark: str | None = None
    slot: str | None = None
    rotation: str = ""
    state: KeyState = KeyState.ENABLED
    accepted_from: float = 0.0
    accepted_until: float = FOREVER
    session_from: float = FOREVER
    listed_from: float = 0.0
    listed_until: float = FOREVER
    mark_copied: bool = False
    adopted: bool = False
    made_by_hand: bool = False
    handed: bool = True  # else nobody but its maker can know of it
    refused_by: Act | None = None

    @property
    def live(self) -> bool:
        return self.state is not KeyState.DELETED

    @property
    def secret(self) -> Secret:
        return Secret({"secret": self.value})


class Watcher(Protocol):
    """Told of every effect on keys, the moment it happens."""

    def key_refused(self, key: SimulatedKey, by: Act, action: str) -> None: ...

    def mint_sent(self, request: MintRequest, principal: str, by: Act) -> None: ...

    def minted(self, key: SimulatedKey, by: Act) -> None: ...

    def key_touched(self, key: SimulatedKey, by: Act, action: str) -> None: ...


class SimulatedProvider:
    """Implements `rotator.ports.Provider` and `Prober`; shared by all installations."""

    def __init__(self, schedule: Schedule, faults: Faults, kind: str, *, fingerprint: Callable[[Secret], str]) -> None:
        self._schedule = schedule
        self._faults = faults
        self._fingerprint = fingerprint
        self.watcher: Watcher
        self.keys_by_id: dict[str, SimulatedKey] = {}
        self.by_value: dict[str, SimulatedKey] = {}
        self.slots: dict[tuple[str, str], str] = {}  # principal, slot -> id, with a fresh tag when empty
        self.refuses_everybody_until = 0.0
        self.down_until = 0.0
        self.denied = False
        self.offers = offers(kind, schedule)
        by_hand = self.offers.strategy.minter is Minter.PERSON
        self.tells_birth = by_hand and schedule.random.random() < 0.5
        self.slow_deaths = schedule.random.random() < 0.08  # deleted keys work on for up to an hour, every time
        self._serial = 0

    # -- the port ------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        return self.offers

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        by, sent = Act.of(self._schedule.current), self._schedule.current.committed_at  # its intent
        self.watcher.mint_sent(request, principal.name, by)
        key = self._faults.effect(
            "mint", lambda: self._mint(principal.name, request, by, sent), lost=Ambiguous, hot=True
        )
        return Minted(key_id=key.id, value=key.secret, created_at=None)

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        self._faults.look("keys")
        self._up()
        if not self.offers.lists:
            return ()
        now, found = self._schedule.now, []
        for key in self.keys_by_id.values():
            if key.principal != principal.name or key.slot is not None:
                continue
            if key.listed_from <= now < key.listed_until:
                state = key.state if key.live else KeyState.ENABLED
                born = START + timedelta(seconds=round(key.born, 3)) if self.tells_birth else None
                found.append(Key(id=key.id, state=state, mark=key.mark, created_at=born))
        found += [self._slot(held) for (owner, _), held in self.slots.items() if owner == principal.name]
        return tuple(found)

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        self._faults.look("verify")
        self._up()
        key = self.by_value.get(value.reveal("secret"))
        now = self._schedule.now
        if key is None or now < self.refuses_everybody_until:
            return Verdict.INVALID
        if now < key.accepted_from:
            return self._schedule.random.choice((Verdict.NOT_YET, Verdict.INVALID, Verdict.WORKS))
        if key.state is KeyState.ENABLED:
            return Verdict.WORKS
        works = now < key.accepted_until and (self.slow_deaths or self._schedule.random.random() < 0.6)
        return Verdict.WORKS if works else Verdict.INVALID

    def identify(self, principal: Principal, value: Secret) -> str | None:
        self._faults.look("identify")
        self._up()
        key = self.by_value.get(value.reveal("secret"))
        return key.id if key is not None and key.live else None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        by = Act.of(self._schedule.current)
        self._faults.effect(f"{state.value} {key_id}", lambda: self._set_state(principal.name, key_id, state, by))

    def check_admin(self, principal: Principal) -> None:
        self._faults.look("admin")
        self._up()

    def probe(self, probe: Probe, value: Secret) -> Verdict:
        """The engine's own look: the same answer."""
        return self.verify(Principal(name="?"), value)

    # -- the truth -------------------------------------------------------------------------------------------------

    def make(self, principal: str, whose: str, *, value: str | None = None, slot: str | None = None) -> SimulatedKey:
        """A key that somebody makes by hand, long ago."""
        self._serial += 1
        value = value or f"{PREFIX}{self._serial:04}"
        key_id = f"key{self._serial}"
        if not self.offers.lists:
            key_id = unlisted_id(self._fingerprint(Secret({"secret": value})))
        if slot is not None:
            key_id = f"{slot}@{self._fingerprint(Secret({'secret': value}))}"
            self.slots[(principal, slot)] = key_id
        key = SimulatedKey(id=key_id, principal=principal, whose=whose, value=value, born=self._schedule.now, slot=slot)
        self.keys_by_id[key_id] = self.by_value[value] = key
        return key

    def make_in_console(self, principal: str, whose: str) -> SimulatedKey:
        """A key that a person makes now, which is listed and accepted everywhere only after a while."""
        self._up()
        key = self.make(principal, whose)
        key.made_by_hand, key.sent, key.handed = True, key.born, self.offers.lists
        self._spread(key)
        self._schedule.tell("made by hand", key.id)
        return key

    def delete_in_console(self, key: SimulatedKey, *, asked: bool = False) -> None:
        """A person deletes it; `asked`: because whoever acts now was asked to, who answers for it."""
        by = Act.of(self._schedule.current) if asked else BY_A_PERSON
        self._die(key, KeyState.DELETED, by, "deleted" if asked else "deleted by hand")

    def empty(self, principal: str, slot: str) -> None:
        """Give a slot a fresh tag."""
        self._serial += 1
        self.slots[(principal, slot)] = f"{slot}@empty{self._serial}"

    def living(self, principal: str) -> list[SimulatedKey]:
        """The keys that live in truth."""
        return [key for key in self.keys_by_id.values() if key.principal == principal and key.live]

    def refuses(self, key: SimulatedKey) -> bool:
        """Whether the key was put out of use, though some machine of the provider may not know it yet."""
        return key.state is not KeyState.ENABLED

    def accepts(self, key: SimulatedKey) -> bool:
        """Whether a thief with this key could still be let in somewhere."""
        return key.state is KeyState.ENABLED or self._schedule.now < key.accepted_until

    def has_session(self, key: SimulatedKey) -> bool:
        """Whether a thief with this dead key is still in, although its slot is nobody else's yet."""
        return key.session_from <= self._schedule.now and self.comes_in(key)

    def comes_in(self, key: SimulatedKey) -> bool:
        """Whether he is in, or will be."""
        holds = self.slots.get((key.principal, key.slot or ""), "")
        return key.session_from < FOREVER and (holds == key.id or holds.startswith(f"{key.slot}@empty"))

    def _up(self) -> None:
        if self.denied:
            raise Denied("the admin credential was taken away", permission="keys.manage")
        if self.down_until > self._schedule.now:
            raise Transient("the provider is down")

    def _slot(self, key_id: str) -> Key:
        key = self.keys_by_id.get(key_id)
        if key is None:
            return Key(id=key_id, state=KeyState.DELETED, slot=slot_of(key_id))
        return Key(id=key_id, state=key.state, slot=key.slot, mark=key.mark)

    def _mint(self, principal: str, request: MintRequest, by: Act, sent: float) -> SimulatedKey:
        self._up()
        strategy = self.offers.strategy
        if request.slot is None:
            self._refuse_without_room(principal)
        elif self.slots[(principal, request.slot)] != request.expects:
            raise Conflict(f"{request.slot} no longer holds {request.expects}")
        else:
            self._die(self.keys_by_id.get(request.expects or ""), KeyState.DELETED, by, "mint")
        assert (request.chosen is not None) == (strategy.minter is Minter.CHOSEN)
        value = request.chosen.reveal("secret") if request.chosen is not None else None
        key = self.make(principal, by.installation, value=value, slot=request.slot)
        key.mark = request.mark if strategy.marked else None
        key.rotation, key.sent = by.rotation, sent
        self._spread(key)
        self._schedule.tell("minted", key.id)
        self.watcher.minted(key, by)
        return key

    def _spread(self, key: SimulatedKey) -> None:
        """A new key is listed and accepted everywhere only after a while."""
        random, now = self._schedule.random, self._schedule.now
        if key.slot is None:
            key.listed_from = now + random.random() * self.offers.list_lag.total_seconds()
        key.accepted_from = now + random.random() * self.offers.propagation.total_seconds() * 0.9

    def _refuse_without_room(self, principal: str) -> None:
        cap, now = self.offers.cap, self._schedule.now
        counted = [
            key
            for key in self.keys_by_id.values()
            if key.principal == principal and (key.live or now < key.listed_until)
        ]
        if cap is not None and len(counted) >= cap:
            raise CapFull(f"{cap} keys are allowed")

    def _set_state(self, principal: str, key_id: str, state: KeyState, by: Act) -> None:
        assert self.offers.deletes
        self._up()
        key = self.keys_by_id.get(key_id)
        slot = (principal, slot_of(key_id))
        if self.offers.strategy.slots:
            if state is KeyState.DELETED and key is not None and self.has_session(key):
                key.session_from = FOREVER
            if self.slots.get(slot) != key_id:
                return
            if state is KeyState.DELETED:
                self.empty(*slot)
        if key is None or not key.live:
            return
        if state is KeyState.ENABLED:
            raise AssertionError("nobody enables a key")
        self._die(key, state, by, state.value)

    def _die(self, key: SimulatedKey | None, state: KeyState, by: Act, action: str) -> None:
        if key is None or not key.live or key.state is state:
            return
        self.watcher.key_touched(key, by, action)
        random, now = self._schedule.random, self._schedule.now
        worked = key.state is KeyState.ENABLED
        key.state = state
        if state is KeyState.DELETED:
            key.listed_until = now + random.random() * self.offers.list_lag.total_seconds()
        if worked:
            longest = 3_600.0 if self.slow_deaths else self.offers.death_window.total_seconds() * 0.9
            key.accepted_until = now + random.random() * longest
            if self.offers.login_window:
                window = self.offers.login_window.total_seconds()
                key.session_from = key.accepted_until + random.random() * window * 0.9
            key.refused_by = by
            self._schedule.tell(action, key.id, by.actor, by.phase)
            self.watcher.key_refused(key, by, action)


def offers(kind: str, schedule: Schedule) -> Capabilities:
    """What a provider of this kind offers in this world."""
    random, strategy = schedule.random, KINDS[kind]
    slots = {"two-slots": ("s0", "s1"), "dual": ("s0", "s1"), "in-place": ("s0",)}.get(strategy.name, ())
    disables = ("overlap", "unmarked", "dual", "by-hand")
    assisted = kind == "assisted"
    disabling = Disabling.REVERSIBLE if strategy.name in disables and not assisted else Disabling.NONE
    if strategy.name == "overlap" and random.random() < 0.3:
        disabling = Disabling.NONE
    return Capabilities(
        strategy=strategy,
        slots=slots,
        cap=2 if strategy.name == "unmarked" else None,
        disabling=disabling,
        lists=not assisted,
        deletes=not assisted,
        identifies=random.random() < 0.5,
        propagation=timedelta(seconds=60),
        death_window=timedelta(seconds=120),
        login_window=timedelta(seconds=180 if strategy.name == "dual" else 0),
        list_lag=timedelta(seconds=0 if strategy.slots or assisted else 30),
        probe=Probe(url="https://simulated.invalid/") if random.random() < 0.5 else None,
    )
