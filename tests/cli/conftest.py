"""A keyserver that does everything right, and a folder with one credential over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import Scene, make


@pytest.fixture
def keyserver() -> Iterator[Keyserver]:
    with Keyserver(Behaviour()) as server:
        yield server


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver) -> Scene:
    return make(tmp_path, keyserver)
