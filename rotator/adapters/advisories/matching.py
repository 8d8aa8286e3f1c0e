"""Whether a record is about a version. What cannot be told is said to be unknown, never to be clear."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.adapters.advisories.versions import Key, forms, key, kind_of
from rotator.domain.advisories import FIXED, GIT, INTRODUCED, LAST_AFFECTED, LIMIT, Affected, Range
from rotator.domain.packages import NPM, PYPI

_ORDER = {INTRODUCED: 0, FIXED: 1, LAST_AFFECTED: 2}
"""What of two events at the same version comes first: a version that is the first and the last one is affected."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`affected`: None when it cannot be told, and `why` says why not. `fixed`: greater versions that mend it."""

    affected: bool | None
    why: str = ""
    fixed: tuple[str, ...] = ()


def judge(affected: Affected, version: str) -> Verdict:
    """Whether this version of the package is affected."""
    if affected.any_version:
        return Verdict(True)
    if not version:
        return Verdict(None, "the inventory tells no version")
    if _listed(affected, version):
        return Verdict(True, fixed=_fixed(affected, version))
    verdicts = [_in_range(affected, each, version) for each in affected.ranges]
    if True in verdicts:
        return Verdict(True, fixed=_fixed(affected, version))
    if readable(affected.package.ecosystem, version) is False:
        return Verdict(None, f"the version is none that {affected.package.ecosystem} knows")
    return _not_affected(affected, verdicts)


def readable(ecosystem: str, version: str) -> bool | None:
    """Whether a version is one by its ecosystem's rules; None where those are not known here."""
    kind = kind_of(ecosystem)
    return None if kind is None else bool(forms(kind, version))


def _not_affected(affected: Affected, verdicts: list[bool | None]) -> Verdict:
    """Of ranges in commits alone nothing follows for versions; beside versions they add nothing."""
    told = [verdict for each, verdict in zip(affected.ranges, verdicts, strict=True) if each.kind != GIT]
    if not affected.versions and not told:
        return Verdict(None, "the record names commits and no versions")
    if None in told:
        return Verdict(None, "the record has a range that cannot be compared")
    return Verdict(False)


def _listed(affected: Affected, version: str) -> bool:
    if version in affected.versions:
        return True
    kind = kind_of(affected.package.ecosystem)
    if kind is None:
        return False
    wanted = forms(kind, version)
    return bool(wanted) and any(key(kind, each) in wanted for each in affected.versions)


def _in_range(affected: Affected, span: Range, version: str) -> bool | None:
    """Whether the version is in a range; None when that cannot be told."""
    kind = kind_of(affected.package.ecosystem, span.kind)
    if kind is None:
        return None
    events = _sorted(kind, span)
    wanted = forms(kind, version)
    if events is None or not wanted:
        return None
    return any(_within(span, kind, events, each) for each in wanted)


def _sorted(kind: str, span: Range) -> list[tuple[Key, str]] | None:
    """The events but the limits, in order; a key of None is before all versions. None when one cannot be read."""
    found = []
    for what, text in span.events:
        if (what == INTRODUCED and text == "0") or (what == LIMIT and text == "*"):
            version = None
        elif what not in (*_ORDER, LIMIT) or (version := key(kind, text)) is None:
            return None
        if what != LIMIT:
            found.append((version, what))
    if not any(what == INTRODUCED for _, what in found):
        return None
    return [
        *sorted((each for each in found if each[0] is None), key=lambda each: _ORDER[each[1]]),
        *sorted((each for each in found if each[0] is not None), key=lambda each: (each[0], _ORDER[each[1]])),
    ]


def _within(span: Range, kind: str, events: list[tuple[Key, str]], version: Key) -> bool:
    limits = [text for what, text in span.events if what == LIMIT]
    if limits and not any(text == "*" or version < key(kind, text) for text in limits):
        return False
    within = False
    for at, what in events:
        if what == INTRODUCED and (at is None or version >= at):
            within = True
        elif (what == FIXED and version >= at) or (what == LAST_AFFECTED and version > at):
            within = False
    return within


def _fixed(affected: Affected, version: str) -> tuple[str, ...]:
    """The next version that mends it, as the record writes it; several where the record orders them in several ways."""
    found: dict[str, tuple[Key, str]] = {}
    for span in affected.ranges:
        kind = kind_of(affected.package.ecosystem, span.kind)
        if kind not in (NPM, PYPI):
            continue
        own = key(kind, version)
        for what, text in span.events:
            at = key(kind, text) if what == FIXED else None
            if at is not None and own is not None and at > own and (kind not in found or at < found[kind][0]):
                found[kind] = (at, text)
    return tuple(sorted({text for _, text in found.values()}))
