"""The session of an emergency, run on a stage: the same in all that counts, and without a word to take for real."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path

from rotator.app.assembly import Assembly
from rotator.app.selecting import Selection
from rotator.cli.interrupts import Interrupts
from rotator.cli.leaked import Exposed
from rotator.cli.main import build
from rotator.cli.progress import Progress
from rotator.cli.session import Session
from rotator.cli.settling import Settling
from rotator.cli.terminal import Terminal
from rotator.cli.tracking import Expected
from rotator.domain.headway import Stand, stand_of
from rotator.domain.rotation import Rotation

COMMAND = ("rotate", "--all", "--assume-compromise", "--contained", "--yes")
HOPELESS = 8
"""Attempts in a row after which a rehearsal waits no longer."""


class Quietly(Progress):
    """Progress that calls itself a drill, and alerts nobody to keys that nobody has."""

    of = "drill: "

    def expect(self, what: Expected) -> None:
        """As `Progress.expect`."""
        super().expect(replace(what, name="drill", bounds=None))

    def alert(self, action: str, subject: str, message: str) -> None:
        """Nothing: there is nothing to do."""


class Clearing(Interrupts):
    """The first Ctrl-C ends the rehearsal, the second one at once; neither leaves a file."""

    folder: Path

    def at_once(self) -> None:
        """As `Interrupts.at_once`; the keyservers end with their standard input.

        The folder goes under another name: what a thread still writes in it would keep it from being removed.
        """
        with suppress(OSError):
            self.folder = self.folder.rename(f"{self.folder}-over")
        shutil.rmtree(self.folder, ignore_errors=True)
        super().at_once()


class Patiently(Settling):
    """Settling that does not wait for persons."""

    def _at_rest(self, row: Rotation) -> bool:
        hopeless = row.attempts >= HOPELESS
        return super()._at_rest(row) or (row.owner is None and (stand_of(row) is Stand.PERSON or hopeless))


class Rehearsal(Session):
    """One run of `rotate --all --assume-compromise` on a stage."""

    def __init__(self, args: argparse.Namespace, assembly: Assembly, folder: Path, err: Terminal) -> None:
        super().__init__(args, assembly, Exposed())
        self.progress = Quietly(err, assembly.clock.now)
        assembly.observer = self.progress
        self.out = self.err = Terminal(StringIO(), color=False, live=False)
        self.settling = Patiently(
            assembly, f"drill-{os.getpid()}", self.err, parallel=assembly.config.parallel, wait=True
        )
        self.settling.interrupts = clearing = Clearing(self.err)
        clearing.folder = folder
        self.ended: dict[str, Rotation] = {}

    def play(self) -> dict[str, Rotation]:
        """The whole of it; the rows as they are at its end. Raises `Told` where nothing can be begun."""
        self.selected(Selection(credentials=tuple(self.assembly.config.credentials.values())))
        return self.ended

    def _look_again(self, specs: Sequence[object], started: Sequence[Rotation]) -> None:
        """Nobody here makes keys that are nobody's."""

    def _finish(self, started: Sequence[Rotation], selected: int) -> int:
        self.ended = {row.credential: self._latest(row) for row in started}
        return 0


def rehearsal(assembly: Assembly, folder: Path, err: Terminal, *, contain_first: bool) -> Rehearsal:
    """A rehearsal that may be played, as if its command had been typed."""
    words = [*COMMAND, *(["--contain-first"] if contain_first else [])]
    return Rehearsal(build("rotate", words).parse_args(words), assembly, folder, err)
