"""`rotate --incident` and `rotate --advisory`: a feed selects, a person pulls.

Without a terminal nothing is rotated that a person was not shown of this very incident.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rotator.app.assembly import Assembly
from rotator.app.incident_planning import Plan, find_open, plan
from rotator.app.incidents import recall, remembered
from rotator.app.opening import opened
from rotator.cli import incident_words, opening
from rotator.cli.errors import Told
from rotator.cli.leaked import Exposed
from rotator.cli.terminal import clean
from rotator.domain.incidents import Incident, Shown


def exposed(args: argparse.Namespace, assembly: Assembly) -> Exposed:
    """What the incident is about today, in order. Raises `Told` where that is more than a person was shown."""
    incident = find_open(assembly, args.incident) if args.incident else _of_advisory(args, assembly)
    new = args.advisory and recall(assembly.journal, incident.id) is None
    found = plan(assembly, incident, new=bool(new))
    if args.yes and not args.dry_run:
        _must_be_known(found)
    _as_it_was_said(args, incident)
    return Exposed(
        names=found.names,
        said=tuple(clean(line) for line in (*incident_words.loud(found), *incident_words.lines(found))),
        lost=bool(found.unknown.keys() - set(args.names)),  # who names one that left the plan answers for it
        why={each.credential: each.why for each in found.exposed},
        unknown=found.unknown,
        packages=incident.packages,
        window=incident.window(found.at),
        incident=incident,
        planned=found.names,
        typed_back=found.growth is not None and found.growth.fivefold,
    )


def _must_be_known(found: Plan) -> None:
    growth = found.growth
    if growth is not None and growth.new:
        shown = found.incident.shown
        how = incident_words.grown(growth, shown.at if shown else None)
        hint = f"`rotator incident plan {found.incident.id}` shows it; then the same command"
        raise Told(clean(f"incident {found.incident.id}: {how}"), hint)


def _as_it_was_said(args: argparse.Namespace, incident: Incident) -> None:
    """Whether it is contained was said when it was opened, or is said now."""
    if not args.contained and not args.not_contained:
        args.contained = incident.contained_at is not None
        args.not_contained = incident.uncontained


def _of_advisory(args: argparse.Namespace, assembly: Assembly) -> Incident:
    """The one that is open about this advisory, or a new one where a person is there to look at it."""
    [name] = args.advisory
    known = [recall(assembly.journal, each) for each in remembered(assembly.journal)]
    there = [
        each
        for each in known
        if each is not None and each.closed is None and name.casefold() in map(str.casefold, each.advisories)
    ]
    if len(there) > 1:
        ids = ", ".join(each.id for each in there[:4])
        raise Told(
            f"several open incidents are about {clean(name)}: {ids}", "name the one that you mean: --incident ID"
        )
    if there:
        return there[0]
    if not args.dry_run and (args.yes or not sys.stdin.isatty()):
        raise Told(
            f"no incident is open about {clean(name)}, and a feed alone rotates nothing",
            f"`rotator incident open --advisory {clean(name)} --osv …`; then `rotate --incident ID`",
        )
    return opened(assembly, opening.about(args, assembly, names=(), packages=()))


def begun(
    args: argparse.Namespace, found: Exposed, incident: Incident, names: Sequence[str], now: datetime
) -> Incident:
    """The incident as it is to be remembered once it is rotated; whoever was asked was shown all of it."""
    more = tuple(name for name in names if name not in found.planned)
    shown = incident.shown if args.yes else Shown(at=now, names=found.planned)
    return replace(
        incident,
        names=tuple(names),
        chosen=tuple(dict.fromkeys((*incident.chosen, *more))),
        shown=shown,
        first=incident.first or shown,
    )
