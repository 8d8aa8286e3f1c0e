"""Runs one server for as long as standard input is open, then stops it and removes its directory.

A program of its own, started by `tests.servers.process` as `python -I -S keeper.py`. The pipe on its standard input
closes whenever the starter ends, also by SIGKILL, so no server and no directory outlives a test run. Standard library
only; a single thread, because it runs code between fork and exec.

Reads one line of JSON, an `Order` of `tests.servers.process`; writes `pid N` once the server runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 10


def die_with_the_keeper() -> None:
    """Ask the kernel for SIGKILL when this program ends (Linux; elsewhere the pipe must do)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def starter_is_there() -> bool:
    """Wait half a second at most for the pipe to close."""
    readable, _, _ = select.select([sys.stdin], [], [], 0.5)
    return not readable


def stop(server: subprocess.Popen[bytes], with_signal: int) -> None:
    """End the server the way it likes; a stopped (SIGSTOP) or stubborn one is killed."""
    server.send_signal(signal.SIGCONT)
    server.send_signal(with_signal)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def keep(order: dict[str, Any]) -> None:
    """Prepare, start, wait for the pipe or the server to end, stop."""
    directory = Path(order["directory"])
    identity = {} if order["uid"] is None else {"user": order["uid"], "group": order["gid"], "extra_groups": []}
    with (directory / "log").open("ab") as log:
        common: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": log,
            "stderr": log,
            "cwd": directory,
            "env": order["env"],
            "start_new_session": True,
            **identity,
        }
        for command in order["prepare"]:
            subprocess.run(command, check=True, preexec_fn=die_with_the_keeper, **common)
        server = subprocess.Popen(order["command"], preexec_fn=die_with_the_keeper, **common)
    print(f"pid {server.pid}", flush=True)
    while server.poll() is None and starter_is_there():
        pass
    if server.poll() is None:
        stop(server, order["stop_signal"])


def main() -> None:
    """Keep one server; the directory goes last, because the starter may still want to read the log."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    order = json.loads(sys.stdin.readline())
    try:
        with contextlib.suppress(subprocess.CalledProcessError):
            keep(order)
        sys.stdout.close()
        while starter_is_there():
            pass
    finally:
        shutil.rmtree(order["directory"], ignore_errors=True)


if __name__ == "__main__":
    main()
