"""Texts with named placeholders, in paths, headers and bodies.

A placeholder in a path is one segment's or one parameter's text, quoted; `{+id}` keeps the slashes of an id that is a
path itself. In a body a text that is one placeholder and nothing else becomes whatever the value is, a number or a list
too, and what has no value (no scopes, no lifetime) leaves its member out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from rotator.sdk import Permanent, SettingsError

Names = Mapping[str, Any]
"""What placeholders stand for: texts, whole numbers, tuples of texts, or None where there is nothing to say."""

ABSENT = object()
OPEN = ("principal", "settings")
"""What stands before a dot: the words behind it are the operator's, and not ours to know."""

_NAMED = re.compile(r"\{(\+?[a-z_]+(?:\.[A-Za-z0-9_-]+)?)\}")
_PATH = re.compile(r"/[A-Za-z0-9/{}_.~=&?,:@+%$!*'()\[\]-]*")
_SENDABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class Text:
    """One text."""

    def __init__(self, text: str, allowed: Collection[str], where: str) -> None:
        """Raises `SettingsError` for a placeholder that is not known there, and for a brace that belongs to none."""
        self.mentions = frozenset(name.lstrip("+") for name in _NAMED.findall(text))
        for name in sorted(self.mentions):
            if not _known(name, allowed):
                shown = ", ".join(f"{{{each}.…}}" if each in OPEN else f"{{{each}}}" for each in sorted(allowed))
                raise SettingsError(f"{where}: {{{name}}} is not known there", f"known there: {shown or 'nothing'}")
        if set(_NAMED.sub("", text)) & {"{", "}"}:
            raise SettingsError(f"{where} has a brace that belongs to no placeholder", "write {id}, {mark} or the like")
        self.text = text

    def fill(self, names: Names) -> Any:
        """The value of a placeholder that is the whole text, else a text; `ABSENT` where one has no value."""
        whole = _NAMED.fullmatch(self.text)
        if whole:
            value = _value(names, whole[1])
            return ABSENT if value is None else list(value) if isinstance(value, tuple) else value
        if any(_value(names, name) is None for name in self.mentions):
            return ABSENT
        return _NAMED.sub(lambda found: _as_text(_value(names, found[1])), self.text)

    def line(self, names: Names) -> str:
        """What fits into a header. Raises `Permanent` for what does not, without showing it."""
        filled = self.fill(names)
        text = _as_text(tuple(filled) if isinstance(filled, list) else filled)
        if filled is ABSENT or not _SENDABLE.fullmatch(text):
            raise Permanent("the value fits into no header", "it may end in a line break or hold a space at its end")
        return text


class Path:
    """A path, with a query if need be. It cannot name another host, whatever is filled in."""

    def __init__(self, text: str, allowed: Collection[str], where: str) -> None:
        """Raises `SettingsError`."""
        if not _PATH.fullmatch(text) or "//" in text or "/../" in f"{text}/" or "/./" in f"{text}/":
            raise SettingsError(f"{where} is no path", "begin it with /, and write {id} where a key's id belongs")
        self._template = Text(text, allowed, where)
        self.mentions = self._template.mentions

    def fill(self, names: Names) -> str:
        """The path. Raises `Permanent` for what names nothing."""
        return _NAMED.sub(lambda found: _segment(found[1], _value(names, found[1])), self._template.text)


class Tree:
    """A body: tables and lists whose texts may have placeholders."""

    def __init__(self, tree: Any, allowed: Collection[str], where: str) -> None:
        """Raises `SettingsError`."""
        self._tree = _mapped(tree, lambda text, at: Text(text, allowed, at), where)
        self.mentions = frozenset(name for each in _templates(self._tree) for name in each.mentions)

    def fill(self, names: Names) -> Any:
        """The body as it is sent."""
        return _filled(self._tree, names)


def _known(name: str, allowed: Collection[str]) -> bool:
    before, dot, _ = name.partition(".")
    return before in OPEN and before in allowed if dot else name in allowed and name not in OPEN


def _mapped(tree: Any, make: Callable[[str, str], Text], at: str) -> Any:
    if isinstance(tree, str):
        return make(tree, at)
    if isinstance(tree, Mapping):
        return {name: _mapped(each, make, f"{at}.{name}") for name, each in tree.items()}
    return [_mapped(each, make, f"{at}.{index}") for index, each in enumerate(tree)] if _listed(tree) else tree


def _templates(tree: Any) -> Iterator[Text]:
    if isinstance(tree, Text):
        yield tree
    for each in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _templates(each)


def _filled(tree: Any, names: Names) -> Any:
    if isinstance(tree, Text):
        return tree.fill(names)
    if isinstance(tree, dict):
        filled = {name: _filled(each, names) for name, each in tree.items()}
        return {name: each for name, each in filled.items() if each is not ABSENT}
    if isinstance(tree, list):
        return [each for each in (_filled(item, names) for item in tree) if each is not ABSENT]
    return tree


def _listed(tree: Any) -> bool:
    return isinstance(tree, list | tuple)


def _value(names: Names, name: str) -> Any:
    name = name.lstrip("+")
    if name not in names and name.startswith("principal."):
        word = name.partition(".")[2]
        raise Permanent(f"the principal says no {word}", f"write principal: {{{word}: …}}")
    return names.get(name)


def _as_text(value: Any) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _segment(name: str, value: Any) -> str:
    text = "" if value is None or isinstance(value, tuple) else str(value)
    keep = "/" if name.startswith("+") else ""
    if not all(part.strip(".") for part in (text.split("/") if keep else [text])):
        raise Permanent(f"the path of a request has nothing for {{{name}}}", "see what the principal and the keys say")
    return quote(text, safe=keep, errors="replace")
