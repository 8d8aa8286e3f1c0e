"""An HTTP client for drivers that keeps the ports' promises: JSON in and out, and failures that say what was done.

    client = Client("https://api.example.com", timeout=timeout, headers=bearer(admin), permission="keys.write")
    client.get(path("v1", "keys"))                              # repeated a few times within the timeout
    client.send("DELETE", path("v1", "keys", key_id), expect=(204, 404))       # once; the engine does it again
    client.mint(path("v1", "keys"), {"name": mark}, expect=(201, 409))         # once, and `Ambiguous` if it got lost
    client.send("POST", path("token"), Form(grant_type="…"))                     # a form instead of JSON

An answer with a status in `expect`, or that `expect` is content with, is returned, every other one is a failure:

    401  Denied: the admin credential is refused           404, other 4xx  Permanent
    403  Denied: it may not do this                        5xx, HTML, broken JSON, no answer  Transient
    409  Conflict                                          3xx  Permanent: no redirect is followed with credentials
    429  Transient, throttled, with Retry-After            to a mint, what may have been done: Ambiguous

Where an API has words of its own for a refusal, `meaning` is asked first: see `Client`. No failure holds a header or a
body that was sent; what the server says is bounded, quoted, and stripped of both.
"""

from __future__ import annotations

import binascii
import json
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_before_delay, wait_random_exponential

from rotator.domain.address import checked_address
from rotator.domain.failures import Ambiguous, Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.secret import HIDDEN
from rotator.domain.settings import SettingsError
from rotator.domain.times import quoted
from rotator.sdk.transport import Lost, Reply, Unsent, exchange

MOST_BYTES = 8 * 1024 * 1024
"""Of one answer: some providers list thousands of keys at once."""
MOST_TRIES = 3
"""Of one read."""
LONGEST_PAUSE = timedelta(hours=1)
"""What a server may ask for by Retry-After; later it is asked again."""
COMMON = {"Accept": "application/json", "User-Agent": "rotator"}
"""Headers of every request, so that a provider's log tells our calls from the consumers'."""
SECRETIVE = 8
"""Characters from which on a text that was sent is taken out of what the server says."""

_SENDABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_NO_JSON = object()


@dataclass(frozen=True, slots=True)
class Answer:
    """An expected answer: its status, and its JSON, None where there is no body. May hold the value of a new key."""

    status: int
    body: Any = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Form(dict[str, Any]):
    """A body that is sent as a web form instead of JSON; a list is a field that stands there several times."""


Expect = Collection[int] | Callable[[Answer], bool]
"""Statuses, or what looks at an answer and says whether it is one: some APIs answer 200 and tell the truth within."""


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token. Raises `Permanent` for a text that fits into no header, without quoting it."""
    return {"Authorization": f"Bearer {_sendable(token)}"}


def basic(user: str, password: str) -> dict[str, str]:
    """The header that shows a pair (RFC 7617). Raises `Permanent` for one that fits into none, without quoting it."""
    if ":" in user:
        raise Permanent("the value fits into no header", "its first part holds a colon")
    pair = f"{_sendable(user)}:{_sendable(password)}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def header(name: str, token: str) -> dict[str, str]:
    """A header of the API's own that shows a token. Raises `Permanent` as `bearer` does."""
    return {name: _sendable(token)}


def _sendable(text: str) -> str:
    if not _SENDABLE.fullmatch(text):
        raise Permanent("the value fits into no header", "it may end in a line break or hold a space at its end")
    return text


def admin_bearer(name: str, admin: str) -> dict[str, str]:
    """The same for the admin credential of the entry `name`. Raises `SettingsError`."""
    try:
        return bearer(admin)
    except Permanent as wrong:
        hint = wrong.hint
    raise SettingsError(f"the admin credential of {name} fits into no header", hint)


def path(*segments: str, **query: str) -> str:
    """A path of these segments, each quoted as one, with a query. Raises `Permanent` for a segment that names none."""
    if not all(segment.strip(".") for segment in segments):
        raise Permanent("a name is empty or nothing but dots", "give it another name")
    text = "".join("/" + quote(segment, safe="", errors="replace") for segment in segments)
    return text + ("?" + urlencode(query, errors="replace") if query else "")


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Where an API is, as text and in its parts; `prefix` is the path before all paths."""

    text: str
    scheme: str
    host: str
    port: int | None
    prefix: str

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host

    @classmethod
    def parse(cls, text: str) -> BaseUrl:
        """Read `https://host[:port][/path]`; `http` only to this machine itself. Raises `SettingsError`."""
        text = checked_address(text, "base_url", "https://api.example.com")
        parts = urlsplit(text)
        return cls(text, parts.scheme, str(parts.hostname), parts.port, parts.path)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)
    once: bool  # a mint: doing it twice makes two keys
    hide: Collection[str] = field(repr=False)
    fetched: bool = False  # its headers are an authority's

    def strip(self, text: str) -> str:
        """A server's words without anything that was sent: servers like to repeat a wrong key."""
        sent = [token for value in self.headers.values() for token in _tokens(value)] + list(_texts(self.body))
        sent += [value for _, value in parse_qsl(urlsplit(self.target).query)]
        sent += [written for each in self.hide for written in (each, quote(each, safe=""))]
        for each in sorted(sent, key=len, reverse=True):
            if len(each) >= SECRETIVE:
                text = text.replace(each, HIDDEN)
        return text


