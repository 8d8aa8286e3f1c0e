"""What is wrong with a config, in two lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConfigError(Exception):
    """`message` says what and where, `hint` what to do; nothing was changed. Neither holds a secret."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one was probably meant to be."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None
