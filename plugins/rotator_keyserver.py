"""Keys of a keyserver: the small real service of `rotator.testing` on which demo, benchmarks and fault tests run.

A keyserver can be told to behave like many providers, and the settings say like which one it does:

    keyserver:
      driver: keyserver
      base_url: http://127.0.0.1:8080
      admin: file:/run/secrets/keyserver-admin
      strategy: two-slots            # overlap, unmarked, two-slots, dual, in-place, by-hand
      slots: [a, b]                  # where keys live in slots
      cap: 2                         # keys of one principal
      console: https://keys.internal # by-hand: where a person makes keys
      lists: false, deletes: false   # by-hand, and a person deletes, too
      trail: true                    # it tells who minted what
      disable: false, usage: true, identifies: true, expiry: true, scopes: true, probe: true
      propagation: 0s, death_window: 0s, list_lag: 0s, login_window: 0s

Its API is described in `rotator.testing.keyserver`. A credential's principal is `principal.name`, or its setting
`principal`, at `/principals/NAME`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from rotator.sdk import (
    OVERLAP,
    STRATEGIES,
    Ambiguous,
    Capabilities,
    CapFull,
    Conflict,
    Disabling,
    Key,
    KeyState,
    Made,
    MadeKind,
    Minted,
    Minter,
    MintRequest,
    Permanent,
    Principal,
    Probe,
    Secret,
    Settings,
    SettingsError,
    Transient,
    UnreadableError,
    Verdict,
    parse_time,
    slot_of,
)
from rotator.sdk.http import Answer, BaseUrl, Client, admin_bearer, bearer, path

PERMISSION = "the keyserver's admin secret"
MOST_PAGES = 1_000
NOTHING = timedelta(0)
VERDICTS = {200: Verdict.WORKS, 401: Verdict.INVALID, 403: Verdict.FORBIDDEN}


class Keyserver:
    """One keyserver with its admin secret; a `Provider`."""

    def __init__(self, client: Client, offers: Capabilities) -> None:
        self._client = client
        self._offers = offers

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings)
        base_url = read.text("base_url")
        offers = _offers(read, base_url)
        read.finish()
        headers = admin_bearer(name, admin)
        return cls(Client(base_url, timeout=timeout, headers=headers, permission=PERMISSION), offers)

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """As the settings say, the same for every principal."""
        return self._offers

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """One POST, and none where a person mints. A chosen value's fingerprint becomes the tag of its slot."""
        if self._offers.strategy.minter is Minter.PERSON:
            raise Permanent("a person makes this keyserver's keys", "hand one over with `rotator provide`")
        answer = self._client.mint(_keys_of(principal), _wish(request), expect=(201, 409))
        if answer.status == 409:
            raise _conflict(answer, request)
        return _minted(answer, request)

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """Every page; emptied slots come as deleted keys."""
        if not self._offers.lists:
            return ()
        return tuple(key for page in self._pages(principal) for key in page)

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """One call of the protected resource, which counts as a use of the key."""
        shown = bearer(value.reveal("secret"))
        return VERDICTS[self._client.get("/resource", headers=shown, expect=VERDICTS).status]

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """The keyserver's own word, for a key that it accepts; None where it has none."""
        if not self._offers.identifies:
            return None
        answer = self._client.get("/whoami", headers=bearer(value.reveal("secret")), expect=(200, 401, 404))
        return _text(answer.body, "id") if answer.status == 200 else None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """A deletion of what a slot no longer holds, and any change of a key that is gone, is a 404: done already."""
        target = _keys_of(principal, key_id)
        if state is KeyState.DELETED and not self._offers.deletes:
            raise Permanent("a person deletes this keyserver's keys", "delete it in the console")
        if state is KeyState.DELETED:
            self._client.send("DELETE", target, expect=(204, 404))
        elif self._offers.disabling is Disabling.NONE:
            raise Permanent("this keyserver has no disabled keys", "delete the key")
        else:
            self._client.send("POST", f"{target}/state", {"state": state.value}, expect=(200, 404))

    def check_admin(self, principal: Principal) -> None:
        """One call that changes nothing."""
        self._client.get("/admin/whoami")

    def trail(self, principal: Principal, since: datetime) -> tuple[Made, ...]:
        """What was minted since then, at every principal."""
        answer = self._client.get(path("admin", "made", since=str(int(since.timestamp()))))
        rows = _member(answer.body, "made")
        if not isinstance(rows, list):
            raise Transient("the keyserver's trail has another form")
        return tuple(_made(row) for row in rows)

    def _pages(self, principal: Principal) -> Iterator[list[Key]]:
        query: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            answer = self._client.get(_keys_of(principal, **query))
            rows, after = _member(answer.body, "keys"), _member(answer.body, "after")
            if not isinstance(rows, list) or not isinstance(after, str | None):
                raise Transient("the keyserver's list has another form")
            yield [_key(row) for row in rows]
            if after is None:
                return
            query = {"after": after}
        raise Transient("the keyserver's list does not end")


# -- what the settings say ---------------------------------------------------------------------------------------------


