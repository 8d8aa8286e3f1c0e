"""Due credentials on a keyserver and in files, a journal on PostgreSQL, and replicas that rotate them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.journals import close_journal
from rotator.ports import Change
from rotator.testing.keyserver import KeyserverProcess, Operation
from tests.bench.rotations import write_config
from tests.journal.on_postgres import url_of
from tests.servers.postgres import Database

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One installation."""

    folder: Path
    database: Database
    keyserver: KeyserverProcess
    count: int

    @property
    def config(self) -> Path:
        """The config's path."""
        return self.folder / "rotator.yaml"

    @property
    def names(self) -> list[str]:
        """All credentials, each of which is a principal and a document too."""
        return [f"key-{number:05}" for number in range(self.count)]

    def document(self, name: str) -> str:
        """What consumers read."""
        return str(json.loads((self.folder / "store" / f"{name}.json").read_text())["API_KEY"])

    def mints(self) -> int:
        """Keys asked for so far."""
        return self.keyserver.log.calls()[Operation.MINT]

    def wait_for_mints(self, wanted: int, seconds: float = 300) -> None:
        """Until so many were asked for."""
        deadline = time.monotonic() + seconds
        while self.mints() < wanted:
            assert time.monotonic() < deadline, f"{self.mints()} mints of {wanted}"
            time.sleep(0.05)

    @contextmanager
    def assembly(self) -> Iterator[Assembly]:
        """Put together in this process."""
        made = Assembly(config=load_config(self.config))
        try:
            yield made
        finally:
            close_journal(made)

    @contextmanager
    def replica(self, *options: str, port: int | None = None) -> Iterator[subprocess.Popen[str]]:
        """A replica that waits for `begin`; killed at the end of the block if it still runs. `port`: of a proxy."""
        state = url_of(self.database, port=port)
        command = [sys.executable, "-m", "tests.replicas.worker", str(self.config), state, *options]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()
            process.communicate()

    def begin(self, *replicas: subprocess.Popen[str]) -> None:
        """Let all of them begin, which are ready: one that began before the others might leave them nothing."""
        for process in replicas:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()


def make(
    folder: Path, database: Database, keyserver: KeyserverProcess, count: int, *, lease: str, rate: str | None = None
) -> Scene:
    """So many credentials, adopted and due."""
    config = write_config(folder, keyserver, count)
    content = json.loads(config.read_text())
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text(database.password)
    content["state"] = {"url": url_of(database), "password": "file:password"}
    config.write_text(json.dumps(content))
    scene = Scene(folder=folder, database=database, keyserver=keyserver, count=count)
    with scene.assembly() as assembly, ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: _make_due(assembly, name), scene.names))
    # Only now: a call may take a part of the lease, and to adopt so many at once makes a busy machine slow.
    content["defaults"]["lease"] = lease
    if rate is not None:
        # Without a probe the engine asks nothing past the driver, so every call is one that is limited.
        content["providers"]["ks"].update(rate=rate, probe=False)
    config.write_text(json.dumps(content))
    return scene


def _make_due(assembly: Assembly, name: str) -> None:
    adopt(assembly, assembly.config.credentials[name])
    row, now = assembly.journal.credential(name), assembly.clock.now()
    assembly.journal.save(replace(row, next_due=now - timedelta(minutes=1)), now, Change())
