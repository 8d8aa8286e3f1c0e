"""Looking at a provider that allows few requests: a person's command waits for its turn instead of failing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from rotator.domain.credential import Principal
from rotator.domain.failures import Transient
from rotator.domain.keys import Capabilities, Key, KeyState, Minted, MintRequest, Verdict
from rotator.domain.made import Made
from rotator.domain.secret import Secret
from rotator.engine.world import World
from rotator.ports import Provider, trail_of

LONGEST = timedelta(minutes=2)
"""Of one look; the turns that a limit gives out lie at most a minute ahead."""
TURN = timedelta(seconds=1)
"""Where a throttle does not say how long."""

T = TypeVar("T")
Sleep = Callable[[float], None]


class PatientProvider:
    """A `Provider` whose looks wait out throttles. Effects do not: nothing may stand between them and their intent."""

    def __init__(self, inner: Provider, sleep: Sleep = time.sleep) -> None:
        self._inner = inner
        self._sleep = sleep

    def capabilities(self, principal: Principal) -> Capabilities:
        """As the port says."""
        return self._inner.capabilities(principal)

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """As the port says, when it is our turn."""
        return self._wait(lambda: self._inner.keys(principal))

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """As the port says, when it is our turn."""
        return self._wait(lambda: self._inner.verify(principal, value))

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """As the port says, when it is our turn."""
        return self._wait(lambda: self._inner.identify(principal, value))

    def check_admin(self, principal: Principal) -> None:
        """As the port says, when it is our turn."""
        self._wait(lambda: self._inner.check_admin(principal))

    def trail(self, principal: Principal, since: datetime) -> tuple[Made, ...]:
        """As the port says, when it is our turn."""
        return self._wait(lambda: trail_of(self._inner, principal, since))

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """As the port says."""
        return self._inner.mint(principal, request)

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """As the port says."""
        self._inner.set_state(principal, key_id, state)

    def _wait(self, look: Callable[[], T]) -> T:
        left = LONGEST
        while True:
            try:
                return look()
            except Transient as failure:
                turn = failure.retry_after or TURN
                left -= turn
                if not failure.throttled or left < timedelta(0):
                    raise
                self._sleep(turn.total_seconds())


def patient(world: World) -> World:
    """The world for looking at it."""
    return replace(world, provider=PatientProvider(world.provider))
