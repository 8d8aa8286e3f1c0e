"""`rotator check`: is everything as it must be, without changing anything."""

from __future__ import annotations

import argparse
import sys

from rotator.app.checking import Finding, check, least_permissions
from rotator.cli.context import assemble
from rotator.cli.terminal import Terminal, clean, terminal


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """What to print."""
    parser.add_argument("--policy", action="store_true", help="print the least permissions instead")


def run(args: argparse.Namespace) -> int:
    """Print each finding; exit 0 when nothing is wrong, 1 otherwise."""
    assembly = assemble(args, lenient=True)
    out = terminal(sys.stdout, no_color=args.no_color)
    if args.policy:
        for subject, text in least_permissions(assembly):
            out.line(out.style(f"# {subject}", "bold"))
            out.line(text.rstrip() + "\n")
        return 0
    wrong = 0
    for finding in check(assembly):
        wrong += finding.ok is False
        show(finding, out)
    out.line(f"{wrong} to mend" if wrong else "all is well")
    return 1 if wrong else 0


def show(finding: Finding, out: Terminal) -> None:
    """One line, and its hint beneath."""
    sign = {True: out.style("ok  ", "green"), False: out.style("bad ", "red"), None: out.style("note", "yellow")}[
        finding.ok
    ]
    out.line(f"{sign}  {finding.subject}: {clean(finding.text)}")
    if finding.hint and finding.ok is False:
        out.line(f"      hint: {clean(finding.hint)}")
