"""The trail for people: the newest first, a page at a time, of all or of one credential."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.app.assembly import Assembly
from rotator.app.chain_tail import tail
from rotator.app.one_credential import told_of
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
    chains = {each.rotation for each in found}
    seen = {
        each: _whose(assembly, each) for each in chains if scope.owners is None or sees_chain(assembly, scope, each)
    }
    told = told_of(assembly, {name for name, _ in seen.values() if name})
    lines = tuple(
        Line(each=each, credential=name if name in told else "", rotation=rotation)
        for each in reversed(found)
        if each.rotation in seen
        for name, rotation in [seen[each.rotation]]
    )
    return TrailPage(lines=lines, older=first + 1 if first > 0 else None)


def _whose(assembly: Assembly, chain: str) -> tuple[str, str]:
    kind, colon, name = chain.partition(":")
    if colon:
        return (name if kind == "credential" else ""), ""
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
