"""What it costs that a driver is a process: to start one, and to call through it. In turn with the same in process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path

from rotator.adapters.isolation.copies import Copies
from rotator.adapters.isolation.keeping import Driver, Recipe
from rotator.adapters.isolation.pins import Pins
from rotator.adapters.isolation.possible import why_not
from rotator.adapters.isolation.provider import IsolatedProvider
from rotator.domain.credential import Principal
from rotator.ports import Provider
from rotator.testing.keyserver import Behaviour, KeyserverProcess
from tests.bench.figures import Figure

RUNS, CALLS = 9, 500
TIMEOUT = timedelta(seconds=10)
SVC = Principal(name="svc")


def run() -> Iterator[Figure]:
    """Measure starting, then calling."""
    with tempfile.TemporaryDirectory() as name, KeyserverProcess(Behaviour()) as server:
        settings = {"base_url": server.url}
        copies = Copies(Path(name) / "drivers", b"a key of the benchmark")

        def made() -> Driver:
            (entry,) = entry_points(group="rotator.providers", name="keyserver")
            return Driver(
                Recipe(
                    label="provider keyserver",
                    entry=entry,
                    name="keyserver",
                    settings=settings,
                    copies=copies,
                    pins=Pins(),
                    confine=why_not() is None,
                    seconds=TIMEOUT.total_seconds(),
                    admin=server.admin,
                )
            )

        driver = made()
        first = _seconds(driver.start)
        yield Figure(name="isolation: first start ever, nothing compiled yet", value=first * 1000, unit="ms")
        time.sleep(3)  # until what it imports is compiled
        driver.stop()
        yield from _starts(made)
        yield from _calls(made(), settings, server.admin)


def _starts(made: Callable[[], Driver]) -> Iterator[Figure]:
    empty, started = [], []
    for _ in range(RUNS):
        empty.append(_seconds(lambda: subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)))
        driver = made()
        started.append(_seconds(driver.start))
        driver.stop()
    note = f"median of {RUNS}; an empty Python {statistics.median(empty) * 1000:.0f} ms"
    yield Figure(
        name="isolation: a driver's process starts, confined", value=statistics.median(started) * 1000, unit="ms",
        aim=500, note=note,
    )  # fmt: skip


def _calls(driver: Driver, settings: dict[str, str], admin: str) -> Iterator[Figure]:
    from rotator_keyserver import Keyserver  # what a child imports, here in process

    apart = IsolatedProvider("driver of keyserver", driver, TIMEOUT, admin)
    inside = Keyserver.from_settings("keyserver", settings, admin, TIMEOUT)
    pairs = []
    for _ in range(CALLS):
        pairs.append((_call(apart), _call(inside)))  # noqa: PERF401 - one after the other
    driver.stop()
    over = statistics.median(a - b for a, b in pairs[CALLS // 10 :])
    note = f"median of {CALLS} pairs; in process {statistics.median(b for _, b in pairs) * 1000:.2f} ms"
    yield Figure(name="isolation: a call over one in process", value=over * 1000, unit="ms", aim=1, note=note)


def _call(provider: Provider) -> float:
    return _seconds(lambda: provider.check_admin(SVC))


def _seconds(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began
