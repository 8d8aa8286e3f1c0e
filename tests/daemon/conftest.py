"""A keyserver that does everything right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver


@pytest.fixture
def keyserver() -> Iterator[Keyserver]:
    with Keyserver(Behaviour()) as server:
        yield server
