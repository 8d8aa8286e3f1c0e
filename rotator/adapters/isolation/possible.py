"""Whether this machine can confine a driver, asked without confining anything."""

from __future__ import annotations

import platform
import sys
from functools import cache
from pathlib import Path

from rotator.child.confining import LEAST_LANDLOCK, landlock_version
from rotator.child.system_calls import ARCHITECTURES

SECCOMP = Path("/proc/sys/kernel/seccomp/actions_avail")
NETWORK = 4
"""The version of Landlock from which on it also refuses connections."""


@cache
def why_not() -> str | None:
    """Why not; None: it can, as far as can be told, and each process still tries it before it gets a secret."""
    if sys.platform != "linux":
        return f"{sys.platform} has no Landlock"
    if platform.machine() not in ARCHITECTURES:
        return f"the system calls of {platform.machine()} are not known"
    if landlock_version() < LEAST_LANDLOCK:
        return "the kernel has no Landlock, or it is switched off"
    try:
        actions = SECCOMP.read_text().split()
    except OSError:
        actions = []
    return None if "errno" in actions else "the kernel has no seccomp filters"


def how() -> str:
    """What confines a driver here, in words."""
    version = landlock_version()
    network = "" if version >= NETWORK else ", which does not know networks yet"
    return f"Landlock {version}{network} and seccomp: its own code and its hosts alone"
