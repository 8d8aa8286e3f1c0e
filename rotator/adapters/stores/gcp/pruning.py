"""Which old versions of a consumers' secret go: a dead key's value need not lie there for ever.

Only versions that the rotator wrote. Never the newest, which readers of `latest` would miss, never one that an alias
points to, and none of the last few. A version is disabled at the earliest a day after the next one came, because
`latest` and aliases may lag for hours (https://docs.cloud.google.com/secret-manager/docs/reference/consistency), and
destroyed by a later write, a week after: until then a person can enable it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice, pairwise

from rotator.adapters.stores.gcp.marks import Marks
from rotator.adapters.stores.gcp.secrets import State, Version

KEPT = 2
"""So many versions of ours stay as they are beneath the current one."""

DISABLED_AFTER = timedelta(days=1)
DESTROYED_AFTER = timedelta(days=7)
AT_ONCE = 5
"""Versions that one write prunes at most, so that a first one of many does not take the call's whole time."""


def candidates(marks: Marks) -> frozenset[int]:
    """The versions that may go some day."""
    return frozenset(marks.wrote[: -1 - KEPT]) - frozenset(marks.aliases.values())


def old(marks: Marks, versions: Sequence[Version]) -> tuple[Version, ...]:
    """What is to be disabled, where it is enabled, or destroyed, the oldest first; by the server's clock alone."""
    return tuple(islice(_old(marks, sorted(versions, key=lambda each: each.number)), AT_ONCE))


def _old(marks: Marks, versions: Sequence[Version]) -> Iterator[Version]:
    may_go = candidates(marks)
    for version, successor in pairwise(versions):
        superseded = versions[-1].made - successor.made
        wait = DISABLED_AFTER if version.state is State.ENABLED else DESTROYED_AFTER
        done = version.state is State.DESTROYED or version.doomed
        if version.number in may_go and not done and superseded >= wait:
            yield version
