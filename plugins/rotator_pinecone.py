"""API keys of a Pinecone project.

    vectors:
      driver: pinecone
      client_id: 7mR…                            # of a service account, whose client secret is the admin credential;
      admin: file:/run/secrets/pinecone-admin    # without client_id it is a ready access token
      base_url: https://api.pinecone.io          # the default, as is login_url: https://login.pinecone.io

A credential's principal is `project`, by its id. `needs.scopes` are roles: ProjectEditor (what a key has that asks for
none), ProjectViewer, ControlPlaneEditor, ControlPlaneViewer, DataPlaneEditor, DataPlaneViewer.

From documentation alone, not tried at Pinecone: the Admin API's and the OAuth API's descriptions of 2026-04
(https://docs.pinecone.io/reference/api/2026-04/admin/get_token,
https://docs.pinecone.io/guides/projects/manage-api-keys, https://docs.pinecone.io/reference/api/versioning):

- Access tokens come from another host, live 30 minutes to a day, and are kept in memory until a minute before.
- A name holds our mark (1 to 80 characters). It need not be unique, and a key may have none.
- A deletion is accepted (202) and done later; how much later is nowhere said. The death window here is a guess.
- Keys have no times at all, no end and no last use, and cannot be disabled.
- 403 is a missing permission, a role that the plan does not have, and by its description a full quota; the error's
  code tells. The description's own example gives QUOTA_EXCEEDED with 429. Both are `CapFull`.
- A key verifies by listing indexes. One without a role for that is forbidden: 403 with the code FORBIDDEN or
  PERMISSION_DENIED, both of which the description lists, though not for which call; not confirmed. Another 403 is not
  Pinecone's word on the key and proves no life. The probe knows FORBIDDEN alone; it sends no version and so speaks the
  oldest one that is supported.
- The whole list of keys comes at once.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

from rotator.sdk import (
    OVERLAP,
    Capabilities,
    CapFull,
    Denied,
    Failure,
    Key,
    KeyState,
    Minted,
    MintRequest,
    Permanent,
    Principal,
    Probe,
    Reach,
    Secret,
    Settings,
    SettingsError,
    Transient,
    Verdict,
)
from rotator.sdk.answers import Fields, after_mint
from rotator.sdk.http import BaseUrl, Client, bearer, header, path

API, LOGIN = "https://api.pinecone.io", "https://login.pinecone.io"
AUDIENCE = "https://api.pinecone.io/"
VERSION = {"X-Pinecone-Api-Version": "2026-04"}
PERMISSION = "a Pinecone service account that is an owner or manager of the project"
VERDICTS = {200: Verdict.WORKS, 401: Verdict.INVALID}
LACKS_ROLE = ("FORBIDDEN", "PERMISSION_DENIED")
FULL = ("QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED")
DEATH_WINDOW = timedelta(minutes=5)
MARGIN = 60.0  # seconds before its end when an access token is no longer used
SETTINGS = ("base_url", "login_url", "client_id", "propagation", "death_window", "list_lag")

_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Pinecone:
    """One organization with one service account; a `Provider`."""

    def __init__(self, client: Client, access: Access, offers: Capabilities) -> None:
        self._client = client
        self._access = access
        self._offers = offers

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings, SETTINGS)
        client_id = read.text("client_id") if read.has("client_id") else None
        login = Client(read.text("login_url", LOGIN), timeout=timeout, headers=VERSION, permission=PERMISSION)
        try:
            bearer(admin)
        except Permanent as wrong:
            raise SettingsError(f"the admin credential of {name} fits into no header", wrong.hint) from None
        client = Client(read.text("base_url", API), timeout=timeout, permission=PERMISSION, meaning=_meaning)
        return cls(client, Access(login, client_id, admin), _offers(read, client.base))

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The API's host, and where there is a client id also the one that gives access tokens."""
        read = Settings(settings, SETTINGS)
        urls = [read.text("base_url", API)] + ([read.text("login_url", LOGIN)] if read.has("client_id") else [])
        return Reach(hosts=tuple(dict.fromkeys(BaseUrl.parse(url).name for url in urls)))

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """The same for every principal."""
        return self._offers

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """One POST, after a token was there."""
        wish = {"name": request.mark} | ({"roles": list(request.scopes)} if request.scopes else {})
        with self._access.shown() as shown:
            answer = self._client.mint(_keys_of(principal), wish, headers=shown)
        with after_mint():
            made = Fields.of(answer.body, "pinecone")
            return Minted(key_id=made.fields("key").text("id"), value=Secret({"secret": made.secret("value")}))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """One list of all."""
        with self._access.shown() as shown:
            answer = self._client.get(_keys_of(principal), headers=shown)
        return tuple(_key(row) for row in Fields.of(answer.body, "pinecone").rows("data"))

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """One list of the project's indexes."""
        shown = {**header("Api-Key", value.reveal("secret")), **VERSION}
        answer = self._client.get("/indexes", headers=shown, expect=(*VERDICTS, 403))
        if answer.status in VERDICTS:
            return VERDICTS[answer.status]
        if _code(answer.body) in LACKS_ROLE:
            return Verdict.FORBIDDEN
        raise Transient("pinecone forbids, and not because the key lacks a role", "see what stands before its API")

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """Pinecone does not tell."""
        return None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """One DELETE; 404 for a key that is gone."""
        if state is not KeyState.DELETED:
            raise Permanent("pinecone has no disabled keys", "delete the key")
        if not _ID.fullmatch(key_id):
            return  # nobody's key, which Pinecone would not even look for
        with self._access.shown() as shown:
            self._client.send("DELETE", path("admin", "api-keys", key_id), headers=shown, expect=(202, 404))

    def check_admin(self, principal: Principal) -> None:
        """The list: what else the service account may do, nothing tells that changes nothing."""
        self.keys(principal)


