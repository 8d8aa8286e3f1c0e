"""The route of the few files that pages need."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request
from starlette.responses import Response

from rotator.api.guarded import ANYBODY, needs
from rotator.api.problems import Problem
from rotator.dashboard.files import FILES
from rotator.dashboard.routing import page_router

FOREVER = "public, max-age=31536000, immutable"

router = page_router()


@router.get("/static/{name}", response_class=Response)
@needs(ANYBODY)
def static(request: Request, name: Annotated[str, Path(max_length=80)]) -> Response:
    """One of them. Nobody is asked who he is: the page to sign in needs them, too."""
    found = FILES.get(name)
    if found is None:
        raise Problem(404, "there is no such page", "the first page leads everywhere")
    return Response(found.content, media_type=found.kind, headers={"Cache-Control": FOREVER})
