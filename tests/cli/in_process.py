"""A command run in this process, which is left as it was."""

from __future__ import annotations

import signal

from rotator.cli.main import main as command


def main(arguments: list[str]) -> int:
    """As the console script, without changing what a closed pipe does to the tests."""
    before = signal.getsignal(signal.SIGPIPE)
    try:
        return command(arguments)
    finally:
        signal.signal(signal.SIGPIPE, before)
