"""What argparse says, in the tone of every other error."""

from __future__ import annotations

import re

_WORDS = (
    (re.compile(r"argument (\S+): expected one argument"), r"\1 needs a value"),
    (re.compile(r"argument (\S+): invalid int value: (.*)"), r"\1: \2 is not a whole number"),
    (re.compile(r"argument (\S+): not allowed with argument (\S+)"), r"\1 cannot stand beside \2"),
    (re.compile(r"argument (\S+): invalid choice: (.*) \(choose from (.*)\)"), r"\1: \2 is none of \3"),
    (re.compile(r"argument (\S+): ignored explicit argument .*"), r"\1 takes no value"),
    (re.compile(r"the following arguments are required: (.*)"), r"\1 is missing"),
)


def plain(message: str) -> str:
    """The same; what is not known here as it is."""
    for pattern, words in _WORDS:
        if found := pattern.fullmatch(message):
            return found.expand(words)
    return message
