"""HTTP/1.1 as far as a test server needs it: persistent connections, bodies with a length, one write per answer.

Written on asyncio's protocols and not on http.server, because a benchmark with thousands of slow calls in flight must
not spend its processor time here.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import parse_qsl

MAX_HEAD = 32 * 1024
MAX_BODY = 1024 * 1024
GLANCE = 0.02
"""Seconds between two looks whether an answer is still held back."""
_REASON = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Request:
    """method and target as sent; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2]))

    @property
    def bearer(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token else None

    @property
    def last(self) -> bool:
        """Whether the caller wants the connection closed after the answer."""
        return self.headers.get("connection", "").lower() == "close"


@dataclass(frozen=True, slots=True)
class Answer:
    """body: a JSON object, the text of an HTML page, or None for no body."""

    status: int
    body: Mapping[str, object] | str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self, *, close: bool) -> bytes:
        html = isinstance(self.body, str)
        body = b"" if self.body is None else (str(self.body) if html else json.dumps(self.body)).encode()
        lines = [f"HTTP/1.1 {self.status} {_REASON.get(self.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Type: {'text/html' if html else 'application/json'}")
            lines.append(f"Content-Length: {len(body)}")
        if close:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class Malformed(Exception):
    """What arrived is no request that this server reads; the connection is of no more use."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase.lower())
        self.status = status


def parse(buffer: bytearray) -> Request | None:
    """Take one whole request off the front of `buffer`; None if it has not all arrived. Raises Malformed."""
    end = buffer.find(b"\r\n\r\n")
    if end > MAX_HEAD or (end < 0 and len(buffer) > MAX_HEAD):
        raise Malformed(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    if end < 0:
        return None
    first, *lines = buffer[:end].decode("latin-1").split("\r\n")
    try:
        method, target, version = first.split(" ")
    except ValueError:
        raise Malformed(HTTPStatus.BAD_REQUEST) from None
    if version != "HTTP/1.1":
        raise Malformed(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    start = end + 4
    length = _body_length(headers)
    if len(buffer) < start + length:
        return None
    body = bytes(buffer[start : start + length])
    del buffer[: start + length]
    return Request(method, target, headers, body)


def _body_length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise Malformed(HTTPStatus.LENGTH_REQUIRED)
    given = headers.get("content-length", "0")
    if not re.fullmatch("[0-9]{1,12}", given):
        raise Malformed(HTTPStatus.BAD_REQUEST)
    if int(given) > MAX_BODY:
        raise Malformed(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return int(given)


class Exchange(Protocol):
    """One call under way; `delay` is how many seconds its answer takes."""

    @property
    def delay(self) -> float: ...


E = TypeVar("E", bound=Exchange)


class Service(Protocol[E]):
    """What answers requests. No method blocks."""

    def receive(self, request: Request) -> E:
        """Take a request that has arrived."""

    def held(self, exchange: E) -> bool:
        """Whether its answer is held back for longer than its delay."""

    def finish(self, exchange: E, *, connected: bool) -> Answer | None:
        """Answer, its delay over; None closes the connection without one. Called once, also with the caller gone."""


class Connection(asyncio.Protocol):
    """One connection: a request at a time, in the order of arrival."""

    def __init__(self, service: Service[Any], connections: "set[Connection]") -> None:
        self._service = service
        self._connections = connections
        self._buffer = bytearray()
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._proceed()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def _proceed(self) -> None:
        while not self._busy and self._transport is not None:
            try:
                request = parse(self._buffer)
            except Malformed as error:
                self._send(Answer(error.status, {"error": str(error)}), close=True)
                return
            if request is None:
                return
            exchange = self._service.receive(request)
            if exchange.delay > 0:
                self._busy = True
                asyncio.get_running_loop().call_later(exchange.delay, self._finish, exchange, request.last)
            else:
                self._answer(exchange, close=request.last)

    def _finish(self, exchange: Exchange, close: bool) -> None:
        if self._transport is not None and self._service.held(exchange):
            asyncio.get_running_loop().call_later(GLANCE, self._finish, exchange, close)
            return
        self._busy = False
        self._answer(exchange, close=close)
        self._proceed()

    def _answer(self, exchange: Exchange, *, close: bool) -> None:
        answer = self._service.finish(exchange, connected=self._transport is not None)
        if answer is None:
            self.abort()
        else:
            self._send(answer, close=close)

    def _send(self, answer: Answer, *, close: bool) -> None:
        if self._transport is None:
            return
        self._transport.write(answer.encode(close=close))
        if close:
            self._transport.close()
            self._transport = None
