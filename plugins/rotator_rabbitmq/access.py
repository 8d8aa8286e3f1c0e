"""What the principal's own words say, and how a login is shown over HTTP."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from rotator.sdk import Permanent, Principal, SettingsError, Transient, quoted
from rotator.sdk.slots import of_principal, users_in

LONGEST_NAME = 128
NOTHING = "^$"
"""A pattern that matches nothing; the server shows it, like an empty one, as it was given."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What may be configured, written and read in one virtual host, each a regular expression."""

    vhost: str
    configure: str
    write: str
    read: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Four words. Raises `Permanent`."""
        words = text.split(" ")
        if len(words) != 4 or not all(words) or not text.isprintable():
            hint = 'write "VHOST CONFIGURE WRITE READ", like "/ ^app ^app .*"; ^$ is nothing'
            raise Permanent(f"{quoted(text)} is no permission", hint)
        return cls(*words)

    @classmethod
    def read_all(cls, body: Any) -> tuple[Self, ...]:
        """From the answer to GET /api/users/NAME/permissions. Raises `Transient` when it has another form."""
        names = ("vhost", "configure", "write", "read")
        rows = body if isinstance(body, list) else [body]
        if not all(isinstance(row, dict) and all(isinstance(row.get(name), str) for name in names) for row in rows):
            raise Transient("RabbitMQ lists permissions in another form")
        return tuple(cls(*(str(row[name]) for name in names)) for row in rows)

    def __str__(self) -> str:
        return " ".join([self.vhost, *(each or NOTHING for each in (self.configure, self.write, self.read))])

    def body(self) -> dict[str, str]:
        """As the API takes it."""
        return {"configure": self.configure, "write": self.write, "read": self.read}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The users, what each may do, and the tags that each has beside ours."""

    users: tuple[str, ...]
    permissions: tuple[Permission, ...]
    tags: tuple[str, ...]

    @classmethod
    def of(cls, principal: Principal, admin: str) -> Self:
        """Read them. Raises `Permanent` for what cannot be rotated."""
        given = of_principal(principal)
        try:
            users = users_in(given, admin, longest=LONGEST_NAME)
            permissions, tags = given.texts("permissions", ()), given.texts("tags", ())
            given.finish()
        except SettingsError as wrong:
            raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
        if any(":" in each for each in users):
            raise Permanent("principal: a user has a colon in its name", "no such user can log in over HTTP")
        if any("," in each or each.startswith("rotator") or not each.isprintable() for each in tags):
            raise Permanent("principal: tags holds what is no tag of yours", "write tags: [monitoring]")
        return cls(users=users, permissions=_parsed(permissions), tags=tags)

    def within(self, scopes: Sequence[str]) -> Self:
        """With these permissions, if there are any. Raises `Permanent` where nothing says what a user may do."""
        permissions = _parsed(scopes) or self.permissions
        if not permissions:
            raise Permanent("nothing says what the users may do", 'write permissions: ["/ ^app ^app .*"], or needs')
        return replace(self, permissions=permissions)


def basic(user: str, password: str) -> dict[str, str]:
    """The header that shows a login (RFC 7617)."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def reason_of(body: Any) -> str:
    """Why the server refuses, where it says so in words."""
    reason = body.get("reason") if isinstance(body, dict) else None
    return reason if isinstance(reason, str) else ""


def _parsed(texts: Sequence[str]) -> tuple[Permission, ...]:
    permissions = tuple(Permission.parse(each) for each in texts)
    if len({each.vhost for each in permissions}) < len(permissions):
        raise Permanent("a virtual host has two permissions", "write one for each")
    return permissions
