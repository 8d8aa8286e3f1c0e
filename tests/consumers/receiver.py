"""A consumer's endpoint on a real socket. It checks signatures by the specification's words and by no code of ours.

Standard Webhooks, "Verifying webhook authenticity": the secret behind `whsec_` is base64; what is signed is
`msg_id.timestamp.payload`; the header is a list, a blank between its items, each a version, a comma and a signature;
one that fits is enough; a timestamp more than five minutes away is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any

from tests.servers.api import Listener

TOLERANCE = 300


@dataclass(frozen=True, slots=True)
class Post:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.time)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def authentic(self, secret: str) -> bool:
        """Whether it was signed with this secret, by the specification."""
        assert secret.startswith("whsec_")
        key = base64.b64decode(secret[len("whsec_") :])
        stamp = self.headers["webhook-timestamp"]
        if abs(self.at - int(stamp)) > TOLERANCE:
            return False
        to_sign = f"{self.id}.{stamp}.{self.body.decode()}"
        wanted = base64.b64encode(hmac.new(key, to_sign.encode(), hashlib.sha256).digest()).decode()
        given = [each.split(",", 1) for each in self.headers["webhook-signature"].split(" ")]
        return any(version == "v1" and hmac.compare_digest(mac, wanted) for version, mac in given)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the endpoint says. `drip`: seconds between one byte of the body and the next."""

    status: int = 204
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    drip: float = 0.0


class Receiver:
    """One endpoint, used in a `with`. `reply` is asked with each request."""

    def __init__(self, reply: Callable[[Post], Reply] = lambda post: Reply()) -> None:
        self.posts: list[Post] = []
        self.reply = reply
        self.closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                post = Post(self.path, {name.lower(): text for name, text in self.headers.items()}, body)
                receiver.posts.append(post)
                self.answer(receiver.reply(post))

            def do_GET(self) -> None:
                receiver.posts.append(Post(self.path, {}, b""))
                self.answer(Reply())

            def answer(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, text in reply.headers:
                    self.send_header(name, text)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if not reply.drip:
                    self.wfile.write(reply.body)
                    return
                for each in reply.body:
                    if receiver.closing.wait(reply.drip):
                        return
                    self.wfile.write(bytes([each]))
                    self.wfile.flush()

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = Listener(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/rotated"

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
