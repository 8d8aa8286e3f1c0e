"""Pages for what is refused: what happened, and what to do, in the words that the commands have for it."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from rotator.api.app import defect
from rotator.api.headers import is_api
from rotator.api.problems import Problem, problem_of
from rotator.dashboard.rendering import rendered

NOT_THERE = ("there is no such page", "the first page leads everywhere")
_WORDS = {404: NOT_THERE, 405: NOT_THERE}


def answer(scope: Scope, problem: Problem) -> Response:
    """As programs read it where they asked, and else as a page; for what no route has seen."""
    return problem.response() if is_api(scope["path"]) else refused(Request(scope), problem)


def refused(request: Request, problem: Problem) -> Response:
    """The page; bounded, and without anything that has the form of a key."""
    body = problem.body()
    response = rendered(
        "refused.html",
        request,
        status=problem.status,
        phrase=HTTPStatus(problem.status).phrase.lower(),
        message=body["detail"],
        hint=body["hint"],
    )
    return with_headers(response, problem)


def with_headers(response: Response, problem: Problem) -> Response:
    """What is said besides, such as when to come again; a browser has its own question for a name and a password."""
    for name, text in problem.headers.items():
        if name != "WWW-Authenticate":
            response.headers[name] = text
    return response


def _allow(request: Request) -> str:
    """The methods that its path takes, of all routes with this path."""
    routes = [each for each in request.app.routes if each.matches(request.scope)[0] is Match.PARTIAL]
    return ", ".join(sorted({method for each in routes for method in each.methods or ()}))


def told(request: Request, error: Exception) -> Problem:
    """What anything that was raised is to a person; the log hears of a defect of ours."""
    if isinstance(error, HTTPException):
        allow = {"Allow": _allow(request)} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else {}
        return Problem(error.status_code, *_WORDS.get(error.status_code, (str(error.detail), "")), headers=allow)
    if isinstance(error, RequestValidationError):
        return Problem(404, *NOT_THERE)  # what stands in its path or query is nothing that a page of ours links to
    problem = problem_of(error)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        defect(request, error)
    return problem
