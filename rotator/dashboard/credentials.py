"""Credentials by age against policy, one of them with all that is known of it, and the table for a spreadsheet."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from rotator.api.asking import Now, Who
from rotator.api.guarded import needs
from rotator.api.looking import Id
from rotator.app.listing import Wanted, every, listing
from rotator.app.need import Need
from rotator.app.needing import needs_of
from rotator.app.one_credential import one_credential
from rotator.app.reporting import time
from rotator.app.tables import lines
from rotator.dashboard.rendering import rendered
from rotator.dashboard.routing import page_router
from rotator.dashboard.surveys import patiently
from rotator.dashboard.telling import told
from rotator.domain.tokens import Role

router = page_router()
Text = Annotated[str, Query(max_length=200)]
COLUMNS = ("credential", "owner", "provider", "state", "key since", "due", "allowed seconds", "share of allowed age")


@router.get("/credentials", response_class=HTMLResponse)
@needs(Role.VIEWER)
def credentials(
    request: Request, caller: Who, assembly: Now, text: Text = "", owner: Text = "", state: Text = "", after: Text = ""
) -> HTMLResponse:
    """All of them, the worst first, a page at a time."""
    survey, wanted = patiently(request, assembly), Wanted(text=text.strip(), owner=owner, state=state)
    found = listing(survey, caller.scope, wanted, after=after) if survey is not None else None
    return rendered("credentials.html", request, page=found, wanted=wanted, now=assembly.clock.now())


@router.get("/credentials.csv", response_class=Response)
@needs(Role.VIEWER)
def table(
    request: Request, caller: Who, assembly: Now, text: Text = "", owner: Text = "", state: Text = ""
) -> Response:
    """The same as a file: all that fit."""
    survey, wanted = patiently(request, assembly), Wanted(text=text.strip(), owner=owner, state=state)
    rows = every(survey, caller.scope, wanted) if survey is not None else iter(())
    cells = (
        (
            each.name,
            each.owner,
            each.provider,
            each.state.value,
            time(each.since),
            time(each.due),
            int(each.allowed.total_seconds()) if each.allowed is not None else None,
            f"{each.share:.3f}" if each.share is not None else "unknown",
        )
        for each in rows
    )
    return csv_file("credentials.csv", lines(COLUMNS, cells))


@router.get("/credentials/{name}", response_class=HTMLResponse)
@needs(Role.VIEWER)
def credential(request: Request, caller: Who, assembly: Now, name: Id) -> HTMLResponse:
    """How one stands, why, and what may be done; of one that the config has no more, what the journal knows."""
    found = one_credential(assembly, told(caller, assembly, name))
    needed: tuple[Need, ...] = needs_of(assembly, found.row, found.open)
    return rendered("credential.html", request, page=found, needs=needed, now=found.now)


def csv_file(name: str, text: object) -> Response:
    """An answer that a browser keeps as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(text, media_type="text/csv; charset=utf-8", headers=headers)  # type: ignore[arg-type]
