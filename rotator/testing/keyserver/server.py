"""The keyserver as one object: a real socket on this machine, served by a thread of its own."""

import asyncio
import os
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from rotator.testing.keyserver.behaviour import Behaviour, Fault, FaultKind, Operation
from rotator.testing.keyserver.errors import NoSuchKey
from rotator.testing.keyserver.keys import Key, KeyState, Wish
from rotator.testing.keyserver.log import Log
from rotator.testing.keyserver.service import Service
from rotator.testing.keyserver.wire import Connection

HOST = "127.0.0.1"
ADMIN_VARIABLE = "KEYSERVER_ADMIN"  # of a keyserver in a process of its own


class Keyserver:
    """Serves between `start` and `stop`, or as a context manager; started again, at the same port.

    Its methods may be called by any thread.

    admin: the admin secret; made up if there is none.
    port: 0 lets the kernel choose.
    clock: epoch seconds, never going back; all windows, the throttle and the log follow it, latency is real time.
    """

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        admin: str | None = None,
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.admin = admin if admin is not None else f"ks_admin_{secrets.token_urlsafe(24)}"
        self._service = Service(behaviour or Behaviour(), admin=self.admin, clock=clock)
        self._port = port
        self._connections: set[Connection] = set()
        self._serving: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None
        self._kept: weakref.finalize[[int], Keyserver] | None = None

    def start(self) -> Self:
        """Bind and serve. Raises OSError if the port is taken."""
        self._keep_port()
        loop = asyncio.new_event_loop()
        try:
            listening = loop.run_until_complete(loop.create_server(self._connection, HOST, self._port, backlog=1024))
        except OSError:
            loop.close()
            raise
        thread = threading.Thread(target=self._run, args=(loop, listening), name="keyserver", daemon=True)
        self._serving = loop, thread
        thread.start()
        return self

    def stop(self) -> None:
        """Drop every connection and call under way. A second time does nothing.

        Until the next `start` nobody answers at the port, and nobody else is given it; the end of the context manager
        gives it back.
        """
        if self._serving is not None:
            loop, thread = self._serving
            self._serving = None
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._kept is not None:
            self._kept()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    @property
    def log(self) -> Log:
        return self._service.log

    @property
    def behaviour(self) -> Behaviour:
        return self._service.behaviour

    def tell(self, **changes: Any) -> Behaviour:
        """Change fields of the behaviour, by their names; returns the whole. Raises TypeError, ValueError."""
        with self._service.lock:
            self._service.tell(replace(self.behaviour, **changes))
            return self.behaviour

    def fail(self, operation: Operation | None, kind: FaultKind, *, calls: int | None = 1, **more: Any) -> None:
        """Add a row to the faults: by default what happens to the next call of that operation."""
        self._service.add_fault(Fault(kind=kind, operation=operation, calls=calls, **more))

    def seed_key(self, principal: str, **wish: Any) -> tuple[str, str]:
        """Make a key that got about long ago: (id, secret); takes the fields of `Wish`; not in the log.

        Raises as `Issuer.mint`.
        """
        with self._service.lock:
            issued = self._service.issuer.seed(principal, Wish(**wish), self._service.clock())
        return issued.key.id, issued.secret

    def live(self, principal: str) -> tuple[Key, ...]:
        """Tell the truth, whatever a list says: every key neither deleted nor expired, disabled ones too."""
        with self._service.lock:
            return self._service.issuer.live(principal, self._service.clock())

    def delete_key(self, principal: str, key_id: str) -> bool:
        """Do what a person does in a console: not in the log. False if there is no such key."""
        with self._service.lock:
            try:
                self._service.issuer.set_state(principal, key_id, KeyState.DELETED, self._service.clock())
            except NoSuchKey:
                return False
            return True

    def _keep_port(self) -> None:
        """Bind it without ever listening: with SO_REUSEADDR the server may bind it, too, and the kernel gives it away
        to nobody."""
        if self._kept is not None and self._kept.alive:
            return
        with socket.socket() as keeping:
            keeping.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            keeping.bind((HOST, self._port))
            self._port = keeping.getsockname()[1]
            self._kept = weakref.finalize(self, os.close, keeping.detach())

    def _connection(self) -> Connection:
        return Connection(self._service, self._connections)

    def _run(self, loop: asyncio.AbstractEventLoop, listening: asyncio.Server) -> None:
        try:
            loop.run_forever()
            listening.close()
            for connection in tuple(self._connections):
                connection.abort()
            # the transports close in the loop's next turn
            loop.run_until_complete(asyncio.sleep(0))
        finally:
            loop.close()
