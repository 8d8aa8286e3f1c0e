"""The application with its pages."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from rotator.api.app import Parts
from rotator.api.app import routes as api_routes
from rotator.api.headers import is_api
from rotator.api.problems import Problem
from rotator.app.surveying import Surveys
from rotator.dashboard import (
    changes,
    credentials,
    doing,
    entering,
    incidents,
    looking,
    rotations,
    serving,
    trail,
)
from rotator.dashboard.differing import Differing
from rotator.dashboard.refusing import answer, refused, told
from rotator.dashboard.rendering import templates
from rotator.dashboard.routing import greet, visitor_at
from rotator.dashboard.visitors import Door


def routes(parts: Parts) -> FastAPI:
    """The API's routes, and the pages'."""
    app = api_routes(parts)
    app.state.door = Door.of(parts)
    app.state.surveys, app.state.differing = Surveys(parts.assembly_of), Differing()
    templates()  # made now, and not while the first person waits
    for module in (looking, credentials, rotations, incidents, trail, changes, serving, entering, doing):
        app.router.routes.extend(module.router.routes)
    _pages_for_people(app)
    return app


def _pages_for_people(app: FastAPI) -> None:
    """Where no route is, and where one fails outside of its guard: programs read JSON, and people a page."""
    handlers = dict(app.exception_handlers)

    async def no_route(request: Request, error: Exception) -> Response:
        if is_api(request.url.path):
            return handlers[HTTPException](request, error)  # type: ignore[no-any-return]
        try:
            greet(request, await visitor_at(request))
        except Problem as problem:
            return refused(request, problem)
        return refused(request, told(request, error))

    def defect(request: Request, error: Exception) -> Response:
        if is_api(request.url.path):
            return handlers[Exception](request, error)  # type: ignore[no-any-return]
        return answer(request.scope, told(request, error))

    app.add_exception_handler(HTTPException, no_route)
    app.add_exception_handler(Exception, defect)
