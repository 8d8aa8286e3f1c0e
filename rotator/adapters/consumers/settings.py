"""What stands beneath `reload:`, read strictly: what is wrong is said without the value that stands there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path

from rotator.domain import settings
from rotator.domain.settings import SettingsError
from rotator.domain.times import UnreadableError, parse_duration

__all__ = ["Settings", "SettingsError"]

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*:.+", re.DOTALL)


class Settings:
    """The table of one consumer. Every method raises `SettingsError`."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def only(self, *known: str) -> None:
        """Refuse what is not known."""
        for key in self._values:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean {near[0]}?" if near else "known here: " + ", ".join(known)
                raise SettingsError(f"reload.{str(key)[:40]!r} is not known", hint)

    def text(self, key: str) -> str:
        """One line of text."""
        value = self._values.get(key)
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise SettingsError(f"reload.{key} is not text", f"write {key}: and one line of text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of at least one text."""
        value = self._values.get(key)
        if not isinstance(value, list | tuple) or not value or not all(_is_argument(each) for each in value):
            raise SettingsError(f"reload.{key} is not a list of texts", f"write {key}: [/path/to/program, argument]")
        return tuple(value)

    def choice(self, key: str, among: Collection[str], default: str) -> str:
        """One of several words."""
        value = self.text(key) if key in self else default
        if value not in among:
            raise SettingsError(f"reload.{key} is none of the known ones", "write one of: " + ", ".join(among))
        return value

    def path(self, key: str) -> Path:
        """An absolute path."""
        path = Path(self.text(key))
        if not path.is_absolute():
            raise SettingsError(f"reload.{key} is not an absolute path", "begin it with /")
        return path

    def reference(self, key: str) -> str:
        """A reference to a secret; anything else may be a secret and is refused unseen."""
        value = self.text(key)
        if not _REFERENCE.fullmatch(value):
            message = f"reload.{key} is not a reference; a secret does not belong into the config"
            raise SettingsError(message, "write file:PATH, env:NAME or STORE:REF#FIELD instead")
        return value

    def duration(self, key: str, default: timedelta, most: timedelta) -> timedelta:
        """A duration of at most `most`."""
        if key not in self:
            return min(default, most)
        try:
            found = parse_duration(self.text(key))
        except UnreadableError as unreadable:
            hint = unreadable.hint
        else:
            if timedelta(0) <= found <= most:
                return found
            hint = f"write at most {most.total_seconds():g}s"
        raise SettingsError(f"reload.{key} is no duration that is possible here", hint)

    def some(self, *keys: str) -> dict[str, object]:
        """What is said of these."""
        return {key: self._values[key] for key in keys if key in self}

    def given(self, *keys: str) -> settings.Settings:
        """The same, as a driver reads its own."""
        return settings.Settings(self.some(*keys), keys, "reload.")

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None


def _is_argument(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value
