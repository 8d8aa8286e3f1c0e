"""Secret ids of an AppRole of Vault or OpenBao: any number beside each other, each with an accessor and our mark.

    providers:
      vault: {driver: vault_approle, base_url: "https://vault:8200", admin: file:/run/secrets/vault-admin}
    credentials:
      batch: {provider: vault, principal: {role: batch, exclusive: true}, …}    # mount: approle

The admin credential is a token. A value has two parts, because consumers log in with both and a role that is made anew
has another role id: `{role_id}` beside `{secret_id}`. A key's id is the secret id's accessor.

What the server does (https://openbao.org/api-docs/auth/approle/, and seen on OpenBao 2.7.2):

- `verify` is a login. It makes a token, which is revoked at once, and uses one of `secret_id_num_uses`: a role whose
  secret ids can be used a few times only is refused, and what is left of a larger number is each key's hint.
- The mark is in the secret id's metadata, as `rotator`. The server copies it into the metadata of every token that is
  made with it, and into the audit log.
- A refused login is 400, "invalid role or secret ID", for a secret id that was destroyed, has expired or was used up,
  and also for a wrong role id. Another 400, such as one about CIDR blocks, comes after the secret id was found.
- Destroying a secret id does not revoke tokens that were made with it: they live until their own end. What is proven
  dead is the secret id, not a session that somebody opened with it.
- Destroying an accessor that is not known is a 500, so it is looked up first; so is looking one up in a role that is
  not there. A wrong token is a 403 like any other.
- After five refused logins within a quarter of an hour a server may lock the role's logins (user lockout) and answer
  403; a login that succeeds, as each proof of death makes one, counts from zero again. Known from documentation.
- Where nothing is mounted everything but a login is 404 with a word in `errors`; a list without entries, and a role or
  an accessor that is not there, is one without. A login is 403 there, like many others.
- A standby that redirects is refused: `base_url` is the active node's or the load balancer's.

There is no way to switch a secret id off, no word about its use, and no plain HTTP probe: a login is a POST.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from rotator.sdk import (
    OVERLAP,
    Ambiguous,
    Capabilities,
    Denied,
    Failure,
    Key,
    KeyState,
    Minted,
    MintRequest,
    Permanent,
    Principal,
    Secret,
    Settings,
    SettingsError,
    Transient,
    UnreadableError,
    Verdict,
    parse_time,
)
from rotator.sdk.http import Answer, Client, path

LEAST_USES = 1_000
"""A rotation verifies dozens of times; a role that allows fewer uses than this would die of it."""
MOST_KEYS = 20_000
NEVER = "0001-01-01T00:00:00Z"
REFUSED = "invalid role or secret ID"
NEEDS = {"secret-id": ("update", "list"), "secret-id-accessor/lookup": ("update",)}
NEEDS |= {
    "secret-id-accessor/destroy": ("update",),
    "secret-id/lookup": ("update",),
    "role-id": ("read",),
    "": ("read",),
}


@dataclass(frozen=True, slots=True)
class Role:
    """An AppRole: where its method is mounted, and its name."""

    mount: str
    name: str

    @classmethod
    def of(cls, principal: Principal) -> Role:
        """`principal.settings`: `role`, else the principal's name; `mount`, else `approle`. Raises `Permanent`."""
        try:
            read = Settings(principal.settings, ("role", "mount"))
            return cls(read.text("mount", "approle").strip("/"), read.text("role", principal.name))
        except SettingsError as wrong:
            raise Permanent(f"principal: {wrong.message}", wrong.hint) from None

    def at(self, *more: str, **query: str) -> str:
        """A path of this role's."""
        return path("v1", "auth", *self.mount.split("/"), "role", self.name, *more, **query)

    @property
    def login(self) -> str:
        return path("v1", "auth", *self.mount.split("/"), "login")

    def policies(self) -> dict[str, tuple[str, ...]]:
        """Every path that is used, and what must be allowed there."""
        root = f"auth/{self.mount}/role/{self.name}"
        return {f"{root}/{below}".rstrip("/"): words for below, words in NEEDS.items()}


