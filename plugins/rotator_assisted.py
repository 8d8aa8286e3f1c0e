"""Keys of a provider that has no API for keys: a person makes each one and deletes it, this driver tries it.

    groq: {driver: assisted, admin: none, vendor: groq}
    acme:
      driver: assisted
      admin: none                                  # there is nothing that one could do
      base_url: https://api.acme.example
      verify:
        path: /v1/me                               # a GET that changes nothing
        header: Authorization
        template: "Bearer {secret}"
        works: [200]
        forbidden: [403]                           # it lives, and may not do this
        invalid: [401]                             # "no such key", and nothing else
        headers: {acme-version: "2026-01"}         # besides, without a secret
      console_url: https://acme.example/keys
      instructions: choose a project key, and read only   # shown with what is to be made
      propagation: 60s, death_window: 120s

`vendor` gives all of this; what is written besides replaces it. No vendor is known to answer 403 to living keys
alone, and some do so to a throttled caller or a country: it is taken for nothing until you write `forbidden: [403]`.
Where the vendors' facts are from, and how sure:

- groq: `GET /openai/v1/models` (https://console.groq.com/docs/api-reference#models): documentation alone.
- cohere: `GET /v1/models` (https://docs.cohere.com/reference/list-models): documentation alone. Its
  `POST /v1/check-api-key` would be more to the point, and cannot be asked by a plain GET.
- huggingface: `GET /api/whoami-v2`, as its own client asks; 401 for a wrong token was seen in others' logs.
- github: `GET /user` (https://docs.github.com/rest/users/users#get-the-authenticated-user): 401 "Bad credentials" was
  seen in others' logs. A fine-grained token dies at the latest after a year.
- npm: `GET /-/whoami`, what its client's `npm whoami` asks: documentation alone. Write `base_url`: the registry that
  the token is for.
- stripe: `GET /v1/balance` (https://docs.stripe.com/api/balance/balance_retrieve): documentation alone; a restricted
  key without that permission is answered 403. A key that is rolled with a delay lives until its end.

How long any of them accepts a deleted key is said nowhere: the windows are guesses on the safe side.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self

from rotator.sdk import (
    BY_HAND,
    Capabilities,
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
    Verdict,
)
from rotator.sdk.http import BaseUrl, Client, bearer

VERIFY = ("path", "header", "template", "works", "forbidden", "invalid", "headers")
NOBODY = ("a person makes and deletes the keys of this provider", "hand one over with `rotator provide`")


def _vendor(base_url: str, path: str, console_url: str) -> dict[str, Any]:
    return {"base_url": base_url, "verify": {"path": path, "forbidden": []}, "console_url": console_url}


VENDORS = {
    "groq": _vendor("https://api.groq.com", "/openai/v1/models", "https://console.groq.com/keys"),
    "cohere": _vendor("https://api.cohere.com", "/v1/models?page_size=1", "https://dashboard.cohere.com/api-keys"),
    "huggingface": _vendor("https://huggingface.co", "/api/whoami-v2", "https://huggingface.co/settings/tokens"),
    "github": _vendor("https://api.github.com", "/user", "https://github.com/settings/personal-access-tokens"),
    "npm": {"verify": {"path": "/-/whoami", "forbidden": []}, "console_url": "the registry's site, Access Tokens"},
    "stripe": _vendor("https://api.stripe.com", "/v1/balance", "https://dashboard.stripe.com/apikeys"),
}


class Assisted:
    """One provider that knows keys only when they are shown; a `Provider`."""

    def __init__(self, client: Client, offers: Capabilities, probe: Probe, target: str, alive: tuple[int, ...]) -> None:
        self._client = client
        self._offers = offers
        self._probe = probe
        self._target = target
        self._alive = alive  # statuses of keys that live and may not do this

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        if admin:
            raise SettingsError(f"{name} has no use for an admin credential", "write admin: none")
        read = Settings(_with_vendor(settings))
        base = BaseUrl.parse(read.text("base_url"))
        target, probe, alive = _verify(read.table("verify", VERIFY), base)
        offers = _offers(read, probe)
        read.finish()
        return cls(Client(base.text, timeout=timeout), offers, probe, target, alive)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The vendor's host, or that of `base_url`."""
        return Reach(hosts=(BaseUrl.parse(Settings(_with_vendor(settings)).text("base_url")).name,))

    def capabilities(self, principal: Principal) -> Capabilities:
        """Nothing but trying a key."""
        return self._offers

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """Never: sends nothing."""
        raise Permanent(*NOBODY)

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """None: there is no list."""
        return ()

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """The one request that there is, by the key's own right."""
        text = self._probe.template.replace("{secret}", value.reveal("secret"))
        bearer(text)  # or it fits into no header
        headers = {**self._probe.headers, self._probe.header: text}
        known = {**dict.fromkeys(self._probe.invalid, Verdict.INVALID), **dict.fromkeys(self._alive, Verdict.FORBIDDEN)}
        expect = {*self._probe.works, *known}
        return known.get(self._client.get(self._target, headers=headers, expect=expect).status, Verdict.WORKS)

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """None: no key has an id."""
        return None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """Never: sends nothing."""
        raise Permanent(*NOBODY)

    def check_admin(self, principal: Principal) -> None:
        """There is none to be checked."""