class Access:
    """The admin credential as a header. Used by many threads."""

    def __init__(self, login: Client, client_id: str | None, admin: str) -> None:
        self._login = login
        self._client_id = client_id
        self._admin = admin
        self._lock = threading.Lock()
        self._kept: Token | None = None
        self._proven: Token | None = None

    @contextmanager
    def shown(self) -> Iterator[dict[str, str]]:
        """Headers for one request. Raises what asking for a token raises, and `Denied` when the request is refused.

        A token that was taken before has been revoked since: it is forgotten, and the failure is `Transient`.
        """
        token = self._token()
        try:
            yield {**bearer(token.text), **VERSION}
        except _Refused as refusal:
            denied = Denied(refusal.message, refusal.hint, permission=PERMISSION)
        else:
            self._proven = token
            return
        with self._lock:
            self._kept = None if self._kept is token else self._kept
        if self._client_id is not None and self._proven is token:
            raise Transient("pinecone refuses an access token that it took before; the next one is fresh")
        raise denied

    def _token(self) -> Token:
        with self._lock:
            if self._kept is None or time.monotonic() >= self._kept.until:
                self._kept = Token(self._admin, math.inf) if self._client_id is None else self._fetch(self._client_id)
            return self._kept

    def _fetch(self, client_id: str) -> Token:
        wish = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": self._admin,
            "audience": AUDIENCE,
        }
        began = time.monotonic()
        given = Fields.of(self._login.send("POST", "/oauth/token", wish).body, "pinecone's login")
        return Token(given.secret("access_token"), began + given.whole("expires_in") - MARGIN)


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """An access token, and until when on the monotonic clock it is used."""

    text: str = field(repr=False)
    until: float


class _Refused(Denied):
    """The API takes the access token for nobody's; never leaves this module."""


def _offers(read: Settings, base: BaseUrl) -> Capabilities:
    return Capabilities(
        strategy=OVERLAP,
        scopes=True,
        propagation=read.duration("propagation", timedelta(seconds=60)),
        death_window=read.duration("death_window", DEATH_WINDOW),
        list_lag=read.duration("list_lag", timedelta(seconds=60)),
        probe=Probe(
            url=f"{base.text}/indexes", header="Api-Key", template="{secret}", forbidden_word=f'"{LACKS_ROLE[0]}"'
        ),
        least_permission=PERMISSION,
        console_url="https://app.pinecone.io",
    )


def _keys_of(principal: Principal) -> str:
    try:
        project = Settings(principal.settings, ("project",)).text("project")
    except SettingsError as wrong:
        raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
    return path("admin", "projects", project, "api-keys")


def _key(row: Fields) -> Key:
    key_id = row.text("id")
    if not _ID.fullmatch(key_id):  # a deletion would take it for nobody's, and for done
        raise Transient("pinecone lists a key with a strange id")
    return Key(id=key_id, state=KeyState.ENABLED, mark=row.label("name") or None, grant=row.labels("roles"))


def _code(body: Any) -> Any:
    error = body.get("error") if isinstance(body, dict) else None
    return error.get("code") if isinstance(error, dict) else None


def _meaning(status: int, body: Any) -> Failure | None:
    if status == 401:
        return _Refused("pinecone refuses the admin credential", "give this provider another admin credential")
    if status in (403, 429) and _code(body) in FULL:
        return CapFull("the project has as many keys as it may have", "delete a key that is not needed")
    return None
