"""A store's driver in a process of its own, as the port."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from rotator.adapters.isolation.calling import Calls
from rotator.adapters.isolation.keeping import Driver
from rotator.domain.credential import Place, Publication
from rotator.ports import StoreCapabilities, Stored

REQUESTS = 6
"""That one call may take: a log in, a look, a write of several steps, a look."""


class IsolatedStore:
    """A `Store` whose code runs elsewhere. timeout: of one request."""

    def __init__(self, label: str, driver: Driver, timeout: timedelta) -> None:
        self._calls = Calls(label, driver, timeout.total_seconds())
        self._offers: StoreCapabilities | None = None

    def capabilities(self) -> StoreCapabilities:
        """Asked once."""
        if self._offers is None:
            self._offers = self._calls.call("capabilities", StoreCapabilities)
        return self._offers

    def read(self, place: Place) -> Stored:
        stored: Stored = self._calls.call("read", Stored, place, requests=REQUESTS)
        return stored

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        version: str = self._calls.call(
            "write", str, place, dict(fields), expected, requests=REQUESTS, secrets=list(fields.values())
        )
        return version

    def remove(self, place: Place, expected: str) -> None:
        self._calls.call("remove", type(None), place, expected, requests=REQUESTS)

    def places(self, ref: str) -> tuple[Place, ...]:
        found: tuple[Place, ...] = self._calls.call("places", tuple[Place, ...], ref, requests=REQUESTS)
        return found

    def stop(self) -> None:
        """End the driver's process; the next call starts another one."""
        self._calls.driver.stop()


class _TellsPolicy(IsolatedStore):
    def least_policy(self, refs: Collection[str]) -> str:
        policy: str = self._calls.call("least_policy", str, tuple(refs))
        return policy


class _TellsMore(IsolatedStore):
    def worth_knowing(self, places: Sequence[Publication]) -> Sequence[str]:
        remarks: tuple[str, ...] = self._calls.call("worth_knowing", tuple[str, ...], tuple(places), requests=REQUESTS)
        return remarks


class _TellsBoth(_TellsPolicy, _TellsMore):
    pass


def isolated_store(label: str, driver: Driver, timeout: timedelta) -> IsolatedStore:
    """The store, with what it can tell besides its port. The driver was started."""
    policy, more = "least_policy" in driver.tells, "worth_knowing" in driver.tells
    kinds = {(True, True): _TellsBoth, (True, False): _TellsPolicy, (False, True): _TellsMore}
    return kinds.get((policy, more), IsolatedStore)(label, driver, timeout)
