"""Credentials that are counted together: of one provider, owner and policy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from rotator.config.reading import Config
from rotator.domain.credential import Credential
from rotator.domain.figures import Group, Tally

UNKNOWN = "unknown"
UNOWNED = ""
Labels = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of a config, in the order in which they are asked for, and the labels of each.

    Several groups may have the same labels: policies that are written out where they are used allow different ages.
    """

    groups: tuple[Group, ...]
    labels: tuple[Labels, ...]


def labels_of(config: Config, name: str) -> Labels:
    """The provider, owner and policy of a credential; one that is not in the config has none that is known."""
    spec = config.credentials.get(name)
    return _labels(config, spec) if spec is not None else (UNKNOWN, UNKNOWN, UNKNOWN)


def grouped(config: Config) -> Grouping:
    """The groups of all credentials."""
    names: defaultdict[tuple[Labels, timedelta | None], list[str]] = defaultdict(list)
    for spec in config.credentials.values():
        names[_labels(config, spec), spec.policy.every].append(spec.name)
    return Grouping(
        tuple(Group(names=frozenset(found), allowed=allowed) for (_, allowed), found in names.items()),
        tuple(labels for labels, _ in names),
    )


def added(tallies: Iterable[Tally]) -> Tally:
    """Several groups as one."""
    found = list(tallies)
    whole: dict[str, Any] = {
        each.name: sum(getattr(tally, each.name) for tally in found) for each in fields(Tally) if each.type == "int"
    }
    return Tally(
        **whole,
        within=tuple(map(sum, zip(*(each.within for each in found), strict=True))) or Tally().within,
        oldest=_first(each.oldest for each in found),
        next_due=_first(each.next_due for each in found),
    )


def _labels(config: Config, spec: Credential) -> Labels:
    return spec.provider, spec.owner or UNOWNED, config.policies.get(spec.name, UNKNOWN)


def _first(instants: Iterable[datetime | None]) -> datetime | None:
    return min((each for each in instants if each is not None), default=None)
