"""`--assume-compromise`: its options, its question, its safety catches, and how it closes."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta

from rotator.app.assembly import Assembly
from rotator.app.planning import Planned
from rotator.app.reporting import proven
from rotator.cli.errors import Told
from rotator.cli.plans import describe
from rotator.cli.terminal import Terminal
from rotator.domain.credential import Credential
from rotator.domain.rotation import Mode, Phase, Rotation

TYPED_BACK = 20
"""Above so many credentials the number is typed back."""
SAME_INCIDENT = timedelta(days=1)


def mode(args: argparse.Namespace) -> Mode:
    """What was asked for, as a mode."""
    if not args.assume_compromise:
        return Mode.MANUAL
    return Mode.CONTAIN_FIRST if args.contain_first else Mode.COMPROMISE


def confirm(
    args: argparse.Namespace,
    assembly: Assembly,
    plans: Sequence[Planned],
    errors: Mapping[str, tuple[str, str]],
    err: Terminal,
) -> str:
    """Show what will happen, ask what has to be asked, and return the incident's id."""
    incident = incident_id(assembly, [each.credential for each in plans] + sorted(errors))
    err.line(err.style(f"incident {incident}", "bold"))
    for name, (message, hint) in errors.items():
        err.line(err.style(f"cannot: {name}: {message}" + (f" — {hint}" if hint else ""), "red"))
    good = [each for each in plans if each.problem is None]
    for line in describe(good, mode(args)):
        err.line(line)
    if not good:
        raise Told("nothing can be rotated", "mend what is listed first, then the same command", code=3)
    interactive = sys.stdin.isatty()
    if not interactive and not (args.yes and (args.contained or args.not_contained)):
        raise Told("there is no terminal to ask on", "add --yes and one of --contained, --not-contained")
    if not (args.contained or args.not_contained):
        _ask_contained(args, err)
    if not args.contained:
        err.line("not contained: whoever reads the stores now reads the new keys too; run it again after containment")
    if not args.yes:
        _ask_to_go(len(good), err)
    return incident


def _ask_contained(args: argparse.Namespace, err: Terminal) -> None:
    answer = _ask("Is the breach contained, so that new keys cannot be read by the thief? [yes/no/unknown] ", err)
    args.contained = answer in ("y", "yes")
    args.not_contained = not args.contained


def _ask_to_go(count: int, err: Terminal) -> None:
    if count > TYPED_BACK:
        if _ask("Type the number of credentials to go on: ", err) != str(count):
            raise Told("that was not the number", "nothing was changed")
    elif _ask("Go on? [yes/no] ", err) not in ("y", "yes"):
        raise Told("stopped", "nothing was changed")


def _ask(question: str, err: Terminal) -> str:
    err.stream.write(question)
    err.stream.flush()
    return sys.stdin.readline().strip().lower()


def incident_id(assembly: Assembly, names: Sequence[str]) -> str:
    """The same selection within a day is the same incident."""
    now = assembly.clock.now()
    suffix = hashlib.sha256("\0".join(sorted(names)).encode()).hexdigest()[:6]
    for name in names:
        for row in assembly.journal.rotations(name, limit=20):
            earlier = row.reason.partition(":")[0]
            recent = row.asked_at is not None and now - row.asked_at < SAME_INCIDENT
            if recent and earlier.startswith("inc-") and earlier.endswith(suffix):
                return earlier
    return f"inc-{now:%Y%m%d}-{suffix}"


def already_clean(
    args: argparse.Namespace, assembly: Assembly, spec: Credential, incident: str | None
) -> Rotation | None:
    """The rotation of this incident that replaced the credential and proved its old keys dead, if there is one."""
    if args.again or incident is None:
        return None
    for row in assembly.journal.rotations(spec.name, limit=20):
        if row.reason.startswith(f"{incident}:") and proven(row):
            return row
    return None


def closing(incident: str, rows: Sequence[Rotation], errors: Mapping[str, tuple[str, str]]) -> str:
    """The last line: how much is proven, and what is left."""
    done = sum(proven(row) for row in rows)
    keys = sum(len(row.old_keys) for row in rows if proven(row))
    left = len(rows) + len(errors) - done
    behind = [f"{s.store}:{s.ref}" for row in rows for s in row.stores if s.left_behind]
    text = f"incident {incident}: {keys} old keys of {done} credentials proven dead"
    if left:
        text += f"; {left} credentials left: the same command goes on"
    if behind:
        text += "; left behind: " + ", ".join(behind)
    stuck = [row.credential for row in rows if row.phase is Phase.STUCK]
    return text + (f"; stuck: {', '.join(stuck)}" if stuck else "")
