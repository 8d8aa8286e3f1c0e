"""`rotate` that dies at an effect: `python -m tests.real.fifty_victim [--at N | --kind ACTION] --where W WORD …`.

`N` counts the effects of this process from 0, whichever credential's they are; `ACTION` means the first effect of this
name. The product has no switch for it: what is replaced here is replaced in this process alone.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rotator.cli.main import main as command
from rotator.engine.recorded import Recorded

WHERE = ("before intent", "before effect", "after effect")


class Death:
    """Kills this process at one effect, of whichever thread."""

    def __init__(self, at: int | None, kind: str | None, where: str) -> None:
        self.at = at
        self.kind = kind
        self.where = where
        self.count = 0
        self.lock = threading.Lock()

    def install(self) -> None:
        """Wrap every effect of the engine. Writes that go to several stores at the same time are one."""
        original = Recorded._effects

        def effects(recorded: Recorded, intents: Any, does: Sequence[Callable[[], Any]], **how: Any) -> Any:
            if not self._is_it([intent.action for intent in intents]):
                return original(recorded, intents, does, **how)
            self._reached("before intent")
            return original(recorded, intents, [self._around(each) for each in does], **how)

        Recorded._effects = effects  # type: ignore[method-assign,assignment]

    def _is_it(self, actions: Sequence[str]) -> bool:
        with self.lock:
            number, self.count = self.count, self.count + 1
            return number == self.at or self.kind in actions

    def _around(self, do: Callable[[], Any]) -> Callable[[], Any]:
        def done() -> Any:
            self._reached("before effect")
            result = do()
            self._reached("after effect")
            return result

        return done

    def _reached(self, where: str) -> None:
        if self.where == where:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    """The command's exit code, if it lives that long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", type=int)
    parser.add_argument("--kind")
    parser.add_argument("--where", choices=WHERE, default=WHERE[0])
    args, words = parser.parse_known_args()
    Death(args.at, args.kind, args.where).install()
    return command(["rotate", *words], prog="rotate")


if __name__ == "__main__":
    sys.exit(main())
