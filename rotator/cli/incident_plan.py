"""`rotator incident plan ID`: what is exposed today, in the order of replacement, and what changed."""

from __future__ import annotations

import argparse
import json
import sys

from rotator.app.incident_planning import find_open, plan, shown
from rotator.app.own_environment import keep_own
from rotator.app.plan_object import as_object
from rotator.cli import incident_words
from rotator.cli.context import assembled
from rotator.cli.terminal import terminal


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which."""
    parser.add_argument("incident", metavar="ID", help="the incident, as `rotator incident` lists it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Exit 0 when all is known, 1 when nothing matches, 3 when of somebody nobody knows. Asks no provider."""
    with assembled(args, lenient=True) as assembly:
        incident = find_open(assembly, args.incident)
        keep_own(assembly)
        found = plan(assembly, incident)
        shown(assembly, found)
    if args.json:
        print(json.dumps(as_object(found), indent=2, ensure_ascii=False))
    else:
        incident_words.show(found, terminal(sys.stdout, no_color=args.no_color))
    return incident_words.code(found)
