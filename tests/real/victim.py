"""A process that runs rotations and dies where it is told: `python -m tests.real.victim CONFIG [--at N --where W]`.

`N` counts the effects of this process from 0, with `--since` those from a phase on; `W` is one of `WHERE`. The product
has no switch for it: what is replaced here is replaced in this process alone.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.running import Run
from rotator.domain.failures import Transient
from rotator.domain.rotation import Mode, Phase
from rotator.engine import starting
from rotator.engine.recorded import Recorded
from tests.real.scene import NAME

WHERE = ("before intent", "before effect", "after effect")


class Death:
    """Kills this process at one effect, or stops it there until somebody continues it."""

    def __init__(self, at: int, where: str, number: signal.Signals, since: Phase | None) -> None:
        self.at = at
        self.where = where
        self.number = number
        self.since = since
        self.count = -1

    def reached(self, where: str) -> None:
        """Die here if this is the place."""
        if self.count == self.at and self.where == where:
            _say(f"{self.number.name} at effect {self.count}, {where}")
            os.kill(os.getpid(), self.number)

    def install(self) -> None:
        """Wrap every effect of the engine. Writes that go to several stores at the same time are one."""
        original = Recorded._effects

        def effects(recorded: Recorded, intents: Any, does: Sequence[Callable[[], Any]], **how: Any) -> Any:
            if self.since in (None, recorded.row.phase):
                self.since = None
                self.count += 1
                self.reached("before intent")
            return original(recorded, intents, [self.around(each) for each in does], **how)

        Recorded._effects = effects  # type: ignore[method-assign,assignment]

    def around(self, do: Callable[[], Any]) -> Callable[[], Any]:
        """The effect itself."""

        def done() -> Any:
            self.reached("before effect")
            result = do()
            self.reached("after effect")
            return result

        return done


def main() -> int:
    """Start what is asked for and run until nothing is open; 0 then."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--start", choices=["scheduled", "compromise", "contain_first"])
    parser.add_argument("--at", type=int, default=-1)
    parser.add_argument("--where", choices=WHERE, default=WHERE[0])
    parser.add_argument("--since", type=Phase, help="count from the first effect of this phase on")
    parser.add_argument("--signal", choices=["SIGKILL", "SIGSTOP"], default="SIGKILL")
    parser.add_argument("--count", action="store_true", help="say how many effects there were")
    args = parser.parse_args()
    death = Death(args.at, args.where, signal.Signals[args.signal], args.since)
    assembly = Assembly(config=load_config(args.config))
    spec = assembly.config.credentials[NAME]
    if args.start:
        while assembly.journal.credential(NAME).current is None:
            # With a lease of 2 s a request has half a second, which a busy machine may miss.
            with suppress(Transient):
                adopt(assembly, spec)
        begin(assembly, args.start)
    death.install()
    deadline = time.monotonic() + 60
    Run(assembly=assembly, owner=f"victim-{os.getpid()}", parallel=1).until(
        lambda: assembly.journal.next_wake() is None or time.monotonic() > deadline
    )
    if args.count:
        _say(f"effects: {death.count + 1}")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def begin(assembly: Assembly, mode: str) -> None:
    """Open the rotation."""
    spec = assembly.config.credentials[NAME]
    ports = (assembly.journal, assembly.ids, assembly.clock)
    if mode == "scheduled":
        starting.start(spec, *ports, mode=Mode.SCHEDULED, reason="due")
        return
    lease, now = assembly.timing.lease, assembly.clock.now()
    contain = mode == "contain_first"
    starting.assume_compromise(
        spec, *ports, owner="victim", lease=lease, contain_first=contain, exposure_end=now, reason="test"
    )


if __name__ == "__main__":
    sys.exit(main())
