"""A description, read strictly: each complaint begins with the place, `description.mint.path …`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rotator.sdk import (
    BY_HAND,
    CHOSEN_VALUE,
    OVERLAP,
    UNMARKED,
    Capabilities,
    Disabling,
    Settings,
    SettingsError,
    Strategy,
)

from .listing import Listing, read_listing
from .outcomes import ADMINS, GONE, SUCCESS
from .pointers import checked_pointer
from .requests import PLAIN, TIMES, Auth, Reader, Request, read_auth

AT = "description."
WINDOWS = ("propagation", "death_window", "list_lag")
KNOWN = (
    *(
        "base_url",
        "use_url",
        "auth",
        "headers",
        "error_code",
        "secret_part",
        "permission",
        "console_url",
        "cap",
        "rate",
        "probe",
    ),
    *("mint", "list", "disable", "enable", "delete", "verify", "identify", "check", *WINDOWS),
)
VERDICTS = ("works", "forbidden", "not_yet", "invalid")
LOCATION, MARK = "location", "mark"
OK = (200, 201, 202, 204)
NO_KEY = (404, 410)
REFUSED = (401, 403)
_PART = re.compile(r"[a-z_]{1,32}")


@dataclass(frozen=True, slots=True)
class Minting:
    """How a key is made. `id`: a pointer, or `location`, the end of that header, or `mark`, which we chose.

    `value`: pointers to the parts of the value; `forms`: how they are written where we choose them.
    """

    request: Request
    id: str
    value: Mapping[str, str]
    forms: Mapping[str, str]
    created: str | None


@dataclass(frozen=True, slots=True)
class Description:
    """One API."""

    base_url: str | None
    use_url: str | None
    auth: Auth
    mint: Minting | None
    listing: Listing
    disable: Request | None
    soon: timedelta
    """The end that a disabled key gets, where that is how keys are disabled."""
    enable: Request | None
    delete: Request
    verify: Request
    identify: tuple[Request, str] | None
    check: Request | None
    parts: tuple[str, ...]
    secret_part: str
    offers: Capabilities
    probe: bool

    @property
    def requests(self) -> tuple[Request, ...]:
        """All of them."""
        found = (self.mint.request if self.mint else None, self.listing.request, self.listing.detail, self.disable)
        more = (self.enable, self.delete, self.verify, self.identify[0] if self.identify else None, self.check)
        return tuple(each for each in (*found, *more) if each is not None)

    @property
    def mentions(self) -> frozenset[str]:
        """Every placeholder that is mentioned anywhere."""
        rows = (text.mentions for text in self.listing.only.values())
        return frozenset().union(self.auth.template.mentions, *rows, *(each.mentions for each in self.requests))


def read_description(table: Any) -> Description:
    """Raises `SettingsError`."""
    if not isinstance(table, Mapping):
        raise SettingsError("description is no table", "write description: FILE.yaml, or the table itself")
    given = Settings(table, KNOWN, AT)
    auth = _auth(given)
    code = checked_pointer(given.text("error_code"), f"{AT}error_code") if given.has("error_code") else None
    plain = Reader(AT, auth.header, {}, code)
    reader = Reader(AT, auth.header, plain.headers(given, ("principal", "settings"), AT.rstrip(".")), code)
    mint = _minting(given, reader) if given.has("mint") else None
    parts = tuple(mint.value or mint.forms) if mint is not None else ("secret",)
    secret_part = given.text("secret_part", "secret" if "secret" in parts else parts[0])
    if secret_part not in parts:
        raise SettingsError(f"{AT}secret_part is no part of the value", f"write one of: {', '.join(parts)}")
    listing = read_listing(given, reader)
    disable, soon = _disable(given, reader)
    enable = _change(given, reader, "enable", "POST") if given.has("enable") else None
    if enable is not None and disable is None:
        raise SettingsError(f"{AT}enable has no disable", "describe both, or neither")
    verify = _using(given, reader, "verify", parts, dict(zip(VERDICTS, ((200,), (403,), (), (401,)), strict=True)))
    described = Description(
        base_url=given.text("base_url") if given.has("base_url") else None,
        use_url=given.text("use_url") if given.has("use_url") else None,
        auth=auth,
        mint=mint,
        listing=listing,
        disable=disable,
        soon=soon,
        enable=enable,
        delete=_change(given, reader, "delete", "DELETE"),
        verify=verify,
        identify=_identify(given, reader, parts),
        check=_check(given, reader),
        parts=parts,
        secret_part=secret_part,
        offers=_offers(given, mint, listing, _disabling(disable, enable), parts, secret_part),
        probe=_probe(given, verify),
    )
    if given.has("rate"):
        given.text("rate")  # whoever keeps the rate reads it
    return described


def _auth(given: Settings) -> Auth:
    table = given.table("auth", ("header", "format", "basic")) if given.has("auth") else Settings({})
    return read_auth(table, f"{AT}auth", ("admin",), "{admin}", ("settings",))


# -- minting -----------------------------------------------------------------------------------------------------------


def _minting(given: Settings, reader: Reader) -> Minting:
    table = given.table("mint", (*PLAIN, *ADMINS, "code", "id", "secret", "value", "forms", "created"))
    forms = _forms(table)
    chosen = {MARK, "scopes", *TIMES, *forms}
    request = reader.request(table, "mint", tuple(chosen), {**dict.fromkeys(ADMINS, ()), SUCCESS: OK})
    secret = set(forms) & request.path.mentions
    if secret:
        raise SettingsError(f"{AT}mint.path shows the chosen value", "write it into json: or form:")
    if set(forms) - request.mentions:
        raise SettingsError(f"{AT}mint sends not all of forms:", f"write {{{min(set(forms) - request.mentions)}}}")
    if forms and MARK not in request.mentions:
        raise SettingsError(f"{AT}mint says nowhere where the mark goes", "a key with a chosen value needs {mark}")
    return Minting(request, _id(table, request), _value(table, forms), forms, _pointer(table, "created"))


def _forms(table: Settings) -> dict[str, str]:
    forms = table.tree("forms") or {}
    if not isinstance(forms, Mapping) or not all(isinstance(each, str) for each in forms.values()):
        raise SettingsError(f"{AT}mint.forms is no table of texts", 'write forms: {secret: "sk-{value}"}')
    if not all(_PART.fullmatch(str(part)) and form.count("{value}") == 1 for part, form in forms.items()):
        raise SettingsError(
            f"{AT}mint.forms has no {{value}}, or a strange name", 'write forms: {secret: "sk-{value}"}'
        )
    return dict(forms)


def _value(table: Settings, forms: Mapping[str, str]) -> dict[str, str]:
    if forms:
        table.only(*PLAIN, *ADMINS, "code", "id", "forms", "created")
        return {}
    if table.has("value") == table.has("secret"):
        raise SettingsError(f"{AT}mint says not where the value is", "write secret: /key, or value: {name: /pointer}")
    if table.has("secret"):
        return {"secret": checked_pointer(_any_text(table, "secret"), f"{AT}mint.secret")}
    parts = table.tree("value")
    if not isinstance(parts, Mapping) or not parts or not all(isinstance(each, str) for each in parts.values()):
        raise SettingsError(f"{AT}mint.value is no table of pointers", "write value: {secret: /key, public: /id}")
    if not all(_PART.fullmatch(str(part)) for part in parts):
        raise SettingsError(f"{AT}mint.value has a strange name of a part", "use small letters and _")
    return {part: checked_pointer(pointer, f"{AT}mint.value.{part}") for part, pointer in parts.items()}


def _id(table: Settings, request: Request) -> str:
    where = _any_text(table, "id")
    if where == MARK and MARK not in request.mentions:
        raise SettingsError(f"{AT}mint.id is the mark, which is not sent", "write {mark} into path:, json: or form:")
    return where if where in (LOCATION, MARK) else checked_pointer(where, f"{AT}mint.id")


# -- the others --------------------------------------------------------------------------------------------------------


def _change(given: Settings, reader: Reader, name: str, method: str, *more: str) -> Request:
    table = given.table(name, (*PLAIN, *ADMINS, GONE, "code", *(("lifetime",) if more else ())))
    request = reader.request(
        table, name, ("id", *more), {**dict.fromkeys(ADMINS, ()), SUCCESS: OK, GONE: NO_KEY}, method
    )
    if "id" not in request.mentions:
        raise SettingsError(f"{AT}{name} says not which key", "write {id} into path:, json: or form:")
    return request


def _disable(given: Settings, reader: Reader) -> tuple[Request | None, timedelta]:
    if not given.has("disable"):
        return None, timedelta(0)
    request = _change(given, reader, "disable", "POST", *TIMES)
    table = given.table("disable", (*PLAIN, *ADMINS, GONE, "code", "lifetime"))
    return request, table.duration("lifetime", timedelta(seconds=5))


def _disabling(disable: Request | None, enable: Request | None) -> Disabling:
    """What cannot be enabled again is disabled for good, which is all that a nearer end does."""
    if disable is None:
        return Disabling.NONE
    return Disabling.REVERSIBLE if enable is not None else Disabling.EXPIRY


def _using(
    given: Settings, reader: Reader, name: str, parts: tuple[str, ...], words: Mapping[str, tuple[int, ...]], *more: str
) -> Request:
    table = given.table(name, (*PLAIN, *words, "code", "auth", *more))
    if table.has("auth") and not table.is_table("auth"):
        table.choice("auth", ("admin",))
        auth = None
        # unless the table says otherwise they speak of who asks, not of the key that is asked about
        words = {word: tuple(each for each in statuses if each not in REFUSED) for word, statuses in words.items()}
    else:
        inner = table.table("auth", ("header", "format", "basic")) if table.has("auth") else Settings({})
        default = "{secret}" if "secret" in parts else f"{{{parts[0]}}}"
        auth = read_auth(inner, f"{AT}{name}.auth", parts, default)
    request = reader.request(table, name, parts, words, "GET", auth)
    if not request.mentions & set(parts):
        raise SettingsError(f"{AT}{name} shows no part of the key", "leave auth: out, or write {secret} into json:")
    return request


def _identify(given: Settings, reader: Reader, parts: tuple[str, ...]) -> tuple[Request, str] | None:
    if not given.has("identify"):
        return None
    words = {SUCCESS: (200,), "unknown": (401, 403, 404)}
    request = _using(given, reader, "identify", parts, words, "id")
    table = given.table("identify", (*PLAIN, *words, "code", "auth", "id"))
    return request, checked_pointer(_any_text(table, "id"), f"{AT}identify.id")


def _check(given: Settings, reader: Reader) -> Request | None:
    if not given.has("check"):
        return None
    table = given.table("check", (*PLAIN, *ADMINS, "code"))
    return reader.request(table, "check", (), {**dict.fromkeys(ADMINS, ()), SUCCESS: OK}, "GET")


# -- what it offers ----------------------------------------------------------------------------------------------------


def _strategy(mint: Minting | None, listing: Listing) -> Strategy:
    if mint is None:
        return BY_HAND
    marked = MARK in mint.request.mentions and listing.mark is not None
    if not mint.forms:
        return OVERLAP if marked else UNMARKED
    if not marked:
        raise SettingsError(f"{AT}list.mark is missing", "a key with a chosen value is found again by its mark")
    return CHOSEN_VALUE


def _offers(
    given: Settings, mint: Minting | None, listing: Listing, disabling: Disabling, parts: tuple[str, ...], secret: str
) -> Capabilities:
    sent = mint.request.mentions if mint is not None else frozenset()
    standard = Capabilities(strategy=BY_HAND)
    return Capabilities(
        strategy=_strategy(mint, listing),
        parts=parts,
        secret_part=secret,
        forms=mint.forms if mint is not None else {},
        cap=given.whole("cap", 1) if given.has("cap") else None,
        disabling=disabling,
        expiry=bool(sent & set(TIMES)),
        scopes="scopes" in sent,
        usage=listing.last_used is not None,
        identifies=given.has("identify"),
        propagation=given.duration("propagation", standard.propagation),
        death_window=given.duration("death_window", standard.death_window),
        list_lag=given.duration("list_lag", standard.list_lag),
        least_permission=given.text("permission", "whatever the requests of its description need"),
        console_url=given.text("console_url") if given.has("console_url") else "",
    )


def _probe(given: Settings, verify: Request) -> bool:
    """Whether the engine can ask by itself: one GET whose status says everything."""
    plain = verify.method == "GET" and verify.auth is not None and not verify.auth.basic and not verify.headers
    works, invalid = (verify.outcomes.words.get(word) for word in ("works", "invalid"))
    by_status = all(each is not None and each.statuses and not each.codes for each in (works, invalid))
    possible = plain and by_status and _names_no_part(verify)
    if given.has("probe") and given.flag("probe") and not possible:
        raise SettingsError(f"{AT}probe cannot be: verify needs more than a GET and a status", "leave probe out")
    # where bodies say what went wrong a status alone may lie, unless somebody vouches for it
    return possible and given.flag("probe", verify.outcomes.code is None)


def _names_no_part(verify: Request) -> bool:
    outside = verify.path.mentions | (verify.body.mentions if verify.body is not None else frozenset())
    return verify.body is None and all("." in each for each in outside)


def _pointer(table: Settings, name: str) -> str | None:
    return checked_pointer(table.text(name), f"{AT}mint.{name}") if table.has(name) else None


def _any_text(table: Settings, name: str) -> str:
    """A text that may be empty: the pointer to the whole answer."""
    value = table.tree(name)
    return value if value == "" else table.text(name)
