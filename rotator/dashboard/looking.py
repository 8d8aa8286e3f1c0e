"""The first page, and what comes in the next fortnight. Each shows only what its caller sees."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import HTMLResponse

from rotator.api.asking import Now, Who
from rotator.api.guarded import needs
from rotator.app.first_page import first_page
from rotator.app.fortnight import fortnight
from rotator.app.surveying import MANY
from rotator.dashboard.rendering import rendered
from rotator.dashboard.routing import page_router
from rotator.dashboard.surveys import AT_ONCE, patiently, surveys_of
from rotator.domain.tokens import Role

router = page_router()


@router.get("/", response_class=HTMLResponse)
@needs(Role.VIEWER)
def first(request: Request, caller: Who, assembly: Now) -> HTMLResponse:
    """What needs a person first."""
    surveys = surveys_of(request)
    wait = AT_ONCE if len(assembly.config.credentials) <= MANY else 0.0
    found = first_page(assembly, caller.scope, surveys.latest(wait), surveys.amiss(assembly))
    return rendered("first.html", request, page=found, now=found.now)


@router.get("/fortnight", response_class=HTMLResponse)
@needs(Role.VIEWER)
def coming(request: Request, caller: Who, assembly: Now) -> HTMLResponse:
    """What comes due, day by day."""
    survey, now = patiently(request, assembly), assembly.clock.now()
    found = fortnight(survey, caller.scope, now) if survey is not None else None
    return rendered("fortnight.html", request, page=found, now=now)
