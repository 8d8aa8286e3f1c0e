"""YAML with line numbers: every error can say where it is, and none repeats what stands there.

A config needs little of YAML, and the rest is refused: anchors (a few lines of them expand without end), tags, keys
that stand twice. Plain words are read as YAML 1.2 does, so that `off` and `no` are text, and so are dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rotator.config.errors import ConfigError
from rotator.config.secrecy import shown

LONGEST = 4 * 2**20
"""Bytes of a config file; more is no config."""
DEEPEST = 32
"""Tables and lists within each other."""

Step = str | int

_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file, as it is shown."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class Document:
    """The plain value of a YAML file, None for an empty one, and the place of everything in it by its path.

    A path is keys and indices from the top. `read` are the files that it was read from, with their bytes. `entered`:
    from which other file an entry is, by its path.
    """

    file: str
    value: Any
    places: dict[tuple[Step, ...], Where]
    read: list[tuple[Path, bytes]] = field(default_factory=list, repr=False)
    entered: dict[tuple[Step, ...], Included] = field(default_factory=dict, repr=False)

    def where(self, path: tuple[Step, ...] = ()) -> Where:
        """The place of the thing at a path, or of the nearest thing around it."""
        if path[:2] in self.entered:
            return self.entered[path[:2]].where(path)
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Where(self.file, 1))


class Included:
    """A file that is read for its entries: its value, and places only once somebody asks for one.

    Places take eight times what is said in them, and whoever reads 100,000 credentials needs none of theirs.
    """

    def __init__(self, path: Path) -> None:
        """Raises `ConfigError`."""
        self.path = path
        self.data = _bytes(path)
        self.value = _Builder(str(path), placed=False).built(self.data).value

    def where(self, path: tuple[Step, ...] = ()) -> Where:
        """As `Document.where`; the first time the file is parsed once more."""
        return self._placed.where(path)

    @cached_property
    def _placed(self) -> Document:
        return parse_document(self.data, str(self.path))


def read_document(path: Path) -> Document:
    """Read a file. Raises `ConfigError`."""
    data = _bytes(path)
    document = parse_document(data, str(path))
    document.read.append((path, data))
    return document


def parse_document(data: bytes, file: str) -> Document:
    """Parse the text of a file. Raises `ConfigError`."""
    return _Builder(file, placed=True).built(data)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from None
    if len(data) > LONGEST:
        raise ConfigError(f"{path} is larger than {LONGEST // 2**20} MiB", "split it with include:")
    return data


def _explained(file: str, text: str, error: Any) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    begins = lines[line - 1][mark.column : mark.column + 1] if mark and line <= len(lines) else ""
    if begins == "\t":
        return ConfigError(f"{file}:{line}: a tab stands where spaces must be", "indent with spaces")
    if begins and begins in "@`%|>":
        return ConfigError(f"{file}:{line}: a value cannot begin with {begins}", "put the value in quotes")
    # What is quoted in a parser's message may be a piece of a secret.
    problem = re.sub(r"\s*'[^'<]{2,}'", "", error.problem or "this is no YAML")
    return ConfigError(f"{file}:{line}: {problem}", "check indentation, quotes and brackets, here and just above")


class _Builder:
    """Makes plain values of a parser's events; `placed`: and says where each stands."""

    def __init__(self, file: str, *, placed: bool) -> None:
        import yaml

        self._yaml = yaml
        self._file = file
        self._placed = placed
        self._events: Iterator[Any] = iter(())
        self._places: dict[tuple[Step, ...], Where] = {}
        self._texts: dict[str, str] = {}  # each once: of 100,000 entries most words are the same

    def built(self, data: bytes) -> Document:
        """Raises `ConfigError`."""
        yaml = self._yaml
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ConfigError(f"{self._file} is not UTF-8 text", "name the config, or save it as UTF-8") from None
        # The composers of PyYAML recurse, and libyaml's dies of deep nesting; events are read one by one.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events = yaml.parse(text, Loader=loader)
        try:
            return self._document()
        except yaml.MarkedYAMLError as error:
            raise _explained(self._file, text, error) from None
        except yaml.YAMLError:
            raise ConfigError(f"{self._file} is no YAML", "it holds characters that YAML does not allow") from None

    def _document(self) -> Document:
        value = None
        next(self._events)
        if isinstance(next(self._events), self._yaml.DocumentStartEvent):
            value = self._value(next(self._events), ())
            next(self._events)
            after = next(self._events)
            if isinstance(after, self._yaml.DocumentStartEvent):
                raise self._error(after, "a second document begins", "remove the line ---")
        return Document(self._file, value, self._places)

    def _value(self, event: Any, path: tuple[Step, ...]) -> Any:
        yaml = self._yaml
        if getattr(event, "anchor", None) is not None:
            raise self._error(event, "anchors (& and *) are not known here", "write it out, or put it in quotes")
        if event.tag is not None:
            raise self._error(event, "tags (!) are not known here", "put the value in quotes")
        if len(path) > DEEPEST:
            raise self._error(event, f"this is nested more than {DEEPEST} deep", "check the brackets")
        if self._placed:
            self._places.setdefault(path, self._where(event))
        if isinstance(event, yaml.MappingStartEvent):
            return dict(self._entries(path))
        if isinstance(event, yaml.SequenceStartEvent):
            return list(self._items(path))
        return self._scalar(event)

    def _items(self, path: tuple[Step, ...]) -> Iterator[Any]:
        index = 0
        while not isinstance(event := next(self._events), self._yaml.SequenceEndEvent):
            yield self._value(event, (*path, index))
            index += 1

    def _entries(self, path: tuple[Step, ...]) -> Iterator[tuple[str, Any]]:
        yaml = self._yaml
        names: set[str] = set()
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if isinstance(event, yaml.CollectionStartEvent):
                raise self._error(event, "a name is a list or a table", "write name: value, templates in quotes")
            self._value(event, path)
            name = self._once(str(event.value))
            if name in names:
                raise self._error(event, f"{shown(name)} stands twice", "remove one of the two")
            names.add(name)
            if self._placed:
                self._places[*path, name] = self._where(event)
            yield name, self._value(next(self._events), (*path, name))

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if not text.replace("\n", "").replace("\t", "").isprintable():
            raise self._error(event, "this holds a control character", "write plain text")
        if not event.implicit[0]:
            return self._once(text)
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        if _WHOLE.fullmatch(text):
            return int(text)
        return float(text) if _DECIMAL.fullmatch(text) else self._once(text)

    def _once(self, text: str) -> str:
        return self._texts.setdefault(text, text)

    def _where(self, event: Any) -> Where:
        return Where(self._file, event.start_mark.line + 1)

    def _error(self, event: Any, message: str, hint: str) -> ConfigError:
        return ConfigError(f"{self._where(event)}: {message}", hint)
