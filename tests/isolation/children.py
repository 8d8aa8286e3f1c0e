"""Drivers of strangers in children, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from rotator.adapters.isolation.copies import Copies
from rotator.adapters.isolation.keeping import Driver, Recipe
from rotator.adapters.isolation.pins import Pins
from rotator.adapters.isolation.possible import why_not
from rotator.adapters.isolation.provider import IsolatedProvider
from rotator.domain.credential import Principal
from tests.isolation.strangers import found

ADMIN = "admin-credential-of-the-driver-0123"
SVC = Principal(name="svc")
SECONDS = 20.0

Start = Callable[..., IsolatedProvider]

needs_sandbox = pytest.mark.skipif(why_not() is not None, reason=f"no sandbox here: {why_not()}")


@pytest.fixture(scope="session")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Shared by all tests of a process, as it is shared by all drivers of a rotator."""
    return Copies(tmp_path_factory.mktemp("copies") / "drivers", b"a key of the tests")


@pytest.fixture
def start(copies: Copies) -> Iterator[Start]:
    """Starts the driver of an installed distribution; all are ended with the test."""
    drivers: list[Driver] = []

    def begin(
        name: str, settings: Mapping[str, Any] | None = None, *, confine: bool = True, pins: Pins | None = None,
        seconds: float = SECONDS, hosts: tuple[str, ...] = (), admin: str = ADMIN,
    ) -> IsolatedProvider:  # fmt: skip
        recipe = Recipe(
            label=f"provider {name}", entry=found(name), name=name, settings=settings or {}, copies=copies,
            pins=pins or Pins(), confine=confine, seconds=seconds, hosts=hosts, admin=admin,
        )  # fmt: skip
        driver = Driver(recipe)
        drivers.append(driver)
        driver.start()
        return IsolatedProvider(f"driver of {name}", driver, timedelta(seconds=seconds), admin)

    yield begin
    for driver in drivers:
        driver.stop()
