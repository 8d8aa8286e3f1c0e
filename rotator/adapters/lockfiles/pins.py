"""The hashes by which lockfiles pin files, written one way: `sha256:` and hexadecimal digits."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

_PIN = re.compile(r"[a-z][a-z0-9_]{0,15}:[0-9a-f]{2,256}")


def pins(texts: Sequence[Any]) -> tuple[str, ...]:
    """Those that are hashes, e.g. `sha256:0a…`; what is anything else pins nothing."""
    found = (each.strip().lower() for each in texts if isinstance(each, str))
    return tuple(dict.fromkeys(each for each in found if _PIN.fullmatch(each)))


def of_files(files: Sequence[Mapping[str, Any]]) -> tuple[bool, tuple[str, ...]]:
    """Whether each of these files is pinned by its `hash`, and by which; no file pins nothing."""
    each_pinned = bool(files) and all(pins([each.get("hash")]) for each in files)
    return each_pinned, pins([each.get("hash") for each in files])


def of_integrity(text: Any) -> tuple[str, ...]:
    """Of npm's `integrity` (https://www.w3.org/TR/SRI/): `sha512-` and base64, several with blanks between."""
    found = []
    for each in text.split() if isinstance(text, str) else ():
        algorithm, _, digest = each.partition("?")[0].partition("-")
        try:
            found.append(f"{algorithm}:{base64.b64decode(digest, validate=True).hex()}")
        except (binascii.Error, ValueError):
            continue  # it pins nothing, and npm would refuse it
    return pins(found)
