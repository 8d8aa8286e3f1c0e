"""`rotate --package`: from bad packages and a time to the credentials that they exposed, and why."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import datetime

from rotator.app.assembly import Assembly
from rotator.app.exposing import Blast, blast
from rotator.app.wanting import read_wanted
from rotator.cli import typed
from rotator.cli.errors import Told
from rotator.cli.leaked import Exposed
from rotator.cli.terminal import clean, count
from rotator.policy.exposure import Rank

RANKS = {
    Rank.MINTS: "mints keys",
    Rank.UNLOCKS: "opens a store",
    Rank.PUBLISHES: "publishes",
    Rank.LEAF: "",
}
NOTE = ("note: without --assume-compromise the exposed keys work until the overlap is over",)
WHAT_FOLLOWS = "not the same as safe: `rotator audit backfill` and `record` close the gaps"


def window(args: argparse.Namespace, now: datetime) -> tuple[datetime, datetime]:
    """When it was bad. Raises `Told` for a window that ends before it starts, or starts in the future."""
    start, end = typed.instant(args.start, "--from"), typed.instant(args.end, "--to") or now
    assert start is not None
    if start > now:
        raise Told("the window starts in the future", "write the time since when the package was bad")
    if end < start:
        raise Told("the window ends before it starts", "write the earlier time behind --from")
    return start, min(end, now)


def exposed(args: argparse.Namespace, assembly: Assembly) -> Exposed:
    """What the packages exposed. `lost`: somebody or something is unknown, so the answer is not complete."""
    wanted = [read_wanted(text) for text in args.package]
    now = assembly.clock.now()
    start, end = window(args, now)
    found = blast(assembly, wanted, start, end)
    return Exposed(
        names=found.exposure.names,
        said=tuple(clean(line) for line in (*lines(found, args.package), *(() if args.assume_compromise else NOTE))),
        lost=bool(found.unknown),
        why={each.credential: each.why for each in found.exposure.exposed},
        unknown=found.unknown,
        packages=tuple(args.package),
        window=(start, end),
    )


def lines(found: Blast, packages: Sequence[str]) -> Iterator[str]:
    """The blast radius in words: the rotator itself first, then what is exposed, then what nobody knows."""
    yield from itself(found)
    yield from others(found, packages)


def itself(found: Blast) -> Iterator[str]:
    """What the rotator's own environment has or had, and what to do."""
    if found.itself:
        yield f"this rotator itself has {', '.join(found.itself)}: what it read is exposed, and what it reads now, too"
        yield "  stop here, install it anew on a clean machine, and run the same command there"
    if found.had:
        yield f"this rotator itself had {', '.join(found.had)}: what it read then is exposed"
        yield "  something may have stayed behind: run the same command on a clean machine, with a new installation"


def others(found: Blast, packages: Sequence[str]) -> Iterator[str]:
    """Everything besides. `packages`: those that are bad, in words."""
    result = found.exposure
    if found.only_since is not None:
        known = f"{found.only_since:%Y-%m-%d %H:%M} UTC"
        yield f"note: of this rotator's own environment nothing is known before {known}"
    if packages and not result.consumers:
        yield f"no record shows that anybody had {', '.join(packages)}"
    for consumer, evidence in result.consumers.items():
        more = f" (and {count(len(evidence) - 1, 'more time')})" if len(evidence) > 1 else ""
        yield f"had it: consumer {consumer} {evidence[0]}{more}"
    for each in result.exposed:
        rank = f" ({RANKS[each.rank]})" if RANKS[each.rank] else ""
        more = f" (and {count(len(each.why) - 1, 'more way')})" if len(each.why) > 1 else ""
        yield f"exposed: {each.credential}{rank}: {' → '.join(each.why[0])}{more}"
    yield from _unknown(found)


def _unknown(found: Blast) -> Iterator[str]:
    result = found.exposure
    for consumer, doubts in result.unknown_consumers.items():
        more = f" (and {count(len(doubts) - 1, 'more doubt')})" if len(doubts) > 1 else ""
        yield f"unknown: consumer {consumer}: {doubts[0]}{more}"
    for name, why in result.unknown.items():
        yield f"unknown: credential {name}: {why}"
    for why in found.unjudged:
        yield f"unknown: this rotator: {why}"
    if result.unknown or result.unknown_consumers or found.unjudged:
        yield WHAT_FOLLOWS
