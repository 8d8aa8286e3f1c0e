"""guarddog's JSON (3.x): of `scan` one object, of `verify` a list of `{"dependency", "version", "result"}`.

Its rules are heuristics about code, so what they say are signals of who is behind a package, and no advisories.
"""

from __future__ import annotations

from typing import Any

from rotator.domain.findings import Imported, Judged, Signal, State, Unjudged
from rotator.domain.packages import PYPI, Package

NAME = "guarddog"


def recognises(found: Any) -> bool:
    """By its members."""
    if isinstance(found, list):
        return bool(found) and all(isinstance(each, dict) and {"dependency", "result"} <= each.keys() for each in found)
    return isinstance(found, dict) and {"issues", "results"} <= found.keys()


def read(found: Any, origin: str) -> Imported:
    """A bad signal for each rule that fired. Raises what comes of anything else than its form."""
    scans = found if isinstance(found, list) else [_alone(found)]
    judged, unjudged = [], []
    for each in scans:
        name, version, result = str(each["dependency"]), str(each.get("version") or ""), each["result"]
        errors = result.get("errors") or {}
        if errors or result.get("results") is None:
            why = "; ".join(f"{rule}: {error}" for rule, error in errors.items()) or "no results"
            unjudged.append(Unjudged(what=f"{name} {version}".strip(), why=f"{NAME}: {why}"[:300], where=(origin,)))
        signals = tuple(_signals(result))
        if signals:
            package = Package.of(PYPI, name)
            judged.append(Judged(package=package, version=version, where=(origin,), signals=signals))
    return Imported(tool=NAME, origin=origin, judged=tuple(judged), unjudged=tuple(unjudged))


def _alone(found: Any) -> dict[str, Any]:
    """One scan: its package is named, or is what was scanned."""
    name = str(found.get("package") or found.get("path") or "?").rstrip("/").rpartition("/")[2]
    return {"dependency": name, "version": "", "result": found}


def _signals(result: Any) -> list[Signal]:
    """From 3.0 on a rule by itself says only what code can do, and `risks` say where that comes together."""
    if "risks" in result:
        return [_risk(each) for each in result["risks"] or ()]
    fired = (result.get("results") or {}).items()
    return [Signal(f"{NAME} {str(rule)[:60]}", State.BAD, _evidence(said)) for rule, said in fired if said]


def _risk(found: Any) -> Signal:
    said = " ".join(str(found[each]) for each in ("threat_description", "threat_location") if found.get(each))
    severity = f"{found['severity']}: " if found.get("severity") else ""
    return Signal(f"{NAME} {str(found['name'])[:60]}", State.BAD, f"{severity}{said or 'no description'}"[:300])


def _evidence(said: Any) -> str:
    if isinstance(said, str):
        return said[:300]
    if isinstance(said, list):
        first = said[0] if isinstance(said[0], dict) else {"message": said[0]}
        text = " ".join(str(first[each]) for each in ("message", "location") if first.get(each))
        return (text or "it fired")[:300] + (f" (and {len(said) - 1} more)" if len(said) > 1 else "")
    return "it fired"
