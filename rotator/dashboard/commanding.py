"""A command for a person at a page: in a process of its own, with the rights of whoever asks, heard to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from rotator.api.callers import Caller
from rotator.api.commands import Commands
from rotator.api.problems import Problem

LONGEST: Final = 16 * 2**20
"""Characters of what it says."""
PATIENT: Final = 300.0
"""Seconds after which nobody waits for it."""


class Said(NamedTuple):
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def trouble(self) -> tuple[str, str]:
        """The two lines of one that did not do it: what happened, and a hint; either may be empty."""
        message, _, hint = self.err.strip().partition("\n")
        return message.partition(": ")[2] or message, hint.removeprefix("hint: ")


def heard(commands: Commands, caller: Caller, words: Sequence[str]) -> Said:
    """Raises `Problem` where too many are at work, and for one that takes too long or says too much."""
    running = commands.start(caller, "rotator", words, b"")
    said: dict[str, list[str]] = {"out": [], "err": []}
    code, length, until = 3, 0, time.monotonic() + PATIENT
    try:
        for line in running.frames():
            frame = json.loads(line) if line.strip() else {}
            for name in said.keys() & frame.keys():
                said[name].append(frame[name])
                length += len(frame[name])
            code = frame.get("exit", code)
            if length > LONGEST:
                raise Problem(503, "it says more than a page can show", f"`rotator {' '.join(words)}` on the machine")
            if time.monotonic() > until:
                raise Problem(503, "it takes too long", f"`rotator {' '.join(words)}` on the machine")
    finally:
        running.leave()
    return Said(code, "".join(said["out"]), "".join(said["err"]))
