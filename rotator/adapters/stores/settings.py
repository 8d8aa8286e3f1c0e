"""A driver's own settings, read strictly: what is wrong is said without the value that stands there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from pathlib import Path

_REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*:.+", re.DOTALL)


class SettingsError(Exception):
    """The settings cannot be used: `message` says which, `hint` what to write. Neither holds a value."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Settings:
    """One table of settings. Every method raises `SettingsError`."""

    def __init__(self, values: Mapping[str, object], known: Collection[str], at: str = "") -> None:
        """`at`: where the table is within the driver's settings, with a dot at its end."""
        self._values = values
        self._at = at
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(str(key), list(known), n=1)
                hint = f"did you mean {near[0]}?" if near else "known here: " + ", ".join(sorted(known))
                raise SettingsError(f"{at}{str(key)[:40]!r} is not known", hint)

    def text(self, key: str, default: str | None = None) -> str:
        """Non-empty text; without a default it must be there."""
        value = self._values.get(key, default)
        if value is None:
            raise SettingsError(f"{self._at}{key} is missing", f"add {key}: …")
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise SettingsError(f"{self._at}{key} is not text", f"write one line of text, not {_kind(value)}")
        return value

    def choice(self, key: str, among: Collection[str], default: str | None = None) -> str:
        """One of several words."""
        value = self.text(key, default)
        if value not in among:
            raise SettingsError(f"{self._at}{key} is none of the known ones", "write one of: " + ", ".join(among))
        return value

    def reference(self, key: str) -> str:
        """A reference to a secret; anything else may be a secret and is refused unseen."""
        value = self.text(key)
        if not _REFERENCE.fullmatch(value):
            message = f"{self._at}{key} is not a reference; a secret does not belong into the config"
            raise SettingsError(message, "write file:PATH, env:NAME or STORE:REF#FIELD instead")
        return value

    def path(self, key: str) -> Path:
        """An absolute path."""
        path = Path(self.text(key))
        if not path.is_absolute():
            raise SettingsError(f"{self._at}{key} is not an absolute path", "begin it with /")
        return path

    def table(self, key: str, known: Collection[str]) -> Settings:
        """A table within this one."""
        value = self._values.get(key)
        if not isinstance(value, Mapping):
            raise SettingsError(f"{self._at}{key} is not a table", f"write {key}: {{{', '.join(known)}}}")
        return Settings(value, known, f"{self._at}{key}.")

    def is_table(self, key: str) -> bool:
        """Whether a table stands there."""
        return isinstance(self._values.get(key), Mapping)

    def only(self, *keys: str) -> None:
        """Refuse what is known but makes no sense beside the rest."""
        for key in self._values:
            if key not in keys:
                raise SettingsError(f"{self._at}{key} does not belong here", "known here: " + ", ".join(keys))

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None


def _kind(value: object) -> str:
    return "an empty one" if isinstance(value, str) and not value.strip() else f"a {type(value).__name__}"
