"""What people do: the same functions that the API's routes call, by a form, with a reason, and once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import Path, Request
from starlette.responses import HTMLResponse, Response

from rotator.api.acting import begun, said
from rotator.api.asking import Now, Who, parts_of, seen
from rotator.api.guarded import needs
from rotator.api.once import AtWork, Reused
from rotator.api.problems import Problem
from rotator.app.steering import how_it_goes
from rotator.dashboard.approving import approved
from rotator.dashboard.forms import Form, page_of
from rotator.dashboard.routing import Sent, page_router, see_other, whoever
from rotator.dashboard.surveys import surveys_of
from rotator.dashboard.visitors import door_of
from rotator.domain.records import Verb
from rotator.domain.tokens import Role

router = page_router()
Id = Annotated[str, Path(min_length=1, max_length=80)]
_DIGEST = re.compile("[0-9a-f]{32}")
LONGEST_ONCE = 60
PATIENCE = 10.0
"""Seconds that the second click waits for the first one."""


@router.post("/credentials/{name}/rotate", response_class=HTMLResponse)
@needs(Role.OPERATOR)
def rotate(request: Request, caller: Who, assembly: Now, name: Id, form: Sent) -> Response:
    """Begin to rotate it; the daemon goes on with it. One that rotates already goes on."""
    form.only("why")
    why = form.why

    def do() -> dict[str, Any]:
        before = assembly.journal.open_rotation(seen(caller, assembly, name))
        begun(caller, assembly, [name], why)
        return {"said": how_it_goes(assembly, name, before)}

    return _done(request, form, do, page_of("credentials", name))


@router.post("/credentials/{name}/{verb}", response_class=HTMLResponse)
@needs(Role.OPERATOR)
def word(
    request: Request,
    caller: Who,
    assembly: Now,
    name: Id,
    verb: Literal["hold", "release", "resume", "rollback"],
    form: Sent,
) -> Response:
    """An operator's word about one credential."""
    form.only("why")
    why = form.why
    return _done(request, form, lambda: said(caller, assembly, name, Verb(verb), why), page_of("credentials", name))


@router.post("/config/approve", response_class=HTMLResponse)
@needs(Role.RESPONDER)
def approve(request: Request, caller: Who, form: Sent) -> Response:
    """Put exactly that in force which was shown with this digest."""
    form.only("why", "digest")
    if caller.owners is not None:
        raise Problem(403, "what waits is about all credentials, and yours is a token for some", "one without --owner")
    why, digest = form.why, form.get("digest")
    if not _DIGEST.fullmatch(digest):
        raise Problem(422, "what is to be approved is not said", "load the page again, and read what waits")
    return _done(request, form, lambda: {"said": approved(parts_of(request).commands, caller, digest, why)}, "/config")


def _done(request: Request, form: Form, do: Callable[[], dict[str, Any]], otherwise: str) -> Response:
    """Do it, unless this very form did it before; then a page, with what came of it."""
    visitor = whoever(request)
    assert visitor is not None  # nobody without a role comes here
    once, path = form.get("once")[:LONGEST_ONCE], request.url.path
    fields = {key: text for key, text in form.fields.items() if key not in ("csrf", "once", "back")}
    try:
        answer = parts_of(request).once(
            visitor.caller.whose, f"{path} {once}" if once else None, (path, fields), do, patience=PATIENCE
        )
    except Reused:
        raise Problem(
            422, "this form was sent before, with other words", "load its page again, and write anew"
        ) from None
    except AtWork:
        raise Problem(409, "what you sent before is still at work", "look at the page in a while") from None
    surveys_of(request).over()
    door_of(request).messages.leave(visitor.whom, answer["said"])
    return see_other(form.back(otherwise))