def _offers(read: Settings, base_url: str) -> Capabilities:
    strategy = read.choice("strategy", STRATEGIES, OVERLAP.name)
    slots = read.texts("slots", ())
    if not strategy.slots and slots:
        raise SettingsError(f"strategy {strategy.name} has no slots", "leave slots out or choose another strategy")
    if strategy.slots and (len(slots) < 2 if strategy.overlap else len(slots) != 1):
        how_many = "two slots or more" if strategy.overlap else "exactly one slot"
        raise SettingsError(f"strategy {strategy.name} needs {how_many}", "write slots: and their names in a list")
    if any("@" in slot or "/" in slot for slot in slots):
        raise SettingsError("a slot's name holds @ or /", "write the names that the keyserver has")
    resource = f"{BaseUrl.parse(base_url).text}/resource"
    return Capabilities(
        strategy=strategy,
        slots=slots,
        cap=read.whole("cap", least=1) if read.has("cap") else None,
        disabling=Disabling.REVERSIBLE if read.flag("disable", True) else Disabling.NONE,
        lists=read.flag("lists", True),
        deletes=read.flag("deletes", True),
        expiry=read.flag("expiry", True),
        scopes=read.flag("scopes", True),
        usage=read.flag("usage", True),
        identifies=read.flag("identifies", True),
        trail=read.flag("trail", True),
        propagation=read.duration("propagation", NOTHING),
        death_window=read.duration("death_window", NOTHING),
        list_lag=read.duration("list_lag", NOTHING),
        login_window=read.duration("login_window", NOTHING),
        probe=Probe(url=resource) if read.flag("probe", True) else None,
        least_permission=PERMISSION,
        console_url=read.text("console") if read.has("console") else "",
    )


# -- what is sent ------------------------------------------------------------------------------------------------------


def _keys_of(principal: Principal, *key_id: str, **query: str) -> str:
    try:
        name = Settings(principal.settings, ("principal",)).text("principal", principal.name)
    except SettingsError as wrong:
        raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
    return path("principals", name, "keys", *key_id, **query)


def _wish(request: MintRequest) -> dict[str, Any]:
    wish = {
        "mark": request.mark,
        "slot": request.slot,
        "expects": _tag(request),
        "secret": request.chosen.reveal("secret") if request.chosen is not None else None,
        "fingerprint": request.fingerprint if request.chosen is not None else None,
        "scopes": list(request.scopes) or None,
    }
    return {name: value for name, value in wish.items() if value is not None}


def _tag(request: MintRequest) -> str | None:
    """What the slot must hold: the part of the expected id behind the slot's name."""
    if request.slot is None or request.expects is None:
        return None
    tag = request.expects.partition("@")[2]
    if slot_of(request.expects) != request.slot or not tag:
        # without a tag the keyserver would replace whatever the slot holds
        raise Conflict("the slot was never listed with a tag", "look at the keyserver's list")
    return tag


# -- what comes back ---------------------------------------------------------------------------------------------------


def _conflict(answer: Answer, request: MintRequest) -> Conflict | CapFull:
    if _member(answer.body, "error") == "cap":
        return CapFull("the principal has as many keys as it may have", "delete a key that is not needed")
    if _member(answer.body, "error") == "taken":
        return Conflict("the chosen value was used before")
    return Conflict("the slot does not hold what was expected" if request.slot else "the keyserver has a conflict")


def _minted(answer: Answer, request: MintRequest) -> Minted:
    try:
        value = request.chosen or Secret({"secret": _text(answer.body, "secret")})
        return Minted(key_id=_text(answer.body, "id"), value=value, created_at=_instant(answer.body, "created_at"))
    except Transient as strange:
        problem = strange.message
    raise Ambiguous(f"{problem}, so there may be a key")


def _key(row: Any) -> Key:
    if _text(row, "state") not in set(KeyState):
        raise Transient("the keyserver lists a key in an unknown state")
    return Key(
        id=_text(row, "id"),
        state=KeyState(_text(row, "state")),
        mark=_optional(row, "mark"),
        slot=_optional(row, "slot"),
        created_at=_instant(row, "created_at"),
        created_by=_optional(row, "created_by") or "",
        last_used_at=_instant(row, "last_used_at"),
        last_used_by=_optional(row, "last_used_by") or "",  # not every keyserver tells
        expires_at=_instant(row, "expires_at"),
        hint=_optional(row, "hint") or "",
        grant=_grant(row),
    )


def _made(row: Any) -> Made:
    return Made(
        kind=MadeKind.KEY,
        id=_text(row, "id"),
        name=_optional(row, "mark") or "",
        where=_text(row, "principal"),
        at=_instant(row, "created_at"),
        by=_optional(row, "created_by") or "",
        there=_text(row, "state") != KeyState.DELETED,
    )


def _grant(row: Any) -> tuple[str, ...] | None:
    """The key's scopes; None for a key without any, which may do everything."""
    scopes = _member(row, "scopes")
    if scopes is None:
        return None
    if not isinstance(scopes, list) or not all(isinstance(each, str) for each in scopes):
        raise Transient("the keyserver lists scopes in another form")
    return tuple(scopes)


def _member(body: Any, name: str) -> Any:
    return body.get(name) if isinstance(body, dict) else None


def _text(body: Any, name: str) -> str:
    text = _member(body, name)
    if not isinstance(text, str) or not text:
        raise Transient(f"the keyserver answered without {name}")
    return text


def _optional(body: Any, name: str) -> str | None:
    return None if _member(body, name) in (None, "") else _text(body, name)


def _instant(body: Any, name: str) -> datetime | None:
    text = _optional(body, name)
    try:
        return None if text is None else parse_time(text)
    except UnreadableError:
        pass  # raised below: beneath this handler the error would carry what was read as its context
    raise Transient(f"the keyserver answered with a strange {name}")
