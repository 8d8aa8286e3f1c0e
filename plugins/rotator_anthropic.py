"""Keys of the Claude API, which a person makes in the Console and this driver lists, disables and archives.

    anthropic:
      driver: anthropic
      admin: file:/run/secrets/anthropic-admin     # an Admin API key, sk-ant-admin…
      workspace: wrkspc_01…                        # or in a credential's principal: {workspace: …, exclusive: true}
      base_url: https://api.anthropic.com
      propagation: 60s, death_window: 120s, list_lag: 30s

What the vendor says (https://platform.claude.com/docs/en/api/admin/api_keys, and version 2.14 of its Python SDK):

- There is no request that makes a key, and none that shows one's value again. The Console asks for kind, workspace and
  expiry, and none of them changes later.
- `status` is `active`, `inactive`, `archived`, or as listed `expired`. Nothing deletes: to archive is the end of a key.
  That it cannot be undone is not said there; by what others write it cannot, so nobody here tries.
- An Admin API key may do everything of the organisation's administration; no narrower permission is known. Individual
  accounts have none.
- A list knows no last use, no scopes, and of the value only `partial_key_hint`.
- Setting a key to active again may be refused because of a limit on keys, whose number is not given.

The pages show a key in `x-api-key` with version 2023-06-01, and so does this driver; the SDK shows it as a bearer token
with version 2026-10-21.

Not confirmed: how long a disabled key is accepted, and how long the list lags. The windows above are cautious guesses.

A key with few permissions may not list models: 403 with `permission_error` says that it lives
(https://github.com/archdex-art/CodeGraph/pull/18). Any other 403 speaks of the caller, and says nothing of the key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from rotator.sdk import (
    BY_HAND,
    Capabilities,
    Disabling,
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
    UnreadableError,
    Verdict,
    parse_time,
    quoted,
)
from rotator.sdk.http import Answer, BaseUrl, Client, bearer, path

HOST = "api.anthropic.com"
VERSION = {"anthropic-version": "2023-06-01"}
PERMISSION = "an Admin API key (sk-ant-admin…), made in the Console by an organisation's admin"
CONSOLE = "https://platform.claude.com/settings/keys"
PAGE, MOST_PAGES = 1_000, 100
LONGEST = 200
"""Characters of a name or hint that are kept."""
STATES = {
    "active": KeyState.ENABLED,
    "inactive": KeyState.DISABLED,
    "archived": KeyState.DELETED,
    "expired": KeyState.DELETED,  # refused for good
}
STATUS = {KeyState.ENABLED: "active", KeyState.DISABLED: "inactive", KeyState.DELETED: "archived"}
MAY_NOT = "permission_error"
ORGANIZATION = "organization"
"""The type of a scope that is no workspace's."""


class Anthropic:
    """One organisation with its Admin API key; a `Provider`."""

    def __init__(self, client: Client, offers: Capabilities, workspace: str | None) -> None:
        self._client = client
        self._offers = offers
        self._workspace = workspace

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings)
        base = BaseUrl.parse(read.text("base_url", f"https://{HOST}"))
        workspace = read.text("workspace") if read.has("workspace") else None
        offers = _offers(read, base)
        read.finish()
        try:
            headers = _key(admin)
        except Permanent as wrong:
            raise SettingsError(f"the admin credential of {name} fits into no header", wrong.hint) from None
        return cls(Client(base.text, timeout=timeout, headers=headers, permission=PERMISSION), offers, workspace)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The vendor's host, or that of `base_url`."""
        return Reach(hosts=(BaseUrl.parse(Settings(settings).text("base_url", f"https://{HOST}")).name,))

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """The same for every workspace."""
        return self._offers

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """Never: sends nothing."""
        raise Permanent("a person makes the keys of the Claude API", "hand one over with `rotator provide`")

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """Every page of the workspace's keys; archived and expired ones come as deleted."""
        workspace = self._of(principal)
        return tuple(_listed(row) for page in self._pages(workspace) for row in page if _belongs(row, workspace))

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """A list of models, which costs nothing."""
        target, headers = path("v1", "models", limit="1"), _key(value.reveal("secret"))
        return _verdict(self._client.get(target, headers=headers, expect=(200, 401, 403)))

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """The vendor does not tell; the hint in its list is no identity."""
        return None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """One status. A key that is archived already stays so; one that is gone needs nothing."""
        self._of(principal)
        answer = self._client.send("POST", _target(key_id), {"status": STATUS[state]}, expect=(200, 400, 404))
        if answer.status != 400:
            return
        known = self._client.get(_target(key_id), expect=(200, 404))
        if known.status == 200 and _state(known.body) is not KeyState.DELETED:
            hint = "its Console says why; to enable one may exceed the limit on keys"
            raise Permanent(f"the Claude API does not make {quoted(key_id)} {STATUS[state]}", hint)

    def check_admin(self, principal: Principal) -> None:
        """Which organisation it is, and one key of the list. Nothing is changed."""
        self._of(principal)
        self._client.get(path("v1", "organizations", "me"))
        self._client.get(path("v1", "organizations", "api_keys", limit="1"))

    # -- looking -------------------------------------------------------------------------------------------------------

    def _of(self, principal: Principal) -> str:
        try:
            read = Settings(principal.settings, ("workspace",))
            if read.has("workspace") or self._workspace:
                return read.text("workspace", self._workspace)
        except SettingsError as wrong:
            raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
        # all keys of an organisation are nobody's in particular
        raise Permanent("the principal names no workspace", "write principal: {workspace: wrkspc_…}")

    def _pages(self, workspace: str) -> Iterator[list[Any]]:
        query = {"limit": str(PAGE), "workspace_id": workspace}
        for _ in range(MOST_PAGES):
            body = self._client.get(path("v1", "organizations", "api_keys", **query)).body
            rows = _member(body, "data")
            if not isinstance(rows, list):
                raise Transient("the Claude API lists keys in another form")
            yield rows
            more = _member(body, "has_more")
            if not isinstance(more, bool):
                raise Transient("the Claude API lists keys in another form")
            if not more:
                return
            query = {**query, "after_id": _text(body, "last_id")}
        raise Transient("the Claude API's list of keys does not end")


