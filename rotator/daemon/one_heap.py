"""One heap for all threads of a process that runs for years.

glibc gives each thread a heap of its own, so that none waits for another one's, and each keeps the most that its thread
ever needed. Threads of Python wait for each other anyhow: with 100,000 credentials the heaps are 7 MB that nobody uses.
"""

from __future__ import annotations

import ctypes

M_ARENA_MAX = -8
"""Of mallopt(3): how many heaps there may be."""


def share_one_heap() -> None:
    """For the threads to come. Where the C library is another one, nothing; twice: nothing more."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
