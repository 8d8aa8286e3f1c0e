"""Which of the config's keys wait for somebody's approval when they change while the daemon runs. This is the table.

Sensitive is what sends a key or an admin credential elsewhere, lowers isolation, starts a process, tells somebody, lets
somebody approve, or widens what a key may do. Whoever can write the config file, and no more, must not get these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

Step = str | int
ANY = "*"


class Kind(StrEnum):
    """What becomes of a change."""

    PLAIN = "plain"  # in force at once
    SENSITIVE = "sensitive"  # the old value stays until somebody approves


PLAIN, SENSITIVE = Kind.PLAIN, Kind.SENSITIVE

# `*` stands for one name or number. The longest line that fits a key counts, also for everything beneath it.
TABLE: Final[Mapping[str, tuple[Kind, str]]] = {
    "state.url": (SENSITIVE, "where the journal is: who gets its password, and what is remembered as approved"),
    "state.password": (SENSITIVE, "which secret is sent to the database"),
    "installation.key": (SENSITIVE, "whose seal makes an approval one"),
    "include": (PLAIN, "it brings credentials alone, and each of them is judged by itself"),
    "defaults.isolation": (SENSITIVE, "how drivers are kept from each other's secrets"),
    "defaults.parallel": (PLAIN, "how much is done at a time"),
    "defaults.lease": (PLAIN, "how long a worker that is gone keeps a rotation"),
    "defaults.policy": (PLAIN, "when, and not where to"),
    "approvals.signers": (SENSITIVE, "who may approve"),
    "providers.*.driver": (SENSITIVE, "which code gets the admin credential"),
    "providers.*.admin": (SENSITIVE, "which secret the driver gets"),
    "providers.*.hosts": (SENSITIVE, "where the driver may take it"),
    "providers.*.isolation": (SENSITIVE, "what the driver can reach"),
    "providers.*.rate": (PLAIN, "how fast"),
    "providers.*.*": (SENSITIVE, "a driver's own setting, which may say where it goes: base_url, host, roles"),
    "stores.*.driver": (SENSITIVE, "which code gets the values of keys"),
    "stores.*.hosts": (SENSITIVE, "where the driver may take them"),
    "stores.*.isolation": (SENSITIVE, "what the driver can reach"),
    "stores.*.*": (SENSITIVE, "a driver's own setting, which may say where it goes: address, auth, root"),
    "credentials.*.provider": (SENSITIVE, "with which admin credential keys are made and killed"),
    "credentials.*.principal": (SENSITIVE, "whose keys are made and killed: roles, exclusive"),
    "credentials.*.publish": (SENSITIVE, "where values are written, and in which form"),
    "credentials.*.needs.scopes": (SENSITIVE, "what the key may do"),
    "credentials.*.needs.expires": (PLAIN, "how long the key may live at most"),
    "credentials.*.consumers": (SENSITIVE, "who is told, and whose word ends the overlap early"),
    "credentials.*.owner": (SENSITIVE, "whose tokens may act on it"),
    "credentials.*.policy": (PLAIN, "when, and not where to"),
    "credentials.*.tags": (PLAIN, "for selecting"),
    "policies.*": (PLAIN, "when, and not where to"),
    "consumers.*.reload": (SENSITIVE, "a process that is started, a webhook, a cluster that is logged in to"),
    "consumers.*.owner": (SENSITIVE, "whose tokens may act on it"),
    "consumers.*.environment": (PLAIN, "a word for people"),
    "consumers.*.lockfiles": (PLAIN, "what is said to be installed there"),
    "consumers.*.identities": (PLAIN, "as whom it is said to run; nobody gets a right by it"),
    "notifications": (SENSITIVE, "who is told, and what nobody hears of any more"),
    "leaks": (SENSITIVE, "whose word opens an incident"),
    "metrics": (SENSITIVE, "who may read the names of credentials"),
    "listen": (SENSITIVE, "who can reach the API"),
    "api": (SENSITIVE, "who can reach the API, and whose tokens may approve"),
    "identities.*.reads": (PLAIN, "what is said to be readable; nobody gets a right by it"),
}
"""What each key is, and why. What is not here is sensitive."""

GONE: Final[Mapping[str, str]] = {
    "credentials": "its keys are rotated no more, and none of them dies: consumers keep what they have",
    "providers": "nothing is sent there any more",
    "stores": "nothing is written there any more, and what was written stays",
    "policies": "nobody follows it",
    "identities": "it gave nobody a right",
}
"""Entries whose removal is plain, and why; a place removed from `publish` is a change of that, and waits."""

ENTRIES: Final = frozenset(
    {"defaults", "providers", "stores", "credentials", "policies", "consumers", "identities", "notifications"}
)
"""Tables whose entries change by themselves; every other top-level key is in force as a whole, or not at all."""


def word_for(path: Sequence[Step]) -> tuple[Kind, str] | None:
    """The table's line for a key; None where it has none."""
    for length in range(len(path), 0, -1):
        found = _exactly(path[:length])
        if found is not None:
            return found
    return None


def kind_of(path: Sequence[Step]) -> Kind:
    """What a change of this key is."""
    found = word_for(path)
    return SENSITIVE if found is None else found[0]


def unit_of(path: Sequence[Step]) -> tuple[Step, ...]:
    """The part of the config that is in force, or not, as a whole: its values may depend on each other."""
    return tuple(path[: 2 if path[0] in ENTRIES else 1])


def _exactly(path: Sequence[Step]) -> tuple[Kind, str] | None:
    fitting = [line for line in TABLE if _fits(line.split("."), path)]
    # of several, the one that says more: `providers.*.rate` before `providers.*.*`
    return TABLE[min(fitting, key=lambda line: line.count(ANY))] if fitting else None


def _fits(line: Sequence[str], path: Sequence[Step]) -> bool:
    return len(line) == len(path) and all(a in (ANY, b) for a, b in zip(line, path, strict=True))
