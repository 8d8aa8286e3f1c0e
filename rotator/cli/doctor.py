"""`rotator doctor`: this machine, as far as it matters."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sqlite3
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rotator.app.isolating import how, why_not
from rotator.app.pinning import runs_at_start
from rotator.cli.terminal import terminal


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """None."""


def run(args: argparse.Namespace) -> int:
    """Print what is and what it means; exit 1 when something is wrong."""
    out = terminal(sys.stdout, no_color=args.no_color)
    wrong = 0
    for ok, subject, text in look():
        wrong += ok is False
        sign = {True: out.style("ok  ", "green"), False: out.style("bad ", "red"), None: out.style("note", "yellow")}[
            ok
        ]
        out.line(f"{sign}  {subject}: {text}")
    return 1 if wrong else 0


def look() -> Iterator[tuple[bool | None, str, str]]:
    """Each finding."""
    python = platform.python_version()
    yield sys.version_info >= (3, 11), "python", f"{python} at {sys.prefix}"
    yield sqlite3.sqlite_version_info >= (3, 35), "sqlite", sqlite3.sqlite_version
    yield _postgresql()
    yield (
        hasattr(time, "CLOCK_BOOTTIME") or None,
        "clock",
        "leases survive a suspended machine"
        if hasattr(time, "CLOCK_BOOTTIME")
        else "no CLOCK_BOOTTIME: do not suspend this machine in mid-rotation",
    )
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    yield (
        soft == 0 or None,
        "core files",
        "off" if soft == 0 else "on: a crash would write memory, keys included, to disk",
    )
    yield isolation()
    for path in runs_at_start():
        yield None, "packages", f"{path} runs code in every Python here, the rotator's own too"
    yield _swap()
    yield os.geteuid() != 0 or None, "user", "not root" if os.geteuid() else "root: a user of its own is enough"


def isolation() -> tuple[bool | None, str, str]:
    """The best that this machine can do for drivers, and why not more."""
    reason = why_not()
    if reason is not None:
        return None, "isolation", f"process: drivers have processes of their own, but are not confined: {reason}"
    return True, "isolation", f"sandbox: {how()}"


def _postgresql() -> tuple[bool | None, str, str]:
    try:
        found = version("psycopg")
    except PackageNotFoundError:
        return None, "postgresql", "no psycopg: the journal is for one host (pip install 'rotator[replicas]')"
    return True, "postgresql", f"psycopg {found}: replicas can share a journal"


def _swap() -> tuple[bool | None, str, str]:
    try:
        lines = Path("/proc/swaps").read_text().splitlines()
    except OSError:
        return None, "swap", "unknown"
    return (None, "swap", "on: memory, keys included, may reach the disk") if len(lines) > 1 else (True, "swap", "off")
