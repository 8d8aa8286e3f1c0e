"""The application: its parts, its routes, and what it answers when something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from rotator.api import acting, commanding, leaking, looking, posting
from rotator.api.authenticating import Authenticator
from rotator.api.commands import Commands
from rotator.api.limits import Limits
from rotator.api.oidc import Believer
from rotator.api.once import Once
from rotator.api.problems import Problem, problem_of
from rotator.api.throttle import Throttle
from rotator.app.assembly import Assembly
from rotator.app.tokens import tokens_of
from rotator.config.api_listening import Listening
from rotator.config.errors import ConfigError
from rotator.domain.failures import Failure, Fenced

VERSION = "1"
DESCRIPTION = "What the commands do, for programs. It never returns a secret."


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What routes use. `assembly_of` is asked at each request."""

    assembly_of: Callable[[], Assembly]
    listening: Listening
    limits: Limits
    authenticator: Authenticator
    commands: Commands
    leaks: leaking.Leaks
    once: Once = field(default_factory=Once)

    @classmethod
    def of(cls, assembly_of: Callable[[], Assembly], listening: Listening, limits: Limits) -> Self:
        """Made from an assembly and what the config says of the API."""

        def alert(address: str, message: str) -> None:
            assembly_of().told.alert("logins refused", address, message)

        clock = assembly_of().clock
        jwts = Believer(listening.oidc, clock.boottime) if listening.oidc is not None else None
        return cls(
            assembly_of=assembly_of,
            listening=listening,
            limits=limits,
            authenticator=Authenticator(lambda: tokens_of(assembly_of()), clock, Throttle(alert, limits), jwts),
            commands=Commands(assembly_of, limits),
            leaks=leaking.Leaks(assembly_of, Throttle(alert, limits)),
        )


def routes(parts: Parts) -> FastAPI:
    """The routes alone: for tests, and for the dashboard, which adds its own."""
    app = FastAPI(
        title="rotator",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # a guarded route gives it
        redirect_slashes=False,
    )
    app.state.parts = parts
    app.state.authenticator = parts.authenticator
    for module in (looking, acting, posting, commanding, leaking):
        app.router.routes.extend(module.router.routes)  # included, they would not be seen one by one
    _problems(app)
    return app


def _problems(app: FastAPI) -> None:
    def known(request: Request, error: Exception) -> JSONResponse:
        return problem_of(error).response()

    for kind in (Problem, ConfigError, Failure, Fenced):
        app.add_exception_handler(kind, known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _defect)


def _http(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses."""
    assert isinstance(error, HTTPException)
    messages = {404: "there is nothing here", 405: "this path does not take this method", 400: "the body is no JSON"}
    problem = Problem(error.status_code, messages.get(error.status_code, str(error.detail)), "see /v1/openapi.json")
    allow = (error.headers or {}).get("Allow")
    if allow:
        problem.headers["Allow"] = allow
    if error.status_code in (400, 413):
        problem.headers["Connection"] = "close"
    return problem.response()


def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Where the request is not as described. What stood there may be a secret, so it is not repeated."""
    assert isinstance(error, RequestValidationError)
    found: dict[str, Any] = next(iter(error.errors()), {})
    where = ".".join(str(each) for each in found.get("loc", ()) if isinstance(each, int) or str(each).isidentifier())
    kind = str(found.get("type", "")).replace("_", " ")
    return Problem(422, f"{where or 'the request'} is not as described: {kind}", "see /v1/openapi.json").response()


def _defect(request: Request, error: Exception) -> JSONResponse:
    """Of a defect of ours the caller hears the type."""
    defect(request, error)
    return problem_of(error).response()


def defect(request: Request, error: Exception) -> None:
    """The log hears of its type and place; the answer does not depend on whoever hears of it."""
    parts: Parts = request.app.state.parts
    with suppress(Exception):
        parts.assembly_of().told.alert("request failed", request.url.path[:200], type(error).__name__)