def _tokens(value: str) -> Collection[str]:
    """The words of a header; a pair also as the server reads it, who may repeat a half of it."""
    scheme, _, pair = value.partition(" ")
    if scheme != "Basic":
        return value.split()
    try:
        return [pair, *b64decode(pair, validate=True).decode().split(":", 1)]
    except (binascii.Error, UnicodeDecodeError):
        return [pair]


def _texts(body: Any) -> Collection[str]:
    if isinstance(body, str):
        return [body]
    inner = body.values() if isinstance(body, Mapping) else body if isinstance(body, list | tuple) else ()
    return [text for each in inner for text in _texts(each)]


class Authority(Protocol):
    """Headers that have to be fetched, and end: `rotator.sdk.oauth` has some."""

    def headers(self) -> Mapping[str, str]:
        """Those to send now. Raises what fetching them raises; nothing was sent to the API then."""
        ...

    def refused(self) -> bool:
        """Forget what the API has just refused with a 401; whether other headers make sense: not if these were new."""
        ...


class Client:
    """One API with one admin credential. Used by many threads.

    headers: sent with every request that brings none of its own; here is the admin credential, or who fetches it.
    timeout: of every request, the repeated reads together.
    permission: what the admin credential needs, for `Denied`.
    hide: secrets that no failure shows, besides whatever was sent with the request.
    plain: text that is neither JSON nor HTML is an answer's body, too, and not a broken server's.
    meaning: what the API's own words say, from the status and JSON of a 4xx that was not expected; None: what the
    status says. Nothing was done, whatever it returns.
    Raises `SettingsError` for a `base_url` that is none.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: timedelta,
        headers: Mapping[str, str] | Authority | None = None,
        permission: str = "",
        hide: Collection[str] = (),
        plain: bool = False,
        meaning: Callable[[int, Any], Failure | None] = lambda status, body: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.base = BaseUrl.parse(base_url)
        self._seconds = timeout.total_seconds()
        self._headers: Mapping[str, str] | Authority = headers if headers is not None else {}
        self._permission = permission
        self._hide = tuple(hide)
        self._plain = plain
        self._meaning = meaning
        self._now = now

    def get(
        self,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        expect: Expect = (200,),
        hide: Collection[str] = (),
    ) -> Answer:
        """Read. What fails transiently is tried again while the timeout allows, but for a throttle.

        When the tries are used up it raises the first failure, which had all the time: that the last one had too little
        says nothing. `hide`: secrets in the target, which no failure may show if the server repeats them.
        """
        request = self._request("GET", target, None, headers, hide=hide)
        deadline = time.monotonic() + self._seconds
        again = Retrying(
            retry=retry_if_exception(_passes),
            stop=stop_after_attempt(MOST_TRIES) | stop_before_delay(self._seconds),
            wait=wait_random_exponential(multiplier=0.1, max=1),
            reraise=True,
        )
        seen: list[Transient] = []

        def once() -> Answer:
            try:
                return self._once(request, expect, max(deadline - time.monotonic(), 0.001))
            except Transient as failure:
                seen.append(failure)
                raise

        try:
            return again(once)
        except Transient as last:
            raise (seen[0] if _passes(last) else last) from None

    def send(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        expect: Expect = (200,),
        hide: Collection[str] = (),
    ) -> Answer:
        """Change something that may be changed twice: one request, and `Transient` when its answer is lost."""
        return self._once(self._request(method, target, body, headers, hide=hide), expect, self._seconds)

    def mint(
        self,
        target: str,
        body: Any,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        expect: Expect = (201,),
    ) -> Answer:
        """Make a key: one request, and `Ambiguous` unless it is certain that nothing was made."""
        return self._once(self._request(method, target, body, headers, once=True), expect, self._seconds)

    def _request(
        self,
        method: str,
        target: str,
        body: Any,
        headers: Mapping[str, str] | None,
        once: bool = False,
        hide: Collection[str] = (),
    ) -> _Request:
        own = self._headers if headers is None else headers
        shown = own if isinstance(own, Mapping) else own.headers()
        hidden = (*hide, *self._hide)
        return _Request(method, target, {**COMMON, **shown}, body, once, hidden, fetched=own is not shown)

    def _once(self, request: _Request, expect: Expect, seconds: float) -> Answer:
        kind = "application/x-www-form-urlencoded" if isinstance(request.body, Form) else "application/json"
        typed = {"Content-Type": kind} if request.body is not None else {}
        target, failure = self.base.prefix + request.target, Ambiguous if request.once else Transient
        try:
            reply = exchange(
                self.base,
                request.method,
                target,
                headers={**typed, **request.headers},
                body=_encoded(request.body),
                seconds=seconds,
                most=MOST_BYTES,
            )
        except Unsent as unsent:
            raise Transient(str(unsent), "see that it runs, and that base_url is right") from None
        except Lost as lost:
            raise failure(str(lost)) from None
        content = _content(reply, plain=self._plain)
        if content is not _NO_JSON:
            answer = Answer(reply.status, content, reply.headers)
            if expect(answer) if callable(expect) else reply.status in expect:
                return answer
        raise self._failure(request, reply, content)

    # -- what went wrong ---------------------------------------------------------------------------------------------

    def _failure(self, request: _Request, reply: Reply, content: Any) -> Failure:
        host, status = self.base.name, reply.status
        said = f"{host} answered {status}{_words(request, content)}"
        meant = self._meaning(status, content) if 400 <= status < 500 and content is not _NO_JSON else None
        if meant is not None:
            return meant
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return Transient(f"{host} throttles", retry_after=self._retry_after(reply), throttled=True)
        if 300 <= status < 400 and status != HTTPStatus.SEE_OTHER:
            return Permanent(f"{host} redirects to {_host(reply)}", "write the right base_url; redirects carry no keys")
        if content is _NO_JSON or not 400 <= status < 500:
            if request.once:
                return Ambiguous(f"{said}, so there may be a key")
            return Transient(said, retry_after=self._retry_after(reply))
        if status == HTTPStatus.UNAUTHORIZED and request.fetched and self._others():
            return Transient(
                f"{host} takes the token for nothing any more", "another is fetched, and it is tried again"
            )
        return self._refusal(status, said, _words(request, content))

    def _others(self) -> bool:
        return not isinstance(self._headers, Mapping) and self._headers.refused()

    def _refusal(self, status: int, said: str, words: str) -> Failure:
        permission = self._permission
        match status:
            case HTTPStatus.UNAUTHORIZED:
                needs = f", which needs {permission}" if permission else ""
                hint = f"give this provider another admin credential{needs}"
                # some also answer so to one that is right and lacks a permission, so what they say is passed on
                return Denied(f"{self.base.name} refuses the admin credential{words}", hint, permission=permission)
            case HTTPStatus.FORBIDDEN:
                hint = f"the admin credential needs {permission}" if permission else "it needs more permissions"
                return Denied(said, hint, permission=permission)
            case HTTPStatus.CONFLICT:
                return Conflict(said)
        return Permanent(said)

    def _retry_after(self, reply: Reply) -> timedelta | None:
        """Seconds or a date (RFC 9110, 10.2.3); a date counts from the server's own, whatever clock is here."""
        given = reply.headers.get("Retry-After", "").strip()
        if re.fullmatch("[0-9]{1,9}", given):
            return min(timedelta(seconds=int(given)), LONGEST_PAUSE)
        then = _date(given)
        if then is None:
            return None
        now = _date(reply.headers.get("Date", "")) or self._now()
        return min(max(then - now, timedelta(0)), LONGEST_PAUSE)


