"""OSV records for tests, and the real ones."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.packages import PYPI, Component, Package

REAL = "osv-pypi-2026-04.zip"
MODIFIED = "2026-03-26T09:53:17Z"


def real_feed() -> Path:
    """The real records; skips where they are not there (`$ROTATOR_DATA` may say where they are)."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("ROTATOR_DATA") or beside) / REAL
    if not path.is_file():
        pytest.skip(f"the real advisories are not there: {REAL}")
    return path


def osv(name: str = "GHSA-1", *affected: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One record."""
    return {"schema_version": "1.7.4", "id": name, "modified": MODIFIED, "affected": list(affected), **more}


def about(
    name: str = "rocket", *, ecosystem: str = PYPI, versions: list[str] | None = None, **ranges: list[dict[str, str]]
) -> dict[str, Any]:
    """One package of a record; `ECOSYSTEM=[{"introduced": "0"}]`."""
    found: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": name}}
    if versions is not None:
        found["versions"] = versions
    if ranges:
        found["ranges"] = [{"type": kind, "events": events} for kind, events in ranges.items()]
    return found


def component(name: str = "rocket", version: str = "1.0", ecosystem: str = PYPI, **more: Any) -> Component:
    """One component."""
    return Component(package=Package.of(ecosystem, name), version=version, **more)


def in_zip(path: Path, *records: Any) -> Path:
    """A zip of these; bytes are written as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for at, each in enumerate(records):
            name = each["id"] if isinstance(each, dict) and "id" in each else str(at)
            archive.writestr(f"{name}.json", each if isinstance(each, bytes) else json.dumps(each))
    return path


def in_folder(path: Path, *records: Any) -> Path:
    """A folder of these."""
    path.mkdir(parents=True, exist_ok=True)
    for at, each in enumerate(records):
        (path / f"{at}.json").write_bytes(each if isinstance(each, bytes) else json.dumps(each).encode())
    return path
