"""An identity provider on a real socket: its keys, and its token endpoint with all that this must check."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers.api import Listener
from tests.servers.dripping import say

ISSUER, CLIENT, SECRET = "https://id.example/", "rotator pages", "s3cr+t/of:us"


@dataclass
class Identity:
    """What it says of whoever comes. `codes`: given, by code: the request it was given for."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    claims: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    answer: tuple[int, bytes] | None = None  # instead
    drips: threading.Event | None = None  # a byte now and then, until this is set
    head: bool = False  # it drips before its head is whole
    kid: str = "ec"
    url: str = ""
    redirect: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def sign_in(self) -> dict[str, Any]:
        """For the config."""
        return {
            "client_id": CLIENT,
            "client_secret": "env:IDENTITY_SECRET",
            "authorization_endpoint": "https://id.example/authorize?tenant=1",
            "token_endpoint": f"{self.url}/token",
            "redirect_uri": self.redirect,
        }

    def agreed(self, location: str) -> dict[str, str]:
        """Somebody agreed there: what the browser comes back with."""
        url = urlsplit(location)
        assert url._replace(query="").geturl() == "https://id.example/authorize"
        asked = {name: texts[0] for name, texts in parse_qs(url.query, strict_parsing=True).items()}
        assert asked["tenant"] == "1"
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["redirect_uri"] == self.redirect
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": ISSUER}

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """What its token endpoint answers; a code counts once, and for whoever has its verifier."""
        self.asked.append(form)
        given = self.codes.pop(form.get("code", ""), None)
        expected = base64.b64encode(b"rotator%20pages:s3cr%2Bt%2Fof%3Aus").decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if authorization != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        if given is None or challenge != given["code_challenge"] or form["redirect_uri"] != given["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        return 200, {"token_type": "Bearer", "access_token": "opaque", "id_token": self.signed(given["nonce"])}

    def signed(self, nonce: str) -> str:
        """An ID token; a claim that is None is left out."""
        now = int(time.time())
        said = {
            "iss": ISSUER,
            "aud": CLIENT,
            "sub": "u-1",
            "email": "eva@example",
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "groups": ["ops"],
            **self.claims,
        }
        whole = {name: each for name, each in said.items() if each is not None}
        return jwt.encode(whole, self.key, "ES256", headers={"kid": self.kid})

    def published(self) -> dict[str, Any]:
        """Its keys."""
        public: dict[str, Any] = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.kid, "use": "sig"}]}


@contextmanager
def identity() -> Iterator[Identity]:
    """One that runs."""
    made = Identity()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(200, json.dumps(made.published()).encode())

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: texts[0] for name, texts in parse_qs(data).items()}
            status, said = made.token(form, self.headers.get("Authorization", ""))
            self._say(*(made.answer or (status, json.dumps(said).encode())))

        def _say(self, status: int, data: bytes) -> None:
            where = {"Location": "http://127.0.0.1:1/"}
            say(self, status, data, drips=made.drips, head=made.head, headers=where)

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    with Listener(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield made
        server.shutdown()
