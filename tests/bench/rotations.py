"""1,000 rotations at 64 in flight on a keyserver that takes 100 ms a call, with the durable journal.

Held against the lower bound, and against the same number of bare HTTP calls of the same threads in the same run.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import urllib3

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.isolating import why_not
from rotator.app.running import Run
from rotator.config.installation import new_installation
from rotator.domain.rotation import Mode, Phase
from rotator.engine import starting
from rotator.testing.keyserver import Behaviour, KeyserverProcess, Operation
from tests.bench.figures import Figure

COUNT, PARALLEL, LATENCY = 1000, 64, 0.1

NECESSARY = {
    # What a rotation of the strategy `overlap` cannot do without, call by call.
    "list before anything is made": Operation.LIST,
    "the old value works, or its refusal would prove nothing": Operation.RESOURCE,
    "mint": Operation.MINT,
    "the staged value is accepted": Operation.RESOURCE,
    "it still is, right before the pivot: the positive control of the proof": Operation.RESOURCE,
    "disable": Operation.DISABLE,
    "delete": Operation.DELETE,
    "the old one is refused": Operation.RESOURCE,
    "and again": Operation.RESOURCE,
    "while the new one is not": Operation.RESOURCE,
    "and no list shows it any more: a disabled one is refused, too": Operation.LIST,
}

CONFIG = {
    "state": "sqlite:///rotator.db",
    "installation": {"key": "file:installation.key"},
    "policies": {
        "at-once": {"every": "30d", "overlap": "0s", "quiet_for": "0s", "max_overlap": "1h", "compromise_grace": "0s"}
    },
}


def run() -> Iterator[Figure]:
    """Measure with the driver in process, which the aims are for, and with the driver where it belongs."""
    yield from measured("off", "rotations")
    if why_not() is None:
        yield from measured("sandbox", "rotations, driver confined")


def measured(isolation: str, what: str) -> Iterator[Figure]:
    """All rotations at one level of isolation."""
    with tempfile.TemporaryDirectory() as name, KeyserverProcess(Behaviour()) as server:
        assembly = Assembly(config=load_config(write_config(Path(name), server, COUNT, isolation)))
        for spec in assembly.config.credentials.values():
            adopt(assembly, spec)
        for spec in assembly.config.credentials.values():
            starting.start(spec, assembly.journal, assembly.ids, assembly.clock, mode=Mode.MANUAL, reason="bench")
        before = server.log.calls()
        server.tell(latency=LATENCY)
        began, cpu = time.monotonic(), time.process_time()
        journal = assembly.journal
        Run(assembly=assembly, owner="bench", parallel=PARALLEL).until(lambda: journal.next_wake() is None)
        wall, used = time.monotonic() - began, time.process_time() - cpu
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # before the server's log is read in here
        calls = server.log.calls() - before
        done = sum(row.phase is Phase.DONE for row in assembly.journal.rotations(limit=2 * COUNT))
        children = _children()
        assembly.close()
        children = _children() - children
        began, cpu = time.monotonic(), time.process_time()
        bare(server)
        peer = Spent(wall=time.monotonic() - began, cpu=time.process_time() - cpu)
        server.tell(latency=0.0)
        yield from figures(what, Spent(wall=wall, cpu=used), peer, calls, done)
        if isolation == "off":
            yield Figure(name=f"{what}: resident memory at most", value=memory, unit="MB", aim=120)
        else:
            yield Figure(name=f"{what}: CPU each, the driver's process", value=children / COUNT * 1000, unit="ms")


def _children() -> float:
    """Seconds of processor time of all children that are over."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds."""

    wall: float
    cpu: float


def bare(server: KeyserverProcess) -> None:
    """As many calls as the rotations made, by as many threads over one pool of urllib3, and nothing else."""
    _, secret = server.seed_key("bare")
    pool = urllib3.PoolManager(maxsize=PARALLEL, block=True, retries=False)

    def calls(number: int) -> None:
        for _ in NECESSARY:
            pool.request("GET", f"{server.url}/resource", headers={"Authorization": f"Bearer {secret}"})

    with ThreadPoolExecutor(PARALLEL) as threads:
        list(threads.map(calls, range(COUNT)))


def figures(what: str, spent: Spent, peer: Spent, calls: Counter[Operation], done: int) -> Iterator[Figure]:
    """What is made of it."""
    wall, cpu = spent.wall, spent.cpu
    made = sum(calls.values()) / COUNT
    necessary = len(NECESSARY)
    bound = ceil(COUNT / PARALLEL) * necessary * LATENCY
    note = f"{wall:.1f} s over {bound:.1f} s: {COUNT} rotations, {PARALLEL} in flight, {done} done"
    yield Figure(name=f"{what}: wall time over the lower bound", value=wall / bound, unit="×", aim=1.2, note=note)
    yield Figure(
        name=f"{what}: calls made over necessary", value=made / necessary, unit="×", note=f"{made:.2f} a rotation"
    )
    yield Figure(name=f"{what}: wall time over the bare calls", value=wall / peer.wall, unit="×")
    yield Figure(name=f"{what}: CPU each, engine and journal", value=cpu / COUNT * 1000, unit="ms", aim=8)
    each = f"the bare calls of one take {peer.cpu / COUNT * 1000:.1f} ms"
    yield Figure(name=f"{what}: CPU over the bare calls", value=cpu / peer.cpu, unit="×", note=each)


def write_config(folder: Path, server: KeyserverProcess, count: int, isolation: str = "off") -> Path:
    """A config of so many credentials, each with a key of its own and a JSON document of its own."""
    store = folder / "store"
    store.mkdir(mode=0o700)
    credentials = {}
    for number in range(count):
        name = f"key-{number:05}"
        _, secret = server.seed_key(name)
        document = store / f"{name}.json"
        document.touch(mode=0o600)
        document.write_text(json.dumps({"API_KEY": secret}))
        publish = [{"store": "files", "ref": f"{name}.json", "fields": {"API_KEY": "{secret}"}}]
        principal = {"principal": name}
        credentials[name] = {"provider": "ks", "principal": principal, "publish": publish, "policy": "at-once"}
    provider = {"driver": "keyserver", "admin": "file:admin", "base_url": server.url, "usage": False}
    config = {
        **CONFIG,
        "defaults": {"parallel": PARALLEL, "isolation": isolation},
        "providers": {"ks": provider},
        "stores": {"files": {"driver": "file", "root": "store", "format": "json"}},
        "credentials": credentials,
    }
    return private_files(folder, server, config)


def private_files(folder: Path, server: KeyserverProcess, config: Mapping[str, object]) -> Path:
    """The config, and beside it what it refers to: the keyserver's admin secret and a new installation key."""
    for path, text in (
        (folder / "admin", server.admin),
        (folder / "installation.key", new_installation().text()),
        (folder / "rotator.yaml", json.dumps(config)),
    ):
        path.touch(mode=0o600)
        path.write_text(text)
    return folder / "rotator.yaml"
