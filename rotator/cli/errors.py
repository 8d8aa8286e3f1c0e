"""Errors as a person reads them: two lines on standard error, lower case, no full stop."""

from __future__ import annotations

import sys
import threading


class Told(Exception):
    """What happened and what to do, with the exit code."""

    def __init__(self, message: str, hint: str, *, code: int = 2) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def quiet_threads(prog: str) -> None:
    """From now on a thread that ends by a defect says where, and not what: its text may hold anything."""

    def ended(args: threading.ExceptHookArgs) -> None:
        from rotator.domain.defects import where

        error = args.exc_value or args.exc_type()
        print(f"{prog}: an error of the rotator itself ({where(error)}) ended a thread", file=sys.stderr)

    threading.excepthook = ended


def tell(prog: str, message: str, hint: str, *, code: int) -> int:
    """Print the two lines; returns the code."""
    print(f"{prog}: {_line(message)}", file=sys.stderr)
    print(f"hint: {_line(hint)}", file=sys.stderr)
    return code


def _line(text: str) -> str:
    """One line without control characters and without values: what a server or a file said, or was typed, is data."""
    from rotator.config.recognise import secrets_hidden

    text = secrets_hidden(text)
    cleaned = "".join(character if character.isprintable() else " " for character in text)
    return cleaned if len(cleaned) <= 500 else cleaned[:499] + "…"
