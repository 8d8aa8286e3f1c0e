"""`rotator scan`: a scanner's report of leaked keys opens an incident. Values are read and shown to nobody."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from rotator.app.assembly import Assembly
from rotator.app.leak_intake import KINDS, LARGEST, SHOWN, Intake, LeakReport, read_report, take
from rotator.app.notifying import ONCE, Notifier, leak_notice
from rotator.app.reporting import FINDINGS, INCOMPLETE
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, count, terminal
from rotator.config.recognise import secrets_hidden

PATIENCE = timedelta(seconds=30)
"""For telling people, at the end."""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """One report."""
    parser.usage = "rotator scan --gitleaks FILE|- | --trufflehog FILE|- | --github FILE|-"
    for kind in KINDS:
        parser.add_argument(f"--{kind}", metavar="FILE|-", help=f"a report of {kind}; - for standard input")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """0 nothing lives, 1 an incident is open, 3 where of something nobody can say."""
    given = [kind for kind in KINDS if getattr(args, kind) is not None]
    if len(given) != 1:
        what = "a report of which scanner?" if not given else "one report at a time"
        raise Told(what, "rotator scan --gitleaks FILE, --trufflehog FILE or --github FILE")
    report = _report(given[0], getattr(args, given[0]))
    with assembled(args, lenient=True) as assembly:
        intake, told = _taken(assembly, report)
    if args.json:
        print(json.dumps({**_object(intake), "told": told}, indent=2, ensure_ascii=False))
    else:
        _show(intake, told, terminal(sys.stdout, no_color=args.no_color))
    if not intake.complete or not all(told.values()):
        return INCOMPLETE
    return FINDINGS if intake.incident is not None else 0


def _report(kind: str, name: str) -> LeakReport:
    if name == "-":
        source = getattr(sys.stdin, "buffer", None)
        text = source.read(LARGEST + 1) if source is not None else sys.stdin.read(LARGEST + 1).encode()
    else:
        try:
            with Path(name).open("rb") as file:
                text = file.read(LARGEST + 1)
        except OSError as error:
            why = (error.strerror or "it cannot be read").lower()
            raise Told(f"{clean(name)}: {why}", "name a report, or - for standard input") from None
        except ValueError:  # a NUL in the name
            raise Told("the name of the report holds what no path can", "name a file") from None
    return read_report(kind, text)


def _taken(assembly: Assembly, report: LeakReport) -> tuple[Intake, dict[str, bool]]:
    """The intake, and of each target whether it was told; nobody where there was nothing that it did not know."""
    notifier = Notifier(lambda: assembly, pace=ONCE, look=None)
    assembly.observer = notifier.observer
    try:
        intake = take(assembly, report)
        if intake.incident is not None and (known := leak_notice(intake.incident, assembly.clock.now())) is not None:
            notifier.tell(known)  # whoever was away when it was opened
    finally:
        notifier.close(PATIENCE)
    counts = notifier.counts()
    return intake, {name: not each.dropped for name, each in counts.items() if each.delivered or each.dropped}


def _show(intake: Intake, told: dict[str, bool], out: Terminal) -> None:
    for name, keys in intake.exposed.items():
        out.line(_line(f"{name}: {', '.join(keys)} is public", out, "red"))
        for place in list(intake.places.get(name, ()))[:SHOWN]:
            out.line(_line(f"  found at {place}", out))
    for each in intake.unmanaged:
        where = f", found at {each.where}" if each.where else ""
        out.line(_line(f"{each.what}{where}: revoke it: {each.revoke}", out, "yellow"))
    for text in (*intake.dead, *(f"unknown: {each}" for each in intake.doubtful)):
        out.line(_line(text, out))
    for trouble in intake.not_asked:
        out.line(_line(f"not asked: {trouble.what}: {trouble.why}", out))
    if intake.strangers:
        out.line(f"{count(intake.strangers, 'value')} of no credential here and of no form known here")
    for name, well in told.items():
        out.line(_line(f"told {name}" if well else f"not told: {name}; `rotator notify test {name}` says why", out))
    if intake.incident is None:
        out.line("nothing was opened: no living key of anybody's is in it, as far as was asked")
        return
    how = "opened" if intake.new else "known already"
    out.line(out.style(f"incident {intake.incident.id} ({how})", "bold"))
    out.line("nothing was rotated")
    if intake.exposed:
        out.line(f"next: rotate --incident {intake.incident.id} --assume-compromise")
    else:
        out.line(
            f"next: revoke by hand what is named above; then rotator incident close {intake.incident.id} --incomplete"
        )


def _line(text: str, out: Terminal, *styles: str) -> str:
    return out.style(clean(secrets_hidden(text)), *styles)


def _object(intake: Intake) -> dict[str, Any]:
    def plain(text: str) -> str:
        return clean(secrets_hidden(text))

    return {
        "incident": intake.incident.id if intake.incident is not None else None,
        "new": intake.new,
        "by": intake.by,
        "exposed": [
            {
                "credential": name,
                "key_ids": list(keys),
                "found_at": [plain(each) for each in intake.places.get(name, ())],
            }
            for name, keys in intake.exposed.items()
        ],
        "unmanaged": [
            {"what": plain(each.what), "revoke": each.revoke, "found_at": plain(each.where)}
            for each in intake.unmanaged
        ],
        "dead": [plain(each) for each in intake.dead],
        "unknown": [plain(each) for each in intake.doubtful],
        "not_asked": [{"what": each.what, "why": plain(each.why)} for each in intake.not_asked],
        "strangers": intake.strangers,
    }
