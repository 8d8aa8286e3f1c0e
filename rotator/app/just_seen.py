"""What adoption saw a moment ago the rotation that begins with it need not ask again: each call costs a turn."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rotator.app.adopting import Read
from rotator.domain.credential import Principal
from rotator.domain.keys import Capabilities, Key, KeyState, Minted, MintRequest, Verdict
from rotator.domain.rotation import Phase, Rotation
from rotator.domain.secret import Secret
from rotator.engine.world import World
from rotator.ports import Provider

MOMENT = timedelta(seconds=5)
"""So long what was read is what there is."""


class JustSeen:
    """A `Provider` of one principal that answers the first list, and the first question for a value, by what was seen.

    Used by one thread, at once after `read` was read. Whatever changes a key ends it.
    """

    def __init__(self, inner: Provider, read: Read) -> None:
        self._inner = inner
        self._listed: tuple[Key, ...] | None = read.listed
        self._value, self._verdict = read.value, read.verdict

    def capabilities(self, principal: Principal) -> Capabilities:
        """As the port says."""
        return self._inner.capabilities(principal)

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """As the port says; the first time as seen."""
        listed, self._listed = self._listed, None
        return self._inner.keys(principal) if listed is None else listed

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """As the port says; the first time as seen."""
        if self._verdict is None or value != self._value:
            return self._inner.verify(principal, value)
        verdict, self._verdict = self._verdict, None
        return verdict

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """As the port says."""
        return self._inner.identify(principal, value)

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """As the port says."""
        self._forget()
        return self._inner.mint(principal, request)

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """As the port says."""
        self._forget()
        self._inner.set_state(principal, key_id, state)

    def check_admin(self, principal: Principal) -> None:
        """As the port says."""
        self._inner.check_admin(principal)

    def _forget(self) -> None:
        self._listed = self._verdict = None


def just_seen(world: World, row: Rotation, read: Read | None, now: float) -> World:
    """The world for a rotation that begins with what was read: a new one, moments ago. `now`: in boot time.

    What a rotation before it may have minted must be looked for in a list of now.
    """
    if read is None or row.phase is not Phase.PLANNED or row.supersedes or row.mint_fences:
        return world
    fresh = now - read.at < MOMENT.total_seconds()
    return replace(world, provider=JustSeen(world.provider, read)) if fresh else world
