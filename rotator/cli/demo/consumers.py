"""The demo's consumers and its thief: threads that call the keyserver's resource with what they believe is the key."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(kw_only=True)
class Caller:
    """Calls the resource every `pace` seconds with the key that `key` returns, and counts what it is answered."""

    name: str
    url: str
    key: Callable[[], str]
    pace: float = 0.05
    calls: int = 0
    refused: int = 0
    refused_since: float | None = None
    on_refusal: Callable[[], None] = lambda: None  # told of the first of an unbroken run
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> Caller:
        """Begin to call."""
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop calling; returns when the last call is over."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self.pace):
            self.call()

    def call(self) -> bool:
        """One call; whether it was answered."""
        request = urllib.request.Request(  # noqa: S310 - the keyserver of this demo
            f"{self.url}/resource",
            headers={"Authorization": f"Bearer {self.key()}", "X-Consumer": self.name},
        )
        self.calls += 1
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310
                self.refused_since = None
                return True
        except urllib.error.HTTPError:
            self.refused += 1
            if self.refused_since is None:
                self.refused_since = time.monotonic()
                self.on_refusal()
            return False


def from_store(path: Path) -> Callable[[], str]:
    """Reads the store for every call."""
    return lambda: str(json.loads(path.read_text())["API_KEY"])


def cached(path: Path, seconds: float) -> Callable[[], str]:
    """Reads the store when what it remembers is older than so many seconds."""
    read = from_store(path)
    remembered = read()
    since = time.monotonic()

    def key() -> str:
        nonlocal remembered, since
        if time.monotonic() - since >= seconds:
            remembered, since = read(), time.monotonic()
        return remembered

    return key


def once(path: Path) -> Callable[[], str]:
    """Read the store when it started, and never again."""
    remembered = from_store(path)()
    return lambda: remembered
