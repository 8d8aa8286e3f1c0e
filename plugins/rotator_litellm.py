"""Virtual keys of a LiteLLM proxy, with values of our own choosing.

    gateway:
      driver: litellm
      base_url: https://litellm.internal:4000
      admin: file:/run/secrets/litellm-admin     # a key of type `management` whose user is a proxy admin
      key_type: llm_api                          # or management, read_only, default: what minted keys may call

A credential's principal is `team`, `user` or both, by their ids; `needs.scopes` are the models that a key may call, and
`needs.expires` is its `duration`. A key's id is the SHA-256 of its value, which is the proxy's own name for it.

Read in LiteLLM 1.109.1 (https://docs.litellm.ai/docs/proxy/virtual_keys, its OpenAPI description, and the source of
litellm/proxy); not tried on a running proxy:

- Keys are shown in `x-litellm-api-key`, as the description has it; consumers may use `Authorization` as well.
- The alias is unique over all keys and holds our mark; a second key with it is a 400, which here is a `Conflict`.
- With `disable_custom_api_keys` the proxy refuses chosen values (403): `Permanent`.
- Whoever is no proxy admin sees only his own keys in /key/list, without being told so. A proxy admin's key of type
  `management` is enough, and cannot call models. `check_admin` lists the keys of a user that nobody is, which all but
  admins are forbidden; it cannot tell an admin who may only look: the first mint does.
- 401 is the answer to a key that is unknown, blocked or expired, but also when the key's team is blocked. `verify`
  reads which, and a blocked key is `NOT_YET`; to the probe only `token_not_found_in_db` is a death.
- 403 means that a key may not call this route where it says so. The proxy also forbids before it looks for a key at
  all: other addresses than `allowed_ips` (https://docs.litellm.ai/docs/proxy/ip_address) and routes that nobody may
  call; that tells nothing of the key.
- Each worker of the proxy keeps a key for 60 s (`user_api_key_cache_ttl`); without Redis a block or deletion reaches
  the other workers only then. `/key/info` answers for a deleted key from the archive, with status "deleted".
- A key of type `llm_api` may not call /key/info and one of type `management` not /v1/models: each verifies by what it
  may. Neither counts as use: `last_active` is written for calls of models alone, within about ten seconds.
- Pages are by number. A key that comes or goes in between shifts them, so a list counts only if it is as long as its
  total before and after.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self

from rotator.sdk import (
    CHOSEN_VALUE,
    Capabilities,
    Conflict,
    Disabling,
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
from rotator.sdk.http import BaseUrl, Client, header, path

PERMISSION = "a LiteLLM key with key_type: management whose user has the role proxy_admin"
VERIFY_AT = {"llm_api": "/v1/models", "default": "/v1/models", "management": "/key/info", "read_only": "/key/info"}
DEATH_WINDOW = timedelta(seconds=120)  # twice the cache's time to live
HEADER = "x-litellm-api-key"
UNKNOWN = "token_not_found_in_db"
MAY_NOT = "not allowed to call this route"
ALL_MODELS = "all models"
WHOSE = "the proxy"
PAGE = 100
MOST_PAGES = 1_000
NOBODY = "rotator-asks-for-nobody"
SETTINGS = ("base_url", "key_type", "propagation", "death_window", "list_lag")

_ID = re.compile("[0-9a-f]{64}")


class LiteLlm:
    """One proxy with one admin key; a `Provider`."""

    def __init__(self, client: Client, offers: Capabilities, key_type: str) -> None:
        self._client = client
        self._offers = offers
        self._key_type = key_type

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings, SETTINGS)
        base_url, key_type = read.text("base_url"), read.choice("key_type", tuple(VERIFY_AT), "llm_api")
        try:
            headers = {**_showing(admin), "litellm-changed-by": "rotator"}
        except Permanent as wrong:
            raise SettingsError(f"the admin credential of {name} fits into no header", wrong.hint) from None
        client = Client(base_url, timeout=timeout, headers=headers, permission=PERMISSION, meaning=_meaning)
        return cls(client, _offers(read, client.base, key_type), key_type)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The proxy."""
        return Reach(hosts=(BaseUrl.parse(Settings(settings, SETTINGS).text("base_url")).name,))

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """The same for every principal."""
        return self._offers

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """One POST with our value and our mark as its alias."""
        if request.chosen is None:
            raise Permanent("litellm was given no value to make a key of", "the strategy is chosen-value")
        value = request.chosen.reveal("secret")
        answer = self._client.mint("/key/generate", self._wish(principal, request, value), expect=(200,))
        with after_mint():
            made = Fields.of(answer.body, WHOSE)
            if (made.secret("key"), made.text("token")) != (value, _id_of(value)):
                raise Transient(f"{WHOSE} made another key than it was asked for")
            return Minted(key_id=_id_of(value), value=request.chosen, created_at=made.time("created_at"))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """Every page. `Transient` when keys came or went meanwhile."""
        keys: dict[str, Key] = {}
        totals = set()
        for number in range(1, MOST_PAGES + 1):
            page = self._page(principal, number)
            totals.add(page.whole("total_count"))
            keys.update((key.id, key) for key in map(_key, page.rows("keys")))
            if number >= page.whole("total_pages"):
                break
        else:
            raise Transient(f"{WHOSE}'s list of keys does not end")
        if totals != {len(keys)}:
            raise Transient("keys came or went while they were listed")
        return tuple(keys.values())

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """One look at what the key may see of itself."""
        shown = _showing(value.reveal("secret"))
        answer = self._client.get(VERIFY_AT[self._key_type], headers=shown, expect=(200, 401, 403))
        if answer.status == 401:
            return _refused(Fields.of(answer.body, WHOSE))
        if answer.status == 200:
            return Verdict.WORKS
        if MAY_NOT in str(answer.body):
            return Verdict.FORBIDDEN
        raise Transient(f"{WHOSE} forbids before it looks for a key", "see its allowed_ips and allowed_routes")

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """The value's SHA-256, if there is such a key; the value itself would be in the proxy's log of requests."""
        key_id = _id_of(value.reveal("secret"))
        answer = self._client.get(path("key", "info", key=key_id), expect=(200, 404))
        if answer.status == 404:
            return None
        info = Fields.of(answer.body, WHOSE).fields("info")
        return None if info.label("status") == "deleted" else key_id

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """One POST; 404 for a key that is gone."""
        if not _ID.fullmatch(key_id):
            return  # nobody's key, and if it were a key's value the proxy would act on it
        if state is KeyState.DELETED:
            self._client.send("POST", "/key/delete", {"keys": [key_id]}, expect=(200, 404))
        else:
            verb = "block" if state is KeyState.DISABLED else "unblock"
            self._client.send("POST", f"/key/{verb}", {"key": key_id}, expect=(200, 404))

    def check_admin(self, principal: Principal) -> None:
        """Two lists: of the principal's keys, and of what only a proxy admin may ask for."""
        self._page(principal, 1)
        self._client.get(path("key", "list", user_id=NOBODY, size="1"))

    # -- what is sent --------------------------------------------------------------------------------------------------

    def _wish(self, principal: Principal, request: MintRequest, value: str) -> dict[str, Any]:
        wish: dict[str, Any] = {
            "key": value,
            "key_alias": request.mark,
            "key_type": self._key_type,
            **_owner(principal),
        }
        if request.scopes:
            wish["models"] = list(request.scopes)
        if request.lifetime is not None:
            wish["duration"] = f"{max(int(request.lifetime.total_seconds()), 1)}s"
        return wish

    def _page(self, principal: Principal, number: int) -> Fields:
        query = {**_owner(principal), "return_full_object": "true", "size": str(PAGE), "page": str(number)}
        return Fields.of(self._client.get(path("key", "list", **query)).body, WHOSE)


