"""Stores in children, made as the rotator makes them, for tests."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

import pytest

from rotator.adapters.isolation.possible import why_not
from rotator.adapters.isolation.store import IsolatedStore
from rotator.app.isolating import Isolation
from rotator.config.document import Where
from rotator.config.reading import DriverConfig
from tests.stores.making import K

needs_sandbox = pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")
TIMEOUT = timedelta(seconds=10)
AT_ONCE = 2
"""Children that a test may have: a store, and one on the same place that loses answers."""
WHERE = Where("stores.yaml", 1)


def entry_of(driver: str) -> EntryPoint:
    """A store of ours."""
    (entry,) = entry_points(group="rotator.stores", name=driver)
    return entry


class Apart:
    """Makes stores in children. Who asks for the same one again is given it: a child takes half a second to start."""

    def __init__(self, level: str) -> None:
        self._level = level
        self._isolation = Isolation()
        self._made: OrderedDict[str, IsolatedStore] = OrderedDict()

    def __call__(
        self, kind: type[K], name: str, settings: Mapping[str, Any], resolve: Callable[[str], str], timeout: timedelta
    ) -> K:
        """As `from_settings` of that store."""
        (driver,) = (each.name for each in entry_points(group="rotator.stores") if each.attr == kind.__name__)
        known = json.dumps([driver, settings, timeout.total_seconds()])
        if known not in self._made:
            self._made[known] = self.store(driver, settings, resolve, timeout)
        self._made.move_to_end(known)
        while len(self._made) > AT_ONCE:
            self._made.popitem(last=False)[1].stop()
        return cast(K, self._made[known])

    def store(
        self,
        driver: str,
        settings: Mapping[str, Any],
        resolve: Callable[[str], str] = lambda _: "a-token-0123456789",
        timeout: timedelta = TIMEOUT,
        hosts: tuple[str, ...] = (),
    ) -> IsolatedStore:
        """A store in a child of its own, which the caller stops. Raises `ConfigError`."""
        config = DriverConfig(
            name=driver,
            driver=driver,
            settings=settings,
            admin=None,
            hosts=hosts,
            rate=None,
            isolation=None,
            where=WHERE,
        )
        return self._isolation.store(config, entry_of(driver), resolve, timeout, self._level)

    def stop(self) -> None:
        """End them all."""
        for store in self._made.values():
            store.stop()


@contextmanager
def apart(level: str) -> Iterator[Apart]:
    """Stores in children of that level, for as long as it lasts."""
    making = Apart(level)
    try:
        yield making
    finally:
        making.stop()


@contextmanager
def stopped(store: IsolatedStore) -> Iterator[IsolatedStore]:
    """A store whose child is ended afterwards."""
    try:
        yield store
    finally:
        store.stop()


def pid_of(store: IsolatedStore) -> int:
    """The child's that a store has now."""
    process = store._calls.driver._process
    assert process is not None
    return process._process.pid
