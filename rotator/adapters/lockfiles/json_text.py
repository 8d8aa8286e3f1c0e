"""JSON in which no name stands twice: of two, each reader would believe another one."""

from __future__ import annotations

import json
from json import decoder, scanner
from typing import Any

from rotator.adapters.lockfiles.form import Document
from rotator.domain.times import quoted

HINT = "write it anew with the tool that made it"


class _Twice(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
        self.at: int | None = None


def parse(document: Document) -> tuple[Any, dict[Any, int]]:
    """Its value. Raises `Unreadable`."""
    try:
        return json.loads(document.text, object_pairs_hook=_once, parse_constant=_no_number), {}
    except json.JSONDecodeError as error:
        raise document.error(f"this is no JSON: {error.msg.lower()}", HINT, error.lineno) from None
    except _Twice as error:
        name = error.name
    except RecursionError:
        raise document.error("this is nested too deep", HINT) from None
    except ValueError:
        raise document.error("a number is none", HINT) from None
    message = f"what begins here has {quoted(name)} twice"
    raise document.error(message, HINT, _line_of_twice(document.text))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Twice(name)
            seen.add(name)
    return made


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _line_of_twice(text: str) -> int:
    """Where the object begins, by the decoder in Python: it is ten times as slow and knows where it is."""
    slow = decoder.JSONDecoder(object_pairs_hook=_once)

    def of_object(at: tuple[str, int], *rest: Any) -> Any:
        try:
            return decoder.JSONObject(at, *rest)  # type: ignore[attr-defined]
        except _Twice as error:
            error.at = at[1] if error.at is None else error.at
            raise

    slow.parse_object = of_object  # type: ignore[attr-defined]
    slow.scan_once = scanner.py_make_scanner(slow)  # type: ignore[attr-defined]
    try:
        slow.decode(text)
    except _Twice as error:
        return text.count("\n", 0, error.at or 0) + 1
    except (ValueError, RecursionError):
        pass  # the line is for people, and this decoder gives up sooner
    return 1
