"""An HTTP answer that comes at once, or byte by byte and never to its end, as a server would hold its callers up."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from threading import Event

EVERY = 0.2
"""Seconds between two bytes."""
NOTHING: Mapping[str, str] = {}


def say(
    handler: BaseHTTPRequestHandler,
    status: int,
    data: bytes,
    *,
    drips: Event | None,
    head: bool,
    headers: Mapping[str, str] = NOTHING,
) -> None:
    """Answer with this. `drips`: until it is set nothing but a byte now and then, of the `head` or of the body."""
    if head:
        _drip(handler, b"HTTP/1.1 200 OK\r\nX: ", b"a", b"", drips)
        return
    handler.send_response(status)
    for name, text in headers.items():
        handler.send_header(name, text)
    if drips is None:
        handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    _drip(handler, b"", b" ", data, drips)


def _drip(handler: BaseHTTPRequestHandler, first: bytes, drop: bytes, last: bytes, drips: Event | None) -> None:
    with suppress(OSError):  # who asked may be gone
        handler.wfile.write(first)
        while drips is not None and not drips.wait(EVERY):
            handler.wfile.write(drop)
        handler.wfile.write(last)
