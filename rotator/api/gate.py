"""What every request passes before any route: its host, its origin, its kind of body, and how much of it there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rotator.api.headers import headers_of
from rotator.api.limits import Limits
from rotator.api.origins import name_of, origin, same_origin
from rotator.api.problems import Problem, as_problem

SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def _no_form(scope: Scope) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What passes the gate. `names`: what we may be called, without ports; `takes_form`: whether a route wants a form.

    `answering`: how a refusal is told. `strict`: browsers shall come by TLS alone from now on.
    """

    names: frozenset[str]
    limits: Limits
    takes_form: Callable[[Scope], bool] = _no_form
    answering: Callable[[Scope, Problem], Response] = as_problem
    strict: bool = False


class Gate:
    """Refuses what no route should see."""

    def __init__(self, app: ASGIApp, allowed: Allowed) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Only HTTP; of other kinds nothing is known here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sending = _Sending(send, headers_of(scope["path"], strict=self._allowed.strict))
        form = scope["method"] not in SAFE and self._allowed.takes_form(scope)
        problem = self._refusal(scope, form=form)
        if problem is not None:
            # And hang up: what still comes of the body is not waited for.
            problem.headers["Connection"] = "close"
            await self._allowed.answering(scope, problem)(scope, receive, sending)
            return
        await self._app(scope, _bounded(receive, self._most(scope, form=form)), sending)

    def _refusal(self, scope: Scope, *, form: bool) -> Problem | None:
        hosts, names = _all(scope, b"host"), self._allowed.names
        if len(hosts) != 1 or name_of(hosts[0]) not in names:
            # A page that makes a name of its own point here is believed by the browser, and not by us.
            return Problem(421, "this is not called by that name", "write it beneath api: hosts:")
        if scope["method"] in SAFE:
            return None
        origins = _all(scope, b"origin")
        if any(origin(each) not in names for each in origins):
            return Problem(403, "another site sent this", "only our own pages and programs may")
        if any(each in (b"cross-site", b"same-site") for each in _raw(scope, b"sec-fetch-site")):
            return Problem(403, "another site sent this", "only our own pages and programs may")
        # Programs send no origin, browsers always do: whoever sends a form says where he has it from.
        if form and (len(origins) != 1 or not same_origin(origins[0], hosts[0], scope["scheme"])):
            return Problem(403, "another site sent this", "send it from our own page; a proxy must keep the Host")
        return self._body(scope, form=form)

    def _most(self, scope: Scope, *, form: bool) -> int:
        limits = self._allowed.limits
        return limits.form if form else limits.body_of(scope["path"])

    def _body(self, scope: Scope, *, form: bool) -> Problem | None:
        lengths = _all(scope, b"content-length")
        most = self._most(scope, form=form)
        if any(not each.isdecimal() or len(each) > 12 or int(each) > most for each in lengths):
            return _too_much(most)
        kinds = _all(scope, b"content-type")
        has_body = any(each != "0" for each in lengths) or bool(_raw(scope, b"transfer-encoding"))
        wanted, name = (FORM, "a form") if form else (JSON, "JSON")
        if has_body and [each.partition(";")[0].strip().lower() for each in kinds] != [wanted]:
            return Problem(415, f"the body is not {name}", f"Content-Type: {wanted}")
        if _raw(scope, b"content-encoding"):
            return Problem(415, "the body is packed", "send it as it is")
        return None


class _Sending:
    """Adds our headers to whatever is answered."""

    def __init__(self, send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._send = send
        self._headers = headers

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message.get("headers", ())}
            added = [(name, value) for name, value in self._headers if name not in own]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await self._send(message)


def _bounded(receive: Receive, most: int) -> Receive:
    came = 0

    async def receiving() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > most:
            raise HTTPException(413, f"the body is larger than {most} bytes")
        return message

    return receiving


def _too_much(most: int) -> Problem:
    return Problem(413, f"the body is larger than {most} bytes", "send less at a time")


def _raw(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


def _all(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for value in _raw(scope, name)]
