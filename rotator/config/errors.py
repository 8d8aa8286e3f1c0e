"""What is wrong with a config, in two lines."""

from __future__ import annotations

from collections.abc import Iterable


class ConfigError(Exception):
    """`message` says what and where, `hint` what to do; one line each, no secret in them, and nothing was changed."""

    def __init__(self, message: str, hint: str) -> None:
        self.message = _one_line(message)
        self.hint = _one_line(hint)
        super().__init__(self.message)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one was probably meant to be."""
    import difflib

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
