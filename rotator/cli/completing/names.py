"""Names for a shell: read from the config's text alone, so that nothing is imported and nobody is asked.

What a config may hold is data: a name that a shell could take for more than a name is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rotator.config.including import load_document

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,199}")


def names(path: Path, kind: str) -> list[str]:
    """The names of a kind, sorted. Raises `ConfigError` when the config cannot be read."""
    data = load_document(path).value
    found = set(_found(data, kind)) if isinstance(data, Mapping) else set()
    return sorted(each for each in found if _PLAIN.fullmatch(each))


def _found(data: Mapping[str, Any], kind: str) -> Iterator[str]:
    if kind in ("credentials", "providers", "stores"):
        yield from (str(each) for each in _mapping(data.get(kind)))
        return
    for each in _mapping(data.get("credentials")).values():
        given = _mapping(each)
        if kind == "owners" and isinstance(given.get("owner"), str):
            yield given["owner"]
        found = given.get(kind) if kind in ("tags", "consumers") else None
        yield from (str(word) for word in found) if isinstance(found, list) else ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
