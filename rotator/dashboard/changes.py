"""The config that waits: what of the file is not in force, and the form that puts it in force."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import HTMLResponse

from rotator.api.asking import Now, Who
from rotator.api.guarded import needs
from rotator.api.problems import Problem
from rotator.dashboard.differing import differing
from rotator.dashboard.rendering import rendered
from rotator.dashboard.routing import page_router
from rotator.domain.tokens import Role

router = page_router()


@router.get("/config", response_class=HTMLResponse)
@needs(Role.VIEWER)
def config(request: Request, caller: Who, assembly: Now) -> HTMLResponse:
    """What differs from what is approved, key by key."""
    if caller.owners is not None:
        raise Problem(403, "the config is everybody's, and you see only some owners' credentials", "ask who sees all")
    found = differing(request).of(request, caller, assembly)
    return rendered("config.html", request, found=found, path_=str(assembly.config.path), now=assembly.clock.now())
