"""Which tool wrote a file of results, and what it says. What none of them wrote is never taken for an empty one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rotator.adapters.results import guarddog, osv_scanner, pip_audit
from rotator.domain.failures import Permanent
from rotator.domain.findings import Imported

MOST_BYTES = 64 * 1024 * 1024
_HINT = "write it with pip-audit -f json, osv-scanner --format json or guarddog --output-format json"

_TOOLS: tuple[tuple[str, Callable[[Any], bool], Callable[[Any, str], Imported]], ...] = (
    (pip_audit.NAME, pip_audit.recognises, pip_audit.read),
    (osv_scanner.NAME, osv_scanner.recognises, osv_scanner.read),
    (guarddog.NAME, guarddog.recognises, guarddog.read),
)


def read_results(path: Path) -> Imported:
    """Read a file of results. Raises `Permanent`."""
    found = _json(path)
    for name, recognises, read in _TOOLS:
        if recognises(found):
            try:
                return read(found, str(path))
            except (KeyError, TypeError, ValueError, AttributeError):
                raise Permanent(f"{path} looks like {name}'s, and is not as it writes", _HINT) from None
    raise Permanent(f"{path} holds no results that are known here", _HINT)


def _json(path: Path) -> Any:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise Permanent(f"{path} is no file", _HINT)
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise Permanent(f"{path} cannot be read: {why}", _HINT) from None
    if len(content) > MOST_BYTES:
        raise Permanent(f"{path} is larger than {MOST_BYTES >> 20} MB", _HINT)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise Permanent(f"{path} is no JSON", _HINT) from None
