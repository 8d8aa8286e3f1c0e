"""`rotator config approve` for a person at a page: the same command, in a process of its own, with the same rights.

The file may be anything, so it is not read in the daemon's own process.
"""

from __future__ import annotations

from rotator.api.callers import Caller
from rotator.api.commands import Commands
from rotator.api.problems import Problem
from rotator.dashboard.commanding import heard


def approved(commands: Commands, caller: Caller, digest: str, why: str) -> str:
    """What the command said. Raises `Problem`, with its two lines, where it did not approve; then nothing changed."""
    said = heard(commands, caller, ["config", "approve", "--yes", digest, f"--why={why}"])
    if said.code == 0:
        return said.out.strip()
    message, hint = said.trouble
    raise Problem(
        409 if said.code == 2 else 500,
        message or "the command that approves ended without a word",
        hint or "`rotator config diff` on the machine",
    )
