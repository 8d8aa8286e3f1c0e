"""How the demo looks: a timeline beneath headings, in colour on a terminal, plain in a log."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Sequence
from typing import TextIO, cast

from rotator.cli.terminal import Terminal, clean
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Phase, Rotation

PHASES: dict[Phase, tuple[str, str]] = {
    Phase.MINTING: ("planned", "looked at provider and store; the old key and its value are fixed"),
    Phase.STAGING: ("minted", "a new key, saved where consumers cannot read"),
    Phase.PROMOTING: ("verified", "the provider accepts what the store gives back"),
    Phase.LIVE: ("live", "the store has the new key; both keys work"),
    Phase.RETIRING: ("retiring", "from here on only forward: the old key is disabled, then deleted"),
    Phase.SWEEPING: ("proven", "the old key is refused, twice, while the new one works"),
    Phase.DONE: ("done", "nothing is left over"),
    Phase.STUCK: ("stuck", "a person must look"),
    Phase.ROLLED_BACK: ("rolled back", "the old key is in use as before"),
}


class _Quoting(io.TextIOBase):
    """Passes whole lines on."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._begun = ""

    def write(self, text: str) -> int:
        """Take some text."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._line(line)
        return len(text)


class Telling:
    """Also an observer: each phase is told when it begins."""

    def __init__(self, out: Terminal) -> None:
        self._out = out
        self._begun = time.monotonic()
        self._lock = threading.Lock()

    def title(self, name: str, line: str) -> None:
        """The first line."""
        self._out.line()
        self._out.line(f"  {self._out.style(name, 'bold')}  {self._out.style(line, 'dim')}")
        self._out.line()

    def line(self, name: str, text: str) -> None:
        """A fact of the scene."""
        self._out.line(f"  {self._out.style(f'{name:<10}', 'cyan')} {text}")

    def act(self, number: str, text: str) -> None:
        """A heading; time begins anew."""
        self._begun = time.monotonic()
        self._out.line()
        self._out.line(f"  {self._out.style(f'{number} ─ {text}', 'bold')}")

    def said(self, text: str, color: str | None = None) -> None:
        """Something seen."""
        with self._lock:
            words = clean(text)
            self._out.line(f"  {self._time()}  {self._out.style(words, color) if color else words}")

    def seen(self, text: str, color: str | None = None) -> None:
        """A line without a time."""
        words = clean(text)
        self._out.line(f"     {self._out.style(words, color) if color else words}")

    def command(self, text: str) -> None:
        """What somebody types."""
        self._out.line(f"  {self._time()}  {self._out.style('$ ' + text, 'bold', 'cyan')}")

    def quoting(self) -> TextIO:
        """A stream whose lines appear in the timeline: what a real command prints."""
        return cast(TextIO, _Quoting(self.said))

    def next_commands(self, *commands: tuple[str, str]) -> None:
        """What to try."""
        self._out.line()
        self._out.line(f"  {self._out.style('try next', 'bold')}")
        width = max(len(command) for command, _ in commands)
        for command, why in commands:
            self._out.line(f"    {self._out.style(command.ljust(width), 'cyan')}   {self._out.style(why, 'dim')}")
        self._out.line()

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Tell of a phase that begins."""
        if any(event.kind is EventKind.PHASE for event in events) and row.phase in PHASES:
            word, text = PHASES[row.phase]
            color = "red" if row.phase in (Phase.STUCK, Phase.ROLLED_BACK) else "green"
            with self._lock:
                self._out.line(f"  {self._time()}  {self._out.style(f'{word:<9}', color)} {text}")

    def alert(self, action: str, subject: str, message: str) -> None:
        """Tell of it."""
        self.said(f"{action}: {message}", "yellow")

    def _time(self) -> str:
        return self._out.style(f"{time.monotonic() - self._begun:6.1f} s", "dim")
