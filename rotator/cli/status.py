"""`rotator status`: how every credential stands. Reads the journal without SQLAlchemy, so that it answers at once."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from rotator.app.glance import Glance, glance
from rotator.app.pausing import Pause
from rotator.app.reporting import WRITTEN
from rotator.cli import consuming, words
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, count, table, terminal
from rotator.config.errors import nearest
from rotator.domain.rotation import Phase, Rotation

LATER = datetime(9999, 1, 1, tzinfo=UTC)


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which, and how."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one credential, with every place and old key")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print what a person needs first: stuck, then open, then the rest by due time."""
    seen = glance(args.config, args.state, args.name, getattr(args, "in_force", None))
    owners = getattr(args, "owners", None)  # of a caller who sees only theirs
    seen = seen if owners is None else seen.of(owners)
    names = [args.name] if args.name else sorted(seen.names)
    if args.name and args.name not in seen.names:
        near = nearest(args.name, seen.names)
        hint = f"did you mean {near}?" if near else "`rotator status` lists the credentials"
        raise Told(f"there is no credential {args.name!r}", hint)
    if args.json:
        return _json(seen, names)
    out = terminal(sys.stdout, no_color=args.no_color)
    if seen.older is not None:
        out.line(out.style(f"{clean(seen.older)}; nothing runs until `rotator reconcile --rebuild`", "red"))
    if seen.pause is not None:
        out.line(out.style(_paused(seen.pause), "yellow"))
    if not names:
        out.line("no credential in the config yet: `rotator init --from .env`, or write one beneath credentials:")
        return 0
    _all(seen, sorted(names, key=lambda name: _urgency(seen, name)), out)
    if args.name:
        _one(seen, args.name, out)
    else:
        out.line()
        out.line(_summary(seen, names))
    return 0


def _paused(pause: Pause) -> str:
    until = f"until {words.instant(pause.until)} UTC" if pause.until else "until `rotator pause --end`"
    why = f" ({clean(pause.why)})" if pause.why else ""
    return f"paused {until}{why}: no scheduled rotation begins"


def _urgency(seen: Glance, name: str) -> tuple[int, datetime, str]:
    row, credential = seen.open.get(name), seen.credentials.get(name)
    if row is None:
        return 2, (credential.next_due if credential else None) or LATER, name
    return (0 if row.phase is Phase.STUCK else 1), row.started_at, name


def _all(seen: Glance, names: list[str], out: Terminal) -> None:
    """The table; what needs more words stands beneath its row."""
    cells = [_cells(seen, name, out) for name in names]
    head, *lines = table(["credential", "state", "current key", "since", "next due"], cells, out)
    out.line(head)
    for line, name in zip(lines, names, strict=True):
        out.line(line)
        for each in _beneath(seen, name):
            out.line(out.style(f"  {each}", "dim"))


def _cells(seen: Glance, name: str, out: Terminal) -> list[str]:
    credential, row = seen.credentials.get(name), seen.open.get(name)
    if credential is None:
        return [name, out.style("not adopted yet", "dim"), "—", "—", "—"]
    since, due = words.ago(credential.current_since, seen.now), words.ago(credential.next_due, seen.now)
    if credential.next_due is not None and credential.next_due <= seen.now:
        due = "due"
    if credential.held:
        due = "held"
    return [name, _state(seen, name, row, out), clean(credential.current or "none"), since, due]


def _state(seen: Glance, name: str, row: Rotation | None, out: Terminal) -> str:
    if row is not None:
        return words.phase(row, out)
    credential = seen.credentials[name]
    if credential.held:
        return out.style("held", "yellow")
    return out.style("drift", "yellow") if credential.drift else "fresh"


def _beneath(seen: Glance, name: str) -> Iterator[str]:
    credential, row = seen.credentials.get(name), seen.open.get(name)
    if row is not None:
        yield from words.details(row, seen.now)
        yield from consuming.not_moved(row, seen.now)
    if credential is None:
        return
    if credential.held:
        yield clean(f"held: {credential.held_why or 'no reason was given'}")
    if credential.drift:
        yield clean(f"left behind: {', '.join(credential.drift)}; `rotator reconcile` mends it or says how")


def _summary(seen: Glance, names: list[str]) -> str:
    rows = [row for name, row in seen.open.items() if name in names]
    stuck = sum(row.phase is Phase.STUCK for row in rows)
    parts = [count(len(names), "credential"), f"{len(rows)} open"]
    return ", ".join([*parts, f"{stuck} stuck"] if stuck else parts)


def _one(seen: Glance, name: str, out: Terminal) -> None:
    credential, row = seen.credentials.get(name), seen.open.get(name)
    if credential is not None and credential.next_due is not None:
        out.line()
        since = f"current since {words.instant(credential.current_since)} UTC, " if credential.current_since else ""
        out.line(f"{since}next due {words.instant(credential.next_due)} UTC")
    if row is None:
        for consumer in seen.consumers:
            out.line(clean(f"consumer {consumer}: {consuming.measured(seen.past, consumer)}"))
        return
    out.line()
    out.line(clean(f"rotation {row.id}, {row.mode.value}, because: {row.reason}"))
    out.line(f"  began {words.instant(row.started_at)} UTC, {words.ago(row.started_at, seen.now)}")
    for each in row.stores:
        done = WRITTEN if each.unread else "promoted"
        stands = f"{done}, {words.ago(each.promoted_at, seen.now)}" if each.promoted_at else "not promoted"
        if each.left_behind:
            stands = f"left behind: {each.left_behind}"
        out.line(clean(f"  {each.store}:{each.ref}: {stands}"))
    for old in row.old_keys:
        out.line(f"  old key {clean(old.key_id)}: {words.old_key(old.proof, old.deleted_at is not None)}")
    for consumer in dict.fromkeys((*seen.consumers, *(state.name for state in row.consumers))):
        known = row.consumer(consumer)
        stands = consuming.standing(known, seen.now) if known is not None else "nothing to pick up yet"
        out.line(clean(f"  consumer {consumer}: {stands}; {consuming.measured(seen.past, consumer)}"))


def _json(seen: Glance, names: list[str]) -> int:
    from rotator.app.reporting import report

    rows = [row for name, row in seen.open.items() if name in names]
    print(json.dumps(report(rows, selected=len(names)), indent=2, ensure_ascii=False))
    return 0
