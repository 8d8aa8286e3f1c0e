"""200 scheduled rotations under consumers that read always, and that cache for nine tenths of the overlap."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.running import Run
from rotator.cli.demo.consumers import Caller, from_store
from rotator.config.installation import new_installation
from rotator.domain.rotation import Mode, Phase
from rotator.engine import starting
from rotator.testing.keyserver import Behaviour, Keyserver

CREDENTIALS, ROUNDS = 10, 20
OVERLAP = 1.0


def _config(folder: Path, keyserver: Keyserver, overlap: str) -> Assembly:
    store = folder / "store"
    store.mkdir(mode=0o700)
    credentials = {}
    for number in range(CREDENTIALS):
        name = f"key-{number}"
        document = store / f"{name}.json"
        document.write_text(json.dumps({"API_KEY": keyserver.seed_key(name)[1]}))
        document.chmod(0o600)
        place = {"store": "files", "ref": document.name, "fields": {"API_KEY": "{secret}"}}
        credentials[name] = {"provider": "ks", "principal": {"principal": name}, "publish": [place], "policy": "quick"}
    policy = {"every": "30d", "overlap": overlap, "quiet_for": "0s", "max_overlap": "1h"}
    config = {
        "state": "sqlite:///rotator.db",
        "installation": {"key": "file:installation.key"},
        "providers": {"ks": {"driver": "keyserver", "admin": "file:admin", "base_url": keyserver.url}},
        "stores": {"files": {"driver": "file", "root": "store", "format": "json"}},
        "policies": {"quick": policy},
        "credentials": credentials,
    }
    for name, text in (
        ("admin", keyserver.admin),
        ("installation.key", new_installation().text()),
        ("rotator.yaml", json.dumps(config)),
    ):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    return Assembly(config=load_config(folder / "rotator.yaml"))


@contextmanager
def _running(assembly: Assembly) -> Iterator[None]:
    run = Run(assembly=assembly, owner="test", parallel=CREDENTIALS)
    thread = threading.Thread(target=run.until, args=(lambda: False,))
    thread.start()
    try:
        yield
    finally:
        run.stop()
        thread.join()


def _rotate(assembly: Assembly, rounds: int) -> int:
    """So many rotations of each credential, one after the other; returns how many were done."""
    done = 0
    for _ in range(rounds):
        names = list(assembly.config.credentials)
        rows = [
            starting.start(
                assembly.config.credentials[name],
                assembly.journal,
                assembly.ids,
                assembly.clock,
                mode=Mode.SCHEDULED,
                reason="due",
            )
            for name in names
        ]
        assert all(row is not None for row in rows)
        pause = threading.Event()
        for _ in range(1200):
            if all(assembly.journal.open_rotation(name) is None for name in names):
                break
            pause.wait(0.05)
        ended = [assembly.journal.rotation(row.id) for row in rows if row is not None]
        done += sum(row is not None and row.phase is Phase.DONE for row in ended)
    return done


class Read:
    """The store's value, read anew when what is remembered is older than so many seconds; and when it was read."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._read, self._seconds = from_store(path), seconds
        self.at, self._text = time.monotonic(), self._read()

    def __call__(self) -> str:
        if time.monotonic() - self.at >= self._seconds:
            self.at, self._text = time.monotonic(), self._read()
        return self._text


@dataclass(kw_only=True)
class Consumer(Caller):
    """`late`: refusals of a value that a busy machine let it use for longer than an overlap, which says nothing."""

    key: Read
    late: int = 0

    def call(self) -> bool:
        """As it does, and looks at the time."""
        answered = super().call()
        self.late += not answered and time.monotonic() - self.key.at > OVERLAP
        return answered


def _callers(folder: Path, url: str, cache: float) -> list[Consumer]:
    callers = []
    for number in range(CREDENTIALS):
        document = folder / "store" / f"key-{number}.json"
        callers.append(Consumer(name=f"reader-{number}", url=url, key=Read(document, 0.0), pace=0.05))
        callers.append(Consumer(name=f"cacher-{number}", url=url, key=Read(document, cache), pace=0.05))
    return callers


def _play(tmp_path: Path, *, overlap: str, rounds: int) -> tuple[int, int, int]:
    """(rotations done, calls made, calls that failed)."""
    with Keyserver(Behaviour()) as keyserver:
        assembly = _config(tmp_path, keyserver, overlap)
        for spec in assembly.config.credentials.values():
            adopt(assembly, spec)
        callers = _callers(tmp_path, keyserver.url, 0.9 * OVERLAP)
        with ExitStack() as stack:
            for caller in callers:
                stack.callback(caller.start().stop)
            with _running(assembly):
                done = _rotate(assembly, rounds)
        refused = keyserver.log.failed_resource_calls()
        failed = sum(refused.get(caller.name, 0) - caller.late for caller in callers)
        return done, sum(caller.calls for caller in callers), failed


@pytest.mark.stand_in("API provider: keyserver")
def test_no_call_fails_through_two_hundred_rotations(tmp_path: Path) -> None:
    done, calls, failed = _play(tmp_path, overlap="1s", rounds=ROUNDS)
    assert done == CREDENTIALS * ROUNDS
    assert calls > 1000
    assert failed == 0


@pytest.mark.stand_in("API provider: keyserver")
def test_without_an_overlap_who_caches_fails_visibly(tmp_path: Path) -> None:
    done, _, failed = _play(tmp_path, overlap="0s", rounds=2)
    assert done == CREDENTIALS * 2
    assert failed > 0
