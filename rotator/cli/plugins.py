"""`rotator plugins`: which drivers are installed, what one of them offers, and what a described API really does."""

from __future__ import annotations

import argparse
import sys

from rotator.app.describing import PROVIDERS, brought
from rotator.app.drivers import STORES, installed
from rotator.cli import trying
from rotator.cli.errors import Told
from rotator.cli.terminal import table, terminal
from rotator.config.errors import nearest


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """List, show one, or try a description."""
    parser.add_argument("action", nargs="?", choices=["list", "show", "try"], default="list")
    parser.add_argument("name", nargs="?", metavar="NAME", help="a driver; for try, a description")
    trying.options(parser)


def run(args: argparse.Namespace) -> int:
    """Print them."""
    if args.action == "list" and args.name is not None:
        raise Told("list shows all drivers", f"`rotator plugins show {args.name}` shows one")
    if args.action == "try":
        return trying.run(args)
    trying.refuse(args)
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
            module = sys.modules.get(entry.module) or __import__(entry.module, fromlist=["_"])
            print(f"{name} ({group.removeprefix('rotator.').removesuffix('s')}), from {entry.value}\n")
            print((module.__doc__ or "").strip())
            if brought().get(name):
                print(f"\nIt brings descriptions: {', '.join(brought()[name])}")
    return 0