class AppRole:
    """One server with one token; a `Provider`."""

    def __init__(self, client: Client, plain: Client, windows: Mapping[str, timedelta]) -> None:
        """`plain` shows no token: for logins."""
        self._client = client
        self._plain = plain
        self._windows = windows

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings)
        base_url = read.text("base_url")
        spaces = {"X-Vault-Namespace": read.text("namespace")} if read.has("namespace") else {}
        windows = {
            each: read.duration(each, timedelta(seconds=10)) for each in ("propagation", "death_window", "list_lag")
        }
        read.finish()
        if not admin.isascii() or not admin.isprintable() or " " in admin or not admin:
            raise SettingsError(f"the admin credential of {name} is no token", "it may end in a line break")
        headers = {"X-Vault-Token": admin, **spaces}
        client = Client(base_url, timeout=timeout, headers=headers, meaning=_meaning)
        return cls(client, Client(base_url, timeout=timeout, headers=spaces), windows)

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """The same for every role but for the policy."""
        return Capabilities(
            strategy=OVERLAP,
            parts=("role_id", "secret_id"),
            secret_part="secret_id",  # noqa: S106 - the part's name
            expiry=True,
            identifies=True,
            propagation=self._windows["propagation"],
            death_window=self._windows["death_window"],
            list_lag=self._windows["list_lag"],
            least_permission=_policy(Role.of(principal)),
        )

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """Two reads, of the role and of its id, and then one POST.

        `Permanent`, nothing made, for a role whose secret ids can be used a few times only.
        """
        role = Role.of(principal)
        uses = _member(self._read(role), "secret_id_num_uses")
        if isinstance(uses, int) and 0 < uses < LEAST_USES:
            hint = f"every verification is a use: set secret_id_num_uses of the role to 0, or to {LEAST_USES} and more"
            raise Permanent(f"secret ids of this role can be used {uses} times", hint)
        role_id = _text(self._read(role, "role-id"), "role_id")
        wish: dict[str, Any] = {"metadata": json.dumps({"rotator": request.mark})}
        if request.lifetime is not None:
            wish["ttl"] = f"{int(request.lifetime.total_seconds())}s"
        with _needing(role, "update", "secret-id"):
            made = _data(self._client.mint(role.at("secret-id"), wish, expect=(200,)).body)
        try:
            value = Secret({"role_id": role_id, "secret_id": _text(made, "secret_id")})
            return Minted(key_id=_text(made, "secret_id_accessor"), value=value)
        except Transient as strange:
            problem = strange.message
        raise Ambiguous(f"{problem}, so there may be a key")

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """The list of accessors, which has no pages, and one request for each."""
        role = Role.of(principal)
        with _needing(role, "list", "secret-id"):
            answer = self._client.get(role.at("secret-id", list="true"), expect=_or_gone(200))
        accessors = _member(_data(answer.body), "keys") if answer.status == 200 else []
        if not isinstance(accessors, list) or not all(isinstance(each, str) and each for each in accessors):
            raise Transient("the server lists accessors in another form")
        if len(accessors) > MOST_KEYS:
            raise Permanent(f"the role has more than {MOST_KEYS} secret ids", "destroy those that nobody needs")
        found = [(each, self._lookup(role, each)) for each in accessors]
        return tuple(_key(accessor, entry) for accessor, entry in found if entry is not None)

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """One login, which counts as a use; the token that it made is revoked."""
        if not {"role_id", "secret_id"} <= set(value.names):
            raise Permanent("the value is no AppRole's", "publish both {role_id} and {secret_id}")
        body = {"role_id": value.reveal("role_id"), "secret_id": value.reveal("secret_id")}
        answer = self._plain.send("POST", Role.of(principal).login, body, expect=(200, 400, 403))
        if answer.status == 200:
            self._end(_text(_member(answer.body, "auth"), "client_token"))
            return Verdict.WORKS
        errors = _member(answer.body, "errors")
        if answer.status == 400 and errors == [REFUSED]:
            return Verdict.INVALID
        if answer.status == 400 and isinstance(errors, list) and "CIDR" in str(errors):
            return Verdict.FORBIDDEN
        raise Transient("the server does not let the role log in now", "it may be locked for a quarter of an hour")

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """The server's own word: it finds a secret id of the role's without using it up."""
        role, shown = Role.of(principal), {"secret_id": value.reveal("secret_id")}
        with _needing(role, "update", "secret-id/lookup"):
            answer = self._client.send("POST", role.at("secret-id", "lookup"), shown, expect=_or_gone(200, 204))
        return _text(_data(answer.body), "secret_id_accessor") if answer.status == 200 else None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """Destroy what the role's list has under this accessor. Others, and a second time: nothing."""
        if state is not KeyState.DELETED:
            raise Permanent("a secret id cannot be disabled", "delete the key")
        role = Role.of(principal)
        with _needing(role, "read"):
            there = self._client.get(role.at(), expect=_or_gone(200)).status == 200
        if not there or self._lookup(role, key_id) is None:
            return
        with _needing(role, "update", "secret-id-accessor/destroy"):
            target = role.at("secret-id-accessor", "destroy")
            self._client.send("POST", target, {"secret_id_accessor": key_id}, expect=_or_gone(200, 204))

    def check_admin(self, principal: Principal) -> None:
        """Ask the server what the token may do. `Denied` names the paths where that is too little."""
        wanted = Role.of(principal).policies()
        told = self._client.send("POST", path("v1", "sys", "capabilities-self"), {"paths": list(wanted)}).body
        missing = [
            f"{word} on {where}"
            for where, words in wanted.items()
            for word in words
            if not {"root", word} & set(_member(_data(told), where) or ())
        ]
        if missing:
            raise Denied("the token may not do enough", f"it needs {missing[0]}", permission=", ".join(missing))

    def _read(self, role: Role, *below: str) -> Any:
        with _needing(role, "read", *below):
            return _data(self._client.get(role.at(*below)).body)

    def _lookup(self, role: Role, accessor: str) -> Any:
        """What the server knows of a secret id; None: nothing."""
        with _needing(role, "update", "secret-id-accessor/lookup"):
            target = role.at("secret-id-accessor", "lookup")
            answer = self._client.send("POST", target, {"secret_id_accessor": accessor}, expect=_or_gone(200))
        return _data(answer.body) if answer.status == 200 else None

    def _end(self, token: str) -> None:
        """Revoke the token of a login; one that may not revoke itself lives until its own end."""
        with suppress(Failure):
            self._plain.send(
                "POST", path("v1", "auth", "token", "revoke-self"), headers={"X-Vault-Token": token}, expect=(204,)
            )


