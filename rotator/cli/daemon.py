"""`daemon`: the service. It runs until it is stopped, and every rotation stays resumable."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Final

from rotator.cli.errors import Told
from rotator.cli.main import at_once

LEVEL: Final = "info"
"""Of the log where nothing else is said: a service that says nothing cannot be watched."""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """How much it does at once."""
    parser.add_argument("--parallel", type=int, metavar="N", help="rotations at the same time")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C; SIGHUP looks at the config."""
    if args.parallel is not None and not 1 <= args.parallel <= 256:
        raise Told("--parallel is out of range", "write a number from 1 to 256")
    from rotator.app.configs import load_head_apart
    from rotator.app.reloading_apart import ReloadingApart
    from rotator.config.location import find
    from rotator.config.reading import Config
    from rotator.daemon.one_heap import share_one_heap
    from rotator.daemon.service import Daemon

    def adjusted(config: Config) -> Config:
        return replace(config, log=config.log or LEVEL, parallel=args.parallel or config.parallel)

    share_one_heap()
    path = find(args.config)
    reloading = ReloadingApart(path, state=args.state)
    daemon = Daemon(reloading, owner=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}", adjusted=adjusted)
    _heed_signals(daemon.stop, daemon.reload)
    # Only where the journal is counts so early: what else is in force is what was approved, which the journal knows.
    head = load_head_apart(path)
    daemon.serve(replace(head, state=args.state or head.state))
    return 0


def _heed_signals(stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """SIGTERM and Ctrl-C finish what is in hand, a second one does not wait for it."""
    stopped = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if stopped:
            at_once()
        stopped = True
        stop()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, lambda number, frame: reload())
