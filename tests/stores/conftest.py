"""Fixtures for the stores."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from rotator.adapters.stores.vault import auth, lease, token


@pytest.fixture
def put_forward(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Put forward, by so many seconds, the clock by which the vault store knows its token's age; not the server's."""
    ahead = 0.0

    def forward(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead)
    for module in (auth, lease, token):
        monkeypatch.setattr(module, "time", clock)
    return forward
