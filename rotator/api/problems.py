"""What the API answers when something is wrong: RFC 9457, with our message and hint, never a traceback or a value."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from rotator.app.asked_for import Stuck
from rotator.config.errors import ConfigError
from rotator.config.recognise import secrets_hidden
from rotator.domain.failures import Closed, Denied, Failure, Fenced, JournalOlder, Transient

KIND = "application/problem+json"
LONGEST = 500


class Problem(Exception):
    """What is answered instead. `headers`: what is said besides, such as when to come again."""

    def __init__(self, status: int, message: str, hint: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """As it is sent."""
        return JSONResponse(self.body(), self.status, headers=self.headers, media_type=KIND)

    def body(self) -> dict[str, Any]:
        """Bounded, on one line each, and without anything that has the form of a key."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": _line(self.message),
            "hint": _line(self.hint),
        }


def as_problem(scope: Scope, problem: Problem) -> Response:
    """What any request is answered instead, as programs read it."""
    return problem.response()


def unknown(what: str, name: str) -> Problem:
    """Not there; or not for this caller, which is told in the same words."""
    return Problem(404, f"there is no {what} {_quoted(name)}", "the name is not known, or is not for this token")


def problem_of(error: Exception) -> Problem:
    """What any error is to a caller; of a defect of ours nothing but its type."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Fenced):
        return Problem(409, "it began to rotate at this very moment", "the same request again")
    if isinstance(error, Stuck | JournalOlder):
        return Problem(409, error.message, error.hint)
    if isinstance(error, Transient | Closed):  # closed: a reload puts the next one in its place
        return Problem(503, error.message, error.hint, headers={"Retry-After": "5"})
    if isinstance(error, Denied):
        return Problem(502, error.message, error.hint)
    if isinstance(error, ConfigError | Failure):
        return Problem(422, error.message, error.hint)
    name = type(error).__name__
    return Problem(
        500,
        f"an error of the rotator itself ({name})",
        "report it; the log of the daemon has more",
        headers={"Connection": "close"},  # the server hangs up behind it, so nobody may send more
    )


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")


def _line(text: str) -> str:
    text = secrets_hidden(text)
    cleaned = "".join(character if character.isprintable() else " " for character in text)
    return cleaned if len(cleaned) <= LONGEST else cleaned[: LONGEST - 1] + "…"
