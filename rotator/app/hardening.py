"""Keeping what this process knows out of files and logs that nobody meant to write (I4)."""

from __future__ import annotations

import ctypes
import logging
import resource
import sys
from functools import cache

_PR_SET_DUMPABLE = 4  # linux/prctl.h


@cache
def forbid_core_files() -> None:
    """No core file of this process. What it starts inherits the limit and not the rest. Twice: nothing more.

    The limit alone is not enough: where cores are piped to a program, the kernel does not heed it (core(5)). Not being
    dumpable is heeded everywhere, and also keeps other processes of the same user out of our memory (ptrace(2)).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    # The hard limit is left to whoever embeds us: lowered, it could never be raised again.
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if sys.platform == "linux":
        # Best effort, as there is nothing to be done where a sandbox forbids it: the result is not looked at.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


WIRES = (
    "boto3",
    "botocore",
    "google",
    "googleapiclient",
    "grpc",
    "http",
    "httpx",
    "hvac",
    "pg8000",
    "requests",
    "s3transfer",
    "sqlalchemy",
    "urllib3",
)
"""Libraries that log requests, statements or their bodies below WARNING."""


def quiet_wires() -> None:
    """What crosses a wire is no log's business, however low somebody sets Python's root logger. Twice: the same."""
    for name in WIRES:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))
