"""The driver: requests of a description, sent with one admin credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from rotator.sdk import (
    Ambiguous,
    Capabilities,
    Conflict,
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
from rotator.sdk.http import Answer, BaseUrl, Client

from .description import LOCATION, MARK, WINDOWS, Description, Minting, read_description
from .listing import look
from .outcomes import GONE, SUCCESS, refusal
from .pointers import identifier, instant, pointed
from .requests import Request
from .templates import Names

OURS = ("description", "base_url", "use_url", "cap", *WINDOWS)
LONGEST = 16_384
"""Characters of one part of a value."""
VERDICTS = {
    "works": Verdict.WORKS,
    "forbidden": Verdict.FORBIDDEN,
    "not_yet": Verdict.NOT_YET,
    "invalid": Verdict.INVALID,
}


class Rest:
    """One account at an API; a `Provider`."""

    def __init__(
        self, client: Client, using: Client, description: Description, settings: Mapping[str, str], admin: str
    ) -> None:
        """`using`: where keys are used, which the admin credential never sees."""
        self._client = client
        self._using = using
        self._description = description
        self._settings = settings
        self._admin = description.auth.headers({**settings, "admin": admin})

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        description = read_description(settings.get("description"))
        read = Settings(settings)
        own = _own(read, description)
        base_url = read.text("base_url", description.base_url)
        use_url = read.text("use_url", description.use_url or base_url)
        described = replace(description, offers=_offers(read, description.offers))
        read.tree("description")
        read.finish()
        client = Client(
            base_url,
            timeout=timeout,
            permission=described.offers.least_permission,
            hide=(admin,),
            plain=True,
        )
        try:
            return cls(client, Client(use_url, timeout=timeout, hide=(admin,), plain=True), described, own, admin)
        except Permanent as wrong:
            hint = wrong.hint
        raise SettingsError(f"the admin credential of {name} fits into no header", hint)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The host of the base URL, and that where keys are used."""
        table = settings.get("description")
        described = table if isinstance(table, Mapping) else {}
        read = Settings(settings)
        base_url = read.text("base_url", described.get("base_url"))
        use_url = read.text("use_url", described.get("use_url") or base_url)
        return Reach(hosts=tuple(dict.fromkeys(BaseUrl.parse(each).name for each in (base_url, use_url))))

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """As described. Raises `Permanent` for a principal that lacks a word which the description mentions."""
        names = self._names(principal)
        lacking = sorted(each for each in self._description.mentions if "." in each and each not in names)
        if lacking:
            word = lacking[0].partition(".")[2]
            raise Permanent(f"the principal says no {word}", f"write principal: {{{word}: …}}")
        return replace(self._description.offers, probe=self._probe(names))

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """One request, and none where a person mints."""
        minting = self._description.mint
        if minting is None:
            raise Permanent("a person makes the keys of this API", "hand one over with `rotator provide`")
        if minting.forms and request.chosen is None:
            raise Permanent("the value of this key must be chosen before it is made")
        chosen = request.chosen.parts() if request.chosen is not None and minting.forms else {}
        names = {**self._names(principal, **chosen), **_wish(request), **_ends(request.lifetime)}
        sent = minting.request

        def certain(answer: Answer) -> bool:
            # of its own failures a server knows not whether they came before the key or after it
            return answer.status < 500 and sent.outcomes.known(answer)

        answer = self._client.mint(
            sent.path.fill(names),
            sent.content(names),
            method=sent.method,
            headers={**sent.more_headers(names), **self._admin},
            expect=certain,
        )
        word = sent.outcomes.of(answer)
        if word != SUCCESS:
            raise refusal(str(word), self._client.base.name, self._description.offers.least_permission)
        return _minted(minting, answer, request)

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """Every page, and where the description has it a request for each key."""
        names = self._names(principal)
        return tuple(look(self._description.listing, self._client.base, names, self._ask))

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """One request with the value. What the description does not know says nothing of a key."""
        sent = self._description.verify
        answer = self._show(sent, principal, value)
        word = sent.outcomes.of(answer)
        if word is None:
            message = f"{self._using.base.name} answered {answer.status}, which says nothing of the key"
            raise Transient(message, "if it means something, say what beneath verify: of the description")
        return VERDICTS[word]

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """The id that the API tells for the value; None where the description has no such request."""
        if self._description.identify is None:
            return None
        sent, at = self._description.identify
        answer = self._show(sent, principal, value)
        word = sent.outcomes.of(answer)
        if word is None:
            raise Transient(f"{self._using.base.name} answered {answer.status}, which names no key")
        found = pointed(answer.body, at) if word == SUCCESS else None
        return None if found is None else identifier(found)

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """One request; of a key that is gone the API says so, and that is all right."""
        described = self._description
        match state:
            case KeyState.DELETED:
                sent: Request | None = described.delete
            case KeyState.DISABLED:
                sent = described.disable
            case _:
                sent = described.enable
        if sent is None:
            self._refuse(principal, key_id, state)
            return
        ends = _ends(described.soon) if state is KeyState.DISABLED else {}
        names = {**self._names(principal, id=key_id), **ends}
        self._ask(sent, names, sent.path.fill(names))

    def check_admin(self, principal: Principal) -> None:
        """One request that changes nothing: the description's, else the first page of the list."""
        sent, names = self._description.check, self._names(principal)
        if sent is not None:
            self._ask(sent, names, sent.path.fill(names))
        else:
            listing = replace(self._description.listing, detail=None, states=None, pointers={})
            tuple(look(listing, self._client.base, names, self._ask, 1))

    # -- sending -------------------------------------------------------------------------------------------------------

    def _ask(self, sent: Request, names: Names, target: str) -> Answer:
        """With the admin credential. Raises what the answer means, unless it is success, or gone."""
        headers = {**sent.more_headers(names), **self._admin}
        body, expect = sent.content(names), sent.outcomes.known
        if sent.method == "GET" and body is None:
            answer = self._client.get(target, headers=headers, expect=expect)
        else:
            answer = self._client.send(sent.method, target, body, headers=headers, expect=expect)
        word = sent.outcomes.of(answer)
        if word not in (SUCCESS, GONE):
            raise refusal(str(word), self._client.base.name, self._description.offers.least_permission)
        return answer

    def _show(self, sent: Request, principal: Principal, value: Secret) -> Answer:
        """With a key's value. Whatever the server says of it is an answer, but for throttles and its own failures."""
        parts = value.parts()
        names = self._names(principal, **parts)
        own = sent.auth.headers(names) if sent.auth is not None else self._admin
        headers, body = {**sent.more_headers(names), **own}, sent.content(names)
        target, hide = sent.path.fill(names), tuple(parts.values())

        def expect(answer: Answer) -> bool:
            admins = sent.auth is None and answer.status in (401, 403)
            return sent.outcomes.known(answer) or (400 <= answer.status < 500 and answer.status != 429 and not admins)

        client = self._using if sent.auth is not None else self._client
        if sent.method == "GET" and body is None:
            return client.get(target, headers=headers, expect=expect, hide=hide)
        return client.send(sent.method, target, body, headers=headers, expect=expect, hide=hide)

    def _refuse(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """A change that the API does not know: `Permanent` for a living key, and nothing for one that is gone."""
        if self._description.offers.disabling is Disabling.EXPIRY:
            if any(key.id == key_id and key.live for key in self.keys(principal)):
                raise Permanent("what this API disabled cannot be enabled again", "make another key")
            return
        raise Permanent(f"this API has no way to make a key {state.value}", "delete the key")

    def _names(self, principal: Principal, **more: str) -> dict[str, Any]:
        words = {f"principal.{name}": text for name, text in principal.settings.items()}
        return {**self._settings, **words, **more}

    def _probe(self, names: Names) -> Probe | None:
        verify = self._description.verify
        if not self._description.probe or verify.auth is None:
            return None
        works, invalid = verify.outcomes.words["works"], verify.outcomes.words["invalid"]
        template = verify.auth.template
        parts = {part: f"{{{part}}}" for part in self._description.parts}
        return Probe(
            url=self._using.base.text + verify.path.fill(names),
            header=verify.auth.header,
            template=template.line({**names, **parts}),
            works=tuple(sorted(works.statuses)),
            invalid=tuple(sorted(invalid.statuses)),
        )


# -- what the settings say ---------------------------------------------------------------------------------------------


def _own(read: Settings, description: Description) -> dict[str, str]:
    """The provider's words that the description mentions, one line of text each."""
    named = sorted(each.partition(".")[2] for each in description.mentions if each.startswith("settings."))
    taken = [each for each in named if each in OURS]
    if taken:
        raise SettingsError(
            f"description mentions {{settings.{taken[0]}}}, which is not a word of its own", "rename it"
        )
    return {f"settings.{each}": read.text(each) for each in named}


def _offers(read: Settings, described: Capabilities) -> Capabilities:
    return replace(
        described,
        cap=read.whole("cap", 1) if read.has("cap") else described.cap,
        propagation=read.duration("propagation", described.propagation),
        death_window=read.duration("death_window", described.death_window),
        list_lag=read.duration("list_lag", described.list_lag),
    )


# -- what is sent, and what comes back ---------------------------------------------------------------------------------


def _wish(request: MintRequest) -> dict[str, Any]:
    return {MARK: request.mark, "scopes": request.scopes or None}


def _ends(lifetime: timedelta | None) -> dict[str, Any]:
    """When a key ends, in each of the ways in which APIs take it."""
    if lifetime is None:
        return {}
    end = datetime.now(UTC).replace(microsecond=0) + lifetime
    return {
        "lifetime_seconds": max(int(lifetime.total_seconds()), 1),
        "expires_at": format_time(end),
        "expires_at_seconds": int(end.timestamp()),
        "expires_at_milliseconds": int(end.timestamp()) * 1000,
    }


def _minted(minting: Minting, answer: Answer, request: MintRequest) -> Minted:
    try:
        value = request.chosen if minting.forms else Secret(_parts(minting.value, answer.body))
        assert value is not None
        created = instant(pointed(answer.body, minting.created), utc=True) if minting.created is not None else None
        return Minted(key_id=_id(minting.id, answer, request), value=value, created_at=created)
    except (Transient, Conflict) as strange:
        problem = strange.message
    raise Ambiguous(f"the answer to the mint cannot be read: {problem}, so there may be a key")


def _id(where: str, answer: Answer, request: MintRequest) -> str:
    if where == MARK:
        return request.mark
    if where == LOCATION:
        return identifier(unquote(_path(answer.headers.get("Location", "")).rstrip("/").rpartition("/")[2]))
    return identifier(pointed(answer.body, where))


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _parts(pointers: Mapping[str, str], body: Any) -> dict[str, str]:
    return {part: _part(part, pointed(body, pointer)) for part, pointer in pointers.items()}


def _part(name: str, value: Any) -> str:
    """What consumers will read. A line break in it would end up in somebody's file of settings."""
    if not isinstance(value, str) or not value or len(value) > LONGEST or not value.isprintable():
        raise Transient(f"it holds no {name}, or one that no consumer could read")
    return value
