"""What the config says of notifications and of who may tell of leaks, as values; what is wrong, with its line."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from rotator.config.document import Step, Where
from rotator.config.errors import ConfigError, nearest
from rotator.config.references import Reference
from rotator.config.secrecy import shown
from rotator.config.values import GithubLeaks, NotificationConfig, SmtpConfig
from rotator.domain.address import checked_address, is_here
from rotator.domain.notices import Severity
from rotator.domain.settings import SettingsError
from rotator.policy.notifying import ROWS

if TYPE_CHECKING:
    from rotator.config.models import GithubLeaksEntry, NotificationEntry, SmtpEntry

WAYS = ("webhook", "smtp", "apprise")
PORTS = {"starttls": 587, "implicit": 465, "none-on-loopback-only": 25}
KEYS = "https://api.github.com/meta/public_keys/secret_scanning"
# What headers and envelopes take literally: nothing that could end a line, quote or name a route.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|[0-9a-fA-F:]{2,39}")


class Reads(Protocol):
    """What `rotator.config.making.Maker` offers for this."""

    def reference(self, text: str, path: tuple[Step, ...], *, private: bool = False) -> Reference: ...

    def duration(self, text: str, path: tuple[Step, ...]) -> timedelta: ...

    def error(self, path: tuple[Step, ...], message: str, hint: str) -> ConfigError: ...

    def where(self, path: tuple[Step, ...]) -> Where: ...


def make_notification(reads: Reads, name: str, entry: NotificationEntry) -> NotificationConfig:
    """One target. Raises `ConfigError`."""
    path: tuple[Step, ...] = ("notifications", name)
    ways = [way for way in WAYS if getattr(entry, way) is not None]
    if len(ways) != 1:
        what = "says no way to tell anybody" if not ways else f"says {len(ways)} ways at once: {', '.join(ways)}"
        raise reads.error(path, f"notifications.{name} {what}", f"write one of: {', '.join(WAYS)}")
    for setting in ("secret", "ca"):
        if getattr(entry, setting) is not None and entry.webhook is None:
            where = f"notifications.{name}.{setting}"
            raise reads.error((*path, setting), f"{where} belongs to a webhook", f"{ways[0]} has its own settings")
    for index, kind in enumerate(entry.kinds):
        if kind not in ROWS:
            near = nearest(kind, ROWS)
            hint = f"did you mean {near}?" if near else "`rotator notify list --kinds` shows them"
            raise reads.error((*path, "kinds", index), f"nobody is told of {shown(kind)}", hint)
    return NotificationConfig(
        name=name,
        webhook=entry.webhook,
        secret=reads.reference(entry.secret, (*path, "secret")) if entry.secret else None,
        ca=entry.ca,
        smtp=_smtp(reads, (*path, "smtp"), entry.smtp) if entry.smtp is not None else None,
        apprise=reads.reference(entry.apprise, (*path, "apprise")) if entry.apprise else None,
        severity=Severity(entry.severity),
        owners=tuple(entry.owners),
        kinds=tuple(entry.kinds),
        again=reads.duration(entry.again, (*path, "again")),
        resolved=entry.resolved,
        where=reads.where(path),
    )


def _smtp(reads: Reads, path: tuple[Step, ...], entry: SmtpEntry) -> SmtpConfig:
    named = ".".join(map(str, path))
    if not _HOST.fullmatch(entry.host):
        raise reads.error((*path, "host"), f"{named}.host is no name of a server", "write it like mail.internal")
    if entry.port is not None and not 1 <= entry.port <= 65535:
        raise reads.error((*path, "port"), f"{named}.port is no port", "write a number from 1 to 65535")
    if entry.tls == "none-on-loopback-only" and not is_here(entry.host):
        raise reads.error((*path, "tls"), f"{named}: {entry.host} is another machine", "write starttls or implicit")
    if entry.password is not None and entry.user is None:
        raise reads.error((*path, "password"), f"{named} has a password and no user", "add user: …")
    if entry.user is not None and entry.password is None:
        raise reads.error((*path, "user"), f"{named} has a user and no password", "add password: file:PATH")
    for index, address in enumerate((entry.sender, *entry.to)):
        at: tuple[Step, ...] = ("from",) if not index else ("to", index - 1)
        if not _ADDRESS.fullmatch(address):
            what = f"{'.'.join(map(str, (*path, *at)))} is no address of a mailbox"
            raise reads.error((*path, *at), what, "write it like rotator@example.org, without a name")
    return SmtpConfig(
        host=entry.host,
        port=entry.port if entry.port is not None else PORTS[entry.tls],
        tls=entry.tls,
        sender=entry.sender,
        to=tuple(dict.fromkeys(entry.to)),
        user=entry.user or "",
        password=reads.reference(entry.password, (*path, "password")) if entry.password else None,
        ca=entry.ca,
    )


def make_github_leaks(reads: Reads, entry: GithubLeaksEntry | None) -> GithubLeaks | None:
    """What GitHub may tell; None: nothing. Raises `ConfigError`."""
    if entry is None or (entry.secret is None and entry.keys is None):
        return None
    path: tuple[Step, ...] = ("leaks", "github")
    if entry.keys is not None:
        try:
            checked_address(entry.keys, "leaks.github.keys", KEYS)
        except SettingsError as error:
            raise reads.error((*path, "keys"), error.message, error.hint) from None
        if not urlsplit(entry.keys).path.strip("/"):
            raise reads.error((*path, "keys"), "leaks.github.keys names a host alone", f"write {KEYS}")
    secret = reads.reference(entry.secret, (*path, "secret")) if entry.secret is not None else None
    return GithubLeaks(secret=secret, keys=entry.keys)
