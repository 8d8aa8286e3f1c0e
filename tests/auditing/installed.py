"""Folders like `site-packages` for tests, made by hand as an installer would."""

from __future__ import annotations

import json
from pathlib import Path


def install(
    folder: Path, name: str, version: str | None, *files: str, editable: bool = False, record: bool = True
) -> Path:
    """Write the metadata of a distribution; `files`: what its RECORD lists besides."""
    info = folder / f"{name.replace('-', '_')}-{version or 'x'}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", *([f"Version: {version}"] if version is not None else [])]
    (info / "METADATA").write_text("\n".join([*lines, ""]))
    if record:
        (info / "RECORD").write_text("".join(f"{each},,\n" for each in (*files, f"{info.name}/METADATA")))
    if editable:
        (info / "direct_url.json").write_text(json.dumps({"url": "file:///src", "dir_info": {"editable": True}}))
    return folder