def _offers(read: Settings, base: BaseUrl) -> Capabilities:
    probe = Probe(
        url=f"{base.text}/v1/models?limit=1",
        header="x-api-key",
        template="{secret}",
        forbidden_word=MAY_NOT,
        headers=VERSION,
    )
    return Capabilities(
        strategy=BY_HAND,
        disabling=Disabling.REVERSIBLE,
        propagation=read.duration("propagation", timedelta(seconds=60)),
        death_window=read.duration("death_window", timedelta(seconds=120)),
        list_lag=read.duration("list_lag", timedelta(seconds=30)),
        probe=probe,
        least_permission=PERMISSION,
        console_url=CONSOLE,
    )


def _key(text: str) -> dict[str, str]:
    """The headers that show a key. Raises `Permanent` for a text that fits into none."""
    bearer(text)
    return {"x-api-key": text, **VERSION}


def _target(key_id: str) -> str:
    return path("v1", "organizations", "api_keys", key_id)


# -- what comes back ---------------------------------------------------------------------------------------------------


def _verdict(answer: Answer) -> Verdict:
    if answer.status != 403:
        return Verdict.WORKS if answer.status == 200 else Verdict.INVALID
    if _member(_member(answer.body, "error"), "type") == MAY_NOT:
        return Verdict.FORBIDDEN
    raise Transient("the Claude API answered 403 in words that say nothing of the key")


def _belongs(row: Any, workspace: str) -> bool:
    """Whether it says so itself: what the filter lets through by mistake must not die here.

    Raises `Transient` for a key that says neither which workspace it is of, nor that it is of none.
    """
    scope = _member(row, "scope")
    told = [each["workspace_id"] for each in (scope, row) if isinstance(each, dict) and "workspace_id" in each]
    if not told and _member(scope, "type") != ORGANIZATION:
        raise Transient("the Claude API lists a key and not whose workspace it is in")
    return next((each for each in told if each is not None), None) == workspace


def _listed(row: Any) -> Key:
    return Key(
        id=_text(row, "id"),
        state=_state(row),
        created_at=_instant(row, "created_at"),
        created_by=_said(_member(row, "created_by"), "id")[:LONGEST],
        expires_at=_instant(row, "expires_at"),
        hint=" ".join(each[:LONGEST] for each in (_said(row, "name"), _said(row, "partial_key_hint")) if each),
    )


def _state(row: Any) -> KeyState:
    found = STATES.get(_text(row, "status"))
    if found is None:
        raise Transient("the Claude API lists a key in an unknown state")
    return found


def _said(row: Any, name: str) -> str:
    text = _member(row, name)
    return "".join(each if each.isprintable() else "?" for each in text) if isinstance(text, str) else ""


def _member(body: Any, name: str) -> Any:
    return body.get(name) if isinstance(body, dict) else None


def _text(body: Any, name: str) -> str:
    text = _member(body, name)
    if not isinstance(text, str) or not text or len(text) > LONGEST or not text.isprintable():
        raise Transient(f"the Claude API answered without {name}")
    return text


def _instant(body: Any, name: str) -> datetime | None:
    if _member(body, name) is None:
        return None
    text = _text(body, name)
    try:
        return parse_time(text)
    except UnreadableError:
        pass  # raised below: beneath this handler the error would carry what was read as its context
    raise Transient(f"the Claude API answered with a strange {name}")
