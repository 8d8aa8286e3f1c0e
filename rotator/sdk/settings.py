"""A driver's own settings, read one by one; what nobody read is a mistake."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from rotator.domain.times import UnreadableError, parse_duration, quoted

T = TypeVar("T")


class SettingsError(Exception):
    """A driver cannot work with its settings: `message` says what is wrong, `hint` what to write. No secret in them."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Settings:
    """What the config says to one driver. Every method raises `SettingsError` for what it cannot read.

    A setting that is not there gives the default; without a default it is an error. Call `finish` at the end.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = dict(given)
        self._read: set[str] = set()

    def text(self, name: str, default: str | None = None) -> str:
        """A text that is not empty."""
        value = self._take(name, default, "a text")
        if not isinstance(value, str) or not value:
            raise _wrong(name, "is no text", f"write {name}: followed by a text")
        return value

    def choice(self, name: str, among: Mapping[str, T], default: str | None = None) -> T:
        """One of the words, as what it stands for."""
        word = self.text(name, default)
        if word not in among:
            raise SettingsError(f"{name}: {quoted(word)} is not known", f"it is one of {', '.join(sorted(among))}")
        return among[word]

    def texts(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts, none twice."""
        value = self._take(name, default, "a list")
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each for each in value):
            raise _wrong(name, "is no list of texts", f"write {name}: [one, two]")
        if len(set(value)) < len(value):
            raise _wrong(name, "names something twice", "write each name once")
        return tuple(value)

    def flag(self, name: str, default: bool | None = None) -> bool:
        """True or false."""
        value = self._take(name, default, "true or false")
        if not isinstance(value, bool):
            raise _wrong(name, "is neither true nor false", f"write {name}: true or {name}: false")
        return value

    def whole(self, name: str, least: int, default: int | None = None) -> int:
        """A whole number, not below `least`."""
        value = self._take(name, default, "a number")
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise _wrong(name, "is no such number", f"write a whole number from {least} on")
        return value

    def duration(self, name: str, default: timedelta | None = None) -> timedelta:
        """A duration, written like 90s; who calls from Python may give a `timedelta`."""
        value = self._take(name, default, "a duration")
        if isinstance(value, timedelta) and value >= timedelta(0):
            return value
        try:
            return parse_duration(value if isinstance(value, str) else "")
        except UnreadableError as unreadable:
            hint = unreadable.hint
        raise _wrong(name, "is not a duration", hint)  # without the error that quotes what stands there

    def has(self, name: str) -> bool:
        """Whether the config says anything under this name."""
        return name in self._given

    def finish(self) -> None:
        """Complain about the first setting that nobody read."""
        for name in self._given:
            if name not in self._read:
                raise SettingsError(f"there is no setting {quoted(name)}", _nearest(name, self._read))

    def _take(self, name: str, default: Any, what: str) -> Any:
        self._read.add(name)
        value = self._given.get(name, default)
        if value is None:
            raise _wrong(name, "is missing", f"write {name}: and {what}")
        return value


def _wrong(name: str, what: str, hint: str) -> SettingsError:
    # the value stays out: somebody may have written a secret there
    return SettingsError(f"{name} {what}", hint)


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), sorted(known), n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
