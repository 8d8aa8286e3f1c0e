"""OpenAI's keys of one service account, and the admin keys of an organisation.

    openai: {driver: openai, admin: file:/run/secrets/openai-admin, project: proj_abc}
    principal: {service_account: svc_1}                 # several keys of one account; project: where it is another one
    principal: {kind: admin}                            # the organisation's admin keys, all of them

The account stays, with its role and its bindings; only its keys change. What is known, and from where:

- Mint, list, change and delete: https://developers.openai.com/api/docs/guides/api-keys and the openai SDK 3.57
  (`admin.organization.projects.service_accounts.api_keys`, `.api_keys`). The vendor's description of the API is older:
  it has no change of a key, and says of a deletion that keys of service accounts are refused, where SDK and reference
  say that they are deleted. Not tried on the real service.
- No key can be disabled. Its end can be brought near, counted from the request, and an ended key cannot be changed any
  more; so `DISABLED` is an end in a second, which holds even if nobody comes back to delete the key.
- The list leaves keys out unless it is asked for owners of every state (`owner_project_access=any`). It does not tell
  scopes. Whether it still shows ended keys is not documented; both are understood.
- 401 is not only "no such key": a living key that lacks a scope gets it too, with "Missing scopes" and no code (seen in
  https://github.com/microsoft/PowerToys/issues/32989, and in the vendor's forum also out of nothing), and so does every
  key from an address that is not allowed (https://platform.openai.com/docs/guides/error-codes). Only the code
  `invalid_api_key` counts as a death; that keys that ended or were deleted get it is assumed.
- 403 is an authentic key's, but where the country is what is refused.
- An empty list of scopes would mean every permission, so it is never sent. An organisation may demand that keys end:
  `needs.expires` says when, within 365 days.
- How long a change takes to reach every server, how often the API may be asked, how many keys an account may have, and
  how late `last_used_at` comes is not documented; the windows below are assumptions and settings.
- Who made what is read from the organisation's audit log (`/organization/audit_logs`, newest first as the vendor's
  example shows it), which somebody must have switched on before: https://help.openai.com/en/articles/9687866. It names
  a key by its "tracking ID", taken here for the id that the list of keys has; not confirmed.
- A list of keys names their owner, which is told as who made them.
- Where a person finds the admin keys in the console: from memory, not checked.
- Least permission: "Organization Administration: Write" of a restricted admin key (https://docs.doppler.com/docs/openai);
  reading alone is what `check_admin` can find out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from rotator.sdk import (
    OVERLAP,
    Capabilities,
    Disabling,
    Key,
    KeyState,
    Made,
    MadeKind,
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
from rotator.sdk.http import Answer, BaseUrl, Client, admin_bearer, bearer, path

NAME = "openai"
API = "https://api.openai.com/v1"
PERMISSION = "Organization Administration: Write (api.management.write)"
CONSOLE = "https://platform.openai.com/api-keys"
ADMIN_CONSOLE = "https://platform.openai.com/settings/organization/admin-keys"
PAGE = "100"
MOST_PAGES = 1_000
LONGEST_LIFE = timedelta(days=365)
NO_SUCH_KEY = "invalid_api_key"
LACKS_SCOPES = "Missing scopes"
COUNTRY = "unsupported_country_region_territory"
"""The one known 403 that speaks of the caller and not of the key."""


MADE = {
    "api_key.created": MadeKind.KEY,
    "tenant.admin_api_key.created": MadeKind.KEY,
    "tenant.project_api_key.created": MadeKind.KEY,
    "service_account.created": MadeKind.SERVICE_ACCOUNT,
    "user.added": MadeKind.USER,
    "tenant.user.added": MadeKind.USER,
    "invite.sent": MadeKind.INVITATION,
    "tenant.user.invited": MadeKind.INVITATION,
    "role.created": MadeKind.ROLE,
    "role.assignment.created": MadeKind.ROLE,
    "tenant.custom_role.created": MadeKind.ROLE,
    "workload_identity_provider.created": MadeKind.FEDERATION,
    "workload_identity_provider_mapping.created": MadeKind.FEDERATION,
    "tenant.workload_identity.provider.created": MadeKind.FEDERATION,
    "tenant.workload_identity.mapping.created": MadeKind.FEDERATION,
    "tenant.sso_connection.created": MadeKind.FEDERATION,
    "scim.enabled": MadeKind.FEDERATION,
    "certificate.created": MadeKind.OTHER,
    "external_key.registered": MadeKind.OTHER,
    "project.created": MadeKind.OTHER,
    "tunnel.created": MadeKind.OTHER,
    "user.updated": MadeKind.CHANGE,
    "role.updated": MadeKind.CHANGE,
    "api_key.updated": MadeKind.CHANGE,
    "service_account.updated": MadeKind.CHANGE,
    "workload_identity_provider.updated": MadeKind.CHANGE,
    "workload_identity_provider_mapping.updated": MadeKind.CHANGE,
}
"""Events of the audit log (as the vendor's OpenAPI description has them) after which there may be a way back in."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a principal's keys are: paths in segments, and whose they are; `account` is None for admin keys."""

    keys: tuple[str, ...]
    minted: tuple[str, ...]
    used: str  # what a key of it may ask without changing anything
    account: tuple[str, ...] | None = None

    @classmethod
    def of(cls, principal: Principal, project: str | None) -> Self:
        """By the principal's own words. Raises `Permanent`."""
        read = Settings(principal.settings)
        try:
            kind = read.choice("kind", ("service_account", "admin"), "service_account")
            if kind == "admin":
                read.finish()
                admin = ("organization", "admin_api_keys")
                return cls(keys=admin, minted=admin, used=path(*admin, limit="1"))
            within = ("organization", "projects", read.text("project", project))
            account = (*within, "service_accounts", read.text("service_account"))
            read.finish()
        except SettingsError as wrong:
            raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
        return cls(keys=(*within, "api_keys"), minted=(*account, "api_keys"), used="/models", account=account)

    def holds(self, row: Fields) -> bool:
        """Whether a listed key is the principal's."""
        if self.account is None:
            return True
        owner = row.fields("owner")
        return owner.has("service_account") and owner.fields("service_account").text("id") == self.account[-1]


class OpenAi:
    """One organisation with an admin key; a `Provider`."""

    def __init__(self, client: Client, project: str | None, offers: Capabilities) -> None:
        self._client = client
        self._project = project
        self._offers = offers

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings)
        base_url = read.text("base_url", API)
        project = read.text("project") if read.has("project") else None
        offers = Capabilities(
            strategy=OVERLAP,
            expiry=True,
            usage=True,
            trail=True,
            propagation=read.duration("propagation", timedelta(minutes=2)),
            death_window=read.duration("death_window", timedelta(minutes=5)),
            list_lag=read.duration("list_lag", timedelta(minutes=1)),
            least_permission=PERMISSION,
        )
        read.finish()
        headers = admin_bearer(name, admin)
        return cls(Client(base_url, timeout=timeout, headers=headers, permission=PERMISSION), project, offers)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The API alone. Raises `SettingsError`."""
        return Reach(hosts=(BaseUrl.parse(Settings(settings).text("base_url", API)).name,))

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """An admin key's end cannot be brought near, and it takes no scopes."""
        home = self._home(principal)
        ordinary = home.account is not None
        url = self._client.base.text + home.used
        return replace(
            self._offers,
            disabling=Disabling.EXPIRY if ordinary else Disabling.NONE,
            scopes=ordinary,
            probe=Probe(url=url, invalid_word=NO_SUCH_KEY, forbidden_word=LACKS_SCOPES),
            console_url=CONSOLE if ordinary else ADMIN_CONSOLE,
        )

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """One POST. The mark is the key's name."""
        home = self._home(principal)
        answer = self._client.mint(path(*home.minted), _wish(home, request), expect=(200,))
        with after_mint():
            made = Fields.of(answer.body, NAME)
            value = Secret({"secret": made.secret("value")})
            return Minted(key_id=made.text("id"), value=value, created_at=made.unix("created_at"))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """Every page of the project's keys, and of those the account's own."""
        home, now = self._home(principal), datetime.now(UTC)
        return tuple(_key(row, now) for row in self._rows(home) if home.holds(row))

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """A list of models, for an admin key of one admin key; either may count as a use."""
        shown = bearer(value.reveal("secret"))
        return _verdict(self._client.get(self._home(principal).used, headers=shown, expect=(200, 401, 403)))

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """OpenAI does not tell."""
        return None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """Disabled again, a key ends a second after the last request. A 404 is a key that is gone."""
        home = self._home(principal)
        target = path(*home.keys, key_id)
        if state is KeyState.DELETED:
            self._delete(target)
        elif home.account is None:
            raise Permanent("openai cannot disable an admin key", "delete the key")
        elif state is KeyState.DISABLED:
            self._end(target)
        elif self._client.get(target, expect=(200, 404)).status == 200:
            raise Permanent("openai cannot enable a key whose end has come", "mint another one")

    def check_admin(self, principal: Principal) -> None:
        """The account is there and may do something, and its keys can be listed. Whether they can be written shows

        only when they are.
        """
        home = self._home(principal)
        if home.account is not None:
            account = Fields.of(self._client.get(path(*home.account)).body, NAME)
            if account.label("role") == "none":
                raise Permanent("the service account has no role in the project", "make it a member of the project")
        self._client.get(_page(home, limit="1"))

    def trail(self, principal: Principal, since: datetime) -> tuple[Made, ...]:
        """What the audit log tells, of the whole organisation; what a later event deleted is not there any more."""
        gone: set[str] = set()
        made = []
        for event in self._events(since):
            kind = event.text("type")
            what = event.fields(kind) if event.has(kind) else None
            if what is None or not what.has("id"):
                continue
            if kind.endswith((".deleted", ".archived")):
                gone.add(what.text("id"))
            elif kind in MADE:
                made.append(_made(event, MADE[kind], what, there=what.text("id") not in gone))
        return tuple(made)

    def _events(self, since: datetime) -> Iterator[Fields]:
        query = {"limit": PAGE}
        for _ in range(MOST_PAGES):
            page = Fields.of(self._client.get(path("organization", "audit_logs", **query)).body, NAME)
            rows = page.rows("data")
            recent = [row for row in rows if (row.unix("effective_at") or since) >= since]
            yield from recent
            if not page.flag("has_more") or not recent:
                return
            query["after"] = rows[-1].text("id")
        raise Transient("openai's audit log does not end")

    # -- what is asked -------------------------------------------------------------------------------------------------

    def _home(self, principal: Principal) -> Home:
        return Home.of(principal, self._project)

    def _rows(self, home: Home) -> Iterator[Fields]:
        query = {"limit": PAGE}
        for _ in range(MOST_PAGES):
            page = Fields.of(self._client.get(_page(home, **query)).body, NAME)
            rows = page.rows("data")
            yield from rows
            if not page.flag("has_more"):
                return
            if not rows:
                break
            query["after"] = rows[-1].text("id")
        raise Transient("openai's list of keys does not end")

    def _delete(self, target: str) -> None:
        answer = self._client.send("DELETE", target, expect=(200, 404))
        if answer.status == 200 and not Fields.of(answer.body, NAME).flag("deleted"):
            raise Transient("openai did not delete the key")

    def _end(self, target: str) -> None:
        try:
            self._client.send("POST", target, {"expires_in_seconds": 1})
        except Permanent:  # said of a key that is gone, and of one that ended already
            if not self._is_over(target):
                raise

    def _is_over(self, target: str) -> bool:
        answer = self._client.get(target, expect=(200, 404))
        if answer.status == 404:
            return True
        ends = Fields.of(answer.body, NAME).unix("expires_at")
        return ends is not None and ends <= datetime.now(UTC) + self._offers.death_window


