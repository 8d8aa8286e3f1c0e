"""An instance metadata service, version 2, on loopback: it gives keys to whoever asked it for a token first.

It differs from EC2's in that it has one role, no other data, and tokens that never end.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

from tests.servers.api import Listener

ROLES = "/latest/meta-data/iam/security-credentials/"
TOKEN = "metadata-token"


@dataclass
class Metadata:
    """A running service. `status` other than 200 is answered to everything; `role` may be empty."""

    address: str = ""
    status: int = 200
    role: str = "rotator"
    requests: list[str] = field(default_factory=list)


@contextmanager
def serve(keys: Callable[[], tuple[str, str, str]], lifetime: timedelta = timedelta(hours=6)) -> Iterator[Metadata]:
    """Such a service; `keys` gives id, secret and token. Gone afterwards."""
    here = Metadata()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            asked = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            self.answer(200 if asked and self.path == "/latest/api/token" else 400, TOKEN)

        def do_GET(self) -> None:
            if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
                self.answer(401, "")
            elif self.path == ROLES:
                self.answer(200 if here.role else 404, here.role)
            else:
                self.answer(200, self.document())

        def document(self) -> str:
            key_id, secret, token = keys()
            expires = f"{datetime.now(UTC) + lifetime:%Y-%m-%dT%H:%M:%SZ}"
            found = {"AccessKeyId": key_id, "SecretAccessKey": secret, "Token": token, "Expiration": expires}
            return json.dumps({"Code": "Success", "Type": "AWS-HMAC", **found})

        def answer(self, status: int, text: str) -> None:
            here.requests.append(f"{self.command} {self.path}")
            self.send_response(status if here.status == 200 else here.status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    server = Listener(("127.0.0.1", 0), Handler)
    here.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
