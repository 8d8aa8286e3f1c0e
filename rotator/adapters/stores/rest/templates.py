"""Paths and bodies with named placeholders: `{ref}`, `{ref1}`…, `{field}`, `{id}`, and `{value}` in a body alone.

A placeholder in a path is one segment's text or a parameter's, quoted. A body is JSON before anything is filled in, and
only its texts are: no value can become anything but text in its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from rotator.domain.failures import Permanent
from rotator.domain.settings import SettingsError

_NAMED = re.compile(r"\{([a-z_]+[0-9]?)\}")
_PATH = re.compile(r"/[A-Za-z0-9/{}_.~=&?,:@+%-]*")


def check_names(text: str, allowed: Collection[str], where: str) -> None:
    """Raises `SettingsError` for a placeholder that is not allowed, and for a brace that is none."""
    for name in _NAMED.findall(text):
        if name not in allowed:
            raise SettingsError(f"{where}: {{{name}}} is not known there", "known there: " + ", ".join(sorted(allowed)))
    if set(_NAMED.sub("", text)) & {"{", "}"}:
        raise SettingsError(f"{where} has a brace that belongs to no placeholder", "write {field}, {ref} or {value}")


class PathTemplate:
    """A path, with a query if need be."""

    def __init__(self, text: str, allowed: Collection[str], where: str) -> None:
        """Raises `SettingsError`."""
        if not _PATH.fullmatch(text) or "//" in text or "/../" in text or "/./" in text:
            raise SettingsError(f"{where} is no path", "begin it with /, and write {field} where its name belongs")
        check_names(text, allowed, where)
        self._text = text

    def fill(self, names: Mapping[str, str]) -> str:
        """The path with each name quoted as one segment. Raises `Permanent` for one that would be no segment."""
        for name in _NAMED.findall(self._text):
            if not names[name].strip("."):
                raise Permanent(f"the path of the request has nothing for {{{name}}}", "the reference lacks a part")
        return _NAMED.sub(lambda found: quote(names[found[1]], safe=""), self._text)


class BodyTemplate:
    """A JSON text whose texts may have placeholders."""

    def __init__(self, text: str, allowed: Collection[str], where: str) -> None:
        """Raises `SettingsError`, without the text."""
        try:
            self._tree = json.loads(text)
        except (ValueError, RecursionError):
            self._tree = None
        if not isinstance(self._tree, dict | list):
            raise SettingsError(f"{where} is no JSON object", 'put every placeholder in quotes: {"value": "{value}"}')
        for each in _texts(self._tree):
            check_names(each, allowed, where)
        self.mentions_value = any("{value}" in each for each in _texts(self._tree))

    def fill(self, names: Mapping[str, str]) -> Any:
        """The body, to be sent as JSON."""
        return _filled(self._tree, names)


def _texts(tree: Any) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return [text for each in inner for text in _texts(each)]


def _filled(tree: Any, names: Mapping[str, str]) -> Any:
    if isinstance(tree, str):
        return _NAMED.sub(lambda found: names[found[1]], tree)
    if isinstance(tree, dict):
        return {key: _filled(each, names) for key, each in tree.items()}
    return [_filled(each, names) for each in tree] if isinstance(tree, list) else tree


def pointed(tree: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) names; None where there is nothing."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(tree, list):
            tree = tree[int(name)] if name.isdecimal() and int(name) < len(tree) else None
        else:
            tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def check_pointer(text: str, where: str) -> str:
    """Raises `SettingsError` for what is no JSON pointer."""
    if text and not text.startswith("/"):
        raise SettingsError(f"{where} is no JSON pointer", "write it like /updated_at, or nothing for the whole answer")
    return text
