"""`rotator plugins`: which drivers are installed, what one of them offers, and what a described API really does."""

from __future__ import annotations

import argparse
import sys

from rotator.app.describing import PROVIDERS, brought
from rotator.app.drivers import STORES, installed, says_of_itself
from rotator.cli import new_driver, pinning, trying
from rotator.cli.errors import Told
from rotator.cli.terminal import clean, table, terminal
from rotator.config.errors import nearest


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """List, show one, pin all or one, begin a new one, try a description."""
    parser.add_argument("action", nargs="?", choices=["list", "show", "pin", "new", "try"], default="list")
    parser.add_argument("name", nargs="?", metavar="NAME", help="a driver; for try, a description")
    parser.add_argument("--json", action="store_true", help="print JSON (list, try)")
    trying.options(parser)


def run(args: argparse.Namespace) -> int:
    """Print them."""
    if args.action == "list" and args.name is not None:
        raise Told("list shows all drivers", f"`rotator plugins show {args.name}` shows one")
    if args.action == "try":
        return trying.run(args)
    trying.refuse(args)
    if args.action == "new":
        return new_driver.run(args)
    if args.action == "pin":
        return pinning.pin_used(args)
    if args.action == "list" and pinning.has_config(args):
        return pinning.list_used(args)
    drivers, out = installed(), terminal(sys.stdout, no_color=args.no_color)
    if args.action == "list":
        cells = [[each.kind, each.name, each.distribution, each.module] for each in drivers]
        for line in table(["kind", "name", "brought by", "module"], cells, out):
            out.line(line)
        return 0
    return show(args.name)


def show(name: str | None) -> int:
    """What a driver says of itself."""
    from importlib.metadata import entry_points

    known = sorted({each.name for each in installed()})
    if name is None or name not in known:
        near = nearest(name or "", known)
        raise Told(f"there is no driver {name!r}", f"did you mean {near}?" if near else "known: " + ", ".join(known))
    for group in (PROVIDERS, STORES):
        for entry in entry_points(group=group, name=name):
            print(f"{name} ({group.removeprefix('rotator.').removesuffix('s')}), from {entry.value}\n")
            print("\n".join(clean(line) for line in says_of_itself(entry).splitlines()))
            if brought().get(name):
                print(f"\nIt brings descriptions: {', '.join(brought()[name])}")
    return 0