def _offers(read: Settings, base: BaseUrl, key_type: str) -> Capabilities:
    return Capabilities(
        strategy=CHOSEN_VALUE,
        forms={"secret": "sk-{value}"},
        disabling=Disabling.REVERSIBLE,
        expiry=True,
        scopes=True,
        usage=True,
        identifies=True,
        propagation=read.duration("propagation", timedelta(seconds=60)),
        death_window=read.duration("death_window", DEATH_WINDOW),
        list_lag=read.duration("list_lag", timedelta(seconds=30)),
        probe=Probe(
            url=f"{base.text}{VERIFY_AT[key_type]}", header=HEADER, invalid_word=UNKNOWN, forbidden_word=MAY_NOT
        ),
        least_permission=PERMISSION,
        console_url=f"{base.text}/ui",
    )


def _showing(key: str) -> dict[str, str]:
    return header(HEADER, f"Bearer {key}")


def _owner(principal: Principal) -> dict[str, str]:
    try:
        read = Settings(principal.settings, ("team", "user"))
        owner = {f"{name}_id": read.text(name) for name in ("team", "user") if read.has(name)}
    except SettingsError as wrong:
        raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
    if not owner:
        raise Permanent("the principal names neither a team nor a user", "write principal: {team: ID} or {user: ID}")
    return owner


# -- what comes back ---------------------------------------------------------------------------------------------------


def _id_of(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: Fields) -> Key:
    key_id = row.text("token")
    if not _ID.fullmatch(key_id):  # a deletion would take it for nobody's, and for done
        raise Transient(f"{WHOSE} lists a key with a strange id")
    return Key(
        id=key_id,
        state=KeyState.DISABLED if row.has("blocked") and row.flag("blocked") else KeyState.ENABLED,
        mark=row.label("key_alias") or None,
        created_at=row.time("created_at"),
        last_used_at=row.time("last_active"),
        expires_at=row.time("expires"),
        hint=row.label("key_name"),
        grant=row.labels("models") or (ALL_MODELS,),
    )


def _refused(answer: Fields) -> Verdict:
    """What a 401 says: unknown and expired keys are dead, a blocked one is not, and another reason is not the key's."""
    error = answer.fields("error")
    if error.label("type") in (UNKNOWN, "expired_key"):
        return Verdict.INVALID
    if "Key is blocked" in error.label("message"):
        return Verdict.NOT_YET
    raise Transient(f"{WHOSE} refuses a key for a reason that is not its own", "see that its team is not blocked")


def _meaning(status: int, body: Any) -> Failure | None:
    error = body.get("error") if isinstance(body, dict) else None
    said = str(error.get("message") if isinstance(error, dict) else error)
    if status == 400 and "Unique key aliases" in said:
        return Conflict("a key with this alias exists already")
    if status == 403 and "Custom API key values are disabled" in said:
        hint = "set disable_custom_api_keys: false in the proxy's general_settings"
        return Permanent("the proxy takes no values of our choosing", hint)
    return None
