"""What a provider really does, against what its driver says of it: two keys are made, used, disabled, deleted, proven.

Nothing of a config or a journal is involved. Whatever is made is deleted again, also after a failure or Ctrl-C; what
may still live then is named.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from rotator.app.trials import Made, Row, Tidied, Tidying, shorter
from rotator.app.watching import Watch, watch
from rotator.domain.credential import Principal
from rotator.domain.failures import CapFull, Failure, Permanent, Transient
from rotator.domain.keys import Disabling, Key, KeyState, Minter, Verdict
from rotator.domain.times import quoted
from rotator.ports import Prober, Provider

T = TypeVar("T")

SLACK = 1.0
"""Seconds by which a window may be exceeded: a request takes its time, too."""
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Tried:
    """What was seen. `tidied`: what became of the keys that were made. `ended`: why it went no further."""

    rows: tuple[Row, ...]
    tidied: Tidied
    ended: str = ""
    interrupted: bool = False

    @property
    def findings(self) -> tuple[Row, ...]:
        """Where the provider differs from what is said of it."""
        return tuple(row for row in self.rows if row.differs)


@dataclass
class Trial:
    """One driver, one principal. `patience`: how much longer than declared something is waited for.

    `said` hears of each row when it is known.
    """

    provider: Provider
    principal: Principal
    prober: Prober
    patience: timedelta
    said: Callable[[Row], None] = lambda row: None
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    rows: list[Row] = field(default_factory=list)

    def run(self) -> Tried:
        """All of it. Raises `Failure` where nothing could even be begun."""
        self.offers = self.provider.capabilities(self.principal)
        if self.offers.strategy.minter is Minter.PERSON or self.offers.slots:
            raise Permanent("this description makes no keys by itself", "only what has mint: can be tried")
        self._once(lambda: self.provider.check_admin(self.principal))
        self.before = self._listed()
        self.tidying = Tidying(self.provider, self.principal, self.offers, frozenset(self.before), self.sleep, self.now)
        ended, interrupted = "", False
        try:
            self._all()
        except Failure as failure:
            ended = f"{failure.message}{f' ({failure.hint})' if failure.hint else ''}"
        except KeyboardInterrupt:
            interrupted = True
        tidied = self.tidying.tidy(self._longest(self.offers.death_window))
        return Tried(tuple(self.rows), tidied, ended, interrupted)

    def _all(self) -> None:
        made = self._mint()
        self._appears(made)
        self._is_told_apart(made)
        control = self._control(made)
        self._moves(made)
        if self.offers.disabling is not Disabling.NONE:
            self._disables(made)
        self._dies(made, control)

    # -- a new key -----------------------------------------------------------------------------------------------------

    def _mint(self) -> Made:
        began = self.now()
        made = self.tidying.mint()
        self._say("mint", "a key", f"a key, in {self.now() - began:.1f} s", differs=False)
        return made

    def _control(self, made: Made) -> Made | None:
        """A second key, which must go on working when the first one is dead."""
        try:
            control = self.tidying.mint()
        except CapFull:
            wrong = self.offers.cap is None or self.offers.cap > 1
            self._say("a second key", "room for it", "no room: the death has no control", differs=wrong)
            return None
        seen = self._until(lambda: self._verdict(control) is Verdict.WORKS, self.offers.propagation)
        says = "works" if seen is not None else "does not work"
        self._say("a second key", "works", says, differs=seen is None)
        first = self._verdict(made)
        self._say("the first key beside it", "works", first.value, differs=first is not Verdict.WORKS)
        return control

    def _appears(self, made: Made) -> None:
        works = self._watch(lambda: self._verdict(made) is Verdict.WORKS, self.offers.propagation, steady=True)
        listed = self._watch(lambda: made.key_id in self._listed(), self.offers.list_lag)
        watch(works, listed, sleep=self.sleep, now=self.now)
        if works.seconds is None:
            found = self._verdict(made)
            self._say("verify", "works", f"still {found.value}", differs=True)
            raise Permanent("the new key never worked", "see what verify: of the description sends and expects")
        self._within("works after", works.seconds, self.offers.propagation)
        if listed.seconds is None:
            others = ", ".join(quoted(key_id) for key_id in sorted(set(self._listed()) - set(self.before))[:3])
            seen = f"it is not; {others} is new there" if others else "it is not"
            self._say("listed", "under the id that the mint told", seen, differs=True)
            return
        self._within("listed after", listed.seconds, self.offers.list_lag)
        self._tells(made, self._listed()[made.key_id])

    def _tells(self, made: Made, key: Key) -> None:
        if self.offers.strategy.marked:
            right = key.mark == made.mark
            seen = "comes back" if right else f"{quoted(key.mark)} comes back" if key.mark else "does not come back"
            self._say("mark", "comes back", seen, differs=not right)
        if key.state is not KeyState.ENABLED:
            self._say("state of a new key", "enabled", key.state.value, differs=True)
        if self.offers.identifies:
            named = self._once(lambda: self.provider.identify(self.principal, made.value))
            seen = "the same id" if named == made.key_id else "no id" if named is None else quoted(named)
            self._say("identify", "the same id", seen, differs=named != made.key_id)

    def _is_told_apart(self, made: Made) -> None:
        """A value that nobody issued: what answers it kindly would call a dead key alive, too."""
        verdict = self._once(lambda: self.provider.verify(self.principal, made.invented(self.offers.secret_part)))
        self._say("a made-up value", "invalid", verdict.value, differs=verdict is not Verdict.INVALID)
        if self.offers.probe is None:
            return
        probe = self.offers.probe
        known, unknown = (
            self._once(lambda each=each: self.prober.probe(probe, each))  # type: ignore[misc]
            for each in (made.value, made.invented(self.offers.secret_part))
        )
        right = known is Verdict.WORKS and unknown is Verdict.INVALID
        self._say("the engine's probe", "works, invalid", f"{known.value}, {unknown.value}", differs=not right)

    def _moves(self, made: Made) -> None:
        if not self.offers.usage:
            return
        before = self._listed().get(made.key_id)
        if before is None:
            return
        self._verdict(made)
        limit = self.offers.list_lag

        def used() -> bool:
            key = self._listed().get(made.key_id)
            return key is not None and key.last_used_at is not None

        seconds = self._until(used, limit)
        seen = "not told" if seconds is None else f"told, {seconds:.1f} s after a use"
        self._say("last used", "told", seen, differs=seconds is None)

    # -- disabling -----------------------------------------------------------------------------------------------------

    def _disables(self, made: Made) -> None:
        if not self._change(made, KeyState.DISABLED, "disable"):
            return
        window = self.offers.death_window
        seconds = self._until(lambda: not self._verdict(made).authentic, window, steady=True)
        if seconds is None:
            self._say("a disabled key", "refused", "still works", differs=True)
        else:
            self._within("disabled: refused after", seconds, window)
        if self.offers.disabling is Disabling.REVERSIBLE:
            self._state_is_listed(made, KeyState.DISABLED)
            self._enables(made)

    def _enables(self, made: Made) -> None:
        if not self._change(made, KeyState.ENABLED, "enable"):
            return
        window = self.offers.propagation
        seconds = self._until(lambda: self._verdict(made) is Verdict.WORKS, window, steady=True)
        if seconds is None:
            self._say("an enabled key", "works again", "does not: the disable was for good", differs=True)
        else:
            self._within("enabled: works after", seconds, window)

    def _state_is_listed(self, made: Made, state: KeyState) -> None:
        def listed() -> bool:
            key = self._listed().get(made.key_id)
            return key is not None and key.state is state

        if self._until(listed, self.offers.list_lag) is None:
            self._say(f"the list's word for a {state.value} key", state.value, "something else", differs=True)

    def _change(self, made: Made, state: KeyState, name: str) -> bool:
        try:
            self._once(lambda: self.provider.set_state(self.principal, made.key_id, state))
        except Permanent as refused:
            self._say(name, "can be done", shorter(refused.message), differs=True)
            return False
        return True

    # -- dying ---------------------------------------------------------------------------------------------------------

    def _dies(self, made: Made, control: Made | None) -> None:
        if not self._change(made, KeyState.DELETED, "delete"):
            raise Permanent("the key cannot be deleted as described", "delete it in the provider's console")
        dead = self._watch(lambda: self._verdict(made) is Verdict.INVALID, self.offers.death_window, steady=True)
        gone = self._watch(lambda: not self._live(made), self.offers.list_lag)
        watch(dead, gone, sleep=self.sleep, now=self.now)
        if dead.seconds is None:
            verdict = self._verdict(made)
            self._say("a deleted key", "invalid", f"still {verdict.value}", differs=True)
        else:
            self._within("a deleted key lives on for", dead.seconds, self.offers.death_window)
        if gone.seconds is None:
            self._say("deleted: gone from the list", "gone", "still listed", differs=True)
        else:
            self._within("deleted: gone from the list after", gone.seconds, self.offers.list_lag)
        if dead.seconds is not None:
            self._is_proven(made, control)
            self._change(made, KeyState.DELETED, "delete it twice")

    def _is_proven(self, made: Made, control: Made | None) -> None:
        """As the engine does it: refused twice, a death window apart, while another key works before and after."""
        looks = []
        for pause in (0.0, self.offers.death_window.total_seconds()):
            self.sleep(pause)
            works = control is None or self._verdict(control) is Verdict.WORKS
            looks.append(works and self._verdict(made) is Verdict.INVALID and works)
        steady = all(looks) and (control is None or self._verdict(control) is Verdict.WORKS)
        if all(looks):
            self.tidying.dead(made)
        self._say("proof", "refused", "refused" if steady else "unproven: the answers change", differs=not steady)

    # -- looking -------------------------------------------------------------------------------------------------------

    def _listed(self) -> dict[str, Key]:
        return {key.id: key for key in self._once(lambda: self.provider.keys(self.principal))}

    def _live(self, made: Made) -> bool:
        key = self._listed().get(made.key_id)
        return key is not None and key.live

    def _verdict(self, made: Made) -> Verdict:
        verdict = self._once(lambda: self.provider.verify(self.principal, made.value))
        if verdict is Verdict.WORKS:
            self.tidying.works(made)
        return verdict

    def _until(self, happens: Callable[[], bool], window: timedelta, *, steady: bool = False) -> float | None:
        """Seconds from now until it is so; None when it does not come to be."""
        wanted = self._watch(happens, window, steady=steady)
        watch(wanted, sleep=self.sleep, now=self.now)
        return wanted.seconds

    def _watch(self, happens: Callable[[], bool], window: timedelta, *, steady: bool = False) -> Watch:
        return Watch(happens, self._longest(window).total_seconds(), steady)

    def _longest(self, window: timedelta) -> timedelta:
        return window + self.patience

    def _once(self, call: Callable[[], T]) -> T:
        """A call that may be made twice: what fails by itself is tried again a few times."""
        for attempt in range(1, _TRIES):
            try:
                return call()
            except Transient as failure:
                asked = failure.retry_after or timedelta(seconds=0.2 * attempt)
            self.sleep(min(asked, timedelta(seconds=30)).total_seconds())
        return call()

    # -- saying --------------------------------------------------------------------------------------------------------

    def _within(self, what: str, seconds: float, window: timedelta) -> None:
        declared = window.total_seconds()
        text = f"at most {declared:g} s"
        self._say(what, text, f"{seconds:.1f} s", differs=seconds > declared + SLACK, seconds=seconds)

    def _say(self, what: str, declared: str, seen: str, *, differs: bool, seconds: float | None = None) -> None:
        row = Row(what=what, declared=declared, seen=seen, differs=differs, seconds=seconds)
        self.rows.append(row)
        self.said(row)
