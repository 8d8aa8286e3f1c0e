"""A driver's own settings, read strictly: what is wrong is said without the value that stands there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, overload

from rotator.domain.times import UnreadableError, parse_duration, quoted

T = TypeVar("T")
_REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*:.+", re.DOTALL)


class SettingsError(Exception):
    """A driver cannot work with its settings: `message` says what is wrong, `hint` what to write. No value in them."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Settings:
    """What the config says to one driver, one table of it. Every method raises `SettingsError`.

    A setting that is not there, or left empty, gives the default; without a default it is an error.
    """

    def __init__(self, given: Mapping[str, Any], known: Collection[str] | None = None, at: str = "") -> None:
        """`known`: all names that there are; None: those that are read, and `finish` must be called at the end.

        `at`: where the table is within the driver's settings, with a dot at its end.
        """
        self._given = dict(given)
        self._at = at
        self._read: set[str] = set()
        if known is not None:
            self._refuse_others(known)

    def has(self, name: str) -> bool:
        """Whether the config says anything under this name."""
        return self._given.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """One line of text that is not empty."""
        value = self._take(name, default)
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise self._wrong(name, "is not text", f"write one line of text, not {_kind(value)}")
        return value

    @overload
    def choice(self, name: str, among: Mapping[str, T], default: str | None = None) -> T: ...
    @overload
    def choice(self, name: str, among: Sequence[str], default: str | None = None) -> str: ...
    def choice(self, name: str, among: Mapping[str, Any] | Sequence[str], default: str | None = None) -> Any:
        """One of the words; of a mapping, as what it stands for."""
        word = self.text(name, default)
        if word not in among:
            raise self._wrong(name, "is none of the known ones", f"write one of: {', '.join(among)}")
        return among[word] if isinstance(among, Mapping) else word

    def texts(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts, none twice."""
        value = self._take(name, default)
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each for each in value):
            raise self._wrong(name, "is no list of texts", f"write {name}: [one, two]")
        if len(set(value)) < len(value):
            raise self._wrong(name, "names something twice", "write each name once")
        return tuple(value)

    def flag(self, name: str, default: bool | None = None) -> bool:
        """True or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "is neither true nor false", f"write {name}: true or {name}: false")
        return value

    def whole(self, name: str, least: int, default: int | None = None) -> int:
        """A whole number, not below `least`."""
        value = self._take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._wrong(name, "is no such number", f"write a whole number from {least} on")
        return value

    def wholes(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """A list of whole numbers, none twice."""
        value = self._take(name, default)
        if not isinstance(value, list | tuple) or not all(type(each) is int for each in value):
            raise self._wrong(name, "is no list of whole numbers", f"write {name}: [1, 2]")
        if len(set(value)) < len(value):
            raise self._wrong(name, "names something twice", "write each number once")
        return tuple(value)

    def named_texts(self, name: str) -> dict[str, str]:
        """A table of texts under names of its own."""
        value = self._take(name, None)
        if not isinstance(value, Mapping) or not all(isinstance(e, str) and e for e in (*value, *value.values())):
            raise self._wrong(name, "is no table of texts", f"write {name}: {{name: text}}")
        return dict(value)

    def duration(self, name: str, default: timedelta | None = None) -> timedelta:
        """A duration, written like 90s; who calls from Python may give a `timedelta`."""
        value = self._take(name, default)
        if isinstance(value, timedelta) and value >= timedelta(0):
            return value
        try:
            return parse_duration(value if isinstance(value, str) else "")
        except UnreadableError as unreadable:
            hint = unreadable.hint
        raise self._wrong(name, "is not a duration", hint)  # without the error that quotes what stands there

    def reference(self, name: str) -> str:
        """A reference to a secret; anything else may be a secret and is refused unseen."""
        value = self.text(name)
        if not _REFERENCE.fullmatch(value):
            what = "is not a reference; a secret does not belong into the config"
            raise self._wrong(name, what, "write file:PATH, env:NAME or STORE:REF#FIELD instead")
        return value

    def path(self, name: str) -> Path:
        """An absolute path."""
        path = Path(self.text(name))
        if not path.is_absolute():
            raise self._wrong(name, "is not an absolute path", "begin it with /")
        return path

    def tree(self, name: str) -> Any:
        """Whatever stands there, tables and lists included; None where nothing does."""
        self._read.add(name)
        return self._given.get(name)

    def table(self, name: str, known: Collection[str]) -> Settings:
        """A table within this one."""
        self._read.add(name)
        value = self._given.get(name)
        if not isinstance(value, Mapping):
            raise self._wrong(name, "is not a table", f"write {name}: {{{', '.join(known)}}}")
        return Settings(value, known, f"{self._at}{name}.")

    def is_table(self, name: str) -> bool:
        """Whether a table stands there."""
        return isinstance(self._given.get(name), Mapping)

    def only(self, *names: str) -> None:
        """Refuse what is known but makes no sense beside the rest."""
        for name in self._given:
            if name not in names:
                raise self._wrong(name, "does not belong here", f"known here: {', '.join(names)}")

    def finish(self) -> None:
        """Complain about the first setting that nobody read."""
        self._refuse_others(self._read)

    def _refuse_others(self, known: Collection[str]) -> None:
        for name in self._given:
            if name not in known:
                raise SettingsError(f"{self._at}{quoted(name)} is not known", _nearest(str(name), known))

    def _take(self, name: str, default: Any) -> Any:
        self._read.add(name)
        value = self._given.get(name, default)
        if value is None:
            raise self._wrong(name, "is missing", f"add {name}: …")
        return value

    def _wrong(self, name: str, what: str, hint: str) -> SettingsError:
        # the value stays out: somebody may have written a secret there
        return SettingsError(f"{self._at}{name} {what}", hint)


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(known))}"


def _kind(value: object) -> str:
    return "an empty one" if isinstance(value, str) and not value.strip() else f"a {type(value).__name__}"
