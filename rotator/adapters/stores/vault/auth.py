"""How the vault store gets its token: one that it is given, one that an agent keeps, AppRole, a JWT.

No token, secret id or JWT is ever in a message or a repr.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from rotator.adapters.clients.resolving import Resolve, resolved
from rotator.adapters.stores.vault.answers import Answer, Need, failure_of
from rotator.adapters.stores.vault.lease import Channel, Lease, granted, look_up, told, unlimited
from rotator.adapters.stores.vault.wrapped import PlainSecretId, SecretId, WrappedSecretId
from rotator.domain.failures import Denied
from rotator.domain.settings import Settings

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes puts a pod's own: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account"""


class Auth(Protocol):
    """Where tokens come from. One thread at a time asks."""

    replaced_by_hand: bool
    """Whether a person must bring another token when the one at hand dies."""

    def fetch(self, channel: Channel) -> Lease:
        """A token; asked again when the last one is refused or about to die."""
        ...

    def changed(self) -> bool:
        """Whether there is another token than the one that was fetched last. No request."""
        ...

    def refused(self, need: Need, where: str) -> Denied:
        """What it means that Vault takes the token, which was fetched just now, for nothing at all."""
        ...


class TokenAuth:
    """A token at a reference, read anew when it is refused or near its end."""

    replaced_by_hand = True

    def __init__(self, reference: str, resolve: Resolve) -> None:
        self._reference = reference
        self._resolve = resolve

    def fetch(self, channel: Channel) -> Lease:
        """The text at the reference, and what Vault tells of it. Raises Denied when there is none."""
        token = resolved(self._resolve, self._reference)
        since = time.monotonic()
        found = look_up(token, channel)
        return told(token, since, found) if found else unlimited(token)

    def changed(self) -> bool:
        """Never: a reference may be costly to read."""
        return False

    def refused(self, need: Need, where: str) -> Denied:
        """The token is wrong, expired or revoked."""
        return Denied(f"{where} refuses our token", f"put a valid token at {self._reference}", permission=str(need))


class TokenFileAuth:
    """The file in which an agent keeps a token that it renews itself: read anew whenever it has changed.

    https://developer.hashicorp.com/vault/docs/agent-and-proxy/autoauth/sinks/file
    """

    replaced_by_hand = False

    def __init__(self, path: Path, resolve: Resolve) -> None:
        self._path = path
        self._resolve = resolve
        self._seen: tuple[int, ...] = ()

    def fetch(self, channel: Channel) -> Lease:
        """The text of the file. Raises Denied when there is none."""
        state = self._state()  # before it is read: what is written meanwhile is read the next time
        token = resolved(self._resolve, f"file:{self._path}")
        if token.startswith("{"):
            hint = "let the agent's sink write the token itself, without wrap_ttl and encryption"
            raise Denied(f"{self._path} holds no bare token", hint, permission=f"read file:{self._path}")
        self._seen = state
        return unlimited(token)

    def changed(self) -> bool:
        """Whether the file is another one, or was written since."""
        return self._state() != self._seen

    def _state(self) -> tuple[int, ...]:
        with suppress(OSError):
            found = self._path.stat()
            return found.st_ino, found.st_mtime_ns, found.st_size
        return self._seen  # being replaced at this moment; when it is gone for good the token's end will tell

    def refused(self, need: Need, where: str) -> Denied:
        """The agent has not written a valid one."""
        hint = f"see that the agent which writes {self._path} runs and can log in"
        return Denied(f"{where} refuses the token in {self._path}", hint, permission=str(need))


class AppRoleAuth:
    """A role id and a secret id, logged in with when a token is needed.

    https://developer.hashicorp.com/vault/api-docs/auth/approle#login-with-approle
    """

    replaced_by_hand = False

    def __init__(self, mount: str, role_id: str, secret_id: SecretId, resolve: Resolve) -> None:
        """`role_id` may be a reference, or the id itself, which is no secret."""
        self._mount = mount
        self._role_id = role_id
        self._secret_id = secret_id
        self._resolve = resolve

    def fetch(self, channel: Channel) -> Lease:
        """Log in. Raises Denied when the role does not exist or the secret id is wrong, used up or expired."""
        role_id = resolved(self._resolve, self._role_id) if ":" in self._role_id else self._role_id
        secret_id = self._secret_id.text(channel)

        def send(http: Any) -> Any:
            from hvac.api.auth_methods import AppRole

            return AppRole(http).login(role_id, secret_id, use_token=False, mount_point=self._mount)

        hint = f"check role_id, and put {self._secret_id.wanted} of the role at {self._secret_id.reference}"
        return _logged_in(send, "AppRole login", self._mount, hint, channel)

    def changed(self) -> bool:
        """Never: a token that we logged in for is ours alone."""
        return False

    def refused(self, need: Need, where: str) -> Denied:
        """The role's tokens are good for nothing."""
        return _good_for_nothing("AppRole", need, where)


