"""A folder with one credential over a keyserver, its config put together, and its metrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.adapters.metrics.counting import Counts
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.metrics import Metrics
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import Scene, make


@pytest.fixture
def keyserver() -> Iterator[Keyserver]:
    with Keyserver(Behaviour()) as server:
        yield server


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver) -> Scene:
    return make(tmp_path, keyserver)


@pytest.fixture
def assembly(scene: Scene) -> Iterator[Assembly]:
    """The scene's config, put together, with counts of its own."""
    made = Assembly(config=load_config(scene.config), counts=Counts())
    yield made
    made.close()


@pytest.fixture
def metrics(assembly: Assembly) -> Metrics:
    return Metrics(lambda: assembly, counts=assembly.counts)
