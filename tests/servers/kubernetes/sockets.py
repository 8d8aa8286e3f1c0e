"""The sockets of the stand-in: one with TLS, one without, and both with the same objects behind them."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.servers.kubernetes.authority import Authority
from tests.servers.kubernetes.objects import Fault
from tests.servers.kubernetes.server import KubernetesServer, Sent


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: in two the second waits for an acknowledgement that is late
    timeout = 300
    kubernetes: KubernetesServer

    def answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): text for name, text in self.headers.items()}
        sent = Sent(
            method=self.command, target=self.path, headers=headers, content=content, certificate=self._certificate()
        )
        try:
            status, found = self.kubernetes.answer(sent)
            self._reply(status, json.dumps(found).encode(), {"Content-Type": "application/json"})
        except Fault as fault:
            self._reply(fault.status, fault.content, fault.headers)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def _certificate(self) -> str | None:
        """The name in the client's certificate, which the handshake has verified."""
        if not isinstance(self.connection, ssl.SSLSocket):
            return None
        names: Any = (self.connection.getpeercert() or {}).get("subject", ())
        return next((str(text) for each in names for key, text in each if key == "commonName"), None)

    def _reply(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *args: object) -> None:
        """A client that goes away is no event."""


@contextmanager
def running(folder: Path, *, host: str = "127.0.0.1") -> Iterator[KubernetesServer]:
    """A stand-in with the namespace `default`; gone afterwards.

    `folder` takes its certificates, `host` is who they say it is.
    """
    authority = Authority(folder)
    secure, plain = (_Listener(("127.0.0.1", 0), _Handler) for _ in range(2))
    # In the thread of the connection, so that a client that says nothing holds nobody up.
    secure.socket = authority.context(host).wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    server = KubernetesServer(
        address=f"https://127.0.0.1:{secure.server_port}",
        plain_address=f"http://127.0.0.1:{plain.server_port}",
        authority=authority,
    )
    server.make_namespace("default")
    threads = []
    for listener in (secure, plain):
        listener.RequestHandlerClass = type("Handler", (_Handler,), {"kubernetes": server})
        threads.append(threading.Thread(target=listener.serve_forever, args=(0.01,)))
        threads[-1].start()
    try:
        yield server
    finally:
        for listener in (secure, plain):
            listener.shutdown()
            listener.server_close()
        for thread in threads:
            thread.join()
