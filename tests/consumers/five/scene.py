"""Five stores of five kinds with the same credentials in each, and processes that read them all the time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.running import Run
from rotator.config.installation import new_installation
from rotator.domain.rotation import Mode, Phase
from rotator.engine import starting
from rotator.testing.keyserver import KeyserverProcess
from tests.consumers.five.readers import Counted
from tests.servers.aws import REGION
from tests.servers.openbao import OpenBaoServer
from tests.stores.gcp_access import PARENT, PROJECT

ROOT = Path(__file__).parents[3]
STORES = ("vault", "aws", "gcp", "kubernetes", "files")
READ = {
    "vault": ("vault", {}),
    "aws": ("aws", {"region": REGION}),
    "gcp, latest": ("gcp", {"version": "latest", "parent": PARENT}),
    "gcp, alias": ("gcp", {"version": "current", "parent": PARENT}),
    "kubernetes": ("kubernetes", {}),
    "file": ("files", {}),
}
"""The readers by name: of which store, and how."""

PACE = 120.0
"""Reads a second that each reader is after: a fifth more than is asked for, so that it can make up for a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All of it. `where`: each store, as whoever may do everything there reaches it."""

    assembly: Assembly
    keyserver: KeyserverProcess
    where: Mapping[str, Mapping[str, str]]
    refs: Sequence[str]
    overlap: float

    def order(self, reader: str, keeps: float) -> dict[str, Any]:
        """What a process is told that is to be this reader."""
        store, how = READ[reader]
        where = {**self.where[store], **how}
        lasts = self.overlap or 3600.0  # without an overlap every refusal counts
        more = {"pace": PACE, "keeps": keeps, "lasts": lasts, "url": self.keyserver.url, "refs": list(self.refs)}
        kind = "file" if store == "files" else store
        return {"name": reader, "kind": kind, "where": where, **more}


@contextmanager
def five_stores(
    folder: Path,
    server: OpenBaoServer,
    mount: str,
    *,
    overlap: float,
    publish: Mapping[str, Collection[str]],
) -> Iterator[Scene]:
    """`publish`: the credentials by name, and the stores that each is published to; every store holds it.

    `overlap`: in seconds.
    """
    with ExitStack() as ending:
        keyserver = ending.enter_context(KeyserverProcess())
        refs = {name: f"prod/{name}" for name in publish}
        documents = {refs[name]: {"API_KEY": keyserver.seed_key(name)[1], "OTHER": "theirs"} for name in publish}
        command = [sys.executable, "-m", "tests.consumers.five.stand_ins"]
        started = {
            name: ending.enter_context(_process([*command, name], json.dumps(documents)))
            for name in ("aws", "gcp", "kubernetes")
        }
        where = {name: json.loads(_line(process)) for name, process in started.items()}
        where["vault"] = {"address": server.address, "mount": mount, "token": server.token}
        where["files"] = {"root": str(folder / "store")}
        for ref, document in documents.items():
            server.request("POST", f"{mount}/data/{ref}", {"data": document})
            _write(folder / "store" / ref, json.dumps(document))
        assembly = _assembly(folder, keyserver, where, f"{overlap}s", publish)
        ending.callback(assembly.close)
        for spec in assembly.config.credentials.values():
            adopt(assembly, spec)
        yield Scene(assembly=assembly, keyserver=keyserver, where=where, refs=list(refs.values()), overlap=overlap)


def _assembly(
    folder: Path,
    keyserver: KeyserverProcess,
    where: Mapping[str, Mapping[str, str]],
    overlap: str,
    publish: Mapping[str, Collection[str]],
) -> Assembly:
    aws, gcp, cluster, vault = (where[name] for name in ("aws", "gcp", "kubernetes", "vault"))
    files = {
        "admin": keyserver.admin,
        "installation.key": new_installation().text(),
        "vault-token": vault["token"],
        "aws-id": aws["key_id"],
        "aws-secret": aws["secret"],
        "gcp-token": gcp["token"],
        "cluster-token": cluster["token"],
    }
    static = {"method": "static", "access_key_id": "file:aws-id", "secret_access_key": "file:aws-secret"}
    stores: dict[str, dict[str, Any]] = {
        "vault": {"address": vault["address"], "mount": vault["mount"], "auth": _token("vault-token")},
        "aws": {"region": REGION, "endpoint_url": aws["address"], "auth": static},
        "gcp": {
            "project": PROJECT,
            "endpoint": gcp["address"],
            "auth": {"method": "access_token", "token": "file:gcp-token"},
        },
        "kubernetes": {"address": cluster["address"], "auth": _token("cluster-token")},
        "files": {"driver": "file", "root": "store", "format": "json"},
    }
    credentials = {
        name: {
            "provider": "ks",
            "principal": {"principal": name},
            "policy": "quick",
            "publish": [{"store": s, "ref": f"prod/{name}", "fields": {"API_KEY": "{secret}"}} for s in chosen],
        }
        for name, chosen in publish.items()
    }
    policy = {"every": "30d", "overlap": overlap, "quiet_for": "0s", "max_overlap": "1h"}
    config = {
        "state": "sqlite:///rotator.db",
        "installation": {"key": "file:installation.key"},
        "providers": {"ks": {"driver": "keyserver", "admin": "file:admin", "base_url": keyserver.url}},
        "stores": {name: {"driver": name} | settings for name, settings in stores.items()},
        "policies": {"quick": policy},
        "credentials": credentials,
    }
    for name, text in {**files, "rotator.yaml": json.dumps(config)}.items():
        _write(folder / name, text)
    return Assembly(config=load_config(folder / "rotator.yaml"))


def _token(file: str) -> dict[str, str]:
    return {"method": "token", "token": f"file:{file}"}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


@contextmanager
def _process(command: Sequence[str], order: str) -> Iterator[subprocess.Popen[str]]:
    """One that was told its order, ends when its input does, and is gone afterwards."""
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(order + "\n")
            process.stdin.flush()
            yield process
            process.stdin.close()
            process.wait(timeout=20)
        finally:
            process.kill()


class Readers:
    """A process for each reader."""

    def __init__(self, processes: Mapping[str, subprocess.Popen[str]]) -> None:
        self._processes = processes

    def counted(self) -> dict[str, Counted]:
        """What each has counted until now."""
        return {name: Counted(**json.loads(_ask(process))) for name, process in self._processes.items()}


@contextmanager
def reading(scene: Scene, keeps: float) -> Iterator[Readers]:
    """All readers read, each with a companion that calls with what it read so many seconds ago."""
    command = [sys.executable, "-m", "tests.consumers.five.readers"]
    with ExitStack() as ending:
        orders = {name: json.dumps(scene.order(name, keeps)) for name in READ}
        processes = {name: ending.enter_context(_process(command, order)) for name, order in orders.items()}
        for process in processes.values():
            assert _line(process) == "ready\n"
        yield Readers(processes)


def _ask(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    process.stdin.write("counted\n")
    process.stdin.flush()
    return _line(process)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@contextmanager
def running(assembly: Assembly) -> Iterator[None]:
    """The rotator's own process, as a thread."""
    run = Run(assembly=assembly, owner="test", parallel=8)
    thread = threading.Thread(target=run.until, args=(lambda: False,))
    thread.start()
    try:
        yield
    finally:
        run.stop()
        thread.join()
    assert run.failures == {}


def rotate_each(assembly: Assembly, seconds: float = 60) -> int:
    """One rotation of each credential, all at the same time; how many there were, and all are done in this time."""
    rows = [
        starting.start(spec, assembly.journal, assembly.ids, assembly.clock, mode=Mode.SCHEDULED, reason="due")
        for spec in assembly.config.credentials.values()
    ]
    assert all(row is not None for row in rows)
    deadline = time.monotonic() + seconds
    while any(assembly.journal.open_rotation(name) for name in assembly.config.credentials):
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    ended = [assembly.journal.rotation(row.id) for row in rows if row is not None]
    undone = [
        (row.credential, row.phase, row.problem) for row in ended if row is not None and row.phase is not Phase.DONE
    ]
    assert not undone, undone
    return len(ended)
