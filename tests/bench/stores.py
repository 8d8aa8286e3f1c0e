"""Rotations over five stores: from the first promotion to the last, against the slowest store's own write.

The stores are file stores on this machine, each made slow by a time of its own for every request, as if it was remote.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.running import Run
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.rotation import Mode, Phase
from rotator.engine import starting
from rotator.ports import Store, StoreCapabilities, Stored
from rotator.testing.keyserver import Behaviour, KeyserverProcess
from tests.bench.figures import Figure
from tests.bench.rotations import CONFIG, private_files

CASES = ((1, 5), (32, 100))
"""How many rotations are in flight, and how many there are: one after the other, and as many as by default."""
SLOW = {"near": 0.02, "regional": 0.05, "far": 0.1, "farther": 0.15, "farthest": 0.2}
"""Seconds that each request takes."""


@dataclass(frozen=True, slots=True)
class Span:
    """When a promotion's write began and ended, in seconds."""

    began: float
    ended: float


@dataclass(kw_only=True)
class Slow:
    """Implements `rotator.ports.Store`: another one, made slow, that tells when current values were written."""

    inner: Store
    seconds: float
    spans: dict[str, Span] = field(default_factory=dict)

    def capabilities(self) -> StoreCapabilities:
        return self.inner.capabilities()

    def read(self, place: Place) -> Stored:
        time.sleep(self.seconds)
        return self.inner.read(place)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        began = time.monotonic()
        time.sleep(self.seconds)
        version = self.inner.write(place, fields, expected)
        if place.kind is PlaceKind.CURRENT:
            self.spans[place.ref] = Span(began, time.monotonic())
        return version

    def remove(self, place: Place, expected: str) -> None:
        time.sleep(self.seconds)
        self.inner.remove(place, expected)

    def places(self, ref: str) -> tuple[Place, ...]:
        time.sleep(self.seconds)
        return self.inner.places(ref)


class SlowAssembly(Assembly):
    """An assembly whose stores are far away."""

    def store(self, name: str) -> Store:
        with self._lock:
            made = self._stores.get(name)
            if not isinstance(made, Slow):
                made = self._stores[name] = Slow(inner=super().store(name), seconds=SLOW[name])
            return made


def run() -> Iterator[Figure]:
    """Measure."""
    for parallel, count in CASES:
        with tempfile.TemporaryDirectory() as name, KeyserverProcess(Behaviour()) as server:
            assembly = SlowAssembly(config=load_config(write_config(Path(name), server, count, parallel)))
            yield figure(assembly, parallel)


def figure(assembly: SlowAssembly, parallel: int) -> Figure:
    """Every credential rotated once."""
    for spec in assembly.config.credentials.values():
        adopt(assembly, spec)
        starting.start(spec, assembly.journal, assembly.ids, assembly.clock, mode=Mode.MANUAL, reason="bench")
    journal = assembly.journal
    Run(assembly=assembly, owner="bench", parallel=parallel).until(lambda: journal.next_wake() is None)
    spans: dict[str, list[Span]] = defaultdict(list)
    for name in SLOW:
        store = assembly.store(name)
        assert isinstance(store, Slow)
        for ref, span in store.spans.items():
            spans[ref].append(span)
    times = sorted(_over_slowest(each) for each in spans.values() if len(each) == len(SLOW))
    done = sum(row.phase is Phase.DONE for row in journal.rotations(limit=1000))
    note = f"median of {len(times)}, 95th percentile {times[int(len(times) * 0.95)]:.2f}; {done} done"
    threads = sum(each.name.startswith("together") for each in threading.enumerate())
    return Figure(
        name=f"stores: first to last over the slowest, {parallel} in flight",
        value=median(times),
        unit="×",
        aim=1.5,
        note=f"{note}, {threads} threads beside",
    )


def _over_slowest(spans: list[Span]) -> float:
    whole = max(each.ended for each in spans) - min(each.began for each in spans)
    return whole / max(each.ended - each.began for each in spans)


def write_config(folder: Path, server: KeyserverProcess, count: int, parallel: int) -> Path:
    """A config of so many credentials, each in a JSON document of its own in every store."""
    credentials = {}
    for name in SLOW:
        (folder / name).mkdir(mode=0o700)
    for number in range(count):
        credential = f"key-{number:03}"
        _, secret = server.seed_key(credential)
        for name in SLOW:
            document = folder / name / f"{credential}.json"
            document.touch(mode=0o600)
            document.write_text(json.dumps({"API_KEY": secret}))
        publish = [{"store": name, "ref": f"{credential}.json", "fields": {"API_KEY": "{secret}"}} for name in SLOW]
        principal = {"principal": credential}
        credentials[credential] = {"provider": "ks", "principal": principal, "publish": publish, "policy": "at-once"}
    config = {
        **CONFIG,
        "defaults": {"parallel": parallel, "isolation": "off"},
        "providers": {"ks": {"driver": "keyserver", "admin": "file:admin", "base_url": server.url, "usage": False}},
        "stores": {name: {"driver": "file", "root": name, "format": "json"} for name in SLOW},
        "credentials": credentials,
    }
    return private_files(folder, server, config)
