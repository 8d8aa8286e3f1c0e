"""`rotator status`: how every credential stands. Reads the journal without SQLAlchemy, so that it answers at once."""

from __future__ import annotations

import argparse
import json
import sys

from rotator.app.glance import Glance, glance
from rotator.cli import words
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, table, terminal
from rotator.config.errors import nearest
from rotator.domain.rotation import Phase


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which, and how."""
    parser.add_argument("name", nargs="?", metavar="NAME")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print what a person needs first: stuck, then open, then the rest by due time."""
    seen = glance(args.config, args.state)
    names = [args.name] if args.name else sorted(seen.names)
    if args.name and args.name not in seen.names:
        near = nearest(args.name, seen.names)
        hint = f"did you mean {near}?" if near else "`rotator status` lists the credentials"
        raise Told(f"there is no credential {args.name!r}", hint)
    if args.json:
        return _json(seen, names)
    out = terminal(sys.stdout, no_color=args.no_color)
    if seen.older is not None:
        out.line(out.style(f"{seen.older}; nothing runs until `rotator reconcile --rebuild`", "red"))
    if not names:
        out.line("no credential in the config yet")
        return 0
    ordered = sorted(names, key=lambda name: _urgency(seen, name))
    cells = [_cells(seen, name, out) for name in ordered]
    for line in table(["credential", "state", "current key", "since", "next due", ""], cells, out):
        out.line(line)
    if args.name:
        _one(seen, args.name, out)
    return 0


def _urgency(seen: Glance, name: str) -> tuple[int, str]:
    row = seen.open.get(name)
    if row is None:
        return 2, name
    return (0 if row.phase is Phase.STUCK else 1), name


def _cells(seen: Glance, name: str, out: Terminal) -> list[str]:
    credential, row = seen.credentials.get(name), seen.open.get(name)
    if credential is None:
        return [name, out.style("not adopted yet", "dim"), "—", "—", "—", ""]
    state = words.phase(row, out) if row is not None else out.style("held", "yellow") if credential.held else "fresh"
    detail = words.detail(row, seen.now) if row is not None else credential.held_why
    if credential.drift:
        detail = f"drift: {', '.join(credential.drift)}; {detail}".rstrip("; ")
    since, due = words.instant(credential.current_since), words.instant(credential.next_due)
    return [name, state, clean(credential.current or "none"), since, due, clean(detail)]


def _one(seen: Glance, name: str, out: Terminal) -> None:
    row = seen.open.get(name)
    if row is None:
        return
    out.line()
    out.line(
        f"rotation {row.id}, {row.mode.value}, because: {clean(row.reason)}; began {words.instant(row.started_at)}"
    )
    for each in row.stores:
        done = f"promoted {words.instant(each.promoted_at)}" if each.promoted_at else "not promoted"
        out.line(f"  {each.store}:{each.ref}: {f'left behind: {each.left_behind}' if each.left_behind else done}")
    for old in row.old_keys:
        out.line(f"  old key {clean(old.key_id)}: {words.old_key(old.proof, old.deleted_at is not None)}")


def _json(seen: Glance, names: list[str]) -> int:
    from rotator.app.reporting import report

    rows = [row for name, row in seen.open.items() if name in names]
    print(json.dumps(report(rows, selected=len(names)), indent=2, ensure_ascii=False))
    return 0
