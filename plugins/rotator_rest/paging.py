"""How one page of a list leads to the next, and that it never leads to another host or on for ever."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from rotator.sdk import Permanent, Settings, SettingsError, Transient
from rotator.sdk.http import Answer, BaseUrl

from .pointers import checked_pointer, pointed, spelled

AT = "description.list.next"
WAYS = ("link", "url", "cursor", "last", "page", "offset")
MOST_PAGES = 2_000
PORTS = {"https": 443, "http": 80}
_NEXT = re.compile(r'<([^<>]*)>[^<>]*;\s*rel="?next"?(?:\s*[;,]|\s*$)', re.IGNORECASE)
_PARAMETER = re.compile(r"[A-Za-z0-9_.\[\]$-]{1,64}")


@dataclass(frozen=True, slots=True)
class Paging:
    """`way`: None for a list on one page. `at`: the pointer that leads on, of `last` within the last row.

    `parameter`: of the query; `first`: the number of the first page; `more`: a pointer to whether there is more.
    """

    way: str | None = None
    at: str = ""
    parameter: str = ""
    first: int = 0
    more: str | None = None

    def pages(
        self,
        target: str,
        base: BaseUrl,
        ask: Callable[[str], Answer],
        rows_of: Callable[[Answer], list[Any]],
        most: int | None = None,
    ) -> Iterator[list[Any]]:
        """The rows of each page, all that the server sent: what is left out of them must not move or end the paging.

        Raises `Transient` for a list without an end, or with more and no way there; `Permanent` where it leads away.
        """
        here, count = self._begin(target), 0
        for number in range(1, MOST_PAGES + 1):
            answer = ask(here)
            rows = rows_of(answer)
            yield rows
            count += len(rows)
            after = self._after(target, base, answer, rows, number, count)
            if after is None or number == most:
                return
            here = after
        raise Transient(f"the list has more than {MOST_PAGES} pages")

    def _begin(self, target: str) -> str:
        return _with(target, self.parameter, str(self.first)) if self.way == "page" else target

    def _after(
        self, target: str, base: BaseUrl, answer: Answer, rows: list[Any], number: int, count: int
    ) -> str | None:
        more = self.more is not None and _more(pointed(answer.body, self.more))
        if self.more is not None and not more:
            return None
        on = self._way_on(target, base, answer, rows, number, count)
        if on is None and more:
            raise Transient("the list says that it has more, and not where", f"see {AT}")
        return on

    def _way_on(
        self, target: str, base: BaseUrl, answer: Answer, rows: list[Any], number: int, count: int
    ) -> str | None:
        """None only where the list ends in the form that says so: what is cut short may hide a key that lives."""
        match self.way:
            case "link":
                found = _NEXT.search(answer.headers.get("Link", ""))
                return _within(base, target, found[1]) if found else None
            case "url":
                url = pointed(answer.body, self.at)
                return _within(base, target, url) if url not in (None, "") else None
            case "cursor":
                cursor = pointed(answer.body, self.at)
                return _with(target, self.parameter, _cursor(cursor)) if cursor not in (None, "") else None
            case "last":
                return _with(target, self.parameter, _cursor(pointed(rows[-1], self.at))) if rows else None
            case "page":
                return _with(target, self.parameter, str(self.first + number)) if rows else None
            case "offset":
                return _with(target, self.parameter, str(count)) if rows else None
        return None


def read_paging(table: Settings) -> Paging:
    """The table `next` of the list. Raises `SettingsError`."""
    if not table.has("next"):
        return Paging()
    given = table.table("next", (*WAYS, "parameter", "first", "more"))
    ways = [way for way in WAYS if given.has(way)]
    if len(ways) != 1:
        raise SettingsError(f"{AT} names not exactly one way", f"write one of: {', '.join(WAYS)}")
    (way,) = ways
    more = checked_pointer(given.text("more"), f"{AT}.more") if given.has("more") else None
    if way == "link":
        given.only("link", "more")
        given.flag("link")
        return Paging(way, more=more)
    if way == "url":
        given.only("url", "more")
        return Paging(way, checked_pointer(given.text("url"), f"{AT}.url"), more=more)
    if way in ("page", "offset"):
        given.only(way, "more", *(("first",) if way == "page" else ()))
        return Paging(way, parameter=_parameter(given.text(way), way), first=given.whole("first", 0, 1), more=more)
    given.only(way, "parameter", "more")
    at = checked_pointer(given.text(way), f"{AT}.{way}")
    return Paging(way, at, _parameter(given.text("parameter"), "parameter"), more=more)


def _parameter(text: str, name: str) -> str:
    if not _PARAMETER.fullmatch(text):
        raise SettingsError(f"{AT}.{name} is no parameter of a query", f"write {name}: page_token or the like")
    return text


def _more(told: Any) -> bool:
    """Where nothing tells of more there is none. Raises `Transient` for what is neither true nor false."""
    if told is not None and not isinstance(told, bool):
        raise Transient("whether the list has more is told in a strange form", f"see {AT}.more")
    return told is True


def _cursor(told: Any) -> str:
    """Raises `Transient` for what fits into no query."""
    cursor = spelled(told)
    if not cursor:
        raise Transient("the list's next page is told in a strange form", f"see {AT}")
    return cursor


def _with(target: str, parameter: str, value: str) -> str:
    return target + ("&" if "?" in target else "?") + urlencode({parameter: value}, errors="replace")


def _within(base: BaseUrl, target: str, url: Any) -> str:
    """The path of the next page beneath the base. Another host never gets the admin credential."""
    away = Permanent("the list leads to another place", f"its next page is not beneath base_url; see {AT}")
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise away
    try:
        parts = urlsplit(url)
        origin = (parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme))
    except ValueError:
        raise away from None
    if not parts.netloc and not parts.scheme:
        if not parts.path:  # a query alone
            return target.partition("?")[0] + f"?{parts.query}"
    elif origin != (base.scheme, base.host, base.port or PORTS[base.scheme]) or parts.username is not None:
        raise away
    path = parts.path
    if base.prefix and path.startswith(f"{base.prefix}/"):
        path = path[len(base.prefix) :]
    elif base.prefix and parts.netloc:
        raise away
    if not path.startswith("/") or path.startswith("//") or "/../" in f"{path}/":
        raise away
    return quote(path, safe="/%:@!$&'()*+,;=~-._") + (f"?{parts.query}" if parts.query else "")
