"""What was typed after `rotate`, as values."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from rotator.app.assembly import Assembly
from rotator.app.deadline import Deadline
from rotator.app.selecting import Selectors
from rotator.cli.errors import Told
from rotator.domain.times import UnreadableError, format_duration, parse_duration, parse_time


def selectors(args: argparse.Namespace, exposed: Sequence[str] = ()) -> Selectors:
    """Which credentials are meant; `exposed` by keys that leaked."""
    return Selectors(
        names=args.names,
        every=args.all,
        providers=args.provider,
        stores=args.store,
        consumers=args.consumer,
        tags=args.tag,
        owners=args.owner,
        exposed=exposed,
    )


def admins(given: Sequence[str], providers: Collection[str]) -> dict[str, str]:
    """`PROVIDER=REF` by provider; `-` can be given once, because there is one standard input."""
    found: dict[str, str] = {}
    for each in given:
        name, equals, reference = each.partition("=")
        if not equals or not reference:
            # what was typed may be the credential itself, so it is not repeated
            raise Told("--admin is not understood", "write --admin PROVIDER=file:PATH or --admin PROVIDER=-")
        if name not in providers:
            raise Told("--admin names no provider of the config", f"known: {', '.join(sorted(providers))}")
        found[name] = reference
    if sum(reference == "-" for reference in found.values()) > 1:
        raise Told("only one --admin can come from standard input", "use PROVIDER=file:PATH for the others")
    return found


def duration(text: str | None, option: str) -> timedelta | None:
    """A duration given on the command line."""
    if text is None:
        return None
    try:
        return parse_duration(text)
    except UnreadableError as error:
        raise Told(f"{option}: {error.message}", error.hint) from None


def deadline(length: timedelta | None, assembly: Assembly) -> Deadline | None:
    """By when a run has to be over, from now on. It must be longer than what is in hand may take."""
    lease = assembly.timing.lease
    if length is None:
        return None
    if length <= lease:
        hint = f"write more than {format_duration(lease)}, the lease: what was begun is finished within it"
        raise Told("--deadline leaves no time to begin anything", hint)
    return Deadline(assembly.clock, length, lease)


def instant(text: str | None, option: str) -> datetime | None:
    """A time given on the command line."""
    if text is None:
        return None
    try:
        return parse_time(text)
    except UnreadableError as error:
        raise Told(f"{option}: {error.message}", error.hint) from None
