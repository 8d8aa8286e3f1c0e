"""The daemon's pages on a real socket, and browsers that are no more than a jar with one cookie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from rotator.adapters.machine import MachineClock
from rotator.api.limits import Limits
from rotator.api.server import Server
from rotator.dashboard.app import routes
from rotator.dashboard.refusing import answer
from rotator.dashboard.visitors import COOKIE
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.api.conftest import MINE, THEIRS, Api, served
from tests.cli.scene import Scene, make

FORM = "application/x-www-form-urlencoded"
GREETED = re.compile(r"(?:<bdi>|Sign out )([^<]+)")
_CSRF = re.compile(r'name="csrf" value="([^"]*)"')


class MovedClock(MachineClock):
    """The machine's clock, set so far ahead; `slept`: how long the machine went on besides."""

    def __init__(self) -> None:
        self.ahead = self.slept = timedelta(0)

    def now(self) -> Any:
        """As set."""
        return super().now() + self.ahead

    def boottime(self) -> float:
        """Nobody sets it."""
        return super().boottime() + self.slept.total_seconds()


@dataclass(kw_only=True)
class Browser:
    """One that keeps the session's cookie and sends what browsers send."""

    api: Api
    cookie: str = ""
    csrf: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Any:
        """A page that a person goes to."""
        return self._ask("GET", path, headers)

    def send(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Any:
        """A form of a page of ours; with its seal, unless the fields have one."""
        whole = {"csrf": self.csrf, **(fields or {})}
        return self.post(path, urlencode(whole), **headers)

    def post(self, path: str, body: str | bytes, **headers: str) -> Any:
        """Anything; a header without a text is left out."""
        own = {"Origin": self.api.url, "Content-Type": FORM, "Sec-Fetch-Site": "same-origin"}
        return self._ask("POST", path, {**own, **headers}, body=body)

    def sign_in(self, who: str, **fields: str) -> Any:
        """With somebody's token."""
        done = self.send("/sign-in", {"token": self.api.tokens.get(who, who), "to": "/", **fields})
        if done.status == 303:
            self.csrf = self.seal()
        return done

    def seal(self) -> str:
        """What the forms of its pages have."""
        found = _CSRF.search(self.get("/").data.decode())
        assert found is not None
        return unescape(found[1])

    def _ask(self, method: str, path: str, headers: dict[str, str], **more: Any) -> Any:
        whole = {**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        if self.cookie and "Cookie" not in whole:
            whole["Cookie"] = f"{COOKIE}={self.cookie}"
        sent = {name: text for name, text in whole.items() if text}
        done = self.api.http.request(method, self.api.url + path, headers=sent, redirect=False, **more)
        for each in done.headers.getlist("set-cookie"):
            self.cookie = each.partition(";")[0].removeprefix(f"{COOKIE}=")
        return done


def who_is(browser: Browser) -> str:
    """Whom a page greets; empty: nobody."""
    done = browser.get("/")
    found = GREETED.search(done.data.decode()) if done.status == 200 else None
    return unescape(found[1]) if found is not None else ""


@contextmanager
def dashboard(scene: Scene, clock: MachineClock | None = None, *, failed_logins: int = 10_000) -> Iterator[Api]:
    """The API and its pages."""
    made = partial(Server, routes_of=routes, answering=answer)
    limits = Limits(failed_logins=failed_logins, failed_in_all=10_000)
    with served(scene, limits=limits, clock=clock, made=made) as running:
        yield running


@pytest.fixture(scope="module")
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """For tests that change nothing, or only what each of them makes."""
    with Keyserver(Behaviour()) as server:
        yield scene_of(tmp_path_factory.mktemp("dashboard"), server)


@pytest.fixture(scope="module")
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(scope="module")
def shared(shared_scene: Scene, clock: MovedClock) -> Iterator[Api]:
    with dashboard(shared_scene, clock) as running:
        yield running


@pytest.fixture
def api(shared: Api, clock: MovedClock) -> Iterator[Api]:
    """With the time as it is."""
    clock.ahead = clock.slept = timedelta(0)
    yield shared
    clock.ahead = clock.slept = timedelta(0)


@pytest.fixture
def browser(api: Api) -> Browser:
    return Browser(api=api)


@pytest.fixture
def operator(browser: Browser) -> Browser:
    browser.sign_in("operator")
    return browser


@pytest.fixture
def responder(browser: Browser) -> Browser:
    browser.sign_in("responder")
    return browser


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Api]:
    """A server of its own, for what changes more than a word about a credential."""
    with Keyserver(Behaviour()) as keyserver, dashboard(scene_of(tmp_path, keyserver)) as running:
        yield running


def scene_of(folder: Path, keyserver: Keyserver) -> Scene:
    """Two owners, a credential each, and what listens."""
    scene = make(folder, keyserver, (MINE, THEIRS))
    scene.credential(MINE, owner="team-ml", consumers=["agents"])
    scene.credential(THEIRS, owner="team-db", consumers=["web"])
    scene.rewrite(listen="127.0.0.1:0", consumers={"web": {"lockfiles": ["web/requirements.txt"]}, "agents": {}})
    return scene