@contextmanager
def _needing(role: Role, word: str, below: str = "") -> Iterator[None]:
    """A refusal names what the policy must grant; a wrong token is refused in the same words."""
    try:
        yield
    except Denied as denied:
        where = f"auth/{role.mount}/role/{role.name}/{below}".rstrip("/")
        message, need = denied.message, f"{word} on {where}"
    else:
        return
    raise Denied(message, f"the admin token is wrong, or its policy must grant {need}", permission=need)


def _policy(role: Role) -> str:
    """In the language of policies, as `vault policy write` takes it."""
    rules = [
        f"path {json.dumps(where)} {{ capabilities = {json.dumps(list(words))} }}"
        for where, words in role.policies().items()
    ]
    return "\n".join(rules)


# -- what comes back ---------------------------------------------------------------------------------------------------


def _or_gone(*statuses: int) -> Callable[[Answer], bool]:
    """One of these, or the method's own 404, which has no word in it."""

    def expected(answer: Answer) -> bool:
        return answer.status in statuses or (answer.status == 404 and not _member(answer.body, "errors"))

    return expected


def _meaning(status: int, body: Any) -> Failure | None:
    if status == 404 and _member(body, "errors"):  # "no handler for route": of another method, or of none
        return Permanent("no AppRole method is mounted there", "look at mount: of the principal")
    return None


def _key(accessor: str, entry: Any) -> Key:
    mark, uses = _member(_member(entry, "metadata"), "rotator"), _member(entry, "secret_id_num_uses")
    return Key(
        id=accessor,
        state=KeyState.ENABLED,
        mark=mark if isinstance(mark, str) else None,
        created_at=_instant(entry, "creation_time"),
        expires_at=_instant(entry, "expiration_time"),
        hint=f"{uses} uses left" if isinstance(uses, int) and uses > 0 else "",
    )


def _member(body: Any, name: str) -> Any:
    return body.get(name) if isinstance(body, dict) else None


def _data(body: Any) -> Any:
    return _member(body, "data")


def _text(body: Any, name: str) -> str:
    text = _member(body, name)
    if not isinstance(text, str) or not text or not text.isprintable():
        raise Transient(f"the server answered without a usable {name}")
    return text


def _instant(entry: Any, name: str) -> datetime | None:
    text = _text(entry, name)
    try:
        return None if text == NEVER else parse_time(text)
    except UnreadableError:
        pass  # raised below: beneath this handler the error would carry what was read as its context
    raise Transient(f"the server answered with a strange {name}")
