"""`resume`, `rollback`, `hold`, `release`: an operator's word, read by the owner of the row before its next intent."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from rotator.app.assembly import Assembly
from rotator.cli import words
from rotator.cli.context import assembled, named
from rotator.cli.errors import Told
from rotator.cli.terminal import terminal
from rotator.domain.failures import Fenced
from rotator.domain.records import Event, EventKind, Verb
from rotator.domain.rotation import Phase, Rotation
from rotator.engine.by_hand import waiting_keys
from rotator.engine.outcomes import BEFORE_PIVOT
from rotator.ports import Change


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which credential; `resume` alone means every stuck one."""
    if verb == "resume":
        parser.add_argument("name", nargs="?", metavar="NAME")
    else:
        parser.add_argument("name", metavar="NAME")
    parser.add_argument("--reason", default="", metavar="TEXT", help="for the trail")


def run(args: argparse.Namespace) -> int:
    """Leave the request; whoever runs rotations next acts on it."""
    verb = Verb(args.verb)
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args) as assembly:
        names = [named(assembly.config, args.name).name] if args.name else _stuck(assembly)
        if not names:
            out.line("nothing is stuck")
        for name in names:
            out.line(f"{name}: {_ask(assembly, name, verb, args.reason)}")
    return 0


def _stuck(assembly: Assembly) -> list[str]:
    return sorted(row.credential for row in assembly.journal.rotations() if row.phase is Phase.STUCK)


def _ask(assembly: Assembly, name: str, verb: Verb, reason: str) -> str:
    row = assembly.journal.open_rotation(name)
    if verb in (Verb.HOLD, Verb.RELEASE):
        return _hold(assembly, name, verb, reason, row)
    if row is None:
        raise Told(f"{name} has no open rotation", f"`rotator history {name}` shows past ones")
    if verb is Verb.RESUME and row.phase is not Phase.STUCK:
        if not waiting_keys(row):
            standing = words.standing(row, assembly.clock.now())
            raise Told(f"{name} is not stuck: {standing}", "there is nothing to resume")
        assembly.journal.ask(name, verb, reason, assembly.clock.now())
        return "looked at again by `rotate --due` or the daemon; it goes on once the old key is refused"
    if verb is Verb.ROLLBACK and not _can_go_back(row):
        raise Told(f"{name} cannot go back: {_why_not(row)}", f"`rotator status {name}` shows what it does")
    assembly.journal.ask(name, verb, reason, assembly.clock.now())
    return f"{verb.value} asked for; `rotate --due` or the daemon acts on it"


def _can_go_back(row: Rotation) -> bool:
    at = row.parked_from or row.phase
    return at in BEFORE_PIVOT and not row.beyond_pivot and row.rules.may_go_back


def _why_not(row: Rotation) -> str:
    if row.rules.emergency:
        return "its old keys are taken for stolen"
    if row.phase in (Phase.ROLLING_BACK, Phase.WITHDRAWING) or row.ends_as is Phase.ROLLED_BACK:
        return "it is on its way back already"
    return "its old key is dying or dead"


def _hold(assembly: Assembly, name: str, verb: Verb, reason: str, row: Rotation | None) -> str:
    if row is not None:
        assembly.journal.ask(name, verb, reason, assembly.clock.now())
    else:
        credential = assembly.journal.credential(name)
        held = replace(credential, held=verb is Verb.HOLD, held_why=reason if verb is Verb.HOLD else "")
        event = Event(kind=EventKind.OPERATOR, action=verb.value, subject=name, detail={"why": reason})
        try:
            assembly.journal.save(held, assembly.clock.now(), Change(events=(event,)))
        except Fenced:
            raise Told(f"{name} began to rotate at this very moment", "the same command again", code=3) from None
    return f"held until `rotator release {name}`" if verb is Verb.HOLD else "released"
