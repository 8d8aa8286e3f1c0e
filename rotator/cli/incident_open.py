"""`rotator incident open`: remember what is exposed, and show it. Nothing is rotated."""

from __future__ import annotations

import argparse
import json
import sys

from rotator.app.assembly import Assembly
from rotator.app.incident_planning import Plan, plan, shown
from rotator.app.incidents import recall, remembered
from rotator.app.opening import opened
from rotator.app.own_environment import keep_own
from rotator.app.plan_object import as_object
from rotator.app.reporting import INCOMPLETE
from rotator.cli import advisory_options, blast_options, incident_words, opening, words
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, terminal
from rotator.domain.incidents import Incident

USAGE = """rotator incident open NAME ...                         these are exposed, and what they open
       rotator incident open --package SPEC --from T ...      whatever a bad package could read
       rotator incident open --advisory ID --osv PATH|URL     whatever the packages of an advisory could read"""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """What it is about."""
    parser.usage = USAGE
    parser.add_argument("names", nargs="*", metavar="NAME", help="credentials")
    blast_options.options(parser)
    advisory_options.options(parser, more=True)
    parser.add_argument("--reason", metavar="TEXT", default="", help="why, for the trail")
    contained = parser.add_mutually_exclusive_group()
    contained.add_argument("--contained", action="store_true", help="the breach is over: new keys are safe")
    contained.add_argument("--not-contained", action="store_true", help="it is not, or nobody knows")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Exit 0 when all is known, 1 when nothing matches, 3 when of somebody nobody knows, or the records are stale."""
    if not (args.names or args.package or args.advisory):
        raise Told(
            "an incident about what?", "name credentials, or --package SPEC --from T, or --advisory ID --osv PATH"
        )
    blast_options.check_open(args)
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args, lenient=True) as assembly:
        asked = opening.about(args, assembly, names=tuple(args.names), packages=tuple(args.package))
        incident = opened(assembly, asked)
        before = recall(assembly.journal, incident.id)
        keep_own(assembly)
        found = plan(assembly, incident, new=before is None)
        shown(assembly, found)
        others = _others(assembly, incident)
    if args.json:
        print(json.dumps(as_object(found), indent=2, ensure_ascii=False))
    else:
        if before is not None:
            out.line(f"it was opened with the same words at {words.instant(before.opened_at)} UTC, and goes on")
        incident_words.show(found, out)
        for each in others:
            out.line(f"note: {each} is open about the same advisory, with other packages, versions or times")
        _next(found, out)
    doubtful = any(each.doubtful for each in asked.advised)
    return max(incident_words.code(found), INCOMPLETE if doubtful else 0)


def _others(assembly: Assembly, incident: Incident) -> list[str]:
    """Open incidents about the same advisory: what it says may have changed since."""
    known = (recall(assembly.journal, each) for each in remembered(assembly.journal))
    return [
        each.id
        for each in known
        if each is not None
        and each.closed is None
        and each.id != incident.id
        and set(each.advisories) & set(incident.advisories)
    ]


def _next(found: Plan, out: Terminal) -> None:
    out.line("nothing was rotated; what was matched is fixed in this incident, whatever a feed says later")
    if found.names:
        out.line(f"next: rotate --incident {found.incident.id} --assume-compromise")
