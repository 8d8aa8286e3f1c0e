"""The worst day: 1,000 credentials at three providers that take 100 ms a call, one of them at 50/s, one at 20/s.

`rotate --all --assume-compromise` as it is typed, a process of its own; figures are read from the keyservers' logs. The
lower bound is the greater of what the rates allow and what the threads can do, with the calls that no emergency can do
without. Beside it, on a tenth of the same, what people do today: a script that goes key by key, and a loop with curl.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import urllib3

from rotator.testing.keyserver import Behaviour, KeyserverProcess, Operation
from tests.bench.figures import Figure
from tests.bench.rotations import CONFIG, private_files

LATENCY, PARALLEL = 0.1, 64
ESTATE: Mapping[str, tuple[int, float | None]] = {"slow": (150, 20.0), "medium": (350, 50.0), "free": (500, None)}
"""By provider, how many credentials it has and how many requests a second it allows."""
SPENT = {
    # What nobody can do without until an old key is dead, call by call, each of them within the provider's rate.
    "list: what belongs": Operation.LIST,
    "the old value works, or its refusal would prove nothing": Operation.RESOURCE,
    "whose it is: with another one for it an innocent key would die": Operation.IDENTIFY,
    "mint": Operation.MINT,
    "the staged value is accepted": Operation.RESOURCE,
    "disable": Operation.DISABLE,
}
BESIDE = {"it still is, in the last minute before the pivot": Operation.RESOURCE}
"""And what the engine asks itself, which is no call of the account that the provider limits."""
CONTAINED = {
    "list: what belongs": Operation.LIST,
    "the old value works, or its refusal would prove nothing": Operation.RESOURCE,
    "whose it is": Operation.IDENTIFY,
    "disable": Operation.DISABLE,
}
ONE_BY_ONE = 10
"""What goes key by key does a tenth, and is reckoned for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deaths:
    """Seconds from the command to its first request, to the first and the last old key that was disabled; megabytes."""

    asked: float
    first: float
    last: float
    memory: float


def run() -> Iterator[Figure]:
    """As it is by default, and with `--contain-first`; and what people do today."""
    yield from _measured("emergency", (), SPENT, first=len(SPENT) + len(BESIDE) + 1)
    yield from _measured("emergency, contain first", ("--contain-first",), CONTAINED, first=3)
    yield from _by_hand("a script key by key", _by_script)
    if shutil.which("curl"):
        yield from _by_hand("a shell loop with curl", _by_curl)


def bound(spent: Mapping[str, Operation]) -> float:
    """Seconds: the greatest of what each rate allows and what the threads can do."""
    rates = [len(spent) * count / rate for count, rate in ESTATE.values() if rate is not None]
    return max(*rates, ceil(sum(count for count, _ in ESTATE.values()) / PARALLEL) * len(spent) * LATENCY)


