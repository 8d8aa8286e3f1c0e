"""The `rest` store: any API that takes a value by name and gives none back, described in the config.

    stores:
      ci:
        driver: rest
        base_url: https://circleci.com/api/v2         # the one host that is ever asked
        auth: {header: Circle-Token, token: file:/run/secrets/circleci}   # format: "Bearer {token}" where one is needed
        metadata:                                     # what tells of an entry without its value
          path: /context/{ref}/environment-variable
          items: /items                               # the answer is a list: JSON pointer to it,
          match: variable                             # and which member has the field's name
          version: /updated_at                        # JSON pointer to what changes with every write
          next: /next_page_token                      # JSON pointer to the next page's token
          next_parameter: page-token
        write: {method: PUT, path: "/context/{ref}/environment-variable/{field}", body: '{"value": "{value}"}'}
        delete: {path: "/context/{ref}/environment-variable/{field}"}
        max_bytes: 32000

Placeholders are those of `templates.py`. Complete descriptions are in docs/drivers.md, each with how far it was tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.http import Api, Need
from rotator.adapters.stores.names import LARGEST_VALUES, components
from rotator.adapters.stores.rest.description import (
    Description,
    Request,
    as_version,
    entry_in,
    names_of,
    read_description,
)
from rotator.adapters.stores.rest.templates import pointed
from rotator.adapters.stores.tokens import TokenAt
from rotator.adapters.stores.unread import UnreadStore
from rotator.domain.address import address_in
from rotator.domain.failures import Permanent, Transient
from rotator.domain.reach import Reach, host_of
from rotator.domain.settings import Settings, SettingsError
from rotator.domain.times import quoted
from rotator.ports import ABSENT

KNOWN = ("base_url", "auth", "metadata", "write", "delete", "max_bytes")
MOST_PAGES = 50
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_NAME = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-]")


class RestStore(UnreadStore):
    """Safe for many threads."""

    @classmethod
    def from_settings(
        cls, name: str, settings: Mapping[str, object], resolve: Callable[[str], str], timeout: timedelta
    ) -> RestStore:
        """A store as configured. No request, and no reference is resolved yet. Raises `SettingsError`."""
        given = Settings(settings, KNOWN)
        auth = given.table("auth", ("header", "format", "token"))
        header, shape = auth.text("header", "Authorization"), auth.text("format", "{token}")
        if not _HEADER.fullmatch(header) or shape.count("{token}") != 1:
            raise SettingsError("auth is no header", 'write auth: {header: …, format: "Bearer {token}", token: …}')
        token = TokenAt(auth.reference("token"), resolve)
        address = _address(given)
        api = Api(address, lambda refused, _: {header: shape.replace("{token}", token.get(anew=refused))})
        most = given.whole("max_bytes", 1, LARGEST_VALUES)
        return cls(Described(api, read_description(given)), api.host, most, timeout)

    @classmethod
    def reach(cls, settings: Mapping[str, object]) -> Reach:
        """The one host that is ever asked. Raises `SettingsError`."""
        return Reach(hosts=host_of(_address(Settings(settings, KNOWN))))


def _address(given: Settings) -> str:
    return address_in(given, "base_url", "https://api.example.com")


class Described:
    """Implements `rotator.adapters.stores.unread.Entries`."""

    def __init__(self, api: Api, description: Description) -> None:
        self._api = api
        self._description = description

    def check(self, ref: str, name: str) -> None:
        """As the protocol says."""
        components(ref, ".")
        if not _NAME.fullmatch(name):
            raise Permanent(f"{quoted(name)} is no name", "letters, digits, _, - and dots, not at the end")

    def version(self, ref: str, name: str, deadline: Deadline) -> str:
        """As the protocol says."""
        found = self._entry(ref, name, deadline)
        if found is None:
            return ABSENT
        version = as_version(pointed(found, self._description.metadata.version))
        if not version:
            message = f"{self._api.host} tells no version of {name} at {self._description.metadata.version}"
            raise Permanent(message, "mend `metadata` of the store")
        return version

    def put(self, ref: str, name: str, text: str, deadline: Deadline) -> None:
        """As the protocol says."""
        names = {**names_of(ref, name), "value": text}
        self._send(self._description.write, names, f"write {name} of {ref}", deadline)

    def delete(self, ref: str, name: str, deadline: Deadline) -> None:
        """As the protocol says."""
        found, at = self._entry(ref, name, deadline), self._description.metadata.id
        if found is not None:
            names = {**names_of(ref, name), "id": as_version(pointed(found, at)) if at is not None else ""}
            self._send(self._description.delete, names, f"delete {name} of {ref}", deadline, 404)

    def _send(self, request: Request, names: Mapping[str, str], what: str, deadline: Deadline, *also: int) -> None:
        body = request.body.fill(names) if request.body is not None else None
        path, need = request.path.fill(names), Need(what, "what `write` and `delete` of the store ask for")
        self._api.ask(request.method, path, need, deadline, body, expect=(*request.success, *also))

    def _entry(self, ref: str, name: str, deadline: Deadline) -> Any:
        """What the API tells of the entry; None where there is none.

        Where it is asked for by name a 404 is believed: nothing tells whether it is the entry that is missing.
        """
        metadata = self._description.metadata
        path, need = metadata.path.fill(names_of(ref, name)), Need(f"look at {name} of {ref}", "reading what it lists")
        if metadata.items is None:
            answer = self._api.ask("GET", path, need, deadline, expect=(200, 404))
            return None if answer.status == 404 else answer.body
        page = ""
        for _ in range(MOST_PAGES):
            body = self._api.ask("GET", path + page, need, deadline).body
            found = entry_in(pointed(body, metadata.items), metadata.match, name)
            token = as_version(pointed(body, metadata.next)) if metadata.next is not None else ""
            if found is not None or not token:
                return found
            page = ("&" if "?" in path else "?") + urlencode({metadata.next_parameter: token})
        raise Transient(f"{self._api.host} lists more than {MOST_PAGES} pages", "publish elsewhere, or tidy up there")
