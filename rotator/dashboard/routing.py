"""Routes of pages, which say who may see them as those of the API do."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, cast
from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse

from rotator.api.guarded import ANYBODY, Guarded, allowed
from rotator.api.problems import Problem
from rotator.dashboard.forms import Form, local, read_form
from rotator.dashboard.refusing import refused, told
from rotator.dashboard.rendering import rendered
from rotator.dashboard.visitors import Visitor, asks_as_somebody, by_a_person, door_of, visitor_of
from rotator.domain.tokens import Role

if TYPE_CHECKING:
    from fastapi import APIRouter

SEE_OTHER = 303


class Page(Guarded):
    """A route whose answer is a page, and whose caller has a session, or a token in a header.

    What is posted to it is a form, which the gate lets through from our own pages alone; here it must have been shown
    to whoever sends it. Sets `caller`, `csrf`, `flash` and `once` of the request's state, and `form` where one came.
    """

    form = True

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As the framework makes it, behind the guard; whatever is raised is told as a page."""
        inner = APIRoute.get_route_handler(self)

        async def handler(request: Request) -> Response:
            try:
                instead = await self._entering(request)
                return instead if instead is not None else await inner(request)
            except Problem as problem:
                return refused(request, problem)
            except Exception as error:  # noqa: BLE001 - each has its words, and a defect of ours has few
                return refused(request, told(request, error))

        return handler

    async def _entering(self, request: Request) -> Response | None:
        """Raises `Problem` for whoever may not; a page that is answered instead; None: go on."""
        not_embedded(request)
        visitor = await visitor_at(request)
        greet(request, visitor)
        if self.needed != ANYBODY:
            if visitor is None:
                return nobody(request)
            request.state.caller = allowed(visitor.caller, Role(self.needed))
        if request.method not in ("GET", "HEAD"):
            request.state.form = form = read_form(await _body(request))
            if self.needed != ANYBODY:
                sealed(request, visitor, form)
        elif visitor is not None and self.needed != ANYBODY and by_a_person(request):
            request.state.flash = door_of(request).messages.take(visitor.whom)
        return None


async def visitor_at(request: Request) -> Visitor | None:
    """Who it is; a thread is taken only where somebody must be asked. Raises `Problem`."""
    return await run_in_threadpool(visitor_of, request) if asks_as_somebody(request) else None


async def _body(request: Request) -> bytes:
    """All of it, which the gate bounds. Raises `Problem` where whoever sends it hangs up."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise Problem(400, "the form did not come", "send it again") from None


def page_router() -> APIRouter:
    """Of pages that say who may see them; the description of the API does not name them."""
    from fastapi import APIRouter

    return APIRouter(route_class=Page, include_in_schema=False)


def form_of(request: Request) -> Form:
    """What was sent."""
    return cast(Form, request.state.form)


def whoever(request: Request) -> Visitor | None:
    """Who it is, on pages that anybody may see, too."""
    return cast("Visitor | None", request.state.visitor)


Sent = Annotated[Form, Depends(form_of)]


def greet(request: Request, visitor: Visitor | None) -> None:
    """What every page knows of who looks at it. `once`: what a form sends along so that it is done once."""
    state = request.state
    state.visitor = visitor
    state.caller = visitor.caller if visitor is not None else None
    state.csrf = door_of(request).seals.of(visitor.whom) if visitor is not None else ""
    state.flash, state.once = "", secrets.token_urlsafe(16)


def sealed(request: Request, visitor: Visitor | None, form: Form) -> None:
    """Raises `Problem` for a form that was not shown to whoever sends it."""
    if visitor is None or not door_of(request).seals.fits(form.get("csrf"), visitor.whom):
        raise Problem(403, "this form is not of your session, or of before the daemon began", "load its page again")


def not_embedded(request: Request) -> None:
    """Raises `Problem` where another site loads a page as part of its own; a link on it may lead here."""
    site, mode = (request.headers.get(f"sec-fetch-{name}", "") for name in ("site", "mode"))
    if site in ("cross-site", "same-site") and mode != "navigate":
        raise Problem(403, "another site asked for this", "open it by itself")


def nobody(request: Request) -> Response:
    """What is answered to somebody without a session. Raises `Problem` where he cannot be sent to sign in."""
    if request.method not in ("GET", "HEAD") or not by_a_person(request):
        raise Problem(401, "you are not signed in, or no more", "sign in, and do it again")
    path = local(request.url.path + (f"?{request.url.query}" if request.url.query else "")) or "/"
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # A link elsewhere led here, so the browser kept the session's cookie back: a page of ours asks once more.
        return rendered("again.html", request, to=path)
    return RedirectResponse(f"/sign-in?to={quote(path, safe='')}", SEE_OTHER)


def see_other(path: str) -> RedirectResponse:
    """Go on there, by a GET."""
    return RedirectResponse(path, SEE_OTHER)
