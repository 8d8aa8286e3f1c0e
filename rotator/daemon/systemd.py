"""What a service manager is told: ready, alive, stopping (sd_notify(3): a datagram to the socket it names)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

LONGER = 60
"""Seconds; it is said again long before."""


class ServiceManager:
    """Whoever set `$NOTIFY_SOCKET`; nobody where it is not set. What cannot be told is not told: it stops no work."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")

    def ready(self, status: str) -> None:
        """Work is done from now on. Twice: the status is a new one."""
        self._say(f"READY=1\nSTATUS={_line(status)}")

    def reloading(self) -> None:
        """The config is being read again; `ready` ends it."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def alive(self, status: str) -> None:
        """Work goes on."""
        self._say(f"WATCHDOG=1\nSTATUS={_line(status)}")

    def waiting(self, status: str) -> None:
        """Work cannot begin yet, and this goes on for a while: the start may take `LONGER` more."""
        self._say(f"WATCHDOG=1\nEXTEND_TIMEOUT_USEC={LONGER * 1_000_000}\nSTATUS={_line(status)}")

    def stopping(self) -> None:
        """What is in hand is finished, and nothing else begun."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto(text.encode(), socket.MSG_DONTWAIT, address)  # no work ends because nobody listens


def _line(text: str) -> str:
    return " ".join(text.split())
