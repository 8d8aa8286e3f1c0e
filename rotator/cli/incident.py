"""`rotator incident`: the incidents that there were, the evidence of one of them, and whether evidence is genuine."""

from __future__ import annotations

import argparse
import base64
import sys
from pathlib import Path

from rotator.cli import words
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, count, table, terminal
from rotator.domain.evidence import Evidence

LARGEST = 256 * 2**20
"""Bytes of a file of evidence."""
ACTIONS = ("list", "report", "check", "key")


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which action, of which incident."""
    parser.usage = """rotator incident                                 every incident so far
       rotator incident report ID [--html F] [--json F] the evidence: what was exposed, what is dead, what is left
       rotator incident check FILE --key KEY            whether a file of evidence is as it was sealed
       rotator incident key                             the public key, to be noted where no thief comes"""
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list", metavar="|".join(ACTIONS))
    parser.add_argument("what", nargs="?", metavar="ID|FILE", help="an incident; for check a file")
    parser.add_argument("--html", metavar="FILE", help="write the evidence as one page (report)")
    parser.add_argument("--json", metavar="FILE", help="write it as one object; - for standard output (report)")
    parser.add_argument("--key", metavar="KEY", help="the installation's public key (check)")


def run(args: argparse.Namespace) -> int:
    """Do it."""
    if args.action in ("list", "key") and args.what is not None:
        raise Told(f"{args.action} takes no argument", f"`rotator incident report {args.what}` shows one incident")
    if args.action in ("report", "check") and args.what is None:
        what = "which incident" if args.action == "report" else "which file"
        raise Told(f"{args.action}: {what}?", "`rotator incident` lists the incidents")
    if args.action != "report" and (args.html or args.json):
        raise Told("--html and --json are for report", "rotator incident report ID --html FILE")
    if args.action == "check":
        return check(args)
    if args.key is not None:
        raise Told("--key is for check alone", "rotator incident check FILE --key KEY")
    return {"list": every, "report": report, "key": key}[args.action](args)


def every(args: argparse.Namespace) -> int:
    """A line for each incident."""
    from rotator.app.evidence import gather, known

    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args, lenient=True) as assembly:
        found = [gather(assembly, each, close=False) for each in known(assembly)]
    if not found:
        out.line("no incident yet")
        return 0
    cells = [
        [
            each.incident,
            words.instant(each.detected_at),
            f"{each.proven} of {len(each.replaced)}",
            out.style("complete", "green") if each.complete else out.style("incomplete", "red"),
            each.reason or "—",
        ]
        for each in found
    ]
    for line in table(["incident", "since (UTC)", "proven", "state", "reason"], cells, out, wrap=True):
        out.line(line)
    return 0


def report(args: argparse.Namespace) -> int:
    """The evidence; exits 3 while anything is left."""
    from rotator.app import sealing
    from rotator.app.evidence import gather
    from rotator.cli.evidence.object import text
    from rotator.cli.evidence.page import page

    with assembled(args, lenient=True) as assembly:
        evidence, installation = gather(assembly, args.what), assembly.installation
    if args.html:
        _write(args.html, sealing.seal(page(evidence), sealing.HTML, installation))
    if args.json:
        _write(args.json, sealing.seal(text(evidence), sealing.JSON, installation))
    show(evidence, terminal(sys.stderr if args.json == "-" else sys.stdout, no_color=args.no_color))
    return 0 if evidence.complete else 3


def show(evidence: Evidence, out: Terminal) -> None:
    """The evidence in a few lines."""
    look = "green" if evidence.complete else "red"
    out.line(out.style(f"incident {evidence.incident}: {evidence.percent:.4g} % proven clean", look))
    cells = []
    for each in evidence.replaced:
        state = out.style("proven clean", "green") if each.proven else out.style("not proven", "red")
        keys = ", ".join(
            f"{clean(old.key_id)} {words.old_key(old.proof, old.deleted_at is not None)}" for old in each.old_keys
        )
        cells.append([each.credential, state, words.instant(each.live_at), words.instant(each.dead_at), keys or "—"])
    if cells:
        for line in table(["credential", "state", "new key live", "old dead", "old keys"], cells, out, wrap=True):
            out.line(line)
    for left in evidence.left:
        out.line(out.style(clean(f"left: {left.credential}: {left.what}"), "red"))
        out.line(clean(f"  {' — '.join(each for each in (left.hint, left.url) if each)}"))


def key(args: argparse.Namespace) -> int:
    """The public key."""
    with assembled(args, lenient=True) as assembly:
        print(base64.b64encode(assembly.installation.public()).decode())
    return 0


def check(args: argparse.Namespace) -> int:
    """Whether a file is as it was sealed; needs no config."""
    from rotator.app.sealing import check as sealed_by
    from rotator.app.sealing import public_key
    from rotator.config.errors import ConfigError

    if args.key is None:
        raise Told("check: by which public key?", "--key with what `rotator incident key` showed before the incident")
    public, document = public_key(args.key), _read(args.what)
    try:
        sealed_by(document, public)
    except ConfigError as wrong:
        raise Told(f"{clean(args.what)}: {wrong.message}", wrong.hint, code=3) from None
    size = count(len(document), "byte")
    print(f"{clean(args.what)}: {size}, as they were sealed by the owner of this key")
    return 0


def _read(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            document = file.read(LARGEST + 1)
    except OSError as error:
        raise Told(
            f"{clean(name)}: {(error.strerror or 'cannot be read').lower()}", "name a file of evidence"
        ) from None
    if len(document) > LARGEST:
        raise Told(f"{clean(name)} is larger than any evidence", "name a file of evidence")
    return document


def _write(name: str, document: bytes) -> None:
    if name == "-":
        sys.stdout.write(document.decode())
        return
    try:
        Path(name).write_bytes(document)
    except OSError as error:
        raise Told(f"{clean(name)}: {(error.strerror or 'cannot be written').lower()}", "name another file") from None
