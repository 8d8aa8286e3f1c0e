"""Who published a version, and whether that was somebody else before (PEP 740).

What is compared is what the index tells; no signature is verified here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from packaging.version import Version

from rotator.adapters.index.project import File, Project
from rotator.domain.failures import Failure
from rotator.domain.findings import PROVENANCE, Signal, State

MOST_ASKED = 64
"""Files of one release whose attestations are asked for."""
_IDENTITY = ("kind", "repository", "workflow", "environment", "email", "sub", "project_path")
"""Members by which an index tells one publisher from another; what else stands there changes with every upload."""

Publisher = tuple[tuple[str, str], ...]


def provenance(project: Project, version: Version, attestations: Callable[[str], Any]) -> Signal:
    """Compare with the last earlier release that has any. `attestations` fetches an address, or raises `Failure`."""
    files = project.release(version)
    if not files:
        return _unknown("the index has no file of it")
    if any(each.provenance is None for each in files) and not any(each.provenance for each in project.files):
        return _unknown(f"the index tells no provenance (API 1.{project.api})")
    before = _attested_before(project, version, files)
    without = [each for each in files if not each.provenance]
    if before is None:
        return _first(files, without)
    earlier, its_files = before
    if without:
        return _bad(f"{len(without)} of {len(files)} files have no attestation; {earlier} had")
    return _compared(files, earlier, its_files, attestations)


def _first(files: Sequence[File], without: Sequence[File]) -> Signal:
    if without:
        return Signal(PROVENANCE, State.OK, "neither it nor an earlier release has an attestation: nothing was lost")
    return Signal(PROVENANCE, State.OK, f"the first release with attestations, of all its {len(files)} files")


def _attested_before(
    project: Project, version: Version, files: Sequence[File]
) -> tuple[Version, tuple[File, ...]] | None:
    """The last release with attestations that was uploaded before; by version where no times are told."""
    mine = _uploaded(files)
    releases: dict[Version, list[File]] = {}
    for each in project.files:
        if each.version is not None and each.version != version:
            releases.setdefault(each.version, []).append(each)
    earlier = []
    for other, its in releases.items():
        theirs = _uploaded(its)
        before = theirs < mine if theirs is not None and mine is not None else other < version
        attested = tuple(each for each in its if each.provenance)
        if before and attested:
            earlier.append((theirs.timestamp() if theirs is not None else 0.0, other, attested))
    if not earlier:
        return None
    _, other, attested = max(earlier, key=lambda each: each[:2])
    return other, attested


def _uploaded(files: Sequence[File]) -> Any:
    return min((each.uploaded for each in files if each.uploaded is not None), default=None)


def _compared(
    files: Sequence[File], earlier: Version, its_files: Sequence[File], attestations: Callable[[str], Any]
) -> Signal:
    try:
        before = publishers(attestations(its_files[0].provenance or ""))
        now = set().union(*(publishers(attestations(each.provenance or "")) for each in files[:MOST_ASKED]))
    except Failure as failure:
        return _unknown(f"who published it cannot be read: {failure.message}")
    if not before or not now:
        return _unknown("the attestations name no publisher")
    if strange := sorted(now - before):
        return _bad(f"published by {said(strange[0])}; {earlier} by {said(min(before))}")
    if len(files) > MOST_ASKED:
        return _unknown(f"{MOST_ASKED} of {len(files)} files were looked at")
    return Signal(PROVENANCE, State.OK, f"published by {said(min(now))}, as {earlier} was")


def publishers(found: Any) -> set[Publisher]:
    """Who published a file, by its provenance object; empty where that does not tell."""
    bundles = found.get("attestation_bundles") if isinstance(found, dict) else None
    publishing = (
        [each.get("publisher") for each in bundles if isinstance(each, dict)] if isinstance(bundles, list) else []
    )
    read = (
        tuple((name, each[name][:200]) for name in _IDENTITY if isinstance(each.get(name), str) and each[name])
        for each in publishing
        if isinstance(each, dict)
    )
    return {each for each in read if each}


def said(publisher: Publisher) -> str:
    """For people: `GitHub o/r, release.yml`."""
    parts = dict(publisher)
    kind = parts.pop("kind", "")
    return " ".join(each for each in (kind, ", ".join(parts.values())) if each)


def _bad(evidence: str) -> Signal:
    return Signal(PROVENANCE, State.BAD, evidence)


def _unknown(evidence: str) -> Signal:
    return Signal(PROVENANCE, State.UNKNOWN, evidence)
