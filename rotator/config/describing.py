"""Descriptions of APIs beside the config: `description: mine.yaml` of a provider becomes what the file says.

A driver reads no file, so it is handed the table. The file decides where an admin credential is sent, so it is believed
and trusted as the config is.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from rotator.config.document import Document, Step, Where, read_document
from rotator.config.errors import ConfigError
from rotator.config.permissions import checked

SETTING = "description"
ENDINGS = (".yaml", ".yml")

Places = dict[tuple[Step, ...], Where]
"""Where each thing of a description stands, by its path within it."""


def is_file(description: Any) -> bool:
    """Whether a setting names a file, and is neither the table itself nor the name of one that a driver brings."""
    return isinstance(description, str) and description.endswith(ENDINGS)


def read_description(path: Path, *, installed: bool = False) -> Document:
    """A description's file, whose value is a table. Raises `ConfigError`, also when others may write it.

    `installed`: it came with the code that is run anyway, with whatever permissions that has.
    """
    document = read_document(path if installed else checked(path))
    if not isinstance(document.value, dict):
        raise ConfigError(f"{document.where()}: this is no description", "write name: value, beginning with base_url")
    return document


def enter(document: Document, base: Path) -> None:
    """Put the descriptions that providers name in the place of their names.

    What cannot be read stays as it is: it is a fault of its provider alone, and `making` says it.
    """
    providers = document.value.get("providers")
    for name, entry in providers.items() if isinstance(providers, dict) else ():
        if isinstance(entry, dict) and is_file(entry.get(SETTING)):
            with suppress(ConfigError):
                found = read_description(base / entry[SETTING])
                entry[SETTING] = found.value
                document.read.extend(found.read)
                path = ("providers", name, SETTING)
                document.places.update({(*path, *at): place for at, place in found.places.items()})
