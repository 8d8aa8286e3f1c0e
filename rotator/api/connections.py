"""Connections that cannot stop the daemon: only so many, and none that waits for ever.

uvicorn bounds neither how long a request may take to arrive nor how long a reader may take nothing, and it sees a
connection only once it is encrypted. So connections are counted where they are accepted, and each has an alarm.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import weakref
from collections import Counter
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from rotator.api.limits import Limits


class Counting:
    """How many connections there are, in all and by address. Safe for many threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._of: Counter[str] = Counter()
        self._all = 0
        self.refused = 0

    def enter(self, address: str) -> bool:
        """Whether there is room for one more."""
        with self._lock:
            if self._all >= self._limits.connections or self._of[address] >= self._limits.of_one_address:
                self.refused += 1
                return False
            self._all += 1
            self._of[address] += 1
            return True

    def leave(self, address: str) -> None:
        """One is over."""
        with self._lock:
            self._all -= 1
            self._of[address] -= 1
            if not self._of[address]:
                del self._of[address]


class Counted(socket.socket):
    """An accepted connection, which counts until it is closed."""

    counting: Counting | None = None
    address = ""

    def close(self) -> None:
        """Twice: nothing more."""
        counting, self.counting = self.counting, None
        super().close()
        if counting is not None:
            counting.leave(self.address)


class Door(socket.socket):
    """A listening socket that hangs up on those for whom there is no room."""

    counting: Counting

    def __init__(self, *arguments: int) -> None:
        super().__init__(*arguments)
        self._accepted: weakref.WeakSet[Counted] = weakref.WeakSet()

    def hang_up(self) -> None:
        """Close it, and what came in and nobody closed, once nobody serves any more. Twice: nothing more."""
        self.close()
        for each in list(self._accepted):
            each.close()

    def accept(self) -> tuple[socket.socket, Any]:
        """Raises `BlockingIOError` when the one that came was sent away."""
        connection, address = super().accept()
        if not self.counting.enter(address[0]):
            connection.close()
            raise BlockingIOError
        counted = Counted(connection.family, connection.type, connection.proto, fileno=connection.detach())
        counted.address, counted.counting = address[0], self.counting
        self._accepted.add(counted)
        return counted, address


def door(host: str, port: int, counting: Counting) -> Door:
    """Bind and listen. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only where the protocol is said; else an answer in two writes takes 40 ms.
    made = Door(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.counting = counting
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


class Thorough(uvicorn.Server):
    """Leaves no connection behind: uvicorn forgets those that were being accepted, or did not end in time."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is in hand, for a while, then hang up."""
        await super().shutdown(sockets)
        await asyncio.sleep(0.05)
        for each in list(self.server_state.connections):
            each.transport.abort()
        await asyncio.sleep(0.05)


class Patient(H11Protocol):
    """One connection. A request must be whole in time, and a reader must read."""

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._alarm: asyncio.TimerHandle | None = None
        self._blocked: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request is waited for from here on."""
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Whatever comes next belongs to a request that must be whole in time."""
        if self._alarm is None:
            self._arm()
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._disarm()
        self._reads()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """What was sent is not taken."""
        super().pause_writing()
        self._blocked = self.loop.call_later(self._limits.reading.total_seconds(), self.transport.abort)

    def resume_writing(self) -> None:
        """It was."""
        self._reads()
        super().resume_writing()

    def _reads(self) -> None:
        if self._blocked is not None:
            self._blocked.cancel()
            self._blocked = None

    def _arm(self) -> None:
        self._alarm = self.loop.call_later(self._limits.request.total_seconds(), self.transport.abort)

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
