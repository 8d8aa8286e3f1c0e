"""Who it is that asks for a page: by a session of his browser, or by the Authorization header of a proxy before us."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, cast

from fastapi import Request
from starlette.responses import Response

from rotator.api.app import Parts
from rotator.api.authenticating import Authenticator
from rotator.api.callers import Caller
from rotator.api.guarded import caller_by_header
from rotator.api.problems import problem_of
from rotator.config.references import Reference
from rotator.dashboard.sessions import LASTS, Messages, Seals, Sessions
from rotator.dashboard.signing_on import REMEMBERED, SignOn

COOKIE: Final = "__Host-rotator"
"""With this prefix a browser takes it only for this very host, all paths, and over TLS (or on loopback)."""
ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite="
WENT: Final = "__Host-rotator-went"
"""What a browser keeps that went to the identity provider; it comes back from another site, so it is Lax."""
KNOWN: Final = "__Host-rotator-known"
"""What a browser keeps that somebody signed in with by way of the provider; needed on the same way, so Lax, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who was believed. `session`: the key of his; empty: he has none, and came by the header."""

    caller: Caller
    session: str = ""

    @property
    def whom(self) -> Hashable:
        """What his forms and messages are bound to.

        A header is sent by a proxy for whatever a browser asks, so its forms need a seal as those of a session do; it
        is bound to who he is, for there is nothing else that stays.
        """
        return ("session", self.session) if self.session else ("caller", self.caller.whose)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What it takes to let people in."""

    authenticator: Authenticator
    sessions: Sessions
    seals: Seals = field(default_factory=Seals)
    messages: Messages = field(default_factory=Messages)
    sign_on: SignOn | None = None

    @classmethod
    def of(cls, parts: Parts) -> Door:
        """Over the API's parts."""
        clock, oidc = parts.assembly_of().clock, parts.listening.oidc
        sessions = Sessions(parts.authenticator.again, clock)
        if oidc is None or oidc.sign_in is None:
            return cls(authenticator=parts.authenticator, sessions=sessions)

        def resolved(reference: Reference) -> str:
            return parts.assembly_of().resolver(reference)

        def alert(message: str) -> None:
            parts.assembly_of().told.alert("no sign-in", "", message)

        sign_on = SignOn(oidc, oidc.sign_in, resolved, clock, alert)
        return cls(authenticator=parts.authenticator, sessions=sessions, sign_on=sign_on)


def door_of(request: Request) -> Door:
    """The application's."""
    return cast(Door, request.app.state.door)


def visitor_of(request: Request) -> Visitor | None:
    """Who it is; None for nobody. Raises `Problem` for a header that is not believed, and where nobody can be asked.

    A header of another kind is for a proxy before us, which asks browsers for a name and a password, and not for us.
    """
    if request.headers.get("authorization", "").partition(" ")[0].lower() == "bearer":
        return Visitor(caller=caller_by_header(request))
    text = cookie(request, COOKIE)
    try:
        found = door_of(request).sessions.find(text, used=by_a_person(request)) if text else None
    except Exception as error:  # noqa: BLE001 - who cannot be looked up is not let in, and hears no more than that
        raise problem_of(error) from None
    return Visitor(caller=found.caller, session=found.key) if found is not None else None


def by_a_person(request: Request) -> bool:
    """Whether a person goes to this page; else one that is open asks by itself, or for a part of it."""
    return request.headers.get("sec-fetch-dest", "document") == "document"


def give_cookie(response: Response, text: str) -> None:
    """The session's id, which no script sees and no other site sends."""
    _set(response, COOKIE, text, int(LASTS.total_seconds()), "Strict")


def take_cookie(response: Response) -> None:
    """The browser forgets it."""
    _set(response, COOKIE, "", 0, "Strict")


def remember_going(response: Response, text: str) -> None:
    """What has to come back from the identity provider; empty: the browser forgets it."""
    _set(response, WENT, text, 600 if text else 0, "Lax")


def remember_known(response: Response, text: str) -> None:
    """That somebody signed in with this browser."""
    _set(response, KNOWN, text, int(REMEMBERED.total_seconds()), "Lax")


def asks_as_somebody(request: Request) -> bool:
    """Whether anything came that says who it is; where nothing did, nobody need be asked."""
    return "authorization" in request.headers or bool(cookie(request, COOKIE))


def cookie(request: Request, name: str) -> str:
    """What stands there; empty where there is none, or more than one, of which somebody else made one."""
    pairs = [each.strip().partition("=") for header in request.headers.getlist("cookie") for each in header.split(";")]
    texts = [text for each, _, text in pairs if each == name]
    return texts[0] if len(texts) == 1 else ""


def _set(response: Response, name: str, text: str, seconds: int, site: str) -> None:
    response.headers.append("set-cookie", f"{name}={text}; Max-Age={seconds}; {ATTRIBUTES}{site}")
