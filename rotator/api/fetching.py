"""One answer of an identity provider, bounded in bytes and in time: also where its head or its body drips."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from http.client import HTTPException
from typing import Final
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError

from rotator.exchanges import Connection, TlsConnection

LARGEST: Final = 256 * 1024
FAILED: Final = (HTTPError, HTTPException, OSError, ValueError, RecursionError)
"""What fetching, and reading what came as JSON, raises."""


def fetched(
    method: str, url: str, seconds: float, *, body: str | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Its status and body, within so many seconds; where it leads elsewhere, that is not followed. Raises `FAILED`.

    Each time by a connection of its own.
    """
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port, seconds)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(connection):
        connection.connect()
        connection.request(method, target, body=body, headers=headers or {}, preload_content=False)
        with closing(connection.getresponse()) as response:  # it may be what has the socket by now
            data = bytearray()
            while piece := response.read1(LARGEST + 1, decode_content=True):
                data += piece
                if len(data) > LARGEST:
                    raise ValueError("more than there may be")
    return response.status, bytes(data)


def _connection(scheme: str, host: str, port: int | None, seconds: float) -> Connection:
    if scheme == "http":
        return Connection(host, port or 80, timeout=seconds)
    return TlsConnection(host, port or 443, timeout=seconds, ssl_context=_trusted())


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()
