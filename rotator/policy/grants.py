"""What a consumer can read: what it is named for, and whatever else the identities that it runs as may read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from rotator.domain.credential import Credential
from rotator.domain.grants import Grant, Identity, Readable

TAG = "tag:"
WILD = "*"
"""Stands for anything in a ref, slashes too; all else stands for itself."""


def readable(
    consumer: str, runs_as: Iterable[str], identities: Mapping[str, Identity], credentials: Iterable[Credential]
) -> Readable:
    """All credentials that a consumer can read, each with every way to it.

    `runs_as`: the names of its identities; one that is not among `identities` may read anything, and is `unknown`.
    """
    specs = list(credentials)
    roles = tuple(dict.fromkeys(runs_as))
    found = [Grant(spec.name, (consumer, spec.name)) for spec in specs if consumer in spec.consumers]
    for role in roles:
        if role in identities:
            found += [
                Grant(name, (consumer, f"role {role}", way))
                for what in identities[role].reads
                for name, way in _read_by(what, specs)
            ]
    unknown = tuple(role for role in roles if role not in identities)
    return Readable(grants=tuple(sorted(dict.fromkeys(found))), unknown=unknown)


def _read_by(what: str, specs: Iterable[Credential]) -> Iterator[tuple[str, str]]:
    """Each credential that one line of `reads` lets read, and by which name of it."""
    for spec in specs:
        if what.startswith(TAG):
            if what.removeprefix(TAG) in spec.tags:
                yield spec.name, f"{what} → {spec.name}"
        elif ":" not in what:
            if what == spec.name:
                yield spec.name, spec.name
        else:
            store, _, pattern = what.partition(":")
            for place in spec.publish:
                if place.store == store and _fits(place.ref, pattern):
                    yield spec.name, f"{place.store}:{place.ref}"


def _fits(ref: str, pattern: str) -> bool:
    return fnmatchcase(ref, re.sub(r"[?[]", r"[\g<0>]", pattern))
