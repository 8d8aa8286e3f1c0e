"""The end of a whole exchange: a socket's own timeout begins again with each byte that comes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_RDWR, socket
from types import TracebackType


class Cut:
    """Shuts the socket after so many seconds. `with` it around the exchange; used once, by one thread."""

    def __init__(self, seconds: float, sock: Callable[[], socket | None]) -> None:
        """`sock`: the connection's, as far as there is one; a handshake that drips is cut off, too."""
        self._now = sock
        self._sock: socket | None = None
        self._over = threading.Event()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def holds(self, sock: socket | None) -> None:
        """Keep hold of the socket: a connection that is to be closed lets go of it while the answer is still read.

        Raises `TimeoutError` where it is over already: during a handshake there was nothing that could be shut.
        """
        self._sock = sock
        if self._over.is_set():
            raise TimeoutError

    def __enter__(self) -> Cut:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises `TimeoutError` where it was cut off, which looks like an answer's end."""
        self._timer.cancel()
        if kind is None and self._over.is_set():
            raise TimeoutError

    def _cut(self) -> None:
        self._over.set()
        sock = self._sock or self._now()
        if sock is not None:
            with suppress(OSError):  # it is closed already
                sock.shutdown(SHUT_RDWR)
