"""A plain HTTP caller for the keyserver's tests; it knows nothing of the keyserver's code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from typing import Any, Self
from urllib.parse import quote, urlsplit


@dataclass(frozen=True)
class Response:
    status: int
    headers: HTTPMessage
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Client:
    """One connection that is kept, and one bearer secret."""

    def __init__(
        self, url: str, secret: str | None = None, *, consumer: str | None = None, timeout: float = 60
    ) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=timeout)
        self._headers = {"Authorization": f"Bearer {secret}"} if secret is not None else {}
        if consumer is not None:
            self._headers["X-Consumer"] = consumer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Mapping[str, object] | str | None = None) -> Response:
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        self._connection.request(method, path, text, self._headers)
        response = self._connection.getresponse()
        return Response(response.status, response.headers, response.read().decode())

    def resource(self, query: str = "") -> int:
        return self.call("GET", f"/resource{query}").status

    def mint(self, principal: str = "svc", **wish: object) -> Response:
        return self.call("POST", f"/principals/{quote(principal, safe='')}/keys", wish)

    def listed(self, principal: str = "svc", query: str = "") -> list[dict[str, Any]]:
        response = self.call("GET", f"/principals/{quote(principal, safe='')}/keys{query}")
        assert response.status == 200, response
        keys: list[dict[str, Any]] = response.body["keys"]
        return keys

    def ids(self, principal: str = "svc") -> list[str]:
        return [key["id"] for key in self.listed(principal)]

    def set_state(self, key_id: str, state: str, principal: str = "svc") -> Response:
        return self.call("POST", f"/principals/{principal}/keys/{quote(key_id, safe='')}/state", {"state": state})

    def delete(self, key_id: str, principal: str = "svc") -> int:
        return self.call("DELETE", f"/principals/{principal}/keys/{quote(key_id, safe='')}").status


class Time:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float = 1_780_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


def call_as(url: str, secret: str, query: str = "") -> int:
    """The status that the resource gives to a secret."""
    with Client(url, secret) as caller:
        return caller.resource(query)
