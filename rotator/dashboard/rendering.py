"""Templates, and what every page has: whoever looks, and where she is."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from rotator.api.callers import Caller
from rotator.dashboard import showing
from rotator.dashboard.files import FILES
from rotator.domain.tokens import Role

TEMPLATES = Path(__file__).parent / "templates"
EVERY = 5
"""Seconds after which a page that is live looks again."""


@cache
def templates() -> Environment:
    """All of them; whatever is put in is text and no markup, without what steers a reader's eye or terminal."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=showing.shown,
    )
    made.filters.update(showing.FILTERS)
    made.globals.update(files={each.wanted: each.path for each in FILES.values()}, every=EVERY)
    for each in made.list_templates():
        made.get_template(each)  # compiled now, and not while the first person waits
    made.globals.update(OPERATOR=Role.OPERATOR, RESPONDER=Role.RESPONDER)
    return made


def rendered(template: str, request: Request, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for whoever asks; what its route knows of him is put into every template."""
    state = request.state
    known = {name: getattr(state, name, "") for name in ("csrf", "flash", "once")}
    caller: Caller | None = getattr(state, "caller", None)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    values = {"now": datetime.now(UTC), **values}
    text = templates().get_template(template).render(caller=caller, path=request.url.path, here=here, **known, **values)
    return HTMLResponse(text, status)
