"""A database login in a URL, taken apart: what is secret, and the template that is left without it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from rotator.domain.secret import Secret

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.~")
_SAYS_LITTLE = frozenset(("sslmode", "application_name", "connect_timeout", "schema", "search_path", "pool_size"))
_TLS = {"disable": "off", "allow": "require", "prefer": "require", "require": "require"}
ROLE = "rotator"
"""The role that the admin credential is the password of."""
_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One login of one database. `template` is the URL with `{user}` and `{password}` in their places."""

    user: str
    password: str = field(repr=False)
    host: str
    port: int
    database: str
    tls: str
    template: str

    @property
    def roles(self) -> tuple[str, str]:
        """The role that is there, and the one to be used in turn with it."""
        return self.user, f"{self.user}_b"

    @property
    def owner(self) -> str:
        """The role that must own what both make."""
        return f"{self.user}_owner"

    def value(self) -> Secret:
        """What a consumer logs in with."""
        return Secret({"user": self.user, "password": self.password})

    def settings(self, user: str) -> dict[str, object]:
        """The settings of the `postgres` driver, which logs in as `user`."""
        server = {"host": self.host, "port": self.port, "database": self.database, "user": user}
        return {**server, "tls": self.tls} if self.tls else server


def read_login(url: str) -> Login | None:
    """Take a PostgreSQL URL apart; None for one whose other parts may be secret or that cannot be read back.

    Letters that a URL would escape are not taken: consumers would read the escapes, the database would not.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port or 5432
        query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:  # no address; the caller says so, without repeating it
        return None
    user, password, host = parts.username or "", parts.password or "", parts.hostname or ""
    database = parts.path.removeprefix("/") or user
    if not all(text and _PLAIN.issuperset(text) for text in (user, password, database)) or not host or "," in host:
        return None
    if parts.fragment or not _SAYS_LITTLE.issuperset(query) or password in url.replace(f":{password}@", "", 1):
        return None
    mode = query.get("sslmode", [""])[-1] or ("disable" if host in _HERE else "")
    after = url.strip().partition("@")[2]
    template = f"{parts.scheme}://{{user}}:{{password}}@{after}"
    if "{" in after or "}" in after:
        return None
    tls = _TLS.get(mode, "")
    return Login(user=user, password=password, host=host, port=port, database=database, tls=tls, template=template)
