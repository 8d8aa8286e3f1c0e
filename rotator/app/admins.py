"""Admin credentials are credentials too: replaced while they are used, never retired before another one was used.

A provider whose admin credential is at `STORE:REF#FIELD` may have it rotated there like any other value. Whoever holds
the old one in memory is refused one day: then the reference is read anew. Before the old one is retired, the new one is
read from that reference, as whoever comes next will read it, and used with success.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from rotator.config.errors import ConfigError
from rotator.config.references import Reference
from rotator.domain.credential import Credential, Principal
from rotator.domain.failures import Denied, Transient
from rotator.domain.keys import Capabilities, Key, KeyState, Minted, MintRequest, Verdict
from rotator.domain.made import Made
from rotator.domain.secret import Secret
from rotator.ports import Provider, trail_of

T = TypeVar("T")


class Readmitted:
    """A `Provider` that reads its admin credential anew when it is refused. Used by many threads.

    A refusal means that nothing was done, so the call is made again, once, if there is another credential now.
    """

    def __init__(self, read: Callable[[], str], make: Callable[[str], Provider]) -> None:
        """`read` gives the admin credential as the reference has it now, `make` a driver with it; `ConfigError`."""
        self._read, self._make = read, make
        self._lock = threading.Lock()
        self._admin = read()
        self._inner = make(self._admin)

    def use_reference(self, principal: Principal) -> None:
        """Read the reference, and use what is there once. Raises `Denied` where it may not, `Transient`."""
        self._renewed().check_admin(principal)

    def _renewed(self) -> Provider:
        """The driver with what the reference has now. Raises `Transient` where it cannot be read."""
        with self._lock:
            try:
                now = self._read()
                if now != self._admin:
                    self._inner, self._admin = self._make(now), now
            except ConfigError as error:
                message, hint = error.message, error.hint
            else:
                return self._inner
        raise Transient(message, hint)

    def _admitted(self, call: Callable[[Provider], T]) -> T:
        inner = self._inner
        try:
            return call(inner)
        except Denied as denied:
            try:
                other = self._renewed()
            except Transient:
                other = inner
            if other is inner:
                raise denied from None
        return call(other)

    def capabilities(self, principal: Principal) -> Capabilities:
        return self._inner.capabilities(principal)

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        return self._admitted(lambda inner: inner.mint(principal, request))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        return self._admitted(lambda inner: inner.keys(principal))

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        return self._admitted(lambda inner: inner.verify(principal, value))

    def identify(self, principal: Principal, value: Secret) -> str | None:
        return self._admitted(lambda inner: inner.identify(principal, value))

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        self._admitted(lambda inner: inner.set_state(principal, key_id, state))

    def check_admin(self, principal: Principal) -> None:
        self._admitted(lambda inner: inner.check_admin(principal))

    def trail(self, principal: Principal, since: datetime) -> tuple[Made, ...]:
        return self._admitted(lambda inner: trail_of(inner, principal, since))


class Admins:
    """The providers whose admin credential one credential is, each with a principal to try it on; the engine's port."""

    def __init__(self, providers: Sequence[tuple[Readmitted, Principal]]) -> None:
        self._providers = providers

    def use_what_is_published(self) -> None:
        """As the port says."""
        for provider, principal in self._providers:
            provider.use_reference(principal)


def is_published_by(reference: Reference | None, spec: Credential) -> bool:
    """Whether a reference names a field that the credential publishes."""
    if reference is None:
        return False
    ref, _, field = reference.target.partition("#")
    return any((each.store, each.ref) == (reference.scheme, ref) and field in each.fields for each in spec.publish)
