"""YAML as lockfiles use it: no anchors (a few lines of them expand without end), no tags, no key twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rotator.adapters.lockfiles.form import Document
from rotator.domain.times import quoted

DEEPEST = 32
HINT = "lock it anew, or restore it"


def parse(document: Document) -> tuple[Any, dict[Any, int]]:
    """The list of its documents, all scalars as text, and the line of each key by its path. Raises `Unreadable`."""
    import yaml

    # The composers of PyYAML recurse, and libyaml's dies of deep nesting; events are read one by one.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        reader = _Reader(document, yaml.parse(document.text, Loader=loader))
        return list(reader.documents()), reader.lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise document.error(f"this is no YAML: {error.problem or 'it ends too early'}", HINT, line) from None
    except yaml.YAMLError:
        raise document.error("this is no YAML: it holds a control character", HINT) from None


class _Reader:
    """Makes plain values of a parser's events. `lines` knows keys down to the second level, which are the packages."""

    def __init__(self, document: Document, events: Iterator[Any]) -> None:
        self._document = document
        self._events = events
        self.lines: dict[Any, int] = {}

    def documents(self) -> Iterator[Any]:
        import yaml

        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                yield self._value(next(self._events), ())

    def _value(self, event: Any, path: tuple[str, ...]) -> Any:
        import yaml

        if getattr(event, "anchor", None) is not None:
            raise self._error(event, "anchors (& and *) are not known here")
        if event.tag is not None:
            raise self._error(event, "tags (!) are not known here")
        if len(path) > DEEPEST:
            raise self._error(event, f"this is nested more than {DEEPEST} deep")
        if isinstance(event, yaml.MappingStartEvent):
            return self._table(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return list(self._items(path))
        return None if event.implicit[0] and event.value in ("", "~", "null") else event.value

    def _items(self, path: tuple[str, ...]) -> Iterator[Any]:
        import yaml

        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._value(event, (*path, ""))

    def _table(self, path: tuple[str, ...]) -> dict[str, Any]:
        import yaml

        made: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error(event, "a key is no text")
            name = str(event.value)
            if name in made:
                raise self._error(event, f"{quoted(name)} stands twice")
            if len(path) < 2:
                self.lines.setdefault((*path, name), _line(event))
            made[name] = self._value(next(self._events), (*path, name))
        return made

    def _error(self, event: Any, message: str) -> Exception:
        return self._document.error(message, HINT, _line(event))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
