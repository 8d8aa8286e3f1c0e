"""One HTTP API as a store's driver talks to it: JSON over one pool, a deadline, no redirect, and failures for the rest.

A request is sent twice only when its token was refused, which may have been replaced. No proxy of the environment is
asked. No failure holds a header, nor a body of either side: servers like to repeat what they were sent.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import HTTPError

from rotator.adapters.clients.deadline import Deadline
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.exchanges import in_time

MOST_BYTES = 4 * 1024 * 1024
"""Of one answer: a list of all variables of a project may be long."""
CHUNK = 65_536
CONNECTIONS = 64
LONGEST_PAUSE = timedelta(hours=1)
"""What a server may ask for by Retry-After; later it is asked again."""
COMMON = {"Accept": "application/json", "User-Agent": "rotator"}

_making = threading.Lock()

Headers = Callable[[bool, Deadline], Mapping[str, str]]
"""The headers that show who we are; asked with True after they were refused: then without what was kept of them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An expected answer: its status, its JSON (None where there is none), and where the next page is said to be."""

    status: int
    body: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Need:
    """What a request is for. `permission`: as the API's owner calls it; `missing`: what a 404 may mean, and a hint."""

    what: str
    permission: str
    missing: str = "see that it exists and that our token may see it"


class Api:
    """Safe for many threads."""

    def __init__(self, base_url: str, headers: Headers) -> None:
        self.base_url = base_url
        self.host = urlsplit(base_url).netloc
        self._headers = headers

    def ask(
        self,
        method: str,
        path: str,
        need: Need,
        deadline: Deadline,
        body: object = None,
        *,
        expect: Collection[int] = (200,),
    ) -> Answer:
        """One request; raises for every status that is not expected, and for what is no JSON."""
        data = None if body is None else json.dumps(body).encode()
        reply = self._send(method, path, data, deadline, self._headers(False, deadline))
        if reply.status == HTTPStatus.UNAUTHORIZED and HTTPStatus.UNAUTHORIZED not in expect:
            reply = self._send(method, path, data, deadline, self._headers(True, deadline))
        if reply.status in expect and reply.json is not _NO_JSON:
            return Answer(reply.status, reply.json, reply.headers)
        raise self._failure(reply, need)

    def _send(
        self, method: str, path: str, data: bytes | None, deadline: Deadline, headers: Mapping[str, str]
    ) -> _Reply:
        typed = {"Content-Type": "application/json"} if data is not None else {}
        try:
            with _manager().request(
                method,
                self.base_url + path,
                body=data,
                headers={**COMMON, **typed, **headers},
                timeout=Timeout(total=deadline.remaining(self.host)),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            ) as response:
                return _Reply(response.status, dict(response.headers), _content(response, deadline, self.host))
        except HTTPError as error:
            kind = type(error).__name__
        except ValueError:
            kind = "a header that cannot be sent"  # without the error, which quotes it
        raise Transient(f"{self.host} gave no answer ({kind})", f"see that {self.host} can be reached")

    def _failure(self, reply: _Reply, need: Need) -> Failure:
        """What an answer means; a server's words are in none of it."""
        status, host = reply.status, self.host
        pause = reply.pause()
        if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.FORBIDDEN and pause is not None):
            return Transient(f"{host} limits our rate", "rotate fewer at once", retry_after=pause, throttled=True)
        if 300 <= status < 400:
            hint = "it was renamed, or base_url is wrong; redirects are not followed with a token"
            return Permanent(f"{host} sends us elsewhere ({status}) to {need.what}", hint)
        if status >= 500 or status < 400 or reply.html:
            hint = f"look at the status page of {host}; it is tried again"
            return Transient(f"{host} answered {status}{reply.kind} to {need.what}", hint, retry_after=pause)
        match status:
            case HTTPStatus.UNAUTHORIZED:
                hint = "put a valid one at its reference"
                return Denied(f"{host} refuses our token", hint, permission=need.permission)
            case HTTPStatus.FORBIDDEN:
                hint = f"grant {need.permission}"
                return Denied(f"{host} does not let us {need.what}", hint, permission=need.permission)
            case HTTPStatus.NOT_FOUND:
                return Permanent(f"{host} knows nothing of it: {need.what}", need.missing)
            case HTTPStatus.CONFLICT:
                return Conflict(f"{host} was asked to {need.what} while somebody else did", "look again")
            case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                return Permanent(f"{host} finds it too large: {need.what}", "publish less to it")
        return Permanent(f"{host} refuses to {need.what} ({status})", "look at the names and the settings")

    def __repr__(self) -> str:
        return f"Api({self.base_url!r})"


_NO_JSON = object()


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        if not self.content:
            return None
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return _NO_JSON

    @property
    def html(self) -> bool:
        return self.content.lstrip()[:1] == b"<"

    @property
    def kind(self) -> str:
        return " with a page of HTML" if self.html else " without JSON" if self.json is _NO_JSON else ""

    def pause(self) -> timedelta | None:
        """Retry-After in seconds, or a minute where the quota is used up

        (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api).
        """
        headers = {name.lower(): text.strip() for name, text in self.headers.items()}
        given = headers.get("retry-after", "")
        if re.fullmatch("[0-9]{1,9}", given):
            return min(timedelta(seconds=int(given)), LONGEST_PAUSE)
        return timedelta(minutes=1) if headers.get("x-ratelimit-remaining") == "0" else None


def _content(response: BaseHTTPResponse, deadline: Deadline, host: str) -> bytes:
    found = bytearray()
    while chunk := response.read1(CHUNK):
        found += chunk
        deadline.remaining(host)
        if len(found) > MOST_BYTES:
            raise Transient(f"{host} answers with too much", "look at what is in between")
    return bytes(found)


def segments(*names: str) -> str:
    """A path of these names, each quoted as one."""
    return "".join("/" + quote(name, safe="") for name in names)


def _manager() -> PoolManager:
    with _making:
        return _made()


@cache
def _made() -> PoolManager:
    context = ssl.create_default_context()  # one for all: making one takes 43 ms
    return in_time(PoolManager(num_pools=CONNECTIONS, maxsize=CONNECTIONS, ssl_context=context))
