"""Distributions of strangers, made in a folder as pip would install them, and found like any that is installed."""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

HOSTILE = (Path(__file__).parent / "hostile.py").read_text()


def install(
    folder: Path, name: str, files: Mapping[str, str], *, requires: tuple[str, ...] = (), driver: str | None = None
) -> None:
    """Make `name` 1.0 with these files; `driver`: `module:Class`, as a provider of the distribution's name."""
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    metadata = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        *(f"Requires-Dist: {each}\n" for each in requires),
    ]
    written = {**files, f"{info}/METADATA": "".join(metadata)}
    if driver is not None:
        written[f"{info}/entry_points.txt"] = f"[rotator.providers]\n{name} = {driver}\n"
    record = []
    for path, text in written.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(text)}\n")
    (folder / info / "RECORD").write_text("".join([*record, f"{info}/RECORD,,\n"]))


def found(name: str) -> EntryPoint:
    """The stranger's entry point."""
    (entry,) = entry_points(group="rotator.providers", name=name)
    return entry


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, for distributions; what was imported from it is forgotten afterwards."""
    folder = tmp_path / "strangers"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    try:
        yield folder
    finally:
        for module in set(sys.modules) - before:
            if str(getattr(sys.modules[module], "__file__", "")).startswith(str(folder)):
                del sys.modules[module]
