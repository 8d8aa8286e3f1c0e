"""What the config says about an API: three requests, and where its answers tell a version."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rotator.adapters.stores.rest.templates import BodyTemplate, PathTemplate, check_pointer
from rotator.domain.settings import Settings, SettingsError

METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")
REF = ("ref", *(f"ref{number}" for number in range(1, 7)))
"""The reference, and its parts between slashes."""
REQUEST = ("method", "path", "success", "body")
METADATA = ("path", "version", "items", "match", "id", "next", "next_parameter")


@dataclass(frozen=True, slots=True)
class Request:
    """One request: a method, a path, a body perhaps, and the statuses that mean success."""

    method: str
    path: PathTemplate
    body: BodyTemplate | None
    success: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What tells of an entry without its value. `items`: the answer is a list in which `match` finds it.

    `version`, `id`, `items`, `next` are JSON pointers; `next` tells a page's token, given back as `next_parameter`.
    """

    path: PathTemplate
    version: str
    items: str | None
    match: str
    id: str | None
    next: str | None
    next_parameter: str


@dataclass(frozen=True, slots=True)
class Description:
    """One API."""

    metadata: Metadata
    write: Request
    delete: Request


def read_description(given: Settings) -> Description:
    """The tables `metadata`, `write` and `delete`. Raises `SettingsError`."""
    metadata = _metadata(given.table("metadata", METADATA))
    more = ("id",) if metadata.id is not None else ()
    write = _request(given.table("write", REQUEST), "write", (*REF, "field", "value"), (*REF, "field"))
    if write.body is None or not write.body.mentions_value:
        raise SettingsError("write.body says nowhere where the value goes", 'write body: \'{"value": "{value}"}\'')
    delete = _request(given.table("delete", REQUEST), "delete", (*REF, "field", *more), (*REF, "field", *more))
    return Description(metadata, write, delete)


def _request(given: Settings, name: str, in_body: Collection[str], in_path: Collection[str]) -> Request:
    default = "DELETE" if name == "delete" else "PUT"
    body = BodyTemplate(given.text("body"), in_body, f"{name}.body") if given.has("body") else None
    path = PathTemplate(given.text("path"), in_path, f"{name}.path")
    return Request(given.choice("method", METHODS, default), path, body, _statuses(given, name))


def _statuses(given: Settings, name: str) -> tuple[int, ...]:
    found = tuple(given.texts("success", ("200", "201", "204")))
    if not all(each.isdecimal() and 200 <= int(each) < 300 for each in found):
        raise SettingsError(f"{name}.success is no list of statuses from 200 to 299", 'write success: ["200", "201"]')
    return tuple(int(each) for each in found)


def _metadata(given: Settings) -> Metadata:
    def pointer(name: str) -> str | None:
        return check_pointer(given.text(name), f"metadata.{name}") if given.has(name) else None

    items, match = pointer("items"), given.text("match", "name")
    version = check_pointer(given.text("version"), "metadata.version")
    path = PathTemplate(given.text("path"), REF if items is not None else (*REF, "field"), "metadata.path")
    return Metadata(path, version, items, match, pointer("id"), pointer("next"), given.text("next_parameter", "page"))


def names_of(ref: str, field: str) -> dict[str, str]:
    """What placeholders stand for; a part that the reference does not have is empty."""
    parts = ref.split("/")
    numbered = {f"ref{number}": parts[number - 1] if number <= len(parts) else "" for number in range(1, 7)}
    return {"ref": ref, **numbered, "field": field}


def as_version(found: Any) -> str:
    """A version as text that has no comma; empty where the answer has none."""
    return str(found).replace(",", ";") if isinstance(found, str | int | float) else ""


def entry_in(items: Any, match: str, field: str) -> Mapping[str, Any] | None:
    """The entry of a list whose `match` is the field's name."""
    entries = items if isinstance(items, list) else ()
    return next((each for each in entries if isinstance(each, Mapping) and each.get(match) == field), None)