def _page(home: Home, **query: str) -> str:
    every = {} if home.account is None else {"owner_project_access": "any"}
    return path(*home.keys, **query, **every)


def _wish(home: Home, request: MintRequest) -> dict[str, Any]:
    wish: dict[str, Any] = {"name": request.mark}
    if request.scopes and home.account is not None:
        wish["scopes"] = list(request.scopes)
    if request.lifetime is not None:
        if not timedelta(seconds=1) <= request.lifetime <= LONGEST_LIFE:
            raise Permanent("openai makes no key that lives so long", "write needs.expires: 365d or less")
        wish["expires_in_seconds"] = int(request.lifetime.total_seconds())
    return wish


def _key(row: Fields, now: datetime) -> Key:
    ends = row.unix("expires_at")
    return Key(
        id=row.text("id"),
        state=KeyState.DISABLED if ends is not None and ends <= now else KeyState.ENABLED,
        mark=row.label("name") or None,
        created_at=row.unix("created_at"),
        created_by=_owner(row),
        last_used_at=row.unix("last_used_at"),
        expires_at=ends,
        hint=row.label("redacted_value"),
    )


def _owner(row: Fields) -> str:
    """Who the list says that a key is of: the account's id, or the person's address."""
    owner = row.fields("owner") if row.has("owner") else None
    if owner is None:
        return ""
    whose = next((owner.fields(each) for each in ("service_account", "user") if owner.has(each)), owner)
    return whose.label("email") or whose.label("id")


