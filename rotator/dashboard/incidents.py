"""Incidents: all of them, and one as it goes on."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import HTMLResponse

from rotator.api.asking import Now, Who
from rotator.api.guarded import needs
from rotator.api.looking import Id
from rotator.api.problems import unknown
from rotator.app.evidence import known
from rotator.app.one_incident import one_incident, summaries
from rotator.dashboard.rendering import rendered
from rotator.dashboard.routing import page_router
from rotator.domain.tokens import Role

router = page_router()


@router.get("/incidents", response_class=HTMLResponse)
@needs(Role.VIEWER)
def incidents(request: Request, caller: Who, assembly: Now) -> HTMLResponse:
    """Every incident, the newest first."""
    found = summaries(assembly, caller.scope)
    return rendered("incidents.html", request, incidents=found, now=assembly.clock.now())


@router.get("/incidents/{incident}", response_class=HTMLResponse)
@needs(Role.VIEWER)
def incident(request: Request, caller: Who, assembly: Now, incident: Id) -> HTMLResponse:
    """What of it is proven, what is not, and what is left to do."""
    if not incident.isprintable() or incident not in known(assembly):
        raise unknown("incident", incident)
    found = one_incident(assembly, caller.scope, incident)
    if found is None:
        raise unknown("incident", incident)
    return rendered("incident.html", request, page=found, now=assembly.clock.now())
