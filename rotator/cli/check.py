"""`rotator check`: is everything as it must be, without changing anything."""

from __future__ import annotations

import argparse
import sys

from rotator.app.assembly import Assembly
from rotator.app.checking import Finding, check, least_permissions
from rotator.cli.context import assembled
from rotator.cli.terminal import Terminal, clean, count, terminal


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """What to print."""
    parser.add_argument("--policy", action="store_true", help="print the least permissions instead")


def run(args: argparse.Namespace) -> int:
    """Print each finding; exit 0 when nothing is wrong, 1 otherwise."""
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args, lenient=True) as assembly:
        return policy(assembly, out) if args.policy else findings(assembly, out)


def policy(assembly: Assembly, out: Terminal) -> int:
    """What every admin credential must be allowed to do, and no more; a driver that cannot be asked is told of."""
    unknown = 0
    for found in least_permissions(assembly):
        if isinstance(found, Finding):
            unknown += 1
            show(found, out)
        else:
            subject, text = found
            out.line(out.style(f"# {subject}", "bold"))
            out.line(text.rstrip() + "\n")
    return 1 if unknown else 0


def findings(assembly: Assembly, out: Terminal) -> int:
    """Everything that was looked at, one line each."""
    wrong = 0
    for finding in check(assembly):
        wrong += finding.ok is False
        show(finding, out)
    out.line(f"{count(wrong, 'thing')} to mend" if wrong else "all is well")
    return 1 if wrong else 0


def show(finding: Finding, out: Terminal) -> None:
    """One line, and its hint beneath."""
    sign = {True: out.style("ok  ", "green"), False: out.style("bad ", "red"), None: out.style("note", "yellow")}[
        finding.ok
    ]
    out.line(f"{sign}  {finding.subject}: {clean(finding.text)}")
    if finding.hint and finding.ok is False:
        out.line(f"      hint: {clean(finding.hint)}")
