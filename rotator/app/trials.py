"""The keys that a trial makes, and that none of them is left behind unnamed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, Failure
from rotator.domain.keys import Capabilities, KeyState, Minter, MintRequest, Verdict
from rotator.domain.marks import Marker
from rotator.domain.secret import Secret
from rotator.domain.times import quoted
from rotator.ports import Provider

SHOWN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that was looked at. `seconds`: where it is a time."""

    what: str
    declared: str
    seen: str
    differs: bool
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A key of ours."""

    key_id: str
    mark: str
    value: Secret = field(repr=False)

    def invented(self, part: str) -> Secret:
        """A value of the same form that nobody issued."""
        text = self.value.reveal(part)
        middle = len(text) // 2
        return Secret({**self.value.parts(), part: text[:middle] + "Invented" + text[middle + 8 :]})


@dataclass(frozen=True, slots=True)
class Tidied:
    """`alive`: ids of keys that may still live. `unknown`: how many mints nobody knows the outcome of."""

    alive: tuple[str, ...] = ()
    unknown: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing is left."""
        return not self.alive and not self.unknown


@dataclass
class Tidying:
    """Makes keys and remembers them from before the request on. `before`: ids that lived already, which are others'."""

    provider: Provider
    principal: Principal
    offers: Capabilities
    before: frozenset[str]
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    _made: dict[str, Made | None] = field(default_factory=dict)
    _worked: set[str] = field(default_factory=set)
    _dead: set[str] = field(default_factory=set)  # ids, and marks of those whose id was never told
    _marker: Marker = field(default_factory=lambda: Marker("try", secrets.token_bytes(32)))
    _serial: str = field(default_factory=lambda: secrets.token_hex(5))

    def mint(self) -> Made:
        """One request. Raises what the driver raises; then there is a key only after `Ambiguous`."""
        request = self._request()
        self._made[request.mark] = None
        try:
            minted = self.provider.mint(self.principal, request)
        except Ambiguous:
            raise
        except Failure:
            del self._made[request.mark]
            raise
        made = Made(key_id=minted.key_id, mark=request.mark, value=minted.value)
        self._made[request.mark] = made
        return made

    def works(self, made: Made) -> None:
        """It was accepted once, so a refusal means that it is dead, and not that it is still on its way."""
        self._worked.add(made.key_id)

    def dead(self, made: Made) -> None:
        """Its death was proven."""
        self._dead.add(made.key_id)

    def tidy(self, patience: timedelta) -> Tidied:
        """Delete whatever was made and may live; by the mark where no answer came. Never raises a `Failure`."""
        try:
            left = [made for made in self._made.values() if made is not None and made.key_id not in self._dead]
            alive = [made.key_id for made in left if not self._killed(made, patience)]
            lost = [mark for mark, made in self._made.items() if made is None]
            found = self._lost(lost) if lost else []
            return Tidied((*alive, *found), 0 if self._settled(lost, found) else len(lost))
        except KeyboardInterrupt:
            return Tidied(tuple(each.key_id for each in self._made.values() if each and each.key_id not in self._dead))

    def _killed(self, made: Made, patience: timedelta) -> bool:
        """Deleted, and refused within the time: a provider's word alone is none."""
        deadline = self.now() + patience.total_seconds()
        while True:
            try:
                self.provider.set_state(self.principal, made.key_id, KeyState.DELETED)
                if made.key_id not in self._worked:
                    self.sleep(self.offers.propagation.total_seconds())
                if self.provider.verify(self.principal, made.value) is Verdict.INVALID:
                    return True
            except Failure:
                pass  # asked again until the time is over
            if self.now() > deadline:
                return False
            self.sleep(0.3)

    def _lost(self, marks: list[str]) -> list[str]:
        """Of mints without an answer: our own by the mark are deleted; what is merely new is named and left alone."""
        named = []
        try:
            self.sleep(self.offers.list_lag.total_seconds())
            ours = {made.key_id for made in self._made.values() if made is not None}
            for key in self.provider.keys(self.principal):
                if not key.live or key.id in self.before or key.id in ours:
                    continue
                if key.mark not in marks:
                    named += [] if self.offers.strategy.marked else [key.id]
                    continue
                self.provider.set_state(self.principal, key.id, KeyState.DELETED)
                self._dead.add(key.mark)
        except Failure:
            return named
        return named

    def _settled(self, lost: list[str], named: list[str]) -> bool:
        """Whether each lost mint was found again by its mark. What was never found may still come to be."""
        return not named and all(mark in self._dead for mark in lost)

    def _request(self) -> MintRequest:
        number = len(self._made) + 1
        chosen = None
        if self.offers.strategy.minter is Minter.CHOSEN:
            value = secrets.token_hex(24)
            forms = self.offers.forms or {self.offers.secret_part: "{value}"}
            chosen = Secret({part: form.replace("{value}", value) for part, form in forms.items()})
        mark = self._marker.write(self.principal.name, f"t{self._serial}", number)
        return MintRequest(mark=mark, chosen=chosen)


def shorter(text: str) -> str:
    """A driver's words in one row."""
    return quoted(text).strip("'\"") if len(text) > SHOWN else text
