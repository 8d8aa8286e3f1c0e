"""The whole config as one document: the main file, and the credentials of the files that it includes."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

from rotator.config import describing
from rotator.config.document import Document, Where, read_document
from rotator.config.errors import ConfigError
from rotator.config.permissions import checked
from rotator.config.secrecy import shown


def load_document(path: Path) -> Document:
    """Read a config with what it includes, whose `credentials` are entered as if they stood in it, and descriptions.

    Names and types are not judged. Raises `ConfigError`, also for an included file that others may write.
    """
    document = read_document(path)
    if document.value is None:
        raise ConfigError(f"{path} is empty", "`rotator init` writes one")
    if not isinstance(document.value, dict):
        raise ConfigError(f"{document.where()}: this is no config", "write name: value, or let `rotator init` begin")
    for index, pattern in _patterns(document.value.get("include")):
        place = document.where(("include", *index))
        for name in _matching(path, pattern, place):
            _merge(document, read_document(checked(name)))
    describing.enter(document, path.resolve().parent)
    return document


def digest(document: Document) -> str:
    """SHA-256 of everything that was read: the names of the files and their bytes."""
    import hashlib

    total = hashlib.sha256()
    for path, data in document.read:
        name = str(path.resolve()).encode()
        total.update(b"%d:%d:" % (len(name), len(data)) + name + data)
    return total.hexdigest()


def _patterns(include: Any) -> list[tuple[tuple[int, ...], str]]:
    if isinstance(include, str):
        return [((), include)]
    items = include if isinstance(include, list) else []
    return [((index,), each) for index, each in enumerate(items) if isinstance(each, str)]


def _matching(config: Path, pattern: str, place: Where) -> list[Path]:
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        hint = "include files beneath the config's own folder, like credentials/*.yaml"
        raise ConfigError(f"{place}: {shown(pattern)} leads out of the config's folder", hint)
    try:
        found = sorted(config.parent.glob(pattern))
    except (ValueError, NotImplementedError, OSError):
        raise ConfigError(f"{place}: {shown(pattern)} is no pattern", "write it like credentials/*.yaml") from None
    if not found and not glob.has_magic(pattern):
        raise ConfigError(f"{place}: {shown(pattern)} does not exist", "mend the path, which begins at the config")
    for each in found:
        if not each.resolve().is_relative_to(config.resolve().parent):
            raise ConfigError(f"{place}: {each} leads out of the config's folder", "put the file itself there")
        if each.resolve() == config.resolve():
            raise ConfigError(f"{place}: {shown(pattern)} includes this file itself", "write credentials/*.yaml")
    return found


def _merge(document: Document, other: Document) -> None:
    document.read.extend(other.read)
    if other.value is None:
        return
    if not isinstance(other.value, dict):
        raise ConfigError(f"{other.where()}: this is no config", "write credentials: and a name beneath it")
    for name in other.value:
        if name != "credentials":
            message = f"{other.where((name,))}: an included file may hold credentials alone, not {shown(name)}"
            raise ConfigError(message, f"move it to {document.file}")
    entries = other.value.get("credentials") or {}
    credentials = document.value.get("credentials") or {}
    if not isinstance(entries, dict) or not isinstance(credentials, dict):
        raise ConfigError(f"{other.where(('credentials',))}: credentials is not a table", "write each beneath its name")
    for name, entry in entries.items():
        if name in credentials:
            first = document.where(("credentials", name))
            place = other.where(("credentials", name))
            raise ConfigError(f"{place}: {shown(name)} stands in {first} already", "remove one of the two")
        credentials[name] = entry
    document.value["credentials"] = credentials
    document.places.update({at: place for at, place in other.places.items() if len(at) > 1})
