"""What a file store keeps at a reference, as its store sees it: looked at, and changed at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rotator.adapters.stores import json_text
from rotator.adapters.stores.file import dotenv_text
from rotator.adapters.stores.file.beneath import LARGEST, Content, Directory, temporary_name
from rotator.domain.failures import Conflict, Permanent


@dataclass(frozen=True, slots=True)
class Look:
    """A document at one moment. A version is made of `content`, or of `traces`, which tell nothing of the content.

    `owner`: what the file system says of the one file that it is.
    """

    values: Mapping[str, str]
    content: bytes
    traces: bytes
    owner: os.stat_result | None = None

    def __repr__(self) -> str:
        return f"Look({len(self.values)} fields)"


class Document(Protocol):
    """A document whose lock is held while it is changed."""

    def look(self) -> Look | None:
        """What it holds; None when it does not exist."""
        ...

    def change(self, found: Look | None, changes: Mapping[str, str | None], before: Callable[[], None]) -> Look | None:
        """Set fields, or remove them where the change is None, and return what it is then.

        `found` is the last look. `before` is called when everything is prepared and nothing has changed; then the
        document is compared with `found` once more, for writers who do not take the lock, and `Conflict` is raised.
        """
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """How a text holds fields."""

    values: Callable[[str], dict[str, str]]
    edited: Callable[[str | None, Mapping[str, str | None]], str | None]
    encoding_errors: str


JSON = Format(json_text.values, json_text.edited, "strict")
WHOLE = Format(json_text.whole_values, json_text.whole, "strict")
"""JSON that is ours alone: written anew each time."""
# What others wrote in some older encoding is kept as it is.
DOTENV = Format(dotenv_text.values, dotenv_text.edited, "surrogateescape")


class TextDocument:
    """One file that holds all fields."""

    def __init__(self, directory: Directory, name: str, form: Format) -> None:
        self._directory = directory
        self._name = name
        self._form = form

    def look(self) -> Look | None:
        """As the protocol says."""
        content = self._directory.read(self._name)
        if content is None:
            return None
        return Look(self._form.values(self._text(content.data)), content.data, content.traces, content.status)

    def change(self, found: Look | None, changes: Mapping[str, str | None], before: Callable[[], None]) -> Look | None:
        """As the protocol says; one rename."""
        text = self._form.edited(self._text(found.content) if found is not None else None, changes)

        def last() -> None:
            before()
            self._must_be(self._directory.read(self._name), found)

        if text is None:
            last()
            self._directory.discard(temporary_name(self._name))  # what a crash left behind
            self._directory.discard(self._name)
            self._directory.settle(self._name)
            return None
        data = text.encode(errors=self._form.encoding_errors)
        if len(data) > LARGEST:
            raise Permanent(f"{self._directory.path(self._name)} would become too large", "use a document of its own")
        self._directory.replace(self._name, data, found.owner if found is not None else None, last)
        return Look(self._form.values(text), data, b"")

    def _must_be(self, content: Content | None, found: Look | None) -> None:
        now = (content.data, content.traces) if content is not None else None
        if now != ((found.content, found.traces) if found is not None else None):
            raise Conflict(f"{self._directory.path(self._name)} was written by somebody else at the same time")

    def _text(self, data: bytes) -> str:
        try:
            return data.decode(errors=self._form.encoding_errors)
        except UnicodeDecodeError:
            path = self._directory.path(self._name)
            raise Permanent(f"{path} is not UTF-8 text", "save it as UTF-8, or name another file") from None
