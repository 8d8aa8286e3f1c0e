"""pip-audit's JSON (2.10): `{"dependencies": [{"name", "version", "vulns": […]} | {"name", "skip_reason"}], "fixes"}`.

It skips what its index does not know, and a malicious release is taken down within hours: so what it skipped is exactly
what must be looked at, and never counts as clean.
"""

from __future__ import annotations

from typing import Any

from rotator.domain.advisories import MALICIOUS
from rotator.domain.findings import Imported, Match, Unjudged
from rotator.domain.packages import PYPI, Package

NAME = "pip-audit"


def recognises(found: Any) -> bool:
    """By its members."""
    return isinstance(found, dict) and isinstance(found.get("dependencies"), list)


def read(found: Any, origin: str) -> Imported:
    """What it found and what it skipped. Raises what comes of anything else than its form."""
    matches, skipped = [], []
    for each in found["dependencies"]:
        name = str(each["name"])
        if "skip_reason" in each:
            skipped.append(Unjudged(what=name, why=f"{NAME} skipped it: {each['skip_reason']}"[:300], where=(origin,)))
            continue
        matches += [_match(name, str(each["version"]), vulnerability) for vulnerability in each["vulns"]]
    if not found["dependencies"]:
        skipped.append(Unjudged(what=NAME, why="it names no package that it looked at", where=(origin,)))
    return Imported(tool=NAME, origin=origin, matches=tuple(matches), unjudged=tuple(skipped))


def _match(name: str, version: str, found: Any) -> Match:
    ids = tuple(dict.fromkeys((str(found["id"]), *map(str, found.get("aliases") or ()))))
    lines = str(found.get("description") or "").strip().splitlines()
    return Match(
        package=Package.of(PYPI, name),
        version=version,
        ids=ids,
        source=NAME,
        malicious=any(each.startswith(MALICIOUS) for each in ids),
        summary=lines[0][:300] if lines else "",
        fixed=tuple(str(each) for each in found.get("fix_versions") or ())[:1],
    )
