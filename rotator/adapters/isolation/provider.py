"""A provider's driver in a process of its own, as the port."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from rotator.adapters.isolation.calling import Calls
from rotator.adapters.isolation.egress import PORTS
from rotator.adapters.isolation.keeping import Driver
from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, Permanent
from rotator.domain.keys import Capabilities, Key, KeyState, Minted, MintRequest, Verdict
from rotator.domain.made import Made
from rotator.domain.secret import Secret

PAGES = 10
"""Requests that a list of keys may take, each with the driver's timeout."""

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?:[/?][!-\[\]-~]*)?"
)
"""So narrow that everybody reads it alike: what stands before a backslash or an @ is a host to some."""


class IsolatedProvider:
    """A `Provider` whose code runs elsewhere. What it offers is asked once, so that it cannot change in mid-rotation.

    timeout: of one call that sends one request, everything included.
    """

    def __init__(self, label: str, driver: Driver, timeout: timedelta, admin: str) -> None:
        self._calls = Calls(label, driver, timeout.total_seconds())
        self._label = label
        self._admin = admin
        self._offers: dict[Principal, Capabilities] = {}

    def capabilities(self, principal: Principal) -> Capabilities:
        """Raises `Permanent` for a probe at a host that the driver itself may not reach: it would get new keys."""
        offers = self._offers.get(principal)
        if offers is None:
            offers = self._calls.call("capabilities", Capabilities, principal, secrets=[self._admin])
            self._may_probe(offers)
            self._offers[principal] = offers
        return offers

    def _may_probe(self, offers: Capabilities) -> None:
        if offers.probe is None:
            return
        found = _URL.fullmatch(offers.probe.url)
        if found is None:
            raise Permanent(f"the {self._label} wants keys to be tried at an address of no usual form", "")
        scheme, host, port = found["scheme"], found["host"], found["port"]
        if self._calls.driver.hosts.find(host, int(port) if port else PORTS[scheme]) is None:
            raise Permanent(
                f"the {self._label} wants keys to be tried at {host}, which is not among its hosts",
                "list it in hosts: if that is right",
            )

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        secrets = [*(request.chosen.parts().values() if request.chosen is not None else ()), self._admin]
        minted: Minted = self._calls.call("mint", Minted, principal, request, lost=Ambiguous, secrets=secrets)
        return minted

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        listed: tuple[Key, ...] = self._calls.call(
            "keys", tuple[Key, ...], principal, requests=PAGES, secrets=[self._admin]
        )
        return listed

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        verdict: Verdict = self._calls.call("verify", Verdict, principal, value, secrets=self._with(value))
        return verdict

    def identify(self, principal: Principal, value: Secret) -> str | None:
        named: str | None = self._calls.call("identify", str | None, principal, value, secrets=self._with(value))
        return named

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        self._calls.call("set_state", type(None), principal, key_id, state, secrets=[self._admin])

    def check_admin(self, principal: Principal) -> None:
        self._calls.call("check_admin", type(None), principal, secrets=[self._admin])

    def trail(self, principal: Principal, since: datetime) -> tuple[Made, ...]:
        told: tuple[Made, ...] = self._calls.call(
            "trail", tuple[Made, ...], principal, since, requests=PAGES, secrets=[self._admin]
        )
        return told

    def stop(self) -> None:
        """End the driver's process; the next call starts another one."""
        self._calls.driver.stop()

    def _with(self, value: Secret) -> list[str]:
        return [*value.parts().values(), self._admin]
