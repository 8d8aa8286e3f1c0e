"""The few files that pages need besides: each by name in this list, and each under a name that its content changes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

STATIC = Path(__file__).parent / "static"
KINDS: Final = {
    "style.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""All there are, and what each is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One of them. `wanted`: its name in templates; `name`: under which it is served, and never another content."""

    wanted: str
    name: str
    kind: str
    content: bytes

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/static/{self.name}"


def _read(wanted: str, kind: str) -> File:
    content = (STATIC / wanted).read_bytes()
    stem, _, ending = wanted.rpartition(".")
    name = f"{stem}.{hashlib.sha256(content).hexdigest()[:16]}.{ending}"
    return File(wanted=wanted, name=name, kind=kind, content=content)


FILES: Final[Mapping[str, File]] = {each.name: each for each in (_read(*each) for each in KINDS.items())}
"""By the name under which each is served."""