def _with_vendor(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings upon those of the vendor that they name. Raises `SettingsError`."""
    if settings.get("vendor") is None:
        return dict(settings)
    preset = Settings({"vendor": settings["vendor"]}).choice("vendor", VENDORS)
    own = {name: given for name, given in settings.items() if name != "vendor" and given is not None}
    if isinstance(own.get("verify"), Mapping):
        own["verify"] = {**preset["verify"], **own["verify"]}
    return {**preset, **own}


def _verify(read: Settings, base: BaseUrl) -> tuple[str, Probe, tuple[int, ...]]:
    """The path that is asked, the engine's own probe, and the statuses of a key that lives and may not do this."""
    target, template = read.text("path"), read.text("template", "Bearer {secret}")
    if not target.startswith("/"):
        raise SettingsError("verify.path does not begin with /", "write it like /v1/me")
    if "{secret}" not in template:
        raise SettingsError("verify.template has no place for the key", 'write it like "Bearer {secret}"')
    works, alive, invalid = (
        _statuses(read, "works", (200,)),
        _statuses(read, "forbidden", (403,)),
        _statuses(read, "invalid", (401,)),
    )
    if not works or not invalid or len({*works, *alive, *invalid}) < len(works) + len(alive) + len(invalid):
        raise SettingsError("verify does not tell a living key from a dead one", "give each status one meaning")
    probe = Probe(
        url=base.text + target,
        header=read.text("header", "Authorization"),
        template=template,
        works=(*works, *alive),
        invalid=invalid,
        headers=_headers(read),
    )
    return target, probe, alive


def _statuses(read: Settings, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    found = read.wholes(name, default)
    if any(each == 429 or not 200 <= each < 500 for each in found):
        raise SettingsError(f"verify.{name} holds what says nothing of a key", "write statuses from 200 to 499, no 429")
    return found


def _headers(read: Settings) -> dict[str, str]:
    if not read.has("headers"):
        return {}
    table = read.named_texts("headers")
    for text in table.values():
        _refuse_unsendable(text)
    return table


def _refuse_unsendable(text: str) -> None:
    try:
        bearer(text)
    except Permanent:
        pass  # raised below, in the words of a config
    else:
        return
    raise SettingsError("verify.headers holds what fits into no header", "write one line of plain text")


def _offers(read: Settings, probe: Probe) -> Capabilities:
    console = read.text("console_url") if read.has("console_url") else ""
    more = read.text("instructions") if read.has("instructions") else ""
    return Capabilities(
        strategy=BY_HAND,
        lists=False,
        deletes=False,
        propagation=read.duration("propagation", timedelta(seconds=60)),
        death_window=read.duration("death_window", timedelta(seconds=120)),
        list_lag=timedelta(0),
        probe=probe,
        least_permission="none: a person makes and deletes its keys",
        console_url=f"{console} ({more})" if console and more else console or more,
    )
