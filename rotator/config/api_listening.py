"""Where the API listens, and whom it believes: `listen` and `api` of the config."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rotator.config.errors import ConfigError
from rotator.config.oidc_sign_in import SignIn, is_https, make_sign_in
from rotator.domain.times import quoted
from rotator.domain.tokens import Role

if TYPE_CHECKING:
    from rotator.config.document import Document
    from rotator.config.models import ApiEntry, ConfigFile, OidcEntry

PORT = 8750
HOW = f"write it like 127.0.0.1:{PORT} or [::1]:{PORT}"
_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>[0-9]{1,5})")
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]+\])")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files of a certificate with its chain, and of its key, in PEM."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Oidc:
    """Whose JWTs are believed, and what is in them.

    `claim` holds words, such as groups; `roles` says which of them are which role. `owners_claim`: holds the owners
    whose credentials are seen, and without it nothing is; "": everybody sees all. Who has one of `everything` sees all.
    `sign_in`: how people sign in there; None: they bring a token.
    """

    issuer: str
    audience: str
    jwks: str
    claim: str
    roles: Mapping[Role, frozenset[str]]
    owners_claim: str = ""
    everything: frozenset[str] = frozenset()
    sign_in: SignIn | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where the API listens. `hosts`: names by which it may be called, beside those of a loopback address."""

    host: str
    port: int = PORT
    tls: Tls | None = None
    hosts: tuple[str, ...] = ()
    oidc: Oidc | None = field(default=None, repr=False)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def names(self) -> frozenset[str]:
        """What a request may call us: a page elsewhere that makes a name of its own point here is refused."""
        address = ipaddress.ip_address(self.host)
        if address.is_loopback:
            return frozenset((*LOOPBACK_NAMES, *self.hosts))
        own = () if address.is_unspecified else (f"[{address}]" if address.version == 6 else str(address),)
        return frozenset((*own, *self.hosts))


def make_listening(document: Document, file: ConfigFile, override: str | None) -> Listening | None:
    """What the config says, or None where it says nothing of an API. Raises `ConfigError`."""
    entry = file.api
    if file.listen is not None and entry is not None and entry.listen is not None:
        raise ConfigError(f"{document.where(('listen',))}: listen is said twice", "leave one of them out")
    told = file.listen or (entry.listen if entry is not None else None)
    where = f"{document.where(('listen',) if file.listen else ('api', 'listen'))}: listen"
    if override:
        told, where = override, "the environment variable ROTATOR_LISTEN"
    if told is None and entry is None:
        return None
    host, port = _address(told or f"127.0.0.1:{PORT}", where)
    if entry is None:
        return Listening(host=host, port=port)
    base = Path(document.file).resolve().parent
    tls = Tls(cert=base / entry.tls.cert, key=base / entry.tls.key) if entry.tls is not None else None
    oidc = _oidc(document, entry.oidc, file.stores)
    return Listening(host=host, port=port, tls=tls, hosts=_hosts(document, entry), oidc=oidc)


def _address(text: str, where: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(text)
    host = (found["six"] or found["host"]) if found else ""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ConfigError(f"{where} is no address and port", HOW) from None
    assert found is not None
    if not 0 <= int(found["port"]) <= 65535:
        raise ConfigError(f"{where} has a port that there is not", HOW)
    return str(address), int(found["port"])


def _hosts(document: Document, entry: ApiEntry) -> tuple[str, ...]:
    for at, host in enumerate(entry.hosts):
        if not _NAME.fullmatch(host.lower()):
            where = document.where(("api", "hosts", at))
            raise ConfigError(f"{where}: {quoted(host)} is no host's name", "a name without scheme and port")
    return tuple(host.lower() for host in entry.hosts)


def _oidc(document: Document, entry: OidcEntry | None, stores: Collection[str]) -> Oidc | None:
    if entry is None:
        return None
    for name in ("issuer", "jwks"):
        if not is_https(getattr(entry, name)):
            where = document.where(("api", "oidc", name))
            raise ConfigError(f"{where}: {name} is no https URL", f"as the provider's discovery document says: {name}")
    roles = {
        Role.VIEWER: frozenset(entry.roles.viewer),
        Role.OPERATOR: frozenset(entry.roles.operator),
        Role.RESPONDER: frozenset(entry.roles.responder),
    }
    if not any(roles.values()):
        where = document.where(("api", "oidc", "roles"))
        raise ConfigError(f"{where}: nobody has a role", "write responder: [a group] beneath roles")
    return Oidc(
        issuer=entry.issuer,
        audience=entry.audience,
        jwks=entry.jwks,
        claim=entry.roles.claim,
        roles=roles,
        owners_claim=entry.owners or "",
        everything=frozenset(entry.everything),
        sign_in=make_sign_in(document, entry.sign_in, stores) if entry.sign_in is not None else None,
    )
