"""On which of the machine's processors threads run.

Threads that take turns at one interpreter lock gain nothing from several processors, and pay whenever one hands it over
to another: 64 rotations in flight cost a quarter less processor time on one. What a thread starts, threads and
processes, runs where it runs. docs/decisions/2026-11-26-one-processor.md has the figures.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

CALLER = 0
"""The calling thread, to sched_setaffinity(2)."""


@contextmanager
def together() -> Iterator[None]:
    """Within it the calling thread is on the processor of all that call this; where there is no such lock, anywhere.

    Which one follows from the process's id, so that several processes rarely choose the same.
    """
    processors = sorted(_all())
    one = {processors[os.getpid() % len(processors)]} if processors and _take_turns() else frozenset(processors)
    with _on(frozenset(one)):
        yield


@contextmanager
def anywhere() -> Iterator[None]:
    """Within it the calling thread may be on all processors that this process was given: to start one that works."""
    with _on(_all()):
        yield


@cache
def _all() -> frozenset[int]:
    """None where that cannot be asked or chosen. Those of the main thread, before any thread chose."""
    return frozenset(os.sched_getaffinity(os.getpid())) if hasattr(os, "sched_setaffinity") else frozenset()


@contextmanager
def _on(processors: frozenset[int]) -> Iterator[None]:
    before = frozenset(os.sched_getaffinity(CALLER)) if processors else frozenset()
    _choose(processors)
    try:
        yield
    finally:
        _choose(before)


def _choose(processors: frozenset[int]) -> None:
    if processors:
        with suppress(OSError):  # one was taken away meanwhile, or a sandbox forbids it: a matter of speed alone
            os.sched_setaffinity(CALLER, processors)


def _take_turns() -> bool:
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())
