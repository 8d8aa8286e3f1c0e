"""`rotator provide`: hand over a key that a person made. Its value comes from a prompt or standard input alone."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time
from collections.abc import Callable

from rotator.app.providing import LONGEST, Wanted, provide, read_value, wanted
from rotator.app.reporting import INCOMPLETE, PLANNED_OUTCOME, report
from rotator.cli.context import assembled, named
from rotator.cli.errors import Told
from rotator.cli.provide_next import deletions, remaining, walk
from rotator.cli.terminal import Terminal, clean, terminal
from rotator.domain.secret import Secret


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Whose; there is no option for the value."""
    name_help = "the key is asked for, or read from standard input, part by part"
    parser.add_argument("name", nargs="?", metavar="NAME", help=name_help)
    parser.add_argument("--next", action="store_true", help="ask for every key that is waited for, most urgent first")
    parser.add_argument("too_much", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Ask only where something waits for the answer; says which key it is, never its value."""
    if args.too_much:  # it may be the value: not repeated, and exposed by now
        hint = "if it was the key, delete it and make another: the command line is in the shell's history"
        raise Told("a key is not taken from the command line", hint)
    if args.next == (args.name is not None):
        raise Told("provide needs a NAME or --next, and not both", "`rotator provide --next` walks through all of them")
    out, err = terminal(sys.stdout, no_color=args.no_color), terminal(sys.stderr, no_color=args.no_color)
    return _walk(args, out, err) if args.next else _one(args, out, err)


def _walk(args: argparse.Namespace, out: Terminal, err: Terminal) -> int:
    """Everything that waits for a person; 3 when Ctrl-C ended it."""
    with assembled(args) as assembly:
        walked = walk(assembly, err, patiently(err))
        for line in deletions(assembly):
            err.line(line)
    if args.json:
        print(json.dumps(report(walked.rows, selected=len(walked.rows) + walked.left), indent=2, ensure_ascii=False))
    else:
        goes_on = "; `rotate --due` or the daemon goes on" if walked.rows else ""
        out.line(remaining(walked) + goes_on)
    return INCOMPLETE if walked.interrupted else PLANNED_OUTCOME


def _one(args: argparse.Namespace, out: Terminal, err: Terminal) -> int:
    with assembled(args) as assembly:
        spec = named(assembly.config, args.name)
        want = wanted(assembly, spec)
        if sys.stdin.isatty():
            err.line(clean(f"{spec.name} waits: {want.instruction}"))
        done = provide(assembly, spec, want, read(want), patiently(err))
    if args.json:
        print(json.dumps(report([done.rotation], selected=1), indent=2, ensure_ascii=False))
    else:
        out.line(f"{spec.name}: {clean(done.key_id)} is handed over; `rotate --due` or the daemon goes on with it")
    return 0


def patiently(err: Terminal) -> Callable[[float], None]:
    """Sleep, and say what for."""

    def sleep(seconds: float) -> None:
        if seconds:
            err.line(f"waits {seconds:.0f} s, until the provider's list can be believed")
        time.sleep(seconds)

    return sleep


def read(want: Wanted) -> Secret:
    """The value: without an echo on a terminal, else a line of standard input for each part."""
    if sys.stdin.isatty():
        return read_value({part: getpass.getpass(f"{part} (not shown): ") for part in want.parts})
    most = (LONGEST + 3) * len(want.parts)  # each with its line's end, and one more: what is too long is not cut
    lines = sys.stdin.read(most).removesuffix("\n").split("\n")
    if len(want.parts) > 1 and len(lines) != len(want.parts):
        raise Told(f"standard input has {len(lines)} lines", f"one line each: {', '.join(want.parts)}")
    if len(want.parts) == 1:
        return read_value({want.parts[0]: "\n".join(lines).removesuffix("\r")})
    return read_value({part: line.removesuffix("\r") for part, line in zip(want.parts, lines, strict=True)})
