"""osv-scanner's JSON: `{"results": [{"source", "packages": [{"package", "vulnerabilities": [OSV …], "groups"}]}]}`."""

from __future__ import annotations

from typing import Any

from rotator.domain.advisories import MALICIOUS
from rotator.domain.findings import Imported, Match, Unjudged
from rotator.domain.packages import Package

NAME = "osv-scanner"


def recognises(found: Any) -> bool:
    """By its members; with nothing found some versions write null."""
    if not isinstance(found, dict) or "results" not in found or "issues" in found:
        return False
    results = found["results"]
    return results is None or (
        isinstance(results, list) and all(isinstance(each, dict) and "packages" in each for each in results)
    )


def read(found: Any, origin: str) -> Imported:
    """What it found. Raises what comes of anything else than its form."""
    matches, unjudged = [], []
    looked_at = [each for source in found["results"] or () for each in source["packages"]]
    for each in looked_at:
        about = each["package"]
        package = Package.of(str(about["ecosystem"]), str(about["name"]))
        version = str(about.get("version") or "")
        records = [known for known in each.get("vulnerabilities") or () if not known.get("withdrawn")]
        matches += [_match(package, version, known) for known in records]
        if not version:
            unjudged.append(Unjudged(what=package.name, why=f"{NAME} knows no version of it", where=(origin,)))
    if not looked_at:
        unjudged.append(Unjudged(what=NAME, why="it names no package that it looked at", where=(origin,)))
    return Imported(tool=NAME, origin=origin, matches=tuple(matches), unjudged=tuple(unjudged))


def _match(package: Package, version: str, found: Any) -> Match:
    ids = tuple(dict.fromkeys(map(str, (found["id"], *(found.get("aliases") or ())))))
    own = found.get("database_specific") or {}
    return Match(
        package=package,
        version=version,
        ids=ids,
        source=NAME,
        malicious=any(each.startswith(MALICIOUS) for each in ids) or "malicious-packages-origins" in own,
        summary=str(found.get("summary") or "")[:300],
        fixed=_fixed(found, package),
    )


def _fixed(found: Any, package: Package) -> tuple[str, ...]:
    """The versions in which the record says it is mended, of this package; which is next it does not say here."""
    fixed = [
        str(event["fixed"])
        for affected in found.get("affected") or ()
        if str(affected.get("package", {}).get("name", "")).lower() == package.name.lower()
        for span in affected.get("ranges") or ()
        if span.get("type") != "GIT"
        for event in span.get("events") or ()
        if "fixed" in event
    ]
    return tuple(dict.fromkeys(fixed))[:3]
