"""The trail for people: the newest first, a page at a time, of all or of one credential."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.app.assembly import Assembly
from rotator.app.chain_tail import tail
from rotator.app.seeing import Scope, sees_chain
from rotator.domain.failures import Permanent
from rotator.domain.records import ChainedEvent
from rotator.domain.trail import credential_chain
from rotator.ports import Overview

ROTATIONS = 50
"""Of one credential so many rotations are looked at."""
A_CHAIN = 10_001
"""Events of one chain that are looked at, the newest: as many as a table has, and one that says that there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event, and whose it is: a credential's; empty for what is nobody's. `rotation`: its id, where it is one."""

    each: ChainedEvent
    credential: str
    rotation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailPage:
    """The newest first. `older`: what to give as `before` to go on; None: there is nothing older."""

    lines: tuple[Line, ...]
    older: int | None


def page(assembly: Assembly, scope: Scope, *, credential: str = "", before: int = 0, limit: int = 100) -> TrailPage:
    """`before`: of all, the number of an event; of one credential, how many newer ones were seen. Raises `Failure`.

    To who sees only some owners' credentials a page of all may have fewer lines than `limit`.
    """
    return _of_one(assembly, credential, before, limit) if credential else _of_all(assembly, scope, before, limit)


def _of_all(assembly: Assembly, scope: Scope, before: int, limit: int) -> TrailPage:
    opened = assembly.opened
    if not isinstance(opened, Overview):
        raise Permanent("this journal gives no overview")
    last = opened.last_event()
    end = min(before - 1, last) if before else last
    first = max(end - limit, 0)
    found = assembly.journal.events(after=first, limit=end - first) if end > first else ()
    names: dict[str, tuple[str, str, bool]] = {}
    for chain in {each.rotation for each in found}:
        names[chain] = (*_whose(assembly, chain), scope.owners is None or sees_chain(assembly, scope, chain))
    lines = tuple(
        Line(each=each, credential=names[each.rotation][0], rotation=names[each.rotation][1])
        for each in reversed(found)
        if names[each.rotation][2]
    )
    return TrailPage(lines=lines, older=first + 1 if first > 0 else None)


def _whose(assembly: Assembly, chain: str) -> tuple[str, str]:
    kind, colon, name = chain.partition(":")
    if colon:
        known = name in assembly.config.credentials or name in assembly.config.broken
        return (name if kind == "credential" and known else ""), ""
    row = assembly.journal.rotation(chain)
    return (row.credential, chain) if row is not None else ("", chain)


def _of_one(assembly: Assembly, name: str, skipped: int, limit: int) -> TrailPage:
    journal = assembly.journal
    chains = [each.id for each in journal.rotations(name, limit=ROTATIONS)]
    most = min(skipped + limit + 1, A_CHAIN)
    found = [Line(each=each, credential=name, rotation="") for each in tail(journal, credential_chain(name), most)]
    for chain in chains:
        found += [Line(each=each, credential=name, rotation=chain) for each in tail(journal, chain, most)]
    found.sort(key=lambda line: (line.each.at, line.each.rotation, line.each.seq), reverse=True)
    more = len(found) > skipped + limit
    return TrailPage(lines=tuple(found[skipped : skipped + limit]), older=skipped + limit if more else None)
