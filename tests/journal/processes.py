"""Starts `other_process` and talks to it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Other:
    """One other process; ready when it is made, working when it was told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def go(self) -> None:
        """Begin."""
        self._in.write("go\n")
        self._in.flush()

    def heard(self) -> Any:
        """The next thing that it tells."""
        return json.loads(self._out.readline())

    def rest(self) -> list[Any]:
        """All that it still tells, but for a line that it could not finish."""
        return [json.loads(line) for line in self._out.read().splitlines(keepends=True) if line.endswith("\n")]


@contextmanager
def others(count: int, what: str, path: Path, number: int) -> Iterator[list[Other]]:
    """So many processes, ready; killed at the end if they still run."""
    command = [sys.executable, "-m", "tests.journal.other_process", what, f"sqlite:///{path}", str(number)]
    with ExitStack() as ending:
        started = []
        for _ in range(count):
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            ending.enter_context(process)
            ending.callback(process.kill)
            started.append(Other(process))
        for other in started:
            assert other.heard() == "ready"
        yield started
