"""API keys of a Langfuse project: pairs of a public and a secret key, both of our own choosing.

    traces:
      driver: langfuse
      base_url: https://cloud.langfuse.com       # the default
      public_key: pk-lf-…                        # of an organization's key, whose secret key is the admin credential
      admin: file:/run/secrets/langfuse-admin

A credential's principal is `project`, by its id. Its parts are `{public}` and `{secret}`; publish both in one place, so
that nobody reads a half of each.

Read in the OpenAPI description (https://cloud.langfuse.com/generated/api/openapi.yml), in the server's source as of
2026-08 (https://github.com/langfuse/langfuse, web/src/ee/features/admin-api and web/src/features/public-api), and in
https://langfuse.com/self-hosting/configuration/caching; not tried on a running server:

- The description says that a mint answers 200, the server answers 201.
- A key is looked up by the hash of its secret alone: any public key beside it is accepted.
- Redis keeps an accepted key for 300 s, and every use prolongs that. A deletion drops it there first and deletes then:
  a use in between is kept again, for as long as the key is used without a pause of 300 s. Hence the death window, which
  our own looks must not fill. A refused value is kept in the same way.
- `lastUsedAt` is listed, but nothing in the server writes it: there is no usage. `expiresAt` is set in the console.
- To an organization's key the project is forbidden, with a message that asks whether it is one: authentic. Whoever
  knows the secret of a project's pair is never forbidden to see it, so another 403 tells nothing of the pair.
- There is no probe: no header of ours can be formed from two parts in Base64.
- A deletion in a project that is not the organization's is a 404 too; it is told apart by its message.
- The whole list comes at once. An organization's key needs a plan with the entitlement `admin-api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self

from rotator.sdk import (
    CHOSEN_VALUE,
    Capabilities,
    Key,
    KeyState,
    Minted,
    MintRequest,
    Permanent,
    Principal,
    Reach,
    Secret,
    Settings,
    SettingsError,
    Transient,
    Verdict,
)
from rotator.sdk.answers import Fields, after_mint
from rotator.sdk.http import BaseUrl, Client, basic, path

CLOUD = "https://cloud.langfuse.com"
PERMISSION = "an API key of the Langfuse organization that the project belongs to (Organization Settings, API Keys)"
VERDICTS = {200: Verdict.WORKS, 401: Verdict.INVALID}
ANOTHERS = "organization key"  # in the message that forbids an organization's key
DEATH_WINDOW = timedelta(seconds=360)  # longer than the cache's time to live, so that a look does not prolong it
SHOWN = 4  # characters at a secret key's end that the list shows
SETTINGS = ("base_url", "public_key", "propagation", "death_window", "list_lag")


class Langfuse:
    """One server with one organization's key; a `Provider`."""

    def __init__(self, client: Client, offers: Capabilities) -> None:
        self._client = client
        self._offers = offers

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings, SETTINGS)
        base_url, public_key = read.text("base_url", CLOUD), read.text("public_key")
        if not public_key.startswith("pk-lf-"):
            raise SettingsError("public_key is no public key", "write the pk-lf-… of the organization's key")
        try:
            headers = basic(public_key, admin)
        except Permanent as wrong:
            raise SettingsError(f"the admin credential of {name} fits into no header", wrong.hint) from None
        client = Client(base_url, timeout=timeout, headers=headers, permission=PERMISSION)
        return cls(client, _offers(read, client.base))

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The host of `base_url`."""
        return Reach(hosts=(BaseUrl.parse(Settings(settings, SETTINGS).text("base_url", CLOUD)).name,))

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """The same for every principal."""
        return self._offers

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """One POST with our pair, and our mark as its note."""
        if request.chosen is None:
            raise Permanent("langfuse was given no pair to make a key of", "the strategy is chosen-value")
        wish = {
            "note": request.mark,
            "publicKey": request.chosen.reveal("public"),
            "secretKey": request.chosen.reveal("secret"),
        }
        answer = self._client.mint(_keys_of(principal), wish, expect=(200, 201))
        with after_mint():
            made = Fields.of(answer.body, "langfuse")
            if any(made.secret(name) != wish[name] for name in ("publicKey", "secretKey")):
                raise Transient("langfuse made another key than it was asked for")
            return Minted(key_id=made.text("id"), value=request.chosen, created_at=made.time("createdAt"))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """One list of all."""
        return tuple(_key(row) for row in self._rows(principal))

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """One look at the project that the pair belongs to."""
        shown = basic(value.reveal("public"), value.reveal("secret"))
        answer = self._client.get("/api/public/projects", headers=shown, expect=(*VERDICTS, 403))
        if answer.status in VERDICTS:
            return VERDICTS[answer.status]
        if ANOTHERS in Fields.of(answer.body, "langfuse").label("message"):
            return Verdict.FORBIDDEN
        raise Transient("langfuse forbids a look at the pair's own project", "see what stands before it")

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """The key with this public key, if the pair is accepted and the secret key ends as the list shows."""
        if not self.verify(principal, value).authentic:
            return None
        end = value.reveal("secret")[-SHOWN:]
        for row in self._rows(principal):
            if row.text("publicKey") == value.reveal("public") and row.label("displaySecretKey").endswith(end):
                return row.text("id")
        return None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """One DELETE; 404 for a key that is gone."""
        if state is not KeyState.DELETED:
            raise Permanent("langfuse has no disabled keys", "delete the key")
        answer = self._client.send("DELETE", _keys_of(principal, key_id), expect=(200, 404))
        said = Fields.of(answer.body, "langfuse")
        if answer.status == 200 and not said.flag("success"):
            raise Transient("langfuse did not delete the key")
        if answer.status == 404 and "Project" in said.label("message"):
            raise Permanent("the organization has no such project", "write principal: {project: ID} as langfuse has it")

    def check_admin(self, principal: Principal) -> None:
        """The list, for which the server asks the same as for a mint."""
        self._rows(principal)

    def _rows(self, principal: Principal) -> tuple[Fields, ...]:
        return Fields.of(self._client.get(_keys_of(principal)).body, "langfuse").rows("apiKeys")


def _offers(read: Settings, base: BaseUrl) -> Capabilities:
    return Capabilities(
        strategy=CHOSEN_VALUE,
        parts=("public", "secret"),
        forms={"public": "pk-lf-{value}", "secret": "sk-lf-{value}"},
        identifies=True,
        propagation=read.duration("propagation", timedelta(seconds=60)),
        death_window=read.duration("death_window", DEATH_WINDOW),
        list_lag=read.duration("list_lag", timedelta(seconds=30)),
        least_permission=PERMISSION,
        console_url=base.text,
    )


def _keys_of(principal: Principal, *key_id: str) -> str:
    try:
        project = Settings(principal.settings, ("project",)).text("project")
    except SettingsError as wrong:
        raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
    return path("api", "public", "projects", project, "apiKeys", *key_id)


def _key(row: Fields) -> Key:
    return Key(
        id=row.text("id"),
        state=KeyState.ENABLED,
        mark=row.label("note") or None,
        created_at=row.time("createdAt"),
        last_used_at=row.time("lastUsedAt"),
        expires_at=row.time("expiresAt"),
        hint=row.label("displaySecretKey"),
    )
