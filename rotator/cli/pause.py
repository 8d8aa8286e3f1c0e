"""`pause`: no scheduled rotation begins for a while. What is open goes on, and so does every emergency."""

from __future__ import annotations

import argparse
import sys

from rotator.app import pausing
from rotator.cli import typed, words
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import terminal

EVERYTHING = "everything"


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Until when, or its end."""
    parser.add_argument("--until", metavar="T", help="an instant like 2026-12-27T00:00:00Z")
    parser.add_argument("--for", dest="duration", metavar="DURATION", help="like 12h or 14d")
    parser.add_argument("--end", action="store_true", help="go on")
    parser.add_argument("--reason", default="", metavar="TEXT", help="for whoever looks")


def run(args: argparse.Namespace) -> int:
    """Pause, or go on."""
    if args.end and (args.until or args.duration):
        raise Told("--end takes no time", "`rotator pause --end` goes on at once")
    if args.until and args.duration:
        raise Told("--until and --for both say when it ends", "give one of them")
    until, duration = typed.instant(args.until, "--until"), typed.duration(args.duration, "--for")
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args) as assembly:
        journal, now = assembly.journal, assembly.clock.now()
        before = pausing.pause_of(journal, now)
        if args.end:
            if before is not None:
                pausing.end(journal, now)
                assembly.told.alert("pause over", EVERYTHING, "scheduled rotations begin again")
            out.line("scheduled rotations begin again" if before else "nothing was paused")
            return 0
        until = now + duration if duration is not None else until
        if until is not None and until <= now:
            raise Told("the end of the pause lies in the past", "give one that is still to come")
        pause = pausing.pause(journal, now, until, args.reason)
        said = f"no scheduled rotation begins {_end(pause)}; emergencies and `rotate NAME` go on"
        assembly.told.alert("paused", EVERYTHING, said)
        out.line(said)
    return 0


def _end(pause: pausing.Pause) -> str:
    return f"before {words.instant(pause.until)} UTC" if pause.until else "until `rotator pause --end`"
