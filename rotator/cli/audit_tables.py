"""An audit as a person reads it: the rotator's own first, then worst first, and what was looked at last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rotator.app.auditing import Audit
from rotator.app.own_environment import OWN
from rotator.app.own_installation import CLOSURE
from rotator.cli.terminal import Terminal, clean, count, table
from rotator.domain.findings import Finding, Judged, Signal, State
from rotator.domain.times import roughly

MOST_NAMES = 3
"""Consumers or packages that are named in one line."""
MOST_ROWS = 50
"""Of one table, unless everything is asked for."""
LONGEST = 160
"""Characters of a summary."""


def show(audit: Audit, out: Terminal, *, verbose: bool) -> None:
    """Print it. `verbose`: also what was withdrawn, and every signal by itself."""
    _own(audit, out)
    _findings("malicious", [each for each in audit.findings if each.malicious], out, "red")
    _findings("vulnerable", [each for each in audit.findings if not each.malicious], out, "yellow")
    _signals("bad", audit, State.BAD, out, verbose=verbose)
    _unjudged(audit, out, verbose=verbose)
    _signals("unknown", audit, State.UNKNOWN, out, verbose=verbose)
    if verbose:
        _signals("ok", audit, State.OK, out, verbose=True)
        _withdrawn(audit, out)
    for line in _looked_at(audit):
        out.line(out.style(line, "dim"))
    out.line(_verdict(audit, out))


def _own(audit: Audit, out: Terminal) -> None:
    own = next((each for each in audit.inventories if each.label == OWN), None)
    if own is None:
        return
    ours = [each for each in audit.findings if each.ours]
    signals = sum(_count(each, State.BAD) for each in audit.judged if OWN in each.where)
    drivers = sum(each.kind == CLOSURE for each in audit.inventories)
    what = f"{count(len(own.components), 'package')} and {count(drivers, 'driver')}"
    if any(each.malicious for each in ours):
        out.line(out.style(f"{OWN} itself has malicious code installed: it may have read every key", "bold", "red"))
    said = ", ".join(
        text
        for number, text in ((len(ours), count(len(ours), "finding")), (signals, f"{signals} bad signals"))
        if number
    )
    out.line(f"{OWN}: {what}: {said or 'nothing found'}".replace("1 bad signals", "1 bad signal"))


def _findings(title: str, findings: Sequence[Finding], out: Terminal, style: str) -> None:
    if not findings:
        return
    out.line()
    out.line(out.style(f"{title}: {len(findings)}", "bold", style))
    head = ["  package", "version", "advisory", "fixed in", "where"]
    rows = [
        [
            f"  {_bounded(each.package.name, 40)}",
            _bounded(each.version, 20) or "any",
            _bounded(each.ids[0], 24),
            _bounded(" or ".join(each.fixed), 20) or ("none known" if not each.malicious else "—"),
            _named(each.where),
        ]
        for each in findings
    ]
    first, *lines = table(head, rows, out, wrap=True)
    out.line(first)
    for line, each in zip(lines, findings, strict=True):
        print(line, file=out.stream)
        out.line(f"    {out.style(_told(each), 'dim')}")


def _told(each: Finding) -> str:
    """The second line: other names, what it is, who says so."""
    parts = [", ".join(_bounded(one, 40) for one in each.ids[1:6])]
    parts.append(_bounded(each.summary, LONGEST))
    if each.any_version:
        parts.append("it names no version: any may be meant")
    if each.sources != ("advisories",):
        parts.append(f"said by {' and '.join(each.sources)}")
    return " · ".join(part for part in parts if part) or "no summary"


def _unjudged(audit: Audit, out: Terminal, *, verbose: bool) -> None:
    rows = [
        [f"  {_bounded(each.what, 50)}", _named(each.where), _bounded(_why(each.why, each.ids), 200)]
        for each in audit.unjudged
    ]
    rows += [[f"  {_bounded(name, 50)}", "advisories", _bounded(why, 200)] for name, why in audit.broken]
    if audit.stale:
        rows.insert(0, ["  the advisories", "", _stale(audit)])
    if rows:
        _titled("cannot be judged", len(rows), ["  what", "where", "why"], rows, out, verbose=verbose)


def _why(why: str, ids: Sequence[str]) -> str:
    return f"{why} ({', '.join(ids[:MOST_NAMES])})" if ids else why


def _stale(audit: Audit) -> str:
    if audit.newest is None:
        return "they hold no record of any time before now"
    return (
        f"their last change is {roughly(audit.against.at - audit.newest)} old, {audit.newest:%Y-%m-%d}: get newer ones"
    )


def _signals(title: str, audit: Audit, state: State, out: Terminal, *, verbose: bool) -> None:
    """Who is behind it: one line for each thing that is said, or with `verbose` of each component by itself."""
    said = [(each, signal) for each in audit.judged for signal in each.signals if signal.state is state]
    if said:
        most = MOST_NAMES if state is State.BAD else 1  # what is bad has to be dealt with one by one
        rows = _each_signal(said) if verbose else _signals_together(said, most)
        _titled(f"who is behind it: {title}", len(said), ["  signal", "of", "evidence"], rows, out, verbose=verbose)


def _each_signal(said: Sequence[tuple[Judged, Signal]]) -> list[list[str]]:
    return [
        [
            f"  {_bounded(signal.name, 40)}",
            f"{_component(each)} ({_named(each.where, 1)})",
            _bounded(signal.evidence, 200),
        ]
        for each, signal in said
    ]


def _signals_together(said: Sequence[tuple[Judged, Signal]], most: int) -> list[list[str]]:
    """What is said of several components, or for several reasons in the same words, is one line."""
    of: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each, signal in said:
        of[signal.name, signal.evidence].append(_component(each))
    names: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (name, evidence), components in of.items():
        names[evidence, tuple(components)].append(name)
    return [
        [f"  {_bounded(_several(together), 40)}", _named(components, most), _bounded(evidence, 200)]
        for (evidence, components), together in names.items()
    ]


def _several(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} signals"


def _titled(
    title: str, number: int, head: Sequence[str], rows: Sequence[Sequence[str]], out: Terminal, *, verbose: bool
) -> None:
    out.line()
    out.line(out.style(f"{title}: {number}", "bold"))
    shown = rows if verbose else rows[:MOST_ROWS]
    for line in table(head, shown, out, wrap=True):
        print(line, file=out.stream)
    if len(shown) < len(rows):
        out.line(f"  and {len(rows) - len(shown)} more: -v shows them")


def _withdrawn(audit: Audit, out: Terminal) -> None:
    if audit.withdrawn:
        rows = [
            [
                f"  {_bounded(each.package.name, 40)}",
                _bounded(each.version, 20),
                each.id,
                f"{each.since:%Y-%m-%d}",
                _bounded(each.summary, LONGEST),
            ]
            for each in audit.withdrawn
        ]
        head = ["  package", "version", "advisory", "since", "what it said"]
        _titled("withdrawn, and not counted", len(rows), head, rows, out, verbose=True)


def _looked_at(audit: Audit) -> Iterator[str]:
    yield ""
    consumers = [each.label for each in audit.inventories if each.label != OWN and each.kind != CLOSURE]
    others = f": {OWN}, its drivers" + (f", {_named(consumers)}" if consumers else "")
    yield f"looked at {count(audit.components, 'component')} in {_inventories(len(audit.inventories))}{others}"
    against = audit.against
    if against.feed is not None:
        newest = f"the newest of {audit.newest:%Y-%m-%d %H:%M} UTC" if audit.newest else "none of a known time"
        number = "1 advisory" if len(against.feed.advisories) == 1 else f"{len(against.feed.advisories):,} advisories"
        yield f"against {number} from {_bounded(against.feed.origin, 100)}, {newest}"
    else:
        yield "against no advisories: --osv names some"
    if against.index is not None:
        yield f"asked {_bounded(against.index.url, 100)} who is behind them"
    for each in against.imported:
        yield f"with what {each.tool} says in {_bounded(each.origin, 100)}"
    if against.without:
        yield f"not asked for: {', '.join(sorted(against.without))}"
    if audit.from_sources and against.index is not None:
        yield f"not from an index: {_named(audit.from_sources)}"


def _inventories(number: int) -> str:
    return "1 inventory" if number == 1 else f"{number} inventories"


def _verdict(audit: Audit, out: Terminal) -> str:
    found = _found(audit)
    if audit.code == 0:
        return out.style("clean: nothing was found, and everything asked for could be judged", "green")
    if audit.code == 1:
        return out.style(f"found: {found}; everything else could be judged", "red")
    also = f"; found: {found}" if found else "; nothing was found in the rest"
    return out.style(f"not clean: {count(audit.unknown, 'thing')} cannot be judged{also}", "red" if found else "yellow")


def _found(audit: Audit) -> str:
    malicious = sum(each.malicious for each in audit.findings)
    vulnerable, bad = len(audit.findings) - malicious, audit.signals(State.BAD)
    parts = [f"{malicious} malicious"] * bool(malicious) + [f"{vulnerable} vulnerable"] * bool(vulnerable)
    return ", ".join(parts + [count(bad, "bad signal")] * bool(bad))


def _count(judged: Judged, state: State) -> int:
    return sum(each.state is state for each in judged.signals)


def _component(each: Judged) -> str:
    return f"{_bounded(each.package.name, 40)} {_bounded(each.version, 20)}".strip()


def _named(names: Iterable[str], most: int = MOST_NAMES) -> str:
    known = list(dict.fromkeys(names))
    more = f" +{len(known) - most}" if len(known) > most else ""
    return ", ".join(_bounded(each, 40) for each in known[:most]) + more


def _bounded(text: str, longest: int) -> str:
    cleaned = clean(text)
    return cleaned if len(cleaned) <= longest else cleaned[: longest - 1] + "…"
