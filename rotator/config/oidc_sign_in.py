"""How people sign in at the identity provider: `api.oidc.sign_in` of the config."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from rotator.config.errors import ConfigError
from rotator.config.references import Reference, read_reference

if TYPE_CHECKING:
    from rotator.config.document import Document
    from rotator.config.models import OidcSignInEntry

BACK: Final = "/sign-in/back"
"""Where people come back to."""
_LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """What the provider knows us by, and where it is. `client_secret` None: a public client, which has none."""

    client_id: str
    authorization_endpoint: str
    token_endpoint: str
    redirect_uri: str
    scopes: tuple[str, ...]
    client_secret: Reference | None = None


def is_https(text: str) -> bool:
    """Whether it is a URL over TLS, or of this machine."""
    try:
        url = urlsplit(text)
        return bool(url.hostname) and (url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOCAL))
    except ValueError:
        return False


def make_sign_in(document: Document, entry: OidcSignInEntry, stores: Collection[str]) -> SignIn:
    """What the config says. Raises `ConfigError`."""
    path = ("api", "oidc", "sign_in")
    for name in ("authorization_endpoint", "token_endpoint", "redirect_uri"):
        if not is_https(getattr(entry, name)):
            where = document.where((*path, name))
            raise ConfigError(f"{where}: {name} is no https URL", f"as the provider has it: {name}")
    back = urlsplit(entry.redirect_uri)
    if (back.path, back.query, back.fragment) != (BACK, "", ""):
        where = document.where((*path, "redirect_uri"))
        raise ConfigError(f"{where}: redirect_uri is no page of ours", f"write https://NAME{BACK}")
    if "openid" not in entry.scopes or any(not each.isprintable() or " " in each for each in entry.scopes):
        where = document.where((*path, "scopes"))
        raise ConfigError(f"{where}: scopes are words, and openid is one of them", "scopes: [openid, profile, email]")
    secret = entry.client_secret
    named = f"{document.where((*path, 'client_secret'))}: client_secret"
    return SignIn(
        client_id=entry.client_id,
        authorization_endpoint=entry.authorization_endpoint,
        token_endpoint=entry.token_endpoint,
        redirect_uri=entry.redirect_uri,
        scopes=tuple(entry.scopes),
        client_secret=read_reference(secret, stores, named) if secret is not None else None,
    )
