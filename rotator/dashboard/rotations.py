"""One rotation as a timeline over its stores and keys."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import HTMLResponse

from rotator.api.asking import Now, Who
from rotator.api.guarded import needs
from rotator.api.looking import Id
from rotator.api.problems import unknown
from rotator.app.chain_tail import course
from rotator.app.needing import needs_of
from rotator.app.timeline import timeline
from rotator.dashboard.rendering import rendered
from rotator.dashboard.routing import page_router
from rotator.domain.tokens import Role

router = page_router()
SHOWN = 300
"""Events that the page tells one by one, the newest of them."""


@router.get("/rotations/{rotation}", response_class=HTMLResponse)
@needs(Role.VIEWER)
def rotation(request: Request, caller: Who, assembly: Now, rotation: Id) -> HTMLResponse:
    """Its phases over time, what was done to each store, and how each old key's death is known."""
    row = assembly.journal.rotation(rotation) if rotation.isprintable() else None
    if row is None or not caller.scope.sees(assembly.config, row.credential):
        raise unknown("rotation", rotation)
    found, now = course(assembly.journal, row.id, SHOWN), assembly.clock.now()
    needed = needs_of(assembly, assembly.journal.credential(row.credential), row) if row.open else ()
    return rendered(
        "rotation.html",
        request,
        row=row,
        line=timeline(row, found.drawn, now),
        events=found.newest,
        hidden=found.hidden,
        needs=needed,
        now=now,
    )
