"""`rotator audit where`: who had a package when, and which credentials each could read."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rotator.app.wanting import Wanted, read_wanted
from rotator.app.whereabouts import Sighting, Whereabouts, Window, where
from rotator.cli import typed, words
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, table, terminal
from rotator.domain.times import format_time

SHORT = 12
"""Digits of a commit that are shown."""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which package, and when."""
    parser.add_argument("package", metavar="PACKAGE", help="like litellm==1.82.8, litellm or npm:left-pad@1.3.0")
    parser.add_argument("--from", dest="start", metavar="TIME", help="who had it after, like 2026-03-24T10:00:00Z")
    parser.add_argument("--to", dest="end", metavar="TIME", help="who had it before")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """0: nobody had it; 1: these had it; 3: of somebody nobody can say, or what they could read."""
    wanted = read_wanted(args.package)
    window = Window(start=typed.instant(args.start, "--from"), end=typed.instant(args.end, "--to"))
    if window.start is not None and window.end is not None and window.end < window.start:
        raise Told("the window ends before it starts", "write the earlier time behind --from")
    with assembled(args) as assembly:
        found = where(assembly, wanted, window)
    if args.json:
        print(json.dumps(as_json(wanted, window, found), indent=2))
    else:
        show(wanted, window, found, terminal(sys.stdout, no_color=args.no_color))
    return found.code


def show(wanted: Wanted, window: Window, found: Whereabouts, out: Terminal) -> None:
    """Those who had it, then those of whom nobody can say."""
    if found.found:
        cells = [_cells(each) for each in found.found]
        head = ["consumer", "version", "from (UTC)", "until (UTC)", "file", "commit", "credentials it can read"]
        for line in table(head, cells, out, wrap=True):
            out.line(line)
        for way in _ways(found.found):
            out.line(out.style(f"  {way}", "dim"))
    else:
        out.line(clean(f"no record has {wanted.text}"))
    for each in found.unknown:
        out.line(out.style(clean(f"unknown: {each.consumer}: {each.why}"), "yellow"))
    if window.start is None and found.known_since:
        for consumer, since in sorted(found.known_since.items()):
            out.line(out.style(f"of {consumer} nothing is known before {words.instant(since)} UTC", "dim"))


def _cells(each: Sighting) -> list[str]:
    return [
        each.consumer,
        clean(each.version) or "any",
        words.instant(each.since),
        "today" if each.until is None else words.instant(each.until),
        clean(each.origin),
        each.commit[:SHORT] or "—",
        ", ".join((*each.readable.credentials, *_nobody_says(each))) or "none that the config names",
    ]


def _nobody_says(each: Sighting) -> list[str]:
    return [f"whatever {role} may read" for role in each.readable.unknown]


def _ways(found: Sequence[Sighting]) -> list[str]:
    """How a credential is reached that no `consumers:` names it for."""
    return list(dict.fromkeys(str(way) for each in found for way in each.readable.grants if len(way.path) > 2))


def as_json(wanted: Wanted, window: Window, found: Whereabouts) -> dict[str, Any]:
    """The same for a program."""
    return {
        "package": {"ecosystem": wanted.package.ecosystem, "name": wanted.package.name, "asked": wanted.text},
        "window": {"from": _time(window.start), "to": _time(window.end)},
        "found": [
            {
                "consumer": each.consumer,
                "version": each.version,
                "from": _time(each.since),
                "until": _time(each.until),
                "file": each.origin,
                "commit": each.commit or None,
                "credentials": [
                    {"credential": name, "ways": [str(way) for way in each.readable.grants if way.credential == name]}
                    for name in each.readable.credentials
                ],
                "identities_unknown": list(each.readable.unknown),
            }
            for each in found.found
        ],
        "unknown": [{"consumer": each.consumer, "why": each.why} for each in found.unknown],
        "known_since": {name: _time(since) for name, since in sorted(found.known_since.items())},
    }


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else format_time(instant)
