"""The API in a thread of the daemon, with a loop of its own that nobody else touches."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import Scope

from rotator.api.app import Parts, routes
from rotator.api.certificate import Certificate
from rotator.api.connections import Counting, Door, Patient, Thorough, door
from rotator.api.gate import Allowed, Gate
from rotator.api.guarded import form_routes
from rotator.api.limits import Limits
from rotator.api.problems import Problem, as_problem
from rotator.app.assembly import Assembly
from rotator.config.api_listening import Listening
from rotator.config.errors import ConfigError

PATIENCE = 10.0
"""Seconds that requests in hand have when it ends."""


class Server:
    """Started once and stopped once. `assembly_of` is asked at each request: a reload may have replaced it."""

    def __init__(
        self,
        assembly_of: Callable[[], Assembly],
        listening: Listening | None,
        *,
        limits: Limits | None = None,
        routes_of: Callable[[Parts], FastAPI] = routes,
        answering: Callable[[Scope, Problem], Response] = as_problem,
    ) -> None:
        """`answering`: how what passes no gate is told.

        Raises `ConfigError` where the config says nothing of an API, or would open it to a network in clear text.
        """
        if listening is None:
            raise ConfigError("the config says not where the API listens", "write listen: 127.0.0.1:8750")
        check(listening)
        self._certificate = Certificate(listening.tls) if listening.tls is not None else None
        self._listening = listening
        self._limits = limits or Limits()
        self._parts = Parts.of(assembly_of, listening, self._limits)
        app = routes_of(self._parts)
        allowed = Allowed(
            names=listening.names,
            limits=self._limits,
            takes_form=form_routes(app),
            answering=answering,
            strict=listening.tls is not None and not listening.loopback,  # of a loopback name others have ports, too
        )
        self._app = Gate(app, allowed)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._door: Door | None = None
        self.counting = Counting(self._limits)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, with the port that it got."""
        assert self._door is not None
        found = self._door.getsockname()
        return str(found[0]), int(found[1])

    def start(self) -> None:
        """Listen. Raises `ConfigError` for a port that is taken and for a certificate that is none."""
        quiet()
        config = uvicorn.Config(
            self._app,
            loop="asyncio",
            http=cast("type[Any]", partial(Patient, limits=self._limits)),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(self._limits.idle.total_seconds()) or 1,
            timeout_graceful_shutdown=int(PATIENCE),
            h11_max_incomplete_event_size=self._limits.head,
        )
        config.load()
        config.ssl = self._certificate.context() if self._certificate is not None else None
        self._door = _door(self._listening, self.counting)
        self._server = Thorough(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._door],), name="api", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer what is in hand, for a while, and listen no more. Twice: nothing more."""
        self._parts.commands.stop()
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(PATIENCE + 5)
            self._thread = None
        if self._door is not None:
            self._door.hang_up()

    def renew(self) -> None:
        """Take up a certificate that was renewed. Raises `ConfigError` for a bad one, and shows the former."""
        if self._certificate is not None:
            self._certificate.renew()

    @property
    def alive(self) -> bool:
        """Whether it still serves: for whoever watches over the daemon."""
        return self._thread is not None and self._thread.is_alive()


def check(listening: Listening) -> None:
    """Raises `ConfigError` for what would send tokens through a network in clear text, or believes every name."""
    if not listening.loopback and listening.tls is None:
        hint = "api: {tls: {cert: FILE, key: FILE}}, or listen on 127.0.0.1 behind a proxy that has it"
        raise ConfigError(f"the API would listen on {listening.host} without TLS", hint)
    if not listening.names:
        hint = "api: {hosts: [rotator.internal]}: by which names it may be called"
        raise ConfigError(f"the API listens on every address ({listening.host}), and no host is named", hint)


def quiet() -> None:
    """uvicorn's own words, tracebacks among them, go nowhere: what callers and people read is ours."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _door(listening: Listening, counting: Counting) -> Door:
    try:
        return door(listening.host, listening.port, counting)
    except OSError as error:
        where = f"{listening.host}:{listening.port}"
        raise ConfigError(
            f"the API cannot listen on {where}: {error.strerror}", "another port, or end what has it"
        ) from None
