"""Errors as a person reads them: two lines on standard error, lower case, no full stop."""

from __future__ import annotations

import sys


class Told(Exception):
    """What happened and what to do, with the exit code."""

    def __init__(self, message: str, hint: str, *, code: int = 2) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def tell(prog: str, message: str, hint: str, *, code: int) -> int:
    """Print the two lines; returns the code."""
    print(f"{prog}: {_line(message)}", file=sys.stderr)
    print(f"hint: {_line(hint)}", file=sys.stderr)
    return code


def _line(text: str) -> str:
    """One line without control characters: what a server or a file said is data."""
    cleaned = "".join(character if character.isprintable() else " " for character in text)
    return cleaned if len(cleaned) <= 500 else cleaned[:499] + "…"