def _made(event: Fields, kind: MadeKind, what: Fields, *, there: bool) -> Made:
    data = next((what.fields(each) for each in ("data", "changes_requested") if what.has(each)), what)
    names = (what.label("role_name"), *(data.label(each) for each in ("name", "email", "role_name", "role")))
    if kind is MadeKind.CHANGE:
        names = (" ".join(each for each in (event.text("type"), *names) if each),)
    where = event.fields("project").label("name") or event.fields("project").label("id") if event.has("project") else ""
    return Made(
        kind=kind,
        id=what.text("id"),
        name=next((each for each in names if each), ""),
        where=where,
        at=event.unix("effective_at"),
        by=_actor(event.fields("actor")) if event.has("actor") else "",
        there=there,
    )


def _actor(actor: Fields) -> str:
    """Whose session it was, or which key was used and whose it is."""
    if actor.has("session"):
        session = actor.fields("session")
        user = session.fields("user") if session.has("user") else session
        return " from ".join(
            each for each in (user.label("email") or user.label("id"), session.label("ip_address")) if each
        )
    key = actor.fields("api_key") if actor.has("api_key") else actor
    return f"key {key.label('id')}" if key.label("id") else ""


def _verdict(answer: Answer) -> Verdict:
    if answer.status == 200:
        return Verdict.WORKS
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    code, message = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, error)
    if isinstance(message, str) and LACKS_SCOPES in message:
        return Verdict.FORBIDDEN
    if answer.status == 401 and code == NO_SUCH_KEY:
        return Verdict.INVALID
    if answer.status == 403 and code != COUNTRY:
        return Verdict.FORBIDDEN
    raise Transient(f"openai answered {answer.status} in words that say nothing of the key")
