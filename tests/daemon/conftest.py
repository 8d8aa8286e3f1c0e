"""A keyserver that does everything right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.servers.process import reserved_port


@pytest.fixture
def keyserver() -> Iterator[Keyserver]:
    with Keyserver(Behaviour()) as server:
        yield server


@pytest.fixture
def port() -> Iterator[int]:
    """One that the daemon may have, and nobody else."""
    with reserved_port() as reserved:
        yield reserved
