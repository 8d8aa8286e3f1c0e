"""A process that does one thing for another one: it never outlives that, and is the first to end where memory does."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

_PDEATHSIG = 1  # linux/prctl.h
FIRST = "1000"
"""Of /proc/PID/oom_score_adj: before every other process, see proc(5)."""


def beneath(limit: float) -> list[str]:
    """The words with which this process begins another one: what `stay_beneath` there is given."""
    return [str(os.getpid()), str(limit)]


def stay_beneath(parent: int, limit: float) -> None:
    """Called by the process itself. `parent`: its number; `limit`: seconds after which it is ended.

    It ends with the thread that began it. Where the system is another one, the limit alone; twice: the time anew.
    """
    signal.alarm(math.ceil(limit))
    with suppress(OSError):  # the limit ends it all the same
        Path("/proc/self/oom_score_adj").write_text(FIRST, encoding="ascii")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before it would have been heard
        os._exit(1)
