"""Signing in and out."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rotator.api.authenticating import LONGEST, Proof
from rotator.api.guarded import ANYBODY, address_of, needs
from rotator.api.problems import Problem
from rotator.config.oidc_sign_in import BACK
from rotator.dashboard.forms import Form, local
from rotator.dashboard.refusing import told, with_headers
from rotator.dashboard.rendering import rendered
from rotator.dashboard.routing import Sent, page_router, see_other, whoever
from rotator.dashboard.signing_on import SignOn
from rotator.dashboard.visitors import (
    KNOWN,
    WENT,
    cookie,
    door_of,
    give_cookie,
    remember_going,
    remember_known,
    take_cookie,
)
from rotator.domain.tokens import Role

router = page_router()
AT = "/sign-in"
NOT_VALID = ("a valid token is needed", "paste it whole; `rotator token new` makes one")


@router.get(AT, response_class=HTMLResponse)
@needs(ANYBODY)
async def asked_in(request: Request, to: Annotated[str, Query()] = "") -> Response:
    """The form; whoever is signed in goes on. Asks nobody, so it takes no thread from those who wait."""
    if whoever(request) is not None:
        return see_other(_onward(to))
    return _shown(request, to)


@router.post(AT, response_class=HTMLResponse)
@needs(ANYBODY)
def signed_in(request: Request, form: Sent) -> Response:
    """A session, with an id that nobody had before; one that the browser had is over."""
    form.only("token", "to")
    try:
        proof = _proved(request, form)
    except Problem as problem:
        return _shown(request, form.get("to"), problem)
    except Exception as error:  # noqa: BLE001 - who cannot be looked up is not let in
        return _shown(request, form.get("to"), told(request, error))
    return _with_session(request, see_other(_onward(form.get("to"))), proof)


@router.get(f"{AT}/sso", response_class=HTMLResponse)
@needs(ANYBODY)
def sent_away(request: Request, to: Annotated[str, Query()] = "", moved: Annotated[str, Query()] = "") -> Response:
    """To the identity provider; first to the name of ours that it sends people back to, where that is another one.

    `moved`: that was done, and not again where a proxy calls us by yet another name.
    """
    sign_on, before = _sign_on(request), whoever(request)
    there = sign_on.elsewhere(request.headers.get("host", ""))
    if there and not moved:
        return see_other(f"{there}{AT}/sso?{urlencode({'to': local(to), 'moved': 'yes'})}")
    where, kept = sign_on.begin(local(to), before.session if before is not None else "")
    response = RedirectResponse(where, HTTPStatus.SEE_OTHER)
    remember_going(response, kept)
    return response


@router.get(BACK, response_class=HTMLResponse)
@needs(ANYBODY)
def came_back(request: Request) -> Response:
    """A session for whom the identity provider names, in the browser that went there."""
    guard, sign_on, address = door_of(request).authenticator, _sign_on(request), address_of(request)
    guard.listen(address)
    came = sign_on.back(cookie(request, WENT), dict(request.query_params))
    try:
        proof = sign_on.who(came, cookie(request, KNOWN))
    except Problem as problem:
        if problem.status == HTTPStatus.FORBIDDEN:
            guard.failed(address)
        raise
    # From another site the browser would keep the session's cookie back: a page of ours goes on.
    response = rendered("again.html", request, to=_onward(came.to))
    remember_going(response, "")
    remember_known(response, sign_on.recognition())
    return _with_session(request, response, proof, came.former)


@router.post("/sign-out", response_class=HTMLResponse)
@needs(Role.VIEWER)
def signed_out(request: Request, form: Sent) -> Response:
    """The session is over, at once and everywhere. Twice: there is nobody to sign out."""
    form.only()
    visitor = whoever(request)
    if visitor is None or not visitor.session:
        raise Problem(422, "you did not sign in here: your proxy says who you are", "sign out there")
    door_of(request).sessions.end(visitor.session)
    response = see_other(AT)
    take_cookie(response)
    return response


def _with_session(request: Request, response: Response, proof: Proof, former: str = "") -> Response:
    """A new one; one that the browser had is over. `former`: the key of one that it had and does not send now."""
    sessions, before = door_of(request).sessions, whoever(request)
    for key in (before.session if before is not None else "", former):
        sessions.end(key)
    give_cookie(response, sessions.begin(proof))
    return response


def _sign_on(request: Request) -> SignOn:
    found = door_of(request).sign_on
    if found is None:
        raise Problem(404, "nobody signs in here at an identity provider", "write sign_in: beneath api: oidc:")
    return found


def _proved(request: Request, form: Form) -> Proof:
    """Raises `Problem`, in the same words whatever was wrong with a token."""
    text = form.get("token")
    if not text.strip() or len(text) > LONGEST:
        raise Problem(HTTPStatus.UNAUTHORIZED, *NOT_VALID)
    try:
        proof = door_of(request).authenticator.prove(text, address_of(request))
    except Problem as problem:
        if problem.status == HTTPStatus.UNAUTHORIZED:  # its hint is for programs
            raise Problem(HTTPStatus.UNAUTHORIZED, *NOT_VALID) from None
        raise
    if not proof.caller.may(Role.VIEWER):
        raise Problem(403, "this token posts inventories, and opens no page", "one with the role viewer or more")
    return proof


def _shown(request: Request, to: str, problem: Problem | None = None) -> Response:
    """The form, with what was wrong. What was typed is not shown again."""
    body = problem.body() if problem is not None else {"detail": "", "hint": ""}
    response = rendered(
        "login.html",
        request,
        status=problem.status if problem is not None else 200,
        to=local(to),
        message=body["detail"],
        hint=body["hint"],
        plain=_plain(request),
        sso=door_of(request).sign_on is not None,
    )
    return with_headers(response, problem) if problem is not None else response


def _plain(request: Request) -> bool:
    """Whether it came without TLS, as far as we see: some browsers then keep no session."""
    return request.url.scheme != "https"


def _onward(to: str) -> str:
    path = local(to)
    return path if path and not path.startswith((AT, "/sign-out")) else "/"
