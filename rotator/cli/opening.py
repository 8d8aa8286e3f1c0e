"""From what was typed to an incident, for `rotator incident open` and `rotate --advisory`."""

from __future__ import annotations

import argparse

from rotator.app.advised import Advised, advised
from rotator.app.assembly import Assembly
from rotator.app.audit_sources import feed_of
from rotator.app.opening import Asked
from rotator.cli import blast, typed
from rotator.cli.advisory_options import STALE
from rotator.cli.errors import Told
from rotator.domain.failures import Failure, Transient


def about(args: argparse.Namespace, assembly: Assembly, *, names: tuple[str, ...], packages: tuple[str, ...]) -> Asked:
    """What was typed, with what the records say. Raises `Told`, and `ConfigError` for what a feed lacks."""
    now = assembly.clock.now()
    start = end = None
    if args.start is not None:
        start, end = blast.window(args, now)
    elif args.end is not None:
        end = typed.instant(args.end, "--to")
    found = _advised(args, assembly)
    first = min((each.published for each in found if each.published is not None), default=None)
    if start is None and end is not None and first is not None and end < first:
        raise Told("the window ends before the advisory was published", "say with --from since when it was bad")
    return Asked(
        names=names,
        packages=packages,
        advised=found,
        start=start,
        end=typed.instant(args.end, "--to"),  # as it was typed: the same words are the same incident
        reason=args.reason,
        contained=args.contained,
        uncontained=args.not_contained,
    )


def _advised(args: argparse.Namespace, assembly: Assembly) -> tuple[Advised, ...]:
    if not args.advisory:
        return ()
    if args.osv is None:
        raise Told("--advisory: by which records?", "--osv with a directory, a zip or a file of OSV records, or a URL")
    stale = typed.duration(getattr(args, "stale", STALE), "--stale")
    assert stale is not None
    try:
        feed = feed_of(args.osv)
    except Failure as failure:
        code = 3 if isinstance(failure, Transient) else 2
        raise Told(failure.message, failure.hint or "name a directory, a zip or a file", code=code) from None
    now = assembly.clock.now()
    return tuple(advised(feed, each, at=now, stale=stale) for each in args.advisory)
