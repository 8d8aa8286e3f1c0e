"""Descriptions for tests: those of this folder and those that ship, and changes to them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import rotator_rest

from rotator.config.describing import read_description

TIMEOUT = timedelta(seconds=60)
OURS = Path(__file__).parent / "descriptions"
SHIPPED = Path(rotator_rest.__file__).parent / "descriptions"


def description(name: str) -> dict[str, Any]:
    """A description's table."""
    path = OURS / f"{name}.yaml"
    table: dict[str, Any] = read_description(path if path.exists() else SHIPPED / f"{name}.yaml", installed=True).value
    return table


def changed(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Another table, with what stands at dotted paths replaced; None takes it out."""
    made: dict[str, Any] = deepcopy(dict(table))
    for at, value in changes.items():
        *around, last = at.split(".")
        inner = made
        for step in around:
            inner = inner[step]
        if value is None:
            inner.pop(last, None)
        else:
            inner[last] = value
    return made
