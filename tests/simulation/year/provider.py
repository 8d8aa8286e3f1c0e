"""A provider in virtual time, of one of five kinds; it is away, throttles, and loses requests and answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, CapFull, Conflict
from rotator.domain.keys import (
    BY_HAND,
    OVERLAP,
    TWO_SLOTS,
    UNMARKED,
    Capabilities,
    Disabling,
    Key,
    KeyState,
    Minted,
    MintRequest,
    Verdict,
    slot_of,
)
from rotator.domain.secret import Secret
from tests.simulation.year.weather import Weather

KINDS = {
    "overlap": Capabilities(strategy=OVERLAP, disabling=Disabling.REVERSIBLE, identifies=True),
    "bare": Capabilities(strategy=OVERLAP),
    "unmarked": Capabilities(strategy=UNMARKED, cap=2, identifies=True),
    "slots": Capabilities(strategy=TWO_SLOTS, slots=("s0", "s1"), identifies=True),
    "by-hand": Capabilities(strategy=BY_HAND, identifies=True),
}


@dataclass(eq=False, slots=True)
class YearKey:
    """One key, and the truth about it, in seconds."""

    id: str
    value: str
    born: datetime | None
    mark: str | None = None
    slot: str | None = None
    state: KeyState = KeyState.ENABLED
    accepted_from: float = 0.0
    accepted_until: float = float("inf")

    @property
    def live(self) -> bool:
        return self.state is not KeyState.DELETED


class YearProvider:
    """Implements `rotator.ports.Provider`. `on_death`: told of each key that is put out of use."""

    def __init__(self, kind: str, weather: Weather, fingerprint: Callable[[Secret], str]) -> None:
        self.offers = KINDS[kind]
        self.weather = weather
        self._fingerprint = fingerprint
        self._keys: defaultdict[str, list[YearKey]] = defaultdict(list)
        self.by_value: dict[str, YearKey] = {}
        self._slots: dict[tuple[str, str], str] = {}
        self._in_slots: dict[str, YearKey] = {}
        self._serial = 0
        self.on_death: Callable[[str, YearKey], None]
        self.on_mint: Callable[[str], None]

    def capabilities(self, principal: Principal) -> Capabilities:
        return self.offers

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        key = self.weather.effect(lambda: self._mint(principal.name, request), Ambiguous)
        return Minted(key_id=key.id, value=Secret({"secret": key.value}), created_at=None)

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        self.weather.look()
        name = principal.name
        found = [
            Key(id=key.id, state=key.state, mark=key.mark, created_at=key.born)
            for key in self._keys[name]
            if key.live and key.slot is None
        ]
        return (*found, *(self._slot(self._slots[name, slot]) for slot in self.offers.slots))

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        self.weather.look()
        key, now = self.by_value.get(value.reveal("secret")), self.weather.truth.time.seconds
        if key is None or now >= key.accepted_until:
            return Verdict.INVALID
        return Verdict.NOT_YET if now < key.accepted_from else Verdict.WORKS

    def identify(self, principal: Principal, value: Secret) -> str | None:
        self.weather.look()
        key = self.by_value.get(value.reveal("secret"))
        return key.id if key is not None and key.live else None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        self.weather.effect(lambda: self._set_state(principal.name, key_id, state))

    def check_admin(self, principal: Principal) -> None:
        self.weather.look()

    # -- the truth -------------------------------------------------------------------------------------------------

    def make(
        self, principal: str, *, born: datetime | None, slot: str | None = None, mark: str | None = None
    ) -> YearKey:
        """A key that exists from now on."""
        self._serial += 1
        value = f"sk-{self.weather.name}-{self._serial:06}"
        fingerprint = self._fingerprint(Secret({"secret": value}))
        key_id = f"{self.weather.name}-key{self._serial}" if slot is None else f"{slot}@{fingerprint}"
        key = YearKey(key_id, value, born, mark, slot)
        self._keys[principal] = [each for each in self._keys[principal] if each.live]
        self._keys[principal].append(key)
        self.by_value[value] = key
        if slot is not None:
            self._slots[principal, slot] = key_id
            self._in_slots[key_id] = key
        return key

    def empty(self, principal: str, slot: str) -> None:
        """A slot with a fresh tag."""
        self._serial += 1
        self._slots[principal, slot] = f"{slot}@empty{self._serial}"

    def delete_in_console(self, principal: str, key: YearKey) -> None:
        """A person deletes what he made in vain."""
        self._die(principal, key, KeyState.DELETED)

    def living(self, principal: str) -> list[YearKey]:
        """The keys that live in truth."""
        return [key for key in self._keys[principal] if key.live]

    def _slot(self, key_id: str) -> Key:
        key = self._in_slots.get(key_id)
        if key is not None:
            return Key(id=key_id, state=key.state, slot=key.slot)
        return Key(id=key_id, state=KeyState.DELETED, slot=slot_of(key_id))

    def _mint(self, principal: str, request: MintRequest) -> YearKey:
        living, now = self.living(principal), self.weather.truth.time.seconds
        if request.slot is not None:
            held = self._slots[principal, request.slot]
            if held != request.expects:
                raise Conflict(f"{request.slot} no longer holds {request.expects}")
            for key in living:
                if key.id == held:
                    self._die(principal, key, KeyState.DELETED)
        elif self.offers.cap is not None and len(living) >= self.offers.cap:
            raise CapFull(f"{self.offers.cap} keys are allowed")
        mark = request.mark if self.offers.strategy.marked else None
        key = self.make(principal, born=self.weather.truth.time.now(), slot=request.slot, mark=mark)
        key.accepted_from = now + 7.0
        self.on_mint(principal)
        return key

    def _set_state(self, principal: str, key_id: str, state: KeyState) -> None:
        if self.offers.strategy.slots:
            if self._slots[principal, slot_of(key_id)] != key_id:
                return
            if state is KeyState.DELETED:
                self.empty(principal, slot_of(key_id))
        for key in self.living(principal):
            if key.id == key_id and key.state is not state:
                self._die(principal, key, state)

    def _die(self, principal: str, key: YearKey, state: KeyState) -> None:
        worked = key.state is KeyState.ENABLED
        key.state = state
        if worked:
            key.accepted_until = self.weather.truth.time.seconds + 11.0
            self.on_death(principal, key)
