"""What all stores have in common that take values and give none back: compared by what they say beside the value.

A place is one entry for each of its fields. Its version is made of theirs, so that a field that somebody else wrote,
made or removed changes it. Several fields are written one after the other: consumers may meet a new one beside an old.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Protocol

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.halfway import behind
from rotator.adapters.stores.names import check_values
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Permanent, Transient
from rotator.ports import ABSENT, StoreCapabilities, Stored

NONE = "-"
"""The version, within a place's, of a field that is not there."""
TICK = timedelta(seconds=1.1)
"""As long as clocks of servers that tell whole seconds need to show another one."""


class Entries(Protocol):
    """One API that keeps a value by reference and name."""

    def check(self, ref: str, name: str) -> None:
        """Raises `Permanent` for what can be no entry's; no request."""
        ...

    def version(self, ref: str, name: str, deadline: Deadline) -> str:
        """The entry's version without a comma; `ABSENT` where there is none."""
        ...

    def put(self, ref: str, name: str, text: str, deadline: Deadline) -> None:
        """Make or overwrite the entry. Twice: overwritten."""
        ...

    def delete(self, ref: str, name: str, deadline: Deadline) -> None:
        """Remove the entry. Twice: nothing."""
        ...


class UnreadStore:
    """A `Store` over entries whose values cannot be read. Safe for many threads."""

    def __init__(
        self,
        entries: Entries,
        keeper: str,
        most: int | None,
        timeout: timedelta,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`keeper`: the API as people call it. `most`: bytes of one value. `timeout`: for one call of the port."""
        self._entries = entries
        self._keeper = keeper
        self._most = most
        self._timeout = timeout
        self._sleep = sleep

    def capabilities(self) -> StoreCapabilities:
        """As the port says."""
        return StoreCapabilities(exact=False, readable=False, max_bytes=self._most)

    def read(self, place: Place) -> Stored:
        """As the port says. One request a field."""
        self._check(place, place.fields)
        return Stored(version=self._version(place, self._deadline()))

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        """As the port says: a look, a request for each field, a look.

        Who writes between the last two is not noticed. Where the version did not move, because somebody wrote in the
        same second, it is written once more a second later: each of our writes has a version of its own.
        """
        self._check(place, {*fields, *place.fields})
        check_values(fields)
        for name, text in fields.items():
            if self._most is not None and len(text.encode()) > self._most:
                message = f"{name} has {len(text.encode())} bytes, and {self._keeper} takes {self._most}"
                raise Permanent(message, "publish less to it")
        deadline = self._deadline()
        self._compare(place, expected, deadline)
        self._put(place, fields, deadline)
        return behind(f"{place.ref} was changed", lambda: self._moved(place, fields, expected, deadline))

    def _put(self, place: Place, fields: Mapping[str, str], deadline: Deadline) -> None:
        self._one_by_one(fields, lambda name: self._entries.put(place.ref, name, fields[name], deadline))

    def _moved(self, place: Place, fields: Mapping[str, str], expected: str, deadline: Deadline) -> str:
        """The version behind our write, which is another one than before."""
        version = self._version(place, deadline)
        if version in (expected, ABSENT):
            self._sleep(TICK.total_seconds())
            self._put(place, fields, deadline)
            version = self._version(place, deadline)
        if version in (expected, ABSENT):
            hint = f"look what {self._keeper} tells"
            raise Transient(f"the version of {place.ref} does not change by writing", hint)
        return version

    def remove(self, place: Place, expected: str) -> None:
        """As the port says."""
        self._check(place, place.fields)
        deadline = self._deadline()
        if self._version(place, deadline) == ABSENT:
            return
        self._compare(place, expected, deadline)
        self._one_by_one(place.fields, lambda name: self._entries.delete(place.ref, name, deadline))

    def places(self, ref: str) -> tuple[Place, ...]:
        """As the port says: none."""
        self._entries.check(ref, "NAME")
        return ()

    @staticmethod
    def _one_by_one(names: Iterable[str], act: Callable[[str], None]) -> None:
        """For each in order."""
        changed = ""
        for name in sorted(names):
            if changed:
                behind(f"{changed} was changed", partial(act, name))
            else:
                act(name)
            changed = name

    def _check(self, place: Place, names: object) -> None:
        if place.kind is not PlaceKind.CURRENT:
            hint = "publish the credential to a readable store, too, such as a file store"
            raise Permanent(f"{self._keeper} gives nothing back, so it keeps no {place.kind.value} values", hint)
        for name in sorted(names):  # type: ignore[call-overload]
            self._entries.check(place.ref, name)

    def _compare(self, place: Place, expected: str, deadline: Deadline) -> None:
        if self._version(place, deadline) != expected:
            raise Conflict(f"{place.ref} was written by somebody else", "look again")

    def _version(self, place: Place, deadline: Deadline) -> str:
        versions = [self._entries.version(place.ref, name, deadline) for name in sorted(place.fields)]
        if not any(versions):
            return ABSENT
        return ",".join(each or NONE for each in versions)

    def _deadline(self) -> Deadline:
        return Deadline(self._timeout)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._keeper!r})"
