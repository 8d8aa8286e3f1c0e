"""Routes that say who may call them. One that does not cannot be made."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar, cast

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import Match
from starlette.types import Scope

from rotator.api.authenticating import Authenticator
from rotator.api.callers import Caller
from rotator.api.problems import Problem, problem_of
from rotator.domain.tokens import Role

ANYBODY: Final = "anybody"
"""For what tells nothing."""
Needed = Role | str
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
_ROLE: Final = "__rotator_role__"


def needs(role: Needed) -> Callable[[Endpoint], Endpoint]:
    """Declare the least role that a route needs."""

    def declared(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ROLE, role)
        return endpoint

    return declared


def role_of(endpoint: Callable[..., Any]) -> Needed | None:
    """What it declared."""
    return cast("Needed | None", getattr(endpoint, _ROLE, None))


class Guarded(APIRoute):
    """A route whose caller is known, and allowed, before a byte of the body is looked at.

    `form`: what is posted to it is a form, and not JSON.
    """

    form = False

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Raises `TypeError` for an endpoint without a declared role."""
        needed = role_of(endpoint)
        if needed is None:
            raise TypeError(f"{path} declares no role")
        self.needed: Needed = needed
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As the framework makes it, behind the guard."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                if self.needed != ANYBODY:
                    request.state.caller = allowed(await _caller(request), Role(self.needed))
                return await inner(request)
            except Problem as problem:
                return problem.response()

        return handler


async def _caller(request: Request) -> Caller:
    """Who calls; of who says nothing of himself nobody is asked, and no thread is taken. Raises `Problem`."""
    if "authorization" not in request.headers:
        return caller_by_header(request)
    return await run_in_threadpool(caller_by_header, request)


def form_routes(app: FastAPI) -> Callable[[Scope], bool]:
    """Whether what is posted to this path and by this method is a form, as the routes say."""
    routes = [each for each in app.routes if isinstance(each, Guarded) and each.form]
    return lambda scope: any(each.matches(scope)[0] is Match.FULL for each in routes)


def caller_by_header(request: Request) -> Caller:
    """Who calls, by the Authorization header. Raises `Problem`."""
    guard: Authenticator = request.app.state.authenticator
    try:
        return guard.caller(request.headers.get("authorization"), address_of(request))
    except Problem:
        raise
    except Exception as error:  # noqa: BLE001 - who cannot be looked up is not let in, and hears no more than that
        raise problem_of(error) from None


def address_of(request: Request) -> str:
    """Where it came from."""
    return request.client.host if request.client else "nowhere"


def allowed(caller: Caller, needed: Role) -> Caller:
    """The caller. Raises `Problem` where his role does not suffice."""
    if not caller.may(needed):
        raise Problem(403, f"this needs the role {needed.value}, and yours is {caller.role.value}", "use another token")
    return caller


def caller_of(request: Request) -> Caller:
    """Who was admitted: for endpoints, as a dependency."""
    return cast(Caller, request.state.caller)
