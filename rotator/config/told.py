"""Changes of a config as a person reads them who decides about them: all of each, and no secret that slipped in.

Letters that are not ASCII are written as escapes, because some of them look like others and name another host. What
could be a secret is left out as everywhere; a digest stands beside it, so that two of them are told apart.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from rotator.config.changes import Absent, Path
from rotator.config.secrecy import dotted, masked
from rotator.config.sensitivity import Step


def text_of(value: Any) -> str | None:
    """What stands or stood there; None where nothing did."""
    if isinstance(value, Absent):
        return None
    text = json.dumps(value, ensure_ascii=True)
    return _told_apart(text, masked(text))


def key_of(path: Path) -> str:
    """Which key it is."""
    steps = tuple(_escaped(step) for step in path)
    return _told_apart(".".join(map(str, steps)), dotted(steps))


def _escaped(step: Step) -> Step:
    return step if isinstance(step, int) else json.dumps(step, ensure_ascii=True)[1:-1]


def _told_apart(text: str, shown: str) -> str:
    if "…" not in shown:
        return shown
    return f"{shown} (sha256 {sha256(text.encode()).hexdigest()[:12]})"
