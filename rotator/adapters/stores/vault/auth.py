"""How the vault store gets its token: one that it is given, or AppRole. No token is ever in a message or a repr."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from rotator.adapters.stores.vault.answers import Answer, Need, failure_of
from rotator.domain.failures import Denied, Failure, Transient
from rotator.domain.settings import Settings

Resolve = Callable[[str], str]
SendLogin = Callable[[str, str, str], Answer]
"""Log in with (mount, role id, secret id), as nobody."""


class Auth(Protocol):
    """Where tokens come from."""

    def fetch(self, login: SendLogin, address: str) -> str:
        """A token; asked again after Vault refused the last one."""
        ...

    def refused(self, need: Need, address: str) -> Denied:
        """What it means that Vault takes the token for nothing at all."""
        ...


class TokenAuth:
    """A token at a reference, read anew when it is refused: an agent may have replaced it."""

    def __init__(self, reference: str, resolve: Resolve) -> None:
        self._reference = reference
        self._resolve = resolve

    def fetch(self, login: SendLogin, address: str) -> str:
        """The text at the reference. Raises Denied when there is none."""
        return resolved(self._resolve, self._reference)

    def refused(self, need: Need, address: str) -> Denied:
        """The token is wrong, expired or revoked."""
        hint = f"put a valid token at {self._reference}"
        return Denied(f"vault at {address} refuses our token", hint, permission=str(need))


class AppRoleAuth:
    """A role id and a secret id, logged in with when a token is needed.

    https://developer.hashicorp.com/vault/api-docs/auth/approle#login-with-approle
    """

    def __init__(self, mount: str, role_id: str, secret_id: str, resolve: Resolve) -> None:
        """`secret_id` is a reference; `role_id` may be one, or the id itself, which is no secret."""
        self._mount = mount
        self._role_id = role_id
        self._secret_id = secret_id
        self._resolve = resolve

    def fetch(self, login: SendLogin, address: str) -> str:
        """Log in. Raises Denied when the role does not exist or the secret id is wrong, used up or expired."""
        role_id = resolved(self._resolve, self._role_id) if ":" in self._role_id else self._role_id
        need = Need("update", f"auth/{self._mount}/login")
        answer = login(self._mount, role_id, resolved(self._resolve, self._secret_id))
        if answer.status in (400, 403) and answer.errors is not None:
            raise self.refused(need, address)
        if not answer.ok:
            raise failure_of(answer, need, address)
        auth = answer.body().get("auth")
        token = auth.get("client_token") if isinstance(auth, dict) else None
        if not isinstance(token, str) or not token:
            raise Transient(f"vault at {address} gave no token for the AppRole login", "look at its log")
        return token

    def refused(self, need: Need, address: str) -> Denied:
        """The login itself is refused, or the token that it has just given."""
        hint = f"check role_id, and put a new secret id of the role at {self._secret_id}"
        return Denied(f"vault at {address} refuses our AppRole login", hint, permission=str(need))


class Token:
    """The token in use, shared by all threads: only one of them fetches."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._lock = threading.Lock()
        self._text: str | None = None

    def get(self, login: SendLogin, address: str) -> tuple[str, bool]:
        """The token, and whether it was fetched just now."""
        with self._lock:
            if self._text is not None:
                return self._text, False
            self._text = self._auth.fetch(login, address)
            return self._text, True

    def another(self, than: str, login: SendLogin, address: str) -> str | None:
        """Another token than the one that was refused; None when there is no other."""
        with self._lock:
            if self._text in (None, than):
                self._text = None
                self._text = self._auth.fetch(login, address)
            return self._text if self._text != than else None

    def __repr__(self) -> str:
        return "Token()"


def auth_from(settings: Settings, resolve: Resolve) -> Auth:
    """What the table `auth` says. Raises `SettingsError`."""
    known = ("method", "token", "role_id", "secret_id", "mount")
    auth = settings.table("auth", known)
    if auth.choice("method", ("token", "approle")) == "token":
        auth.only("method", "token")
        return TokenAuth(auth.reference("token"), resolve)
    auth.only("method", "role_id", "secret_id", "mount")
    mount = auth.text("mount", "approle").strip("/")
    return AppRoleAuth(mount, auth.text("role_id"), auth.reference("secret_id"), resolve)


def resolved(resolve: Resolve, reference: str) -> str:
    """The text at a reference. Raises Denied when it cannot be had: without it we may do nothing."""
    try:
        text = resolve(reference).strip()
    except Failure:
        raise
    except Exception as error:  # noqa: BLE001 - whoever resolves has errors of its own, and a port has not
        message, hint = getattr(error, "message", ""), getattr(error, "hint", "")
        message = message or f"{reference} cannot be read ({type(error).__name__})"
        failure = Denied(message, hint or "check the reference", permission=f"read {reference}")
    else:
        if text:
            return text
        failure = Denied(f"{reference} is empty", "put the secret there", permission=f"read {reference}")
    raise failure
