"""Everything that an exception holds, and a look at each that passes through our code, caught or not."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

OURS = ("rotator.", "rotator_")
ABOVE_DRIVERS = ("rotator.engine.", "rotator.app.", "rotator.cli.", "rotator.policy.")
"""What an exception of a library reaches here has left the driver that may have known better."""


def held_by(error: BaseException, seen: set[int] | None = None) -> Iterator[str]:
    """Its texts, arguments and attributes, and those of the exceptions behind it, hidden by `from None` or not."""
    seen = set() if seen is None else seen
    if id(error) in seen:
        return
    seen.add(id(error))
    yield f"{type(error).__name__}: {error} {error!r} {error.args!r}"
    yield repr({name: getattr(error, name, None) for name in _names(error)})
    for behind in (error.__cause__, error.__context__, *getattr(error, "exceptions", ())):
        if behind is not None:
            yield from held_by(behind, seen)


def _names(error: BaseException) -> Iterator[str]:
    yield from vars(error)
    yield from (name for kind in type(error).__mro__ for name in getattr(kind, "__slots__", ()))
    yield from ("object", "doc", "filename", "filename2", "strerror", "__notes__", "value", "url", "body")


def look_at_each(say: Callable[[str], None]) -> None:
    """From now on, in every thread that begins, tell what the exceptions hold that pass through our code."""
    known: set[int] = set()
    kept: list[BaseException] = []  # or another one would get its id

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        module = frame.f_globals.get("__name__") or ""  # None while the interpreter ends
        if event == "call" and not module.startswith(OURS):
            return None
        frame.f_trace_lines = False
        if event == "exception":
            error = argument[1]
            of_ours = type(error).__module__.startswith(OURS) or module.startswith(ABOVE_DRIVERS)
            if isinstance(error, BaseException) and of_ours and id(error) not in known:
                known.add(id(error))
                kept.append(error)
                say("\n".join(held_by(error)))
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