def _measured(what: str, options: Sequence[str], spent: Mapping[str, Operation], first: int) -> Iterator[Figure]:
    """`first`: the round trips that the first death may take."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as name:
        servers = {each: stack.enter_context(KeyserverProcess(Behaviour())) for each in ESTATE}
        config = _write(Path(name), servers)
        for server in servers.values():
            server.tell(latency=LATENCY)
        deaths = _deaths(config, servers, options)
    lower = bound(spent)
    note = f"{deaths.last:.1f} s over {lower:.1f} s: {sum(count for count, _ in ESTATE.values())} credentials"
    yield Figure(
        name=f"{what}: last death over the lower bound", value=deaths.last / lower, unit="×", aim=1.2, note=note
    )
    trips = (deaths.first - deaths.asked) / LATENCY
    when = f"{deaths.first:.1f} s after the command, whose first request came after {deaths.asked:.1f} s"
    yield Figure(name=f"{what}: first death", value=trips, unit="round trips", aim=first, note=when)
    yield Figure(name=f"{what}: resident memory at most", value=deaths.memory, unit="MB")


def _deaths(config: Path, servers: Mapping[str, KeyserverProcess], options: Sequence[str]) -> Deaths:
    words = ["--all", "--assume-compromise", "--contained", "--yes", "--no-wait", "--json", *options]
    began = time.time()
    command = [str(Path(sys.executable).with_name("rotate")), *words, "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    ends = [
        record.done_at
        for server in servers.values()
        for record in server.log.of(Operation.DISABLE)
        if record.done_at is not None and record.outcome == "ok"
    ]
    asked = [record.received_at for server in servers.values() for record in server.log.of(Operation.LIST)]
    expected = sum(count for count, _ in ESTATE.values())
    if len(ends) < expected:
        raise RuntimeError(f"{len(ends)} of {expected} keys were disabled: {done.stderr[-500:]}")
    return Deaths(asked=min(asked) - began, first=min(ends) - began, last=max(ends) - began, memory=memory)


Replacing = Callable[[KeyserverProcess, Mapping[str, str], Path], None]


def _by_hand(what: str, replace: Replacing) -> Iterator[Figure]:
    """What is done key by key: list, mint, write, try, disable; no rate is in its way."""
    with KeyserverProcess(Behaviour()) as server, tempfile.TemporaryDirectory() as name:
        count = sum(each for each, _ in ESTATE.values()) // ONE_BY_ONE
        keys = {f"key-{number:05}": server.seed_key(f"key-{number:05}")[0] for number in range(count)}
        server.tell(latency=LATENCY)
        began = time.monotonic()
        replace(server, keys, Path(name))
        took = (time.monotonic() - began) * ONE_BY_ONE
        server.tell(latency=0.0)
        disabled = len([record for record in server.log.of(Operation.DISABLE) if record.outcome == "ok"])
    if disabled != count:
        raise RuntimeError(f"{what} disabled {disabled} of {count} keys")
    lower = bound(SPENT)
    note = f"{took:.0f} s for all, reckoned from {count}"
    yield Figure(name=f"emergency, {what}: over the lower bound", value=took / lower, unit="×", note=note)


def _by_script(server: KeyserverProcess, keys: Mapping[str, str], folder: Path) -> None:
    pool = urllib3.PoolManager(headers={"Authorization": f"Bearer {server.admin}"})
    for principal, old in keys.items():
        _replace(pool, server.url, principal, old, folder)


LOOP = Path(__file__).with_name("by_hand.sh")


def _by_curl(server: KeyserverProcess, keys: Mapping[str, str], folder: Path) -> None:
    (folder / "admin").write_text(f"Authorization: Bearer {server.admin}\n")
    (folder / "keys").write_text("".join(f"{principal} {old}\n" for principal, old in keys.items()))
    subprocess.run(["/bin/sh", str(LOOP)], cwd=folder, env={**os.environ, "URL": server.url}, check=True)


def _replace(pool: urllib3.PoolManager, url: str, principal: str, old: str, folder: Path) -> None:
    where = f"{url}/principals/{principal}/keys"
    pool.request("GET", where)
    made = pool.request("POST", where, json={"mark": "script"}).json()  # no retry, or there are two
    (folder / principal).write_text(json.dumps({"API_KEY": made["secret"]}))
    pool.request("GET", f"{url}/resource", headers={"Authorization": f"Bearer {made['secret']}"})
    pool.request("POST", f"{where}/{old}/state", json={"state": "disabled"})


def _write(folder: Path, servers: Mapping[str, KeyserverProcess]) -> Path:
    (folder / "store").mkdir(mode=0o700)
    credentials, providers = {}, {}
    for provider, (count, rate) in ESTATE.items():
        server = servers[provider]
        admin = folder / f"{provider}.admin"
        admin.touch(mode=0o600)
        admin.write_text(server.admin)
        limit = {"rate": f"{rate:g}/s"} if rate is not None else {}
        providers[provider] = {"driver": "keyserver", "admin": f"file:{admin.name}", "base_url": server.url, **limit}
        for number in range(count):
            name = f"{provider}-{number:05}"
            _, secret = server.seed_key(name)
            document = folder / "store" / f"{name}.json"
            document.touch(mode=0o600)
            document.write_text(json.dumps({"API_KEY": secret}))
            credentials[name] = {
                "provider": provider,
                "principal": {"principal": name, "exclusive": True},
                "publish": [{"store": "files", "ref": document.name, "fields": {"API_KEY": "{secret}"}}],
                "policy": "at-once",
            }
    config = {
        **CONFIG,
        "defaults": {"parallel": PARALLEL},
        "providers": providers,
        "stores": {"files": {"driver": "file", "root": "store", "format": "json"}},
        "credentials": credentials,
    }
    return private_files(folder, next(iter(servers.values())), config)
