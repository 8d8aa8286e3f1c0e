"""A defect as it may be logged: where, and of which type; no text and no local variable, which may hold anything."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from types import TracebackType

MOST = 30
"""Frames of one exception that are kept: the innermost ones."""
CHAIN = 5
"""Exceptions behind it that are told."""


def told(error: BaseException) -> list[dict[str, object]]:
    """The exception and those that it came of: `type`, and `frames` of `file:line function`, the innermost last."""
    chain: list[dict[str, object]] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen and len(chain) < CHAIN:
        seen.add(id(at))
        chain.append({"type": _name(at), "frames": _frames(at.__traceback__)})
        at = at.__cause__ or at.__context__  # also one that was hidden by `from None`: its text is not told
    return chain


def where(error: BaseException) -> str:
    """In one line: `ValueError at running.py:12`."""
    frames = _frames(error.__traceback__)
    return f"{_name(error)} at {frames[-1].split(' ')[0]}" if frames else _name(error)


def _name(error: BaseException) -> str:
    return type(error).__qualname__[:100]


def _frames(trace: TracebackType | None) -> list[str]:
    """The text of a line of source is left out, too: it may be generated code."""
    found = [(frame.f_code, line) for frame, line in traceback.walk_tb(trace)][-MOST:]
    return [f"{_short(code.co_filename)}:{line} {code.co_name}" for code, line in found]


def _short(path: str) -> str:
    """The last three parts of a path: which module, and not where somebody's home is."""
    return "/".join(PurePath(path).parts[-3:])
