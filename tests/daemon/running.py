"""The daemon as it is run: a process of its own, whose log is read while it writes it."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rotator.domain.rotation import Phase
from rotator.ports import Change
from tests.cli.scene import NAME, SCRIPTS, Scene

PATIENCE = 120
"""Seconds for anything that is waited for."""


class Running:
    """One daemon. `lines`: what it logged so far, in order."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.said: list[str] = []
        self._fresh: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._fresh.put(line)
        self._fresh.put("")

    def until(self, action: str, subject: str = "", seconds: float = PATIENCE) -> dict[str, Any]:
        """The next line of this action, and of this subject if one is given; what comes before it is passed over."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                text = self._fresh.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {action} within {seconds} s after {self.said[-20:]}") from None
            if not text:
                raise AssertionError(f"the daemon ended ({self.process.wait()}) before {action}: {self.said[-20:]}")
            self.said.append(text)
            line = json.loads(text) if text.startswith("{") else {}
            self.lines.append(line)
            if line.get("action") == action and subject in ("", line["subject"]):
                return line

    def rest(self) -> None:
        """Read what is left after its end."""
        while text := self._fresh.get(timeout=PATIENCE):
            self.said.append(text)
            self.lines.append(json.loads(text) if text.startswith("{") else {})

    def end(self, number: int) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(scene: Scene, *options: str, first: str = "serving", **environment: str) -> Iterator[Running]:
    """A daemon with this config, which has said `first`; killed at the end if it still runs."""
    command = [str(SCRIPTS / "rotator"), *scene.with_config(["daemon", *options])]
    process = subprocess.Popen(
        command,
        cwd=scene.folder,
        env={**scene.environment(), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        running = Running(process)
        running.until(first)
        yield running
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def eventually(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for something that nothing tells."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def make_due(scene: Scene, *names: str, ago: timedelta = timedelta(minutes=1)) -> None:
    """These credentials are due."""
    journal = scene.journal()
    for name in names:
        row = journal.credential(name)
        journal.save(replace(row, next_due=datetime.now(UTC) - ago), datetime.now(UTC), Change())
    journal.close()


def phases(scene: Scene, name: str = NAME) -> list[Phase]:
    """Of a credential's rotations, the newest first."""
    journal = scene.journal()
    phases = [row.phase for row in journal.rotations(name)]
    journal.close()
    return phases
