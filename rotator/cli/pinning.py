"""`rotator plugins list` and `pin`: the drivers of a config, how they are kept apart, and what was approved of them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rotator.app.pinning import Standing, pin, standings
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import clean, count, table, terminal
from rotator.config.errors import ConfigError
from rotator.config.location import NAME, find

WORDS = {"off": "none: in our process", "process": "a process", "sandbox": "a confined process", "": "?"}


def has_config(args: argparse.Namespace) -> bool:
    """Whether there is a config to speak of; one that is named, and is wrong, complains."""
    if args.config:
        return True
    try:
        find(None)
    except ConfigError as error:
        if Path(NAME).exists():  # there is one, and it does not count
            print(f"{error.message}\nhint: {error.hint}\n", file=sys.stderr)
        return False
    return True


def list_used(args: argparse.Namespace) -> int:
    """A line for each driver of the config; exit 1 when one would not start."""
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args, lenient=True) as assembly:
        found = tuple(standings(assembly))
    if args.json:
        print(json.dumps([_as_json(each) for each in found], indent=2, ensure_ascii=False))
        return 1 if any(each.problem for each in found) else 0
    cells = [
        [f"{each.kind} {each.name}", each.driver, WORDS[each.level], each.pinned, each.hosts, ", ".join(each.reads)]
        for each in found
    ]
    for line in table(["of the config", "driver", "isolation", "pinned", "connects to", "reads"], cells, out):
        out.line(line)
    for each in found:
        if each.problem is not None:
            message, hint = each.problem
            out.line(f"{out.style('would not start', 'red')}  {clean(message)}")
            out.line(f"      hint: {clean(hint)}")
    return 1 if any(each.problem for each in found) else 0


def _as_json(each: Standing) -> dict[str, object]:
    problem = None if each.problem is None else {"message": each.problem[0], "hint": each.problem[1]}
    return {
        "kind": each.kind,
        "name": each.name,
        "driver": each.driver,
        "isolation": each.level,
        "pinned": each.pinned,
        "hosts": each.hosts,
        "reads": list(each.reads),
        "problem": problem,
    }


def pin_used(args: argparse.Namespace) -> int:
    """Pin the drivers of the config, and say what changed."""
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args, lenient=True) as assembly:
        pinned = pin(assembly, args.name)
    if not pinned:
        raise Told(f"the config uses no driver {args.name!r} that has a process", "`rotator plugins list` shows them")
    for each in pinned:
        parts = ", ".join(f"{name} {told.partition(' ')[0]}" for name, told in each.now.items())
        change = each.change
        sign = out.style("as it was", "dim") if change is None else out.style("pinned   ", "green")
        out.line(f"{sign}  {each.label}: {parts}")
        if change is not None and each.before is not None:
            out.line(f"           {clean(change)}")
    out.line(f"{count(len(pinned), 'driver')} pinned; one that is no longer what it was does not start")
    return 0
