"""Contracts as they are, over drivers that are processes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from rotator.ports import Provider
from tests.isolation.children import Start

ALWAYS = {
    "test_a_minted_key_is_listed_works_and_is_identified",
    "test_a_deleted_key_is_refused_for_ever_and_gone",
    "test_a_wrong_admin_credential_is_denied_and_nothing_is_made",
}
"""What `make test` runs of the contract; the rest is `slow`."""


class Apart:
    """A contract whose drivers are made in processes: where it calls `from_settings`, a process is started."""

    entry: ClassVar[str]
    kind: ClassVar[type]

    @pytest.fixture(autouse=True)
    def _in_a_process(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        def begin(name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Provider:
            return start(self.entry, _written(settings), admin=admin, seconds=timeout.total_seconds())

        monkeypatch.setattr(self.kind, "from_settings", staticmethod(begin))


def _written(settings: Any) -> Any:
    """As a config has it: durations are text there."""
    if isinstance(settings, timedelta):
        return f"{math.ceil(settings.total_seconds())}s"  # longer than a stand-in's window does no harm
    if isinstance(settings, Mapping):
        return {name: _written(each) for name, each in settings.items()}
    return [_written(each) for each in settings] if isinstance(settings, list | tuple) else settings
