"""YAML with line numbers: every error can say where it is.

Keys are text, a key stands once, there are no anchors that expand without end, no tags, and dates stay text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator.config.errors import ConfigError

LONGEST = 4 * 2**20
"""Bytes of a config file; more is no config."""


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file, as it is shown."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Document:
    """The plain value of a YAML file, and the line of everything in it by its path of keys and indices."""

    def __init__(self, file: str, value: Any, lines: dict[tuple[Any, ...], int]) -> None:
        self.file = file
        self.value = value
        self.lines = lines

    def where(self, path: tuple[Any, ...] = ()) -> Where:
        """The line of the thing at a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return Where(self.file, self.lines.get(path, 1))


def read_document(path: Path, shown: str | None = None) -> Document:
    """Read a file. Raises `ConfigError`."""
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as error:
        raise ConfigError(
            f"{shown or path} cannot be read: {error.strerror}", "check the path and its permissions"
        ) from None
    if len(data) > LONGEST:
        raise ConfigError(f"{shown or path} is larger than {LONGEST // 2**20} MiB", "split it with include:")
    return parse_document(data, shown or str(path))


def parse_document(data: bytes, shown: str) -> Document:
    """Parse the text of a file. Raises `ConfigError`."""
    import yaml

    try:
        node = yaml.compose(data.decode(), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise ConfigError(f"{shown} is not UTF-8 text", "save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark.line + 1) if error.problem_mark else 1
        raise ConfigError(
            f"{shown}:{line}: {error.problem or 'this is no YAML'}", "check indentation and quotes"
        ) from None
    except yaml.YAMLError:
        raise ConfigError(f"{shown} is no YAML", "it holds characters that YAML does not allow") from None
    reader = _Reader(shown)
    value = reader.read(node, ()) if node is not None else {}
    return Document(shown, value, reader.lines)


class _Reader:
    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.lines: dict[tuple[Any, ...], int] = {}
        self.nodes = 0

    def read(self, node: Any, path: tuple[Any, ...]) -> Any:
        import yaml

        self.nodes += 1
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if self.nodes > 1_000_000 or len(path) > 32:
            raise ConfigError(f"{self.shown}:{line}: too large or too deep", "do not nest anchors")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(each, (*path, index)) for index, each in enumerate(node.value)]
        return self._scalar(node, line)

    def _mapping(self, node: Any, path: tuple[Any, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key, str):
                raise ConfigError(f"{self.shown}:{line}: a key is not text", "write name: value")
            if key in values:
                raise ConfigError(f"{self.shown}:{line}: {key!r} stands twice", "remove one of the two")
            self.lines[(*path, key)] = line
            values[key] = self.read(value_node, (*path, key))
        return values

    def _scalar(self, node: Any, line: int) -> Any:
        tag, text = node.tag.rpartition(":")[2], node.value
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() in ("true", "yes", "on")
        if tag == "int":
            try:
                return int(text.replace("_", ""))
            except ValueError:
                return text
        if tag == "float":
            try:
                return float(text)
            except ValueError:
                return text
        if tag in ("str", "timestamp", "merge", "value"):
            return text
        raise ConfigError(f"{self.shown}:{line}: the tag {node.tag} is not known here", "write plain text in quotes")
