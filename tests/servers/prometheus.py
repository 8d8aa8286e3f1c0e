"""A throwaway Prometheus and Alertmanager: the system's programs, else Debian's (`tests.servers.debian`)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import urllib3

from tests.servers import started
from tests.servers.debian import find, home, surroundings
from tests.servers.process import Kept, Order, new_directory, on_a_free_port

PROMETHEUS, ALERTMANAGER = "Prometheus", "Alertmanager"
TEMPLATES = "usr/share/prometheus/alertmanager"
"""Where Debian's Alertmanager has its templates, written down in the program."""


class WebServer:
    """A running server with an HTTP API. Stopping it twice is harmless; it stops by itself when this process ends."""

    def __init__(self, kept: Kept, port: int) -> None:
        """Wait until it is ready. Raises `StartFailed`."""
        self._kept = kept
        self.port = port
        self.http = urllib3.PoolManager(retries=False, timeout=30)
        kept.wait_until(self._ready)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, **query: str) -> Any:
        """The answer to a GET, which is JSON, whatever its status."""
        return json.loads(self.http.request("GET", self.url + path, fields=query).data)

    def stop(self) -> None:
        """End it and remove its files."""
        self._kept.close()

    def _ready(self) -> bool:
        try:
            return self.http.request("GET", self.url + "/-/ready").status == 200
        except urllib3.exceptions.HTTPError:
            return False


def start_prometheus(config: Mapping[str, Any], rules: Mapping[str, Any]) -> WebServer:
    """One with this configuration and these rules; takes half a second. Raises `Unavailable`, `StartFailed`."""
    program = find("prometheus")

    def write(directory: Path) -> list[str]:
        (directory / "rules.yaml").write_text(json.dumps(rules))
        (directory / "prometheus.yml").write_text(json.dumps({**config, "rule_files": ["rules.yaml"]}))
        storage = [f"--storage.tsdb.path={directory}/data", "--storage.tsdb.retention.time=1h"]
        return [f"--config.file={directory}/prometheus.yml", *storage]

    return _start(PROMETHEUS, program, write)


def start_alertmanager(config: Mapping[str, Any]) -> WebServer:
    """One with this configuration, and without a cluster. Raises `Unavailable`, `StartFailed`."""
    program = find("prometheus-alertmanager")

    def write(directory: Path) -> list[str]:
        if home(program) != Path("/"):
            _take_along(program, directory)
        (directory / "alertmanager.yml").write_text(json.dumps(config))
        apart = ["--cluster.listen-address=", f"--storage.path={directory}/data"]
        return [f"--config.file={directory}/alertmanager.yml", *apart]

    return _start(ALERTMANAGER, program, write)


def promtool(*arguments: str, cwd: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run the checker of rules and metrics. Raises `Unavailable`."""
    program = find("promtool")
    started.setdefault(PROMETHEUS, _version(program))
    done = subprocess.run(
        [str(program), *arguments],
        cwd=cwd,
        env=surroundings(program),
        input=stdin,
        capture_output=True,
        timeout=300,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def _start(name: str, program: Path, write: Callable[[Path], list[str]]) -> WebServer:
    def on(port: int) -> WebServer:
        directory = new_directory("prometheus")
        options, own = write(directory), directory / program.name
        order = Order(
            directory=str(directory),
            command=[str(own if own.exists() else program), *options, f"--web.listen-address=127.0.0.1:{port}"],
            env={**surroundings(program), "LC_ALL": "C"},
        )
        kept = Kept(order)
        try:
            return WebServer(kept, port)
        except BaseException:
            kept.close()
            raise

    server = on_a_free_port(on)
    started[name] = _version(program)
    return server


def _take_along(program: Path, directory: Path) -> None:
    """A copy of an unpacked program that finds its templates in its working directory."""
    for template in (home(program) / TEMPLATES).glob("*.tmpl"):
        shutil.copy(template, directory)
    there = f"/{TEMPLATES}".encode()
    here = b"." + b"/" * (len(there) - 1)
    copy = directory / program.name
    copy.write_bytes(program.read_bytes().replace(there, here))
    copy.chmod(0o755)


def _version(program: Path) -> str:
    done = subprocess.run(
        [str(program), "--version"],
        env=surroundings(program),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = re.search(r"version ([0-9.]+)", done.stdout + done.stderr)
    assert found is not None
    return found[1]
