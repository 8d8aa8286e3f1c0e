"""How keys are listed: where the rows are, where each thing is in a row, and how one page leads to the next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotator.sdk import Key, KeyState, Permanent, Settings, SettingsError, Transient
from rotator.sdk.http import Answer, BaseUrl

from .outcomes import ADMINS, GONE, SUCCESS
from .paging import Paging, read_paging
from .pointers import all_pointed, checked_pointer, identifier, instant, pointed, shown, spelled
from .requests import ALWAYS, PLAIN, Reader, Request
from .templates import Names, Text

AT = "description.list"
POINTERS = ("mark", "created", "last_used", "last_used_by", "expires", "hint", "scopes")
STATES = tuple(each.value for each in KeyState)
MOST_SCOPES = 1_000


@dataclass(frozen=True, slots=True)
class States:
    """Which values at a pointer mean which state, as JSON spells them; `null` is what is not there."""

    at: str
    values: Mapping[str, KeyState]

    def of(self, row: Any) -> KeyState:
        """Raises `Transient` for a value that the description does not know: it may be a living key's."""
        value = pointed(row, self.at)
        found = self.values.get("null" if value is None else spelled(value) or "")
        if found is None:
            raise Transient("a key is listed in a state that the description does not know", f"add it to {AT}.state")
        return found


@dataclass(frozen=True, slots=True)
class Listing:
    """The list. `absent`: it is left out where it is empty. `only`: what a row must say to be the principal's.

    `detail`: one more request for each row, whose answer is read instead of it.
    """

    request: Request
    items: str
    absent: bool
    only: Mapping[str, Text]
    detail: Request | None
    id: str
    mark: str | None
    pointers: Mapping[str, str]
    states: States | None
    paging: Paging
    utc: bool

    @property
    def last_used(self) -> str | None:
        """Where a row tells when a key was last used."""
        return self.pointers.get("last_used")

    def rows(self, answer: Answer) -> list[Any]:
        """The rows of one page, whosever they are. Raises `Transient` where there is no list."""
        found = list(all_pointed(answer.body, self.items))
        many = "*" in self.items.split("/")
        lists = [found] if many and not any(isinstance(each, list) for each in found) else found
        if not self._begins(answer.body) or not all(isinstance(each, list | None) for each in lists):
            raise Transient(f"the answer has no list at {self.items or 'its top'}", "see where the description looks")
        return [row for rows in lists for row in rows or ()]

    def _begins(self, body: Any) -> bool:
        """Whether there is what stands before the first `*`, or the whole pointer's; a null is an empty list."""
        steps = self.items.split("/")
        until = steps.index("*") if "*" in steps else len(steps)
        around = list(all_pointed(body, "/".join(steps[:until])))
        if not around:
            return self.absent and isinstance(body, dict)
        return body is not None and isinstance(around[0], list | dict | None)

    def belongs(self, row: Any, names: Names) -> bool:
        """Whether a row is the principal's."""
        return all(spelled(pointed(row, at)) == str(wanted.fill(names)) for at, wanted in self.only.items())

    def key(self, key_id: str, row: Any) -> Key:
        """One key. Raises `Transient` for a row of another form."""
        return Key(
            id=key_id,
            state=self.states.of(row) if self.states is not None else KeyState.ENABLED,
            mark=shown(self._at(row, "mark")),
            created_at=self._instant(row, "created"),
            last_used_at=self._instant(row, "last_used"),
            last_used_by=shown(self._at(row, "last_used_by")) or "",
            expires_at=self._instant(row, "expires"),
            hint=shown(self._at(row, "hint")) or "",
            grant=self._scopes(row),
        )

    def _at(self, row: Any, name: str) -> Any:
        return pointed(row, self.pointers[name]) if name in self.pointers else None

    def _instant(self, row: Any, name: str) -> datetime | None:
        return instant(self._at(row, name), utc=self.utc)

    def _scopes(self, row: Any) -> tuple[str, ...] | None:
        found = self._at(row, "scopes")
        if isinstance(found, str):
            found = found.replace(",", " ").split()
        if not isinstance(found, list) or len(found) > MOST_SCOPES:
            return None
        return tuple(each for each in (shown(scope) for scope in found) if each is not None)


