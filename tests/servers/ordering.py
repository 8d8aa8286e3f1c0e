"""A JSON API whose answers a test orders, after it has acted or before; and such a front of a real server."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.servers.api import Asked, Reply, StandIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What the server answers to the next request of one kind; with `acted` after having done what it was asked."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    acted: bool = False


class Ordering(StandIn):
    """A stand-in that answers what it is told to, else what `serve` says."""

    def __init__(self) -> None:
        self._orders: dict[str, Ordered] = {}
        super().__init__()

    def order(self, line: str, ordered: Ordered) -> None:
        """Answer every request of exactly this line with it from now on."""
        self._orders[line] = ordered

    def serve(self, asked: Asked) -> Reply:
        """What it does; a subclass's."""
        raise NotImplementedError

    def answer(self, asked: Asked) -> Reply:
        """As ordered, or as served."""
        ordered = self._orders.get(asked.line)
        if ordered is None:
            return self.serve(asked)
        if ordered.acted:
            self.serve(asked)
        return Reply(ordered.status, headers=ordered.headers, content=ordered.body)


class OrderingFront(Ordering):
    """In front of a server of JSON at this port of loopback; one connection a request."""

    def __init__(self, port: int) -> None:
        self._behind = port
        super().__init__()

    def serve(self, asked: Asked) -> Reply:
        """Whatever the server says."""
        connection = http.client.HTTPConnection("127.0.0.1", self._behind, timeout=60)
        dropped = ("host", "content-length", "connection", "accept-encoding")
        headers = {name: text for name, text in asked.headers.items() if name not in dropped}
        target = f"/{'/'.join(asked.path)}" + (f"?{urlencode(asked.query)}" if asked.query else "")
        body: Any = None if asked.body is None else json.dumps(asked.body)
        try:
            connection.request(asked.method, target, body=body, headers=headers)
            answer = connection.getresponse()
            return Reply(answer.status, content=answer.read())
        finally:
            connection.close()
