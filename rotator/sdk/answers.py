"""Reads what a provider answered, strictly: of another form is `Transient`, and no text is longer than it may be.

    body = Fields.of(client.get(path("keys")).body, "acme")
    for row in body.rows("data"):
        row.text("id"), row.label("name"), row.unix("created_at")

    with after_mint():                       # what cannot be read of a mint's answer leaves a key behind: `Ambiguous`
        body.text("id"), body.secret("value")

No failure holds anything of what was read but the names that were looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from rotator.domain.failures import Ambiguous, Transient
from rotator.domain.times import UnreadableError, parse_time

LONGEST_ID = 256
LONGEST_LABEL = 200
"""Characters of what people wrote, names for example; of a longer one the beginning is read."""
LONGEST_SECRET = 8192

_VISIBLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Fields:
    """One object of an answer. Every method but `label` raises `Transient` for what has another form."""

    whose: str  # the provider, for people
    members: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, body: Any, whose: str) -> Self:
        """The object that an answer is."""
        if not isinstance(body, Mapping):
            raise Transient(f"{whose} answered in another form")
        return cls(whose, body)

    def has(self, name: str) -> bool:
        """Whether there is anything but null under this name."""
        return self.members.get(name) is not None

    def text(self, name: str) -> str:
        """An id, a cursor, a word: visible characters of ASCII without a blank."""
        return self._visible(name, LONGEST_ID)

    def secret(self, name: str) -> str:
        """A key's value: such a text too, or it fits into no header."""
        return self._visible(name, LONGEST_SECRET)

    def label(self, name: str) -> str:
        """What somebody wrote: bounded, control characters replaced; nothing where there is none. Never a failure."""
        text = self.members.get(name)
        if not isinstance(text, str):
            return ""
        return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:LONGEST_LABEL])

    def labels(self, name: str) -> tuple[str, ...]:
        """A list of such texts; nothing for null, and where there is none."""
        value = self.members.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self._strange(name)
        return tuple(Fields(self.whose, {name: each}).label(name) for each in value)

    def whole(self, name: str) -> int:
        """A whole number that is not negative."""
        value = self.members.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._strange(name)
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.members.get(name)
        if not isinstance(value, bool):
            raise self._strange(name)
        return value

    def unix(self, name: str) -> datetime | None:
        """A time in seconds since 1970; None for null, and where there is none."""
        value = self.members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**35:
            raise self._strange(name)
        return datetime.fromtimestamp(value, UTC)

    def millis(self, name: str) -> datetime | None:
        """A time in milliseconds since 1970; None for null, and where there is none."""
        value = self.members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**35 * 1000:
            raise self._strange(name)
        return datetime.fromtimestamp(value / 1000, UTC)

    def time(self, name: str) -> datetime | None:
        """A time as RFC 3339; None for null, and where there is none."""
        value = self.members.get(name)
        if value is None:
            return None
        try:
            return parse_time(value if isinstance(value, str) else "")
        except UnreadableError:
            pass  # raised below: beneath this handler the error would carry what was read as its context
        raise self._strange(name)

    def fields(self, name: str) -> Fields:
        """An object within this one."""
        value = self.members.get(name)
        if not isinstance(value, Mapping):
            raise self._strange(name)
        return Fields(self.whose, value)

    def rows(self, name: str) -> tuple[Fields, ...]:
        """A list of objects."""
        value = self.members.get(name)
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            raise self._strange(name)
        return tuple(Fields(self.whose, each) for each in value)

    def _visible(self, name: str, longest: int) -> str:
        value = self.members.get(name)
        if not isinstance(value, str) or len(value) > longest or not _VISIBLE.fullmatch(value):
            raise self._strange(name)
        return value

    def _strange(self, name: str) -> Transient:
        return Transient(f"{self.whose} answered {'with a strange' if self.has(name) else 'without'} {name}")


@contextmanager
def after_mint() -> Iterator[None]:
    """Within it the answer to a mint is read: whatever is strange about it, there may be a key."""
    try:
        yield
        return
    except Transient as strange:
        problem = strange.message
    raise Ambiguous(f"{problem}, so there may be a key")