class JwtAuth:
    """A JSON web token that somebody else issues and renews, logged in with: of Kubernetes, of a CI, of SPIFFE.

    https://developer.hashicorp.com/vault/api-docs/auth/jwt#jwt-login, …/kubernetes#login
    """

    replaced_by_hand = False

    def __init__(self, mount: str, role: str, reference: str, resolve: Resolve) -> None:
        """`reference` is read anew for each login: a projected token is replaced every hour."""
        self._mount = mount
        self._role = role
        self._reference = reference
        self._resolve = resolve

    def fetch(self, channel: Channel) -> Lease:
        """Log in. Raises Denied when the JWT is not accepted for the role."""
        jwt = resolved(self._resolve, self._reference)

        def send(http: Any) -> Any:
            from hvac.api.auth_methods import Kubernetes

            return Kubernetes(http).login(self._role, jwt, use_token=False, mount_point=self._mount)

        hint = f"compare the role's bound claims with the token at {self._reference}, and see that it is not expired"
        return _logged_in(send, f"login as role {self._role}", self._mount, hint, channel)

    def changed(self) -> bool:
        """Never: a token that we logged in for is ours alone."""
        return False

    def refused(self, need: Need, where: str) -> Denied:
        """The role's tokens are good for nothing."""
        return _good_for_nothing(self._role, need, where)


def _logged_in(send: Any, what: str, mount: str, hint: str, channel: Channel) -> Lease:
    need = Need("update", f"auth/{mount}/login")
    since = time.monotonic()
    answer: Answer = channel.send("", send)
    if answer.ok:
        return granted(answer, since, what, channel.where)
    if answer.status not in (400, 403) or answer.errors is None:
        raise failure_of(answer, need, channel.where)
    if "cidr" in answer.errors.lower():
        hint = "log in from an address that its secret_id_bound_cidrs and token_bound_cidrs allow, or widen those"
        raise Denied(f"{channel.where} refuses our {what} from this address", hint, permission=str(need))
    raise Denied(f"{channel.where} refuses our {what}", hint, permission=str(need))


def _good_for_nothing(role: str, need: Need, where: str) -> Denied:
    hint = f"grant {need} in the role's policies; if they do, see its token_bound_cidrs and token_num_uses"
    return Denied(f"{where} lets {role} log in, and refuses its token", hint, permission=str(need))


METHODS = {
    "token": ("token",),
    "token_file": ("path",),
    "approle": ("role_id", "secret_id", "mount"),
    "jwt": ("role", "jwt", "mount"),
    "kubernetes": ("role", "jwt", "mount"),
}
"""What belongs to each method, besides `namespace`."""

AUTH_KEYS = ("method", "namespace", *dict.fromkeys(key for keys in METHODS.values() for key in keys))


def auth_from(settings: Settings, resolve: Resolve) -> Auth:
    """What the table `auth` says. Raises `SettingsError`."""
    auth = settings.table("auth", AUTH_KEYS)
    method = auth.choice("method", tuple(METHODS))
    auth.only("method", "namespace", *METHODS[method])
    if method == "token":
        return TokenAuth(auth.reference("token"), resolve)
    if method == "token_file":
        return TokenFileAuth(auth.path("path"), resolve)
    mount = auth.text("mount", method).strip("/")
    if method == "approle":
        return AppRoleAuth(mount, auth.text("role_id"), _secret_id(auth, mount, resolve), resolve)
    pods_own = method == "kubernetes" and not auth.has("jwt")
    jwt = f"file:{SERVICE_ACCOUNT / 'token'}" if pods_own else auth.reference("jwt")
    return JwtAuth(mount, auth.text("role"), jwt, resolve)


def paths_of(settings: Settings) -> tuple[str, ...]:
    """What the table `auth` has read that no reference names. Raises `SettingsError`."""
    auth = settings.table("auth", AUTH_KEYS)
    method = auth.choice("method", tuple(METHODS))
    if method == "token_file":
        return (str(auth.path("path")),)
    # The folder and not the file, which the kubelet replaces.
    return (str(SERVICE_ACCOUNT),) if method == "kubernetes" and not auth.has("jwt") else ()


def _secret_id(auth: Settings, mount: str, resolve: Resolve) -> SecretId:
    if auth.is_table("secret_id"):
        return WrappedSecretId(auth.table("secret_id", ("wrapped",)).reference("wrapped"), mount, resolve)
    return PlainSecretId(auth.reference("secret_id"), resolve)
