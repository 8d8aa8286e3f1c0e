"""Values that a person pastes: at a prompt that shows none, or one a line of standard input, read in bounds."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rotator.app.leaking import LONGEST, read_values
from rotator.config.errors import ConfigError
from rotator.domain.secret import Secret

MOST = 1000
"""Lines of standard input that are read."""
READ = LONGEST * 64
"""Characters of it."""
GO_ON = "the rest was not looked at: give it to the same command, or to `rotator find -`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """The values by their number among all that were `given`. `refused`: message and hint of what is not looked at."""

    values: Mapping[int, Secret]
    given: int
    refused: tuple[tuple[str, str], ...] = ()


def pasted() -> Pasted:
    """Without an echo on a terminal until an empty line, else standard input. Raises `ConfigError` where there is none.

    Nothing of what is refused is repeated.
    """
    lines, refused = _lines() if not sys.stdin.isatty() else (_prompted(), [])
    values, too_long = read_values(lines)
    hint = "one a line; `rotator find -` takes whole files"
    refused = [*((f"leaked value {number} is longer than any key", hint) for number in too_long), *refused]
    if not values and not refused:
        raise ConfigError("no leaked value was given", "one a line on standard input, or at the prompt")
    return Pasted(values=values, given=len(values) + len(too_long), refused=tuple(refused))


def _lines() -> tuple[Sequence[str], list[tuple[str, str]]]:
    text = sys.stdin.read(READ + 1)
    refused = []
    lines = text.splitlines()
    if len(text) > READ:
        refused.append((f"standard input is longer than {READ:,} characters", GO_ON))
        lines = lines[:-1]  # it may be cut
    if len(lines) > MOST:
        refused.append((f"standard input has more than {MOST} lines", GO_ON))
    return lines[:MOST], refused


def _prompted() -> list[str]:
    typed = [getpass.getpass("leaked value (not shown): ")]
    while typed[-1].strip():
        typed.append(getpass.getpass("another one (not shown, empty for none): "))
    return typed
