"""A wire tap: passes everything on and remembers each secret that went by, whoever made it."""

from __future__ import annotations

import json
import re
import threading

from tests.servers.proxy import Fault, FaultProxy

_IN_JSON = re.compile(rb'"(?:secret|client_token)": ?("(?:[^"\\]|\\.)+")')
_IN_HEADER = re.compile(rb"(?im)^(?:authorization: bearer|x-vault-token:) ([^\r\n]+)\r")
_IN_URL = re.compile(rb'postgresql://[^:/@"]+:([^@"]+)@')


class Tap(FaultProxy):
    """Between the rotator and one server that speaks plain HTTP."""

    def __init__(self, host: str, port: int) -> None:
        """As the proxy without faults."""
        self._heard: dict[str, None] = {}
        self._ear = threading.Lock()
        super().__init__(host, port)

    def __enter__(self) -> Tap:
        """Itself."""
        return self

    @property
    def url(self) -> str:
        """What to put in the place of the server's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def heard(self) -> tuple[str, ...]:
        """Every secret that was shown, issued, written or read, in the order of its first time."""
        with self._ear:
            return tuple(self._heard)

    def take(self, *, sent: bytes, answered: bytes | None) -> Fault | None:
        """Listen. An answer that comes in pieces is heard again with each of them."""
        data = sent + (answered or b"")
        found = [str(json.loads(each)) for each in _IN_JSON.findall(data)]
        found += [each.decode() for each in (*_IN_HEADER.findall(data), *_IN_URL.findall(data))]
        with self._ear:
            self._heard.update(dict.fromkeys(found))
        return super().take(sent=sent, answered=answered)
