"""Label values: bounded, one line, nothing that steers a terminal, whoever chose them."""

from __future__ import annotations

LONGEST = 100
"""Characters of a label's value."""


def cleaned(text: str) -> str:
    """The text without control characters, and cut where it is too long."""
    short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return "".join(character if character.isprintable() else "·" for character in short)
