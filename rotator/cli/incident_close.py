"""`rotator incident close ID`: end an incident, once all of it is proven; or give it up, with the reason."""

from __future__ import annotations

import argparse
import sys

from rotator.app.incident_planning import find, plan
from rotator.app.reporting import INCOMPLETE
from rotator.app.verifying import close, noted, verify
from rotator.cli import incident_verify, words
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import clean, count, terminal
from rotator.domain.incidents import Incident

NOTHING = "nothing was exposed, by everybody's records"


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which, and how."""
    parser.add_argument("incident", metavar="ID", help="the incident, as `rotator incident` lists it")
    parser.add_argument("--incomplete", action="store_true", help="it can never be complete: end it all the same")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why not (with --incomplete)")


def run(args: argparse.Namespace) -> int:
    """Exit 0 when it is closed, 3 while anything is left. Twice: it is closed already."""
    if args.incomplete and not args.reason.strip():
        raise Told("--incomplete: why can it never be complete?", "--reason TEXT, which the report shows")
    if args.reason and not args.incomplete:
        raise Told("--reason is for --incomplete", "an incident that is proven needs none")
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args, lenient=True) as assembly:
        assembly.emergency = True  # a store that is away hides no death
        incident = find(assembly, args.incident)
        if incident.closed is not None:
            out.line(f"incident {incident.id} was closed before: {_how(incident)}")
            return 0
        if not args.incomplete:
            planned = plan(assembly, incident)
            found = verify(assembly, planned)
            noted(assembly, incident, found)
            incident = find(assembly, args.incident)
            incident_verify.show(incident.id, found, out)
            empty = planned.covered and not found.checked and not found.left
            if incident_verify.code(found) == INCOMPLETE and not empty:
                what = f"{count(len(found.left), 'thing')} left" if found.left else "nothing is proven"
                hint = "do what stands beneath each, then the same command; or --incomplete --reason TEXT"
                raise Told(f"incident {incident.id} stays open: {what}", hint, code=INCOMPLETE)
        closed = close(assembly, incident, args.reason.strip())
    out.line(f"incident {closed.id} is closed: {_how(closed)}")
    return 0


def _how(incident: Incident) -> str:
    assert incident.closed is not None
    at = words.instant(incident.closed.at)
    if incident.closed.gave_up:
        return clean(f"incomplete, at {at} UTC: {incident.closed.gave_up}")
    return f"all of it was proven, at {at} UTC" if incident.names else f"{NOTHING}, at {at} UTC"
