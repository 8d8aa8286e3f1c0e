"""What the first page of the dashboard takes at the server with 100,000 credentials."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import urllib3

from rotator.adapters.calendar import CronCalendar
from rotator.api.server import Server
from rotator.app.assembly import Assembly
from rotator.app.tokens import new_token
from rotator.config.reading import read_config
from rotator.dashboard.app import routes
from rotator.dashboard.refusing import answer
from rotator.domain.tokens import Role
from tests.bench.daemon import COUNT, written
from tests.bench.figures import Figure

ASKED = 50
PAUSE = 0.2
"""Seconds between two looks: some of them meet a survey of all credentials that is being made."""
PATHS = {"/": 100, "/credentials": None, "/fortnight": None, "/trail": None}
"""Each with its aim in milliseconds, where there is one."""


def run() -> Iterator[Figure]:
    """A real journal and a real socket; the server in a thread of this process, as it is in the daemon's."""
    with tempfile.TemporaryDirectory() as name:
        path = written(Path(name))
        path.write_text(json.dumps({**json.loads(path.read_text()), "listen": "127.0.0.1:0"}))
        config = read_config(path, calendar=CronCalendar())
        with closing(Assembly(config=config)) as assembly:
            token = new_token(assembly, "bench", Role.VIEWER).text
            server = Server(lambda: assembly, config.api, routes_of=routes, answering=answer)
            server.start()
            try:
                host, port = server.address
                http = urllib3.PoolManager(retries=False, timeout=60, headers={"Authorization": f"Bearer {token}"})
                for path_, aim in PATHS.items():
                    yield from _figures(http, f"http://{host}:{port}", path_, aim)
            finally:
                server.stop()


def _figures(http: urllib3.PoolManager, url: str, path: str, aim: int | None) -> Iterator[Figure]:
    first = _took(http, url + path)
    took = []
    for _ in range(ASKED):
        time.sleep(PAUSE)
        took.append(_took(http, url + path))
    note = f"{COUNT} credentials; the first one {first:.0f}, the worst of {ASKED} {max(took):.0f}"
    yield Figure(name=f"dashboard: GET {path}, median", value=statistics.median(took), unit="ms", aim=aim, note=note)
    if aim is not None:
        yield Figure(name=f"dashboard: GET {path}, worst", value=max(first, *took), unit="ms", aim=aim)


def _took(http: urllib3.PoolManager, url: str) -> float:
    began = time.perf_counter()
    found = http.request("GET", url)
    assert found.status == 200, found.status
    return (time.perf_counter() - began) * 1000
