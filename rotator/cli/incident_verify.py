"""`rotator incident verify ID`: prove every old key of it once more, and say what is left."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

from rotator.app.incident_planning import find, plan
from rotator.app.own_environment import keep_own
from rotator.app.reporting import FINDINGS, INCOMPLETE, PLANNED_OUTCOME, time
from rotator.app.verifying import Verified, noted, verify
from rotator.cli.context import assembled
from rotator.cli.foreign import planned
from rotator.cli.terminal import Terminal, clean, count, terminal
from rotator.domain.evidence import SURE


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which."""
    parser.add_argument("incident", metavar="ID", help="the incident, as `rotator incident` lists it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Exit 0 when all is proven, 1 when a person has to look at something besides, 3 with each thing that is left."""
    with assembled(args, lenient=True) as assembly:
        assembly.emergency = True  # a store that is away hides no death
        incident = find(assembly, args.incident)
        keep_own(assembly)
        found = verify(assembly, plan(assembly, incident))
        noted(assembly, incident, found)
    if args.json:
        print(json.dumps(as_object(incident.id, found), indent=2, ensure_ascii=False))
    else:
        show(incident.id, found, terminal(sys.stdout, no_color=args.no_color))
    return code(found)


def code(found: Verified) -> int:
    """As INTERFACE has it; nothing at all is nothing proven."""
    if found.left or not found.checked:
        return INCOMPLETE
    return FINDINGS if found.foreign or found.by_hand else PLANNED_OUTCOME


def show(incident: str, found: Verified, out: Terminal) -> None:
    """Each old key, then each thing that is left with where and how."""
    for each in found.checked:
        for death in each.deaths:
            sign = out.style(death.proof.value, "green" if death.proof in SURE else "red")
            out.line(f"{each.credential}: {clean(death.key_id)}: {sign}: {clean(death.text)}")
    for line in planned(found.foreign, datetime.now(UTC), revoke=False):
        out.line(out.style(line, "yellow"))
    for left in found.left:
        out.line(out.style(clean(f"left: {left.credential}: {left.what}"), "red"))
        told = [each for each in (left.hint, left.url) if each]
        if told:
            out.line(clean(f"  {' — '.join(told)}"))
    for look_at in found.by_hand:
        out.line(out.style(clean(f"by hand: {look_at.credential}: {look_at.what}"), "yellow"))
    proven = sum(not each.left for each in found.checked)
    keys = f"{count(found.keys, 'old key')} dead"
    last = f"incident {incident}: {proven} of {count(len(found.checked), 'credential')} proven now, {keys}"
    things = f"; {count(len(found.left), 'thing')} left" if found.left else ""
    nothing = "; nothing was rotated in it, so nothing is proven" if not found.checked else ""
    out.line(last + things + nothing)


def as_object(incident: str, found: Verified) -> dict[str, Any]:
    """The same for machines."""
    return {
        "incident": incident,
        "proven": code(found) != INCOMPLETE,
        "credentials": [
            {
                "credential": each.credential,
                "old_keys": [
                    {"key_id": death.key_id, "proof": death.proof.value, "seen": death.text} for death in each.deaths
                ],
            }
            for each in found.checked
        ],
        "foreign_keys": [
            {
                "provider": key.provider,
                "principal": key.principal,
                "key_id": key.key_id,
                "created_at": time(key.created_at),
                "in_window": key.in_window,
            }
            for key in found.foreign
        ],
        "left": [
            {"credential": each.credential, "what": each.what, "hint": each.hint, "url": each.url}
            for each in found.left
        ],
        "by_hand": [{"provider": each.credential, "what": each.what, "url": each.url} for each in found.by_hand],
    }