def _passes(error: BaseException) -> bool:
    """Whether a moment later it may be over. How long a throttle lasts is for the rate limit to know."""
    return isinstance(error, Transient) and not error.throttled and error.retry_after is None


def _encoded(body: Any) -> bytes | None:
    if body is None:
        return None
    if isinstance(body, Form):
        return urlencode(body, doseq=True, errors="replace").encode()
    return json.dumps(body).encode()


def _content(reply: Reply, *, plain: bool) -> Any:
    """The JSON of an answer, None without a body; never an error, which would hold the text."""
    if not reply.body:
        return None
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return _text(reply) if plain else _NO_JSON


def _text(reply: Reply) -> Any:
    html = reply.body.lstrip()[:1] == b"<" or "html" in reply.headers.get("Content-Type", "").lower()
    # what looks like JSON and is none was cut off on its way
    broken = reply.body.lstrip()[:1] in (b"{", b"[") or "json" in reply.headers.get("Content-Type", "").lower()
    return _NO_JSON if html or broken else reply.body.decode(errors="replace")


def _words(request: _Request, content: Any) -> str:
    """What the server says went wrong, wherever in its JSON the usual places are."""
    while isinstance(content, Mapping | list):
        content = _said(content) if isinstance(content, Mapping) else next(iter(content), None)
    if content is _NO_JSON:
        return " without JSON"
    return f": {quoted(request.strip(content))}" if isinstance(content, str) else ""


def _said(content: Mapping[str, Any]) -> Any:
    """The one of the usual places that says most: a sentence rather than the bare code that some put before it."""
    found = [content[name] for name in ("error", "errors", "message", "detail", "reason") if content.get(name)]
    telling = (each for each in found if not isinstance(each, str) or " " in each)
    return next(telling, found[0] if found else None)


def _host(reply: Reply) -> str:
    try:
        return quoted(urlsplit(reply.headers.get("Location", "")).netloc or "itself")
    except ValueError:
        return "nowhere"


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
