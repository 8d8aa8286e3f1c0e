"""What comes back from a provider, read strictly: a field of another form is a failure that names it and shows nothing.

row = Row("keys.example.com", answer.body)
[Key(id=each.text("id"), mark=each.shown("name"), …) for each in row.rows("keys")]

made = Row("keys.example.com", answer.body, Ambiguous)      # the answer to a mint: there may be a key
Minted(key_id=made.text("id"), value=Secret({"secret": made.secret("value")}))
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rotator.domain.failures import Ambiguous, Transient
from rotator.domain.times import UnreadableError, parse_time

MOST_TEXT = 256
"""Characters of one text that a provider lists: an id, a name, a hint."""
MOST_SECRET = 8_192
"""Characters of one part of a key's value."""

_SECRET = re.compile(r"[\x21-\x7e]+")


class Row:
    """One object of an answer of `who`. Every method raises `strange`, `Transient` or `Ambiguous`, for another form."""

    def __init__(self, who: str, body: Any, strange: type[Transient] | type[Ambiguous] = Transient) -> None:
        self._who = who
        self._body: Mapping[str, Any] = body if isinstance(body, dict) else {}
        self._strange = strange

    def wrong(self, name: str) -> Transient | Ambiguous:
        """The failure for a field that says something else than it should."""
        ending = ", so there may be a key" if self._strange is Ambiguous else ""
        return self._strange(f"{self._who} answered with a strange {name}{ending}")

    def has(self, name: str) -> bool:
        """Whether the field says anything: null and an empty text do not."""
        return self._body.get(name) not in (None, "")

    def text(self, name: str) -> str:
        """A text to work with, e.g. an id: one line of at most `MOST_TEXT` characters, as it stands there."""
        text = self._body.get(name)
        if not isinstance(text, str) or not text or len(text) > MOST_TEXT or not text.isprintable():
            raise self.wrong(name)
        return text

    def shown(self, name: str) -> str | None:
        """A text for people, or where our mark may be: cut, control characters replaced. None: it says nothing."""
        if not self.has(name):
            return None
        text = self._body[name]
        if not isinstance(text, str):
            raise self.wrong(name)
        return "".join(each if each.isprintable() else " " for each in text[:MOST_TEXT])

    def secret(self, name: str) -> str:
        """A part of a key's value: visible ASCII without a space, for nothing else fits into every header and file."""
        text = self._body.get(name)
        if not isinstance(text, str) or len(text) > MOST_SECRET or not _SECRET.fullmatch(text):
            raise self.wrong(name)
        return text

    def whole(self, name: str) -> int:
        """A number that counts something."""
        number = self._body.get(name)
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise self.wrong(name)
        return number

    def flag(self, name: str) -> bool:
        """True or false; False where it says nothing."""
        if not self.has(name):
            return False
        if not isinstance(self._body[name], bool):
            raise self.wrong(name)
        return bool(self._body[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, each as `text` takes it; empty where it says nothing."""
        if not self.has(name):
            return ()
        listed = self._body[name]
        if not isinstance(listed, list):
            raise self.wrong(name)
        return tuple(Row(self._who, {name: each}, self._strange).text(name) for each in listed)

    def instant(self, name: str) -> datetime | None:
        """A time with its zone (RFC 3339). None: it says nothing."""
        if not self.has(name):
            return None
        text = self.text(name)
        try:
            return parse_time(text)
        except UnreadableError:
            pass  # raised below: beneath this handler the failure would carry what was read as its context
        raise self.wrong(name)

    def row(self, name: str) -> Row:
        """The object within this one."""
        if not isinstance(self._body.get(name), dict):
            raise self.wrong(name)
        return Row(self._who, self._body[name], self._strange)

    def rows(self, name: str) -> tuple[Row, ...]:
        """The objects of a list."""
        listed = self._body.get(name)
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise self.wrong(name)
        return tuple(Row(self._who, each, self._strange) for each in listed)
