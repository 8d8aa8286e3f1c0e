"""`rotate` as a process that sends itself a SIGINT: at the Nth line of what begins and runs rotations (N 0: never).

    interrupting.py COUNTED N WORDS...

The number of lines that there were is written to the file COUNTED. Run by `test_interrupt.py`.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

FILES = ("cli/session.py", "cli/beginning.py", "cli/settling.py", "cli/emergency.py")


class Tracer:
    """Counts lines of the main thread."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.lines = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.endswith(FILES):
            return None
        if event == "line":
            self.lines += 1
            if self.lines == self.at:
                os.kill(os.getpid(), signal.SIGINT)
        return self


def main() -> None:
    """Trace, and run."""
    from rotator.cli.main import console

    counted, at, *words = sys.argv[1:]
    tracer = Tracer(int(at))
    atexit.register(lambda: Path(counted).write_text(str(tracer.lines)))
    sys.settrace(tracer)
    console(["rotate", *words], "rotate")


if __name__ == "__main__":
    main()
