"""What several records and tools say of one component, told once: names of the same thing are one finding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from rotator.domain.advisories import MALICIOUS
from rotator.domain.aliases import Aliases
from rotator.domain.findings import Finding, Match, Unjudged
from rotator.domain.packages import Package

Said = Sequence[tuple[Match, str]]
"""What is said, and the label of the inventory, or the file of results, of which it is said."""


def findings_of(said: Said, *, own: frozenset[str]) -> tuple[Finding, ...]:
    """Everything that is certain: malicious first, then the rotator's own, then by name."""
    aliases, groups = _grouped(said)
    found = []
    for (package, version, root), members in groups.items():
        sure = [(match, where) for match, where in members if match.sure]
        if sure:
            found.append(_finding(package, version, aliases[root], sure, own))
    return tuple(sorted(found, key=lambda each: (not each.malicious, not each.ours, each.package, each.version)))


def unsure_of(said: Said) -> tuple[Unjudged, ...]:
    """What may be, and of which nobody says that it is."""
    aliases, groups = _grouped(said)
    found = []
    for (package, version, root), members in sorted(groups.items()):
        if not any(match.sure for match, _ in members):
            found.append(
                Unjudged(
                    what=f"{package.name} {version}".strip(),
                    why=members[0][0].why,
                    ids=preferred(aliases[root]),
                    where=tuple(dict.fromkeys(where for _, where in members)),
                )
            )
    return tuple(found)


def preferred(ids: Iterable[str]) -> tuple[str, ...]:
    """The id that tells most first: planted code, then who looked at it most."""
    ranks = {MALICIOUS: 0, "GHSA-": 1, "PYSEC-": 2, "CVE-": 3}
    rank = {each: next((at for start, at in ranks.items() if each.startswith(start)), 4) for each in ids}
    return tuple(sorted(rank, key=lambda each: (rank[each], each)))


def _grouped(said: Said) -> tuple[dict[str, tuple[str, ...]], dict[tuple[Package, str, str], list[tuple[Match, str]]]]:
    aliases = Aliases()
    for match, _ in said:
        aliases.join(match.ids)
    groups = defaultdict(list)
    for match, where in said:
        groups[match.package, match.version, aliases.root(match.ids[0])].append((match, where))
    return aliases.sets(), groups


def _finding(package: Package, version: str, ids: tuple[str, ...], said: Said, own: frozenset[str]) -> Finding:
    matches = [match for match, _ in said]
    where = tuple(dict.fromkeys(label for _, label in said))
    worst_first = sorted(matches, key=lambda each: not each.malicious)
    return Finding(
        package=package,
        version=version,
        ids=preferred(ids),
        malicious=any(each.malicious for each in matches),
        any_version=all(each.any_version for each in matches),
        summary=next((each.summary for each in worst_first if each.summary), ""),
        fixed=tuple(dict.fromkeys(fixed for each in matches for fixed in each.fixed)),
        sources=tuple(sorted({each.source for each in matches})),
        where=tuple(sorted(where, key=lambda each: each not in own)),
        ours=any(each in own for each in where),
    )
