"""Where the database is: a URL as libpq takes it, without a password."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rotator.adapters.journal.errors import CannotOpen
from rotator.domain.times import quoted

_SETTLED = {
    # Else libpq asks the environment: PGSSLMODE=disable, say, or a password file that this config does not name.
    "sslmode": "prefer",
    "passfile": f"{os.devnull}/none",  # of a file that is there and is none libpq warns on stderr
    "options": "",
    "client_encoding": "utf8",
    "application_name": "rotator",
}
_HINT = "write it like postgresql://rotator@db.internal/rotator?sslmode=verify-full"


@dataclass(frozen=True, slots=True)
class Address:
    """`parameters`: libpq's, without the password, which is asked for anew whenever a connection is made."""

    parameters: Mapping[str, str]
    password: Callable[[], str] | None = field(default=None, repr=False)

    @property
    def server(self) -> str:
        """Host and port, for people."""
        host, port = self.parameters.get("host", "localhost"), self.parameters.get("port", "5432")
        return host if host.startswith("/") else f"{host}:{port}"

    @property
    def database(self) -> str:
        """The database's name, which is the user's where the URL says none."""
        return self.parameters.get("dbname") or self.user

    @property
    def user(self) -> str:
        """Who logs in."""
        return self.parameters.get("user", "this system's user")


def address_of(url: str, password: Callable[[], str] | None = None) -> Address:
    """Read a URL, of which nothing is repeated: there may be a password in it. Raises `CannotOpen`.

    `password`: gives it; raises whatever it likes.
    """
    found = _parsed(url)
    if found is None:  # outside of any handler: the error that it was holds the URL
        raise CannotOpen("state is not the URL of a database", _HINT)
    if "password" in found:
        hint = "write state: {url: postgresql://USER@HOST/DATABASE, password: file:/run/secrets/db}"
        raise CannotOpen("the URL of state holds a password", hint)
    return Address(_SETTLED | found, password)


def _parsed(url: str) -> dict[str, str] | None:
    """Its parameters; None where it is no URL of a database."""
    from psycopg import Error
    from psycopg.conninfo import conninfo_to_dict

    try:
        found = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except (Error, ValueError):
        return None
    ports = found.get("port", "").split(",")
    return found if all(port.isdecimal() or not port for port in ports) else None


def shown(address: Address) -> str:
    """The database, for people."""
    return f"{quoted(address.database)} at {address.server}"
