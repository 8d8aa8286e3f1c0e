"""Fixtures for configs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.folder import Folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """An empty folder; the environment overrides nothing."""
    for name in ("CONFIG", "STATE", "PARALLEL", "LOG", "LISTEN"):
        monkeypatch.delenv(f"ROTATOR_{name}", raising=False)
    return Folder(tmp_path)
