"""OpenRouter's keys of one workspace.

    openrouter: {driver: openrouter, admin: file:/run/secrets/openrouter-management-key}
    principal: {}                                                        # the default workspace
    principal: {workspace: 0df9e665-…, limit: "50", limit_reset: monthly}   # what a new key may spend, in USD

What is known, and from where; nothing of it was tried on the real service:

- The API: https://openrouter.ai/docs/guides/overview/auth/management-api-keys.md and the vendor's description. The
  admin credential is a management key, which cannot be narrowed and makes no requests to models.
- A key's id is its `hash`. That it is the SHA-256 of the value is said of a filter of `/activity` alone and is to be
  checked; so `identify` asks whether there is a key with that id, and says nothing where there is none.
- A disabled, an ended and a deleted key are all answered 401 ("User not found.", for an ended one seen in
  https://github.com/OpenRouterTeam/docs/issues/5), so a death cannot be told from a key that was merely disabled;
  that a deleted one is gone the list says.
- An end is set when the key is made, by this machine's clock, and never changes; so is a limit, as far as we care:
  without `limit` a new key may spend all that the workspace has.
- The list shows the default workspace unless another one is named, and leaves disabled keys out unless it is asked for
  them. Its pages are by offset: what is deleted while it is read can hide another key until the next look.
- `last_used_at` is documented (https://openrouter.ai/docs/cookbook/administration/api-key-audit) and not in the older
  description. Only with `usage: true` does the rotator rely on it, and then a list without it is an error: what is not
  told must not look like a key that nobody uses.
- No cap, no rate and no time that a change takes to reach every server are documented; 429 is. The windows below are
  assumptions and settings.

The console's page: from memory, not checked.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from rotator.sdk import (
    OVERLAP,
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
    Verdict,
    format_time,
)
from rotator.sdk.answers import Fields, after_mint
from rotator.sdk.http import BaseUrl, Client, admin_bearer, bearer, path

NAME = "openrouter"
API = "https://openrouter.ai/api/v1"
PERMISSION = "a management key"
CONSOLE = "https://openrouter.ai/settings/keys"
MOST_PAGES = 1_000
VERDICTS = {200: Verdict.WORKS, 401: Verdict.INVALID, 403: Verdict.FORBIDDEN}


@dataclass(frozen=True, slots=True)
class Budget:
    """Where a principal's keys are and what a new one may spend, in the words of the API."""

    where: Mapping[str, str]
    spends: Mapping[str, Any]

    @classmethod
    def of(cls, principal: Principal) -> Self:
        """By the principal's own words. Raises `Permanent`."""
        read = Settings(principal.settings)
        try:
            where = {"workspace_id": read.text("workspace")} if read.has("workspace") else {}
            spends: dict[str, Any] = {"limit": _dollars(read.text("limit"))} if read.has("limit") else {}
            if read.has("limit_reset"):
                spends["limit_reset"] = read.choice("limit_reset", ("daily", "weekly", "monthly"))
            read.finish()
        except SettingsError as wrong:
            raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
        return cls(where, spends)


class OpenRouter:
    """One organisation with a management key; a `Provider`."""

    def __init__(self, client: Client, offers: Capabilities) -> None:
        self._client = client
        self._offers = offers

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings)
        client = Client(
            read.text("base_url", API), timeout=timeout, headers=admin_bearer(name, admin), permission=PERMISSION
        )
        offers = Capabilities(
            strategy=OVERLAP,
            disabling=Disabling.REVERSIBLE,
            expiry=True,
            usage=read.flag("usage", False),
            identifies=True,
            propagation=read.duration("propagation", timedelta(minutes=1)),
            death_window=read.duration("death_window", timedelta(minutes=2)),
            list_lag=read.duration("list_lag", timedelta(minutes=1)),
            probe=Probe(url=f"{client.base.text}/key"),
            least_permission=PERMISSION,
            console_url=CONSOLE,
        )
        read.finish()
        return cls(client, offers)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The API alone. Raises `SettingsError`."""
        return Reach(hosts=(BaseUrl.parse(Settings(settings).text("base_url", API)).name,))

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """The same for every principal."""
        return self._offers

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """One POST. The mark is the key's name."""
        budget = Budget.of(principal)
        wish = {"name": request.mark, **budget.where, **budget.spends}
        if request.lifetime is not None:
            wish["expires_at"] = format_time(datetime.now(UTC) + request.lifetime)
        answer = self._client.mint(path("keys"), wish, expect=(200, 201))
        with after_mint():
            made = Fields.of(answer.body, NAME)
            key = made.fields("data")
            value = Secret({"secret": made.secret("key")})
            return Minted(key_id=key.text("hash"), value=value, created_at=key.time("created_at"))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """Every page of the workspace's keys, the disabled ones too."""
        now = datetime.now(UTC)
        return tuple({key.id: key for row in self._rows(principal) for key in [self._key(row, now)]}.values())

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """What the key says of itself; whether that counts as a use of it is not documented."""
        shown = bearer(value.reveal("secret"))
        return VERDICTS[self._client.get(path("key"), headers=shown, expect=VERDICTS).status]

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """The SHA-256 of the value, if there is a key with that id."""
        key_id = hashlib.sha256(value.reveal("secret").encode()).hexdigest()
        return key_id if self._client.get(path("keys", key_id), expect=(200, 404)).status == 200 else None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """A 404 is a key that is gone."""
        target = path("keys", key_id)
        if state is not KeyState.DELETED:
            self._client.send("PATCH", target, {"disabled": state is KeyState.DISABLED}, expect=(200, 404))
            return
        answer = self._client.send("DELETE", target, expect=(200, 404))
        if answer.status == 200 and not Fields.of(answer.body, NAME).flag("deleted"):
            raise Transient("openrouter did not delete the key")

    def check_admin(self, principal: Principal) -> None:
        """One page of the list: a key that is no management key may not read it."""
        self._page(principal, 0)

    # -- what is asked -------------------------------------------------------------------------------------------------

    def _rows(self, principal: Principal) -> Iterator[Fields]:
        seen = 0
        for _ in range(MOST_PAGES):
            rows = self._page(principal, seen)
            if not rows:
                return
            yield from rows
            seen += len(rows)
        raise Transient("openrouter's list of keys does not end")

    def _page(self, principal: Principal, offset: int) -> tuple[Fields, ...]:
        query = {"include_disabled": "true", "offset": str(offset), **Budget.of(principal).where}
        return Fields.of(self._client.get(path("keys", **query)).body, NAME).rows("data")

    def _key(self, row: Fields, now: datetime) -> Key:
        if self._offers.usage and "last_used_at" not in row.members:
            raise Transient("openrouter does not tell when keys were last used", "write usage: false")
        ends = row.time("expires_at")
        ended = ends is not None and ends <= now
        return Key(
            id=row.text("hash"),
            state=KeyState.DISABLED if row.flag("disabled") or ended else KeyState.ENABLED,
            mark=row.label("name") or None,
            created_at=row.time("created_at"),
            last_used_at=row.time("last_used_at"),
            expires_at=ends,
            hint=row.label("label"),
        )


def _dollars(text: str) -> float:
    try:
        dollars = float(text)
    except ValueError:
        dollars = math.nan
    if not 0 <= dollars < math.inf:
        raise SettingsError("limit is no amount", 'write the most that a key may spend in USD, like limit: "50"')
    return dollars
