"""The whole config as one document: the main file, and the credentials of the files that it includes."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Any

from rotator.config import describing, signers
from rotator.config.document import Document, Included, Where, read_document
from rotator.config.errors import ConfigError
from rotator.config.permissions import checked
from rotator.config.secrecy import shown

OF_CREDENTIALS = ("include", "credentials", "consumers", "identities")
"""What is about credentials, or names them."""


def load_document(path: Path) -> Document:
    """Read a config with what it includes, whose `credentials` are entered as if they stood in it, and what it names.

    Names and types are not judged. Raises `ConfigError`, also for an included file that others may write.
    """
    document = _own(path)
    for index, pattern in _patterns(document.value.get("include")):
        place = document.where(("include", *index))
        for name in _matching(path, pattern, place):
            _merge(document, Included(checked(name)))
    _enter(document, path)
    return document


def load_head(path: Path) -> Document:
    """Read a config without what is `OF_CREDENTIALS`: as quick as its own file is short. Raises `ConfigError`."""
    document = _own(path)
    for name in OF_CREDENTIALS:
        document.value.pop(name, None)
    _enter(document, path)
    return document


def _own(path: Path) -> Document:
    """The config's own file, which is a table."""
    document = read_document(path)
    if document.value is None:
        raise ConfigError(f"{path} is empty", "`rotator init` writes one")
    if not isinstance(document.value, dict):
        raise ConfigError(f"{document.where()}: this is no config", "write name: value, or let `rotator init` begin")
    return document


def _enter(document: Document, path: Path) -> None:
    describing.enter(document, path.resolve().parent)
    signers.enter(document, path.resolve().parent)


def digest(document: Document) -> str:
    """SHA-256 of everything that was read: the names of the files and their bytes."""
    import hashlib

    total = hashlib.sha256()
    for path, data in document.read:
        name = str(path.resolve()).encode()
        total.update(b"%d:%d:" % (len(name), len(data)) + name + data)
    return total.hexdigest()


def patterns(include: Any) -> list[str]:
    """The patterns of an `include` as it is written."""
    return [pattern for _, pattern in _patterns(include)]


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
        there = _check_folders(config.parent, pattern)
    except OSError as error:
        message = f"{place}: a folder of {shown(pattern)} cannot be read: {error.strerror}"
        raise ConfigError(message, f"check its permissions: {error.filename}") from None
    except (ValueError, NotImplementedError):
        raise ConfigError(f"{place}: {shown(pattern)} is no pattern", "write it like credentials/*.yaml") from None
    if not there:
        hint = "make it, or mend the path, which begins at the config"
        raise ConfigError(f"{place}: the folder of {shown(pattern)} is not there", hint)
    if not found and not glob.has_magic(pattern):
        raise ConfigError(f"{place}: {shown(pattern)} does not exist", "mend the path, which begins at the config")
    for each in found:
        if not each.resolve().is_relative_to(config.resolve().parent):
            raise ConfigError(f"{place}: {each} leads out of the config's folder", "put the file itself there")
        if each.resolve() == config.resolve():
            raise ConfigError(f"{place}: {shown(pattern)} includes this file itself", "write credentials/*.yaml")
    return found


def _check_folders(base: Path, pattern: str) -> bool:
    """Whether the folder is there that a pattern names. Raises `OSError` where one that it matches cannot be read.

    To a pattern either looks empty, as if all in it had been removed.
    """
    parts = Path(pattern).parts
    first = next((index for index, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    for index in range(first, len(parts)):
        for folder in base.glob(str(Path(*parts[:index]))) if index else [base]:
            if folder.is_dir():
                with os.scandir(folder) as entries:
                    next(entries, None)
    return first == len(parts) or base.joinpath(*parts[:first]).is_dir()


def _merge(document: Document, other: Included) -> None:
    document.read.append((other.path, other.data))
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
        document.entered["credentials", name] = other
    document.value["credentials"] = credentials
    other.value = None  # whoever has the document decides how long they are needed
