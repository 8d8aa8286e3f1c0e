"""The trail, the newest first, and as a table for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Query, Request
from starlette.responses import HTMLResponse, Response

from rotator.api.asking import Now, Who
from rotator.api.guarded import needs
from rotator.app.tables import lines
from rotator.app.trail_pages import TrailPage, page
from rotator.config.recognise import secrets_hidden
from rotator.dashboard.credentials import csv_file
from rotator.dashboard.rendering import rendered
from rotator.dashboard.routing import page_router
from rotator.dashboard.telling import told
from rotator.domain.times import format_time
from rotator.domain.tokens import Role

router = page_router()
Of = Annotated[str, Query(max_length=80)]
Before = Annotated[int, Query(ge=0, le=2**53)]
LIMIT, OF_A_FILE = 100, 10_000
COLUMNS = ("at", "credential", "rotation", "seq", "kind", "action", "subject", "detail", "digest")


@router.get("/trail", response_class=HTMLResponse)
@needs(Role.VIEWER)
def trail(request: Request, caller: Who, assembly: Now, credential: Of = "", before: Before = 0) -> HTMLResponse:
    """What happened, the newest first."""
    name = told(caller, assembly, credential.strip()) if credential.strip() else ""
    found = page(assembly, caller.scope, credential=name, before=before, limit=LIMIT)
    return rendered(
        "trail.html", request, page=found, credential=name, before=before, now=assembly.clock.now(), most=OF_A_FILE
    )


@router.get("/trail.csv", response_class=Response)
@needs(Role.VIEWER)
def table(request: Request, caller: Who, assembly: Now, credential: Of = "") -> Response:
    """The newest events as a file; `rotator log export` has all of them."""
    name = told(caller, assembly, credential.strip()) if credential.strip() else ""
    found = page(assembly, caller.scope, credential=name, limit=OF_A_FILE)
    return csv_file("trail.csv", lines(COLUMNS, _cells(found)))


def _cells(found: TrailPage) -> Iterator[tuple[object, ...]]:
    for line in found.lines:
        each, event = line.each, line.each.event
        detail = "; ".join(f"{key}={secrets_hidden(text)}" for key, text in sorted(event.detail.items()))
        whose = line.credential or each.rotation
        yield (
            format_time(each.at),
            whose,
            line.rotation,
            each.seq,
            event.kind.value,
            event.action,
            secrets_hidden(event.subject),
            detail,
            each.digest,
        )
