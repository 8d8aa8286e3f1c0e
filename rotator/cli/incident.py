"""`rotator incident`: the incidents that there were, the evidence of one of them, and whether evidence is genuine."""

from __future__ import annotations

import argparse
import base64
import sys
from pathlib import Path

from rotator.cli import beneath, words
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, count, table, terminal
from rotator.config.errors import nearest
from rotator.domain.evidence import Evidence, Left

LARGEST = 256 * 2**20
"""Bytes of a file of evidence."""
ACTIONS = ("list", "report", "check", "key")
VERBS: dict[str, tuple[str, str]] = {
    # verb: (module, one line of help), in the order in which they are shown
    "open": ("incident_open", "remember what is exposed, and show it; nothing is rotated"),
    "plan": ("incident_plan", "what is exposed today, in the order of replacement, and what changed"),
    "verify": ("incident_verify", "prove every old key of an incident once more"),
    "close": ("incident_close", "end an incident, once all of it is proven"),
    "drill": ("drill", "the emergency rehearsed on this machine: how long it takes, and what is left"),
}


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which action, of which incident."""
    if beneath.typed(parser, VERBS):
        beneath.add(parser, verb, VERBS)
        return
    parser.usage = """rotator incident                                 every incident so far
       rotator incident open [NAME ...] [--package SPEC --from T] [--advisory ID --osv PATH|URL]
                                                        remember what is exposed, and show it
       rotator incident plan ID                         what is exposed today, in order, and what changed
       rotator incident verify ID                       prove every old key of it once more
       rotator incident close ID                        end it, once all of it is proven
       rotator incident report ID [--html F] [--json F] the evidence: what was exposed, what is dead, what is left
       rotator incident check FILE --key KEY            whether a file of evidence is as it was sealed
       rotator incident key                             the public key, to be noted where no thief comes
       rotator incident drill [NAME ...]                the emergency rehearsed: how long, and what is left"""
    parser.add_argument("action", nargs="?", default="list", metavar="|".join((*VERBS, *ACTIONS)))
    parser.add_argument("what", nargs="?", metavar="ID|FILE", help="an incident; for check a file")
    parser.add_argument("--html", metavar="FILE", help="write the evidence as one page (report)")
    parser.add_argument("--json", metavar="FILE", help="write it as one object; - for standard output (report)")
    parser.add_argument("--key", metavar="KEY", help="the installation's public key (check)")


def run(args: argparse.Namespace) -> int:
    """Do it."""
    if args.action in VERBS:
        raise Told(f"{args.action} stands before its options", f"rotator incident {args.action} --help")
    if args.action not in ACTIONS:
        near = "report ID" if args.action.startswith("inc-") else nearest(args.action, (*ACTIONS, *VERBS))
        hint = f"did you mean {near}?" if near else "see `rotator incident --help`"
        raise Told(f"{clean(args.action)!r} is nothing that is done with incidents", hint)
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
    found.sort(key=lambda each: each.detected_at or each.made_at, reverse=True)
    if not found:
        out.line("no incident yet")
        return 0
    cells = [
        [
            each.incident,
            words.instant(each.detected_at),
            "closed" if each.closed else "open",
            f"{each.proven} of {len(each.replaced)}",
            out.style("complete", "green") if each.complete else out.style("incomplete", "red"),
            _reason(each),
        ]
        for each in found
    ]
    for line in table(["incident", "since (UTC)", "", "proven", "state", "reason"], cells, out, wrap=True):
        out.line(line)
    return 0


def _reason(evidence: Evidence) -> str:
    """Why there was this incident, and why somebody gave it up."""
    gave_up = f"closed incomplete: {evidence.closed.gave_up}" if evidence.closed and evidence.closed.gave_up else ""
    return clean("; ".join(each for each in (evidence.reason, gave_up) if each)) or "—"


def report(args: argparse.Namespace) -> int:
    """The evidence; exits 3 while anything is left, 1 where a person has to look at something besides."""
    from rotator.app import sealing
    from rotator.app.evidence import gather
    from rotator.app.evidence_object import text
    from rotator.cli.evidence.page import page

    with assembled(args, lenient=True) as assembly:
        evidence, installation = gather(assembly, args.what), assembly.installation
    if args.html:
        _write(args.html, sealing.seal(page(evidence), sealing.HTML, installation))
    if args.json:
        _write(args.json, sealing.seal(text(evidence), sealing.JSON, installation))
    show(evidence, terminal(sys.stderr if args.json == "-" else sys.stdout, no_color=args.no_color))
    return 3 if not evidence.complete else 1 if evidence.by_hand else 0


def show(evidence: Evidence, out: Terminal) -> None:
    """The evidence in a few lines."""
    look = "green" if evidence.complete else "red"
    nothing = evidence.complete and not evidence.replaced
    how = "nothing was exposed" if nothing else f"{evidence.percent:.4g} % proven clean"
    out.line(out.style(f"incident {evidence.incident}: {how}", look))
    if evidence.closed is not None:
        at = words.instant(evidence.closed.at)
        gave_up = evidence.closed.gave_up
        how = f"closed incomplete at {at} UTC: {gave_up}" if gave_up else f"closed at {at} UTC"
        out.line(out.style(clean(how), "red" if gave_up else "green"))
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
        _helps(left, out)
    for look_at in evidence.by_hand:
        out.line(out.style(clean(f"by hand: {look_at.credential}: {look_at.what}"), "yellow"))
        _helps(look_at, out)


def _helps(left: Left, out: Terminal) -> None:
    helps = " — ".join(each for each in (left.hint, left.url) if each)
    if helps:
        out.line(clean(f"  {helps}"))


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
