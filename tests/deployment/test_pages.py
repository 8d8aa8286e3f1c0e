"""The pages about ways of running: the words in them are words that the rotator knows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.cli.errors import Told
from rotator.cli.main import build, verb_first

PAGES = Path(__file__).parents[2] / "docs" / "running"
_COMMAND = re.compile(r"\b(rotator|rotate)((?: [A-Za-z0-9|./:=_-]+)+)")


def commands(text: str) -> Iterator[list[str]]:
    """What is typed in a block of a page or between backquotes, from the program on."""
    blocks = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    for piece in (*blocks, *re.findall(r"`([^`]+)`", text)):
        for program, words in _COMMAND.findall(piece.partition("#")[0]):
            typed = shlex.split(words.replace("…", ""))
            typed = typed[: next((at for at, word in enumerate(typed) if word in ("|", "2")), len(typed))]
            if program == "rotate" or typed[0] in COMMANDS:
                yield ["rotate", *typed] if program == "rotate" else typed


COMMANDS = {"init", "check", "status", "completion", "alive", "log", "rotate"}


def known(words: list[str]) -> bool:
    """Whether the parser takes them."""
    typed = verb_first(words)
    try:
        build("rotator", typed).parse_args(typed)
    except Told:
        return False
    return True


@pytest.mark.parametrize("page", sorted(PAGES.iterdir()), ids=lambda page: page.name)
def test_each_command_of_a_page_is_one(page: Path) -> None:
    found = list(commands(page.read_text()))
    assert found
    assert [words for words in found if not known(words)] == []


def test_a_command_that_is_none_is_seen() -> None:
    (words,) = commands("    rotate --due --until 8m\n")
    assert not known(words)