def look(
    listing: Listing,
    base: BaseUrl,
    names: Names,
    ask: Callable[[Request, Names, str], Answer],
    pages: int | None = None,
) -> Iterator[Key]:
    """All keys over all pages. `ask` sends a request to a path. Raises `Transient`, and what `ask` raises."""
    passed: set[str] = set()  # everybody's: a page of others alone may repeat itself, too
    seen: set[str] = set()
    for rows in listing.paging.pages(
        listing.request.path.fill(names),
        base,
        lambda target: ask(listing.request, names, target),
        listing.rows,
        pages,
    ):
        ids = {each for row in rows if (each := spelled(pointed(row, listing.id))) is not None}
        if ids and passed >= ids:
            raise Permanent("a page of the list repeats the one before", f"mend {AT}.next")
        passed |= ids
        for row in rows:
            if not listing.belongs(row, names):
                continue
            key_id = identifier(pointed(row, listing.id))
            found = None if key_id in seen else _detailed(listing, key_id, row, names, ask)
            seen.add(key_id)
            if found is not None:
                yield listing.key(key_id, found)


def _detailed(
    listing: Listing, key_id: str, row: Any, names: Names, ask: Callable[[Request, Names, str], Answer]
) -> Any:
    """The row, or what the request for its key alone tells; None for a key that has gone meanwhile."""
    if listing.detail is None:
        return row
    own = {**names, "id": key_id}
    answer = ask(listing.detail, own, listing.detail.path.fill(own))
    return None if listing.detail.outcomes.of(answer) == GONE else answer.body


# -- reading -----------------------------------------------------------------------------------------------------------


def read_listing(given: Settings, reader: Reader) -> Listing:
    """The table `list`. Raises `SettingsError`."""
    words: dict[str, Collection[int]] = {**dict.fromkeys(ADMINS, ()), SUCCESS: (200,)}
    more = ("code", "items", "empty", "only", "detail", "id", *POINTERS, "state", "next", "times")
    table = given.table("list", (*PLAIN, *ADMINS, *more))
    pointers = {name: _pointer(table, name) for name in POINTERS if table.has(name)}
    return Listing(
        request=reader.request(table, "list", (), words, "GET"),
        items=_pointer(table, "items") if table.tree("items") is not None else "",
        absent=table.has("empty") and table.choice("empty", ("absent",)) == "absent",
        only=_only(table),
        detail=_detail(table, reader),
        id=_pointer(table, "id"),
        mark=pointers.get("mark"),
        pointers=pointers,
        states=_states(table) if table.has("state") else None,
        paging=read_paging(table),
        utc=table.has("times") and table.choice("times", ("utc",)) == "utc",
    )


def _detail(table: Settings, reader: Reader) -> Request | None:
    if not table.has("detail"):
        return None
    words: dict[str, Collection[int]] = {SUCCESS: (200,), GONE: (404, 410)}
    return reader.request(Settings({"path": table.text("detail")}), "list.detail", ("id",), words, "GET")


def _only(table: Settings) -> dict[str, Text]:
    only = table.tree("only") or {}
    if not isinstance(only, Mapping) or not all(isinstance(each, str) for each in only.values()):
        raise SettingsError(f"{AT}.only is no table of texts", 'write only: {/owner/id: "{principal.owner}"}')
    return {checked_pointer(str(at), f"{AT}.only"): Text(text, ALWAYS, f"{AT}.only") for at, text in only.items()}


def _states(table: Settings) -> States:
    inner = table.table("state", ("at", *STATES))
    values: dict[str, KeyState] = {}
    for name in STATES:
        listed = inner.tree(name)
        for value in listed if isinstance(listed, list | tuple) else () if listed is None else (listed,):
            spelling = "null" if value is None else spelled(value)
            if spelling is None or spelling in values:
                raise SettingsError(f"{AT}.state.{name} is strange, or stands twice", "write enabled: [active, null]")
            values[spelling] = KeyState(name)
    if not values:
        raise SettingsError(f"{AT}.state names no value", "write state: {at: /status, enabled: [active], …}")
    return States(checked_pointer(inner.text("at"), f"{AT}.state.at"), values)


def _pointer(table: Settings, name: str) -> str:
    value = table.tree(name)
    return "" if value == "" else checked_pointer(table.text(name), f"{AT}.{name}")
