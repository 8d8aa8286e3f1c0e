"""`--assume-compromise`: its question, its safety catches, its incident, and how it closes."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from rotator.app.assembly import Assembly
from rotator.app.incidents import incident_of, still_open
from rotator.app.planning import Planned
from rotator.app.reporting import proven
from rotator.cli.errors import Told
from rotator.cli.plans import describe
from rotator.cli.terminal import Terminal, clean, count
from rotator.domain.credential import Credential
from rotator.domain.rotation import Mode, Phase, Rotation

TYPED_BACK = 20
"""Above so many credentials the number is typed back."""
SAME_INCIDENT = timedelta(days=1)
LONGEST_SWEEP = timedelta(minutes=10)
"""Two leases and a list lag are less."""
SHOWN = 8
LOOKED_AT = 20
"""So many of a credential's newest rotations are looked at for an earlier incident."""


def mode(args: argparse.Namespace) -> Mode:
    """What was asked for, as a mode."""
    if not args.assume_compromise:
        return Mode.MANUAL
    return Mode.CONTAIN_FIRST if args.contain_first else Mode.COMPROMISE


def confirm(
    args: argparse.Namespace,
    incident: str,
    plans: Sequence[Planned],
    errors: Mapping[str, tuple[str, str]],
    err: Terminal,
    *,
    said: Sequence[str] = (),
    typed_back: bool = False,
) -> None:
    """Show what will happen, and ask what has to be asked. Raises `Told` when it must not go on.

    `typed_back`: the number is, however small it is.
    """
    good = [each for each in plans if each.problem is None]
    cannot = [
        err.style(clean(f"cannot: {name}: {message}"), "red") + (f" — {clean(hint)}" if hint else "")
        for name, (message, hint) in errors.items()
    ]
    notes = [f"note: {each.credential}: {cannot}" for each in good for cannot in each.cannot]
    for line in (err.style(f"incident {incident}", "bold"), *said, *cannot, *describe(good, mode(args)), *notes):
        err.line(line)
    if not good:
        message = f"incident {incident}: nothing can be rotated"
        raise Told(message, "mend what is listed above, then the same command", code=3)
    if not sys.stdin.isatty() and not (args.yes and (args.contained or args.not_contained)):
        raise Told("there is no terminal to ask on", "add --yes and one of --contained, --not-contained")
    if not (args.contained or args.not_contained):
        _ask_contained(args, err)
    if not args.contained:
        err.line("not contained: whoever reads the stores now reads the new keys too; run it again after containment")
    if not args.yes:
        _ask_to_go(len(good), err, typed_back=typed_back)


def _ask_contained(args: argparse.Namespace, err: Terminal) -> None:
    answer = _ask("Is the breach contained, so that the thief cannot read new keys? [yes/no/unknown] ", err)
    args.contained = answer in ("y", "yes")
    args.not_contained = not args.contained


def _ask_to_go(number: int, err: Terminal, *, typed_back: bool) -> None:
    if typed_back or number > TYPED_BACK:
        if _ask(f"Type the number of credentials ({number}) to go on: ", err) != str(number):
            raise Told("that was not the number", "nothing was changed")
    elif _ask("Go on? [yes/no] ", err) not in ("y", "yes"):
        raise Told("stopped", "nothing was changed")


def _ask(question: str, err: Terminal) -> str:
    err.stream.write(question)
    err.stream.flush()
    return sys.stdin.readline().strip().lower()


def incident_id(assembly: Assembly, names: Sequence[str]) -> str:
    """The same selection within a day is the same incident, unless that was closed: then it begins another one."""
    about = "\0".join(sorted(names))
    while True:
        found = _incident_of(assembly, names, hashlib.sha256(about.encode()).hexdigest()[:6])
        if still_open(assembly.journal, found):
            return found
        about += found


def _incident_of(assembly: Assembly, names: Sequence[str], suffix: str) -> str:
    now = assembly.clock.now()
    for name in names:
        for row in assembly.journal.rotations(name, limit=LOOKED_AT):
            earlier = incident_of(row)
            recent = row.asked_at is not None and now - row.asked_at < SAME_INCIDENT
            if recent and earlier.startswith("inc-") and earlier.endswith(suffix):
                return earlier
    return f"inc-{now:%Y%m%d}-{suffix}"


def already_clean(
    args: argparse.Namespace,
    assembly: Assembly,
    spec: Credential,
    incident: str | None,
    *,
    exposure_end: datetime | None,
    leaked: Collection[str],
) -> Rotation | None:
    """The newest rotation of this incident, if it replaced the credential and proved its old keys dead.

    One that sweeps is as good: it looks again for what belongs, and nothing of what it did has to be done twice. It is
    not clean when its new key was made before the breach was contained, or is one that `leaked` itself ("": a key of
    this credential, nobody knows which).
    """
    if args.again or incident is None:
        return None
    rows = assembly.journal.rotations(spec.name, limit=LOOKED_AT)
    row = next((row for row in rows if incident_of(row) == incident and row.phase is not Phase.SUPERSEDED), None)
    if row is None or not (proven(row) or _sweeps(row, assembly.clock.now())) or row.new_key in leaked or "" in leaked:
        return None
    if exposure_end is not None and (row.minted_since is None or row.minted_since < exposure_end):
        return None
    return row


def _sweeps(row: Rotation, now: datetime) -> bool:
    """Whether it looks again soon: where a clock was set back since, it would for long look at nothing."""
    sweeps = row.phase is Phase.SWEEPING and row.rules.emergency and row.ends_as is not Phase.ROLLED_BACK
    return sweeps and row.next_at - now <= LONGEST_SWEEP


def closing(
    incident: str,
    rows: Sequence[Rotation],
    errors: Mapping[str, tuple[str, str]],
    unknown: Mapping[str, str],
) -> str:
    """The last line: how much is proven, and what is left."""
    done = [row for row in rows if proven(row)]
    keys = sum(len(row.old_keys) for row in done)
    left = len(rows) + len(errors.keys() - {row.credential for row in rows}) - len(done)
    behind = [f"{each.store}:{each.ref}" for row in rows for each in row.stores if each.left_behind]
    stuck = [row.credential for row in rows if row.phase is Phase.STUCK]
    parts = [f"incident {incident}: {count(keys, 'old key')} of {count(len(done), 'credential')} proven dead"]
    if left:
        parts.append(f"{count(left, 'credential')} left: the same command goes on")
    if behind:
        parts.append(f"left behind: {', '.join(behind)}, which the same command mends, or `rotator reconcile`")
    if unknown:
        more = ", …" if len(unknown) > SHOWN else ""
        parts.append(f"{len(unknown)} unknown, not called safe: {', '.join(list(unknown)[:SHOWN])}{more}")
    if stuck:
        parts.append(f"stuck: {', '.join(stuck)}")
    return "; ".join(parts)
