"""`rotator notify`: try every target, and show who is told of what and what they were told."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from rotator.app.notice_trials import Tried, try_each
from rotator.app.notifying import told_so_far
from rotator.app.reporting import INCOMPLETE
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import clean, table, terminal
from rotator.config.errors import nearest
from rotator.config.reading import Config
from rotator.domain.times import format_duration, format_time
from rotator.policy.notifying import ROWS, has_an_end


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Test or list."""
    parser.usage = """rotator notify test [TARGET ...]   send each a notice, and say who got it
       rotator notify list [--kinds]      who is told, of what, and what they were told and is not over"""
    parser.add_argument("action", choices=["test", "list"], metavar="test|list")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="names beneath notifications: (test)")
    parser.add_argument("--kinds", action="store_true", help="everything that anybody can be told of (list)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Test exits 3 when somebody did not get it."""
    if args.action == "list":
        if args.targets:
            raise Told("list shows all targets", f"`rotator notify test {clean(args.targets[0])}` tries one")
        return kinds(args) if args.kinds else show(args)
    if args.kinds:
        raise Told("--kinds is for list alone", "rotator notify list --kinds")
    return test(args)


def test(args: argparse.Namespace) -> int:
    """Send each a notice, all at the same time."""
    with assembled(args) as assembly:
        config = assembly.config
        _must_exist(config, args.targets)
        wanted = tuple(dict.fromkeys(args.targets or config.notifications))
        tried = try_each(assembly, wanted)
    if args.json:
        print(json.dumps({"targets": [_tried(each) for each in tried]}, indent=2, ensure_ascii=False))
    else:
        out = terminal(sys.stdout, no_color=args.no_color)
        for each in tried:
            if each.problem is None:
                out.line(f"{each.name}: {out.style('delivered', 'green')} ({clean(each.where)})")
            else:
                message, hint = each.problem
                out.line(f"{each.name}: {out.style('not delivered', 'red')}: {clean(message)}")
                out.line(f"  hint: {clean(hint or 'it is tried again when there is something to tell')}")
    return INCOMPLETE if any(each.problem is not None for each in tried) else 0


def _must_exist(config: Config, names: list[str]) -> None:
    known = config.notifications
    if not known:
        raise Told("the config tells nobody anything", "write notifications: {NAME: {webhook: URL, secret: REFERENCE}}")
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else "known here: " + ", ".join(known)
            raise Told(f"there is no notification {name!r}", hint)


def _tried(each: Tried) -> dict[str, Any]:
    problem = None if each.problem is None else {"message": each.problem[0], "hint": each.problem[1]}
    return {"target": each.name, "where": each.where, "delivered": each.problem is None, "error": problem}


def show(args: argparse.Namespace) -> int:
    """A line for each target, and one for each trouble that goes on."""
    with assembled(args) as assembly:
        config, told = assembly.config, told_so_far(assembly)
    if args.json:
        print(json.dumps(_object(config, told), indent=2, ensure_ascii=False))
        return 0
    out = terminal(sys.stdout, no_color=args.no_color)
    if not config.notifications:
        out.line("the config tells nobody anything; docs/notifications.md shows how")
        return 0
    rows = [
        [
            each.name,
            _way(config, each.name),
            each.severity.value,
            ", ".join(map(clean, each.owners)) or "everybody's",
            ", ".join(each.kinds) or "everything",
            format_duration(each.again),
        ]
        for each in config.notifications.values()
    ]
    for line in table(["target", "how", "from", "owners", "kinds", "again"], rows, out, wrap=True):
        out.line(line)
    going_on = [
        [name, f"{notice.at:%Y-%m-%d %H:%M}", clean(notice.subject) or "—", notice.what, clean(notice.command)]
        for name, notices in told.items()
        for notice in notices
    ]
    if going_on:
        out.line()
        for line in table(["told", "at (UTC)", "whose", "what", "mends it"], going_on, out, wrap=True):
            out.line(line)
    return 0


def _way(config: Config, name: str) -> str:
    each = config.notifications[name]
    if each.smtp is not None:
        return f"mail to {', '.join(each.smtp.to)}"
    if each.apprise is not None:
        return "apprise"
    return "webhook, signed" if each.secret is not None else "webhook, not signed"


def _object(config: Config, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "targets": [
            {
                "target": each.name,
                "how": _way(config, each.name),
                "severity": each.severity.value,
                "owners": list(each.owners),
                "kinds": list(each.kinds),
                "again": format_duration(each.again),
                "resolved": each.resolved,
                "told": [
                    {
                        "kind": notice.kind,
                        "subject": notice.subject,
                        "at": format_time(notice.at),
                        "command": notice.command,
                    }
                    for notice in told.get(each.name, ())
                ],
            }
            for each in config.notifications.values()
        ]
    }


def kinds(args: argparse.Namespace) -> int:
    """The table of what is told; needs no config."""
    if args.json:
        rows = [
            {"kind": kind, "severity": row.severity.value, "command": row.command, "resolved": has_an_end(kind)}
            for kind, row in ROWS.items()
        ]
        print(json.dumps({"kinds": rows}, indent=2, ensure_ascii=False))
        return 0
    out = terminal(sys.stdout, no_color=args.no_color)
    cells = [
        [kind, row.severity.value, "yes" if has_an_end(kind) else "—", row.command.replace("{name}", "NAME")]
        for kind, row in ROWS.items()
    ]
    for line in table(["kind", "severity", "says when over", "mends it"], cells, out):
        out.line(line)
    return 0
