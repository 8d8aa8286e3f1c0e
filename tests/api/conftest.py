"""A real API on a real socket, over a folder with two owners' credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import urllib3

from rotator.adapters.calendar import CronCalendar
from rotator.adapters.machine import MachineClock
from rotator.api.limits import Limits
from rotator.api.server import Server
from rotator.app.assembly import Assembly
from rotator.app.tokens import new_token
from rotator.config.reading import read_config
from rotator.domain.tokens import Role
from rotator.ports import Clock
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import Scene, environment, make

MINE, THEIRS = "llm-prod", "db-prod"
QUICK = Limits(
    connections=20,
    of_one_address=20,
    request=timedelta(seconds=1),
    reading=timedelta(seconds=1),
    idle=timedelta(seconds=2),
)


@dataclass(kw_only=True)
class Api:
    """A server and tokens by what they may: `viewer`, `operator`, `responder`, `mine` (scoped), `web`."""

    scene: Scene
    assembly: Assembly
    server: Server
    tokens: dict[str, str]
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=30))

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self.server.address
        return f"http://{host}:{port}"

    def call(self, method: str, path: str, who: str | None = "viewer", **options: Any) -> Any:
        """The answer. `who`: whose token; None: none."""
        headers = dict(options.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens.get(who, who)}"
        return self.http.request(method, self.url + path, headers=headers, **options)

    def get(self, path: str, who: str | None = "viewer") -> Any:
        """The answer's JSON."""
        answer = self.call("GET", path, who)
        assert answer.status == 200, answer.data
        return answer.json()

    def post(self, path: str, body: Any, who: str | None = "operator", **options: Any) -> Any:
        """The answer."""
        return self.call("POST", path, who, json=body, **options)


@contextmanager
def served(
    scene: Scene, *, limits: Limits | None = None, clock: Clock | None = None, made: Callable[..., Server] = Server
) -> Iterator[Api]:
    """The API over a scene's folder, in this process. `made`: with pages, too."""
    with environment(scene.environment()):
        config = read_config(scene.config, calendar=CronCalendar())
    with closing(Assembly(config=config, clock=clock or MachineClock())) as assembly:
        server = made(lambda: assembly, config.api, limits=limits)
        tokens = {
            "viewer": new_token(assembly, "anna", Role.VIEWER).text,
            "operator": new_token(assembly, "bert", Role.OPERATOR).text,
            "responder": new_token(assembly, "cleo", Role.RESPONDER).text,
            "mine": new_token(assembly, "dora", Role.RESPONDER, owners=["team-ml"]).text,
            "web": new_token(assembly, "web-ci", Role.CONSUMER, consumer="web").text,
        }
        server.start()
        try:
            yield Api(scene=scene, assembly=assembly, server=server, tokens=tokens)
        finally:
            server.stop()


@pytest.fixture
def two_owners(tmp_path: Path, keyserver: Keyserver) -> Scene:
    scene = make(tmp_path, keyserver, (MINE, THEIRS))
    scene.credential(MINE, owner="team-ml", consumers=["agents"])
    scene.credential(THEIRS, owner="team-db", consumers=["web"])
    scene.rewrite(listen="127.0.0.1:0", consumers={"web": {"lockfiles": ["web/requirements.txt"]}, "agents": {}})
    return scene


@pytest.fixture
def keyserver() -> Iterator[Keyserver]:
    with Keyserver(Behaviour()) as server:
        yield server


@pytest.fixture
def api(two_owners: Scene) -> Iterator[Api]:
    with served(two_owners, limits=Limits(failed_logins=1000)) as running:
        yield running
