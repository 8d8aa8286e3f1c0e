"""The address of a server, as settings give it: secrets go there, so it is encrypted unless it is this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from rotator.domain.settings import Settings, SettingsError
from rotator.domain.times import quoted


def address_in(given: Settings, key: str, like: str, *, near: str = "") -> str:
    """The address at `key`, without a slash at its end; `near` is a host that may be asked without encryption, too.

    Raises `SettingsError` with `like` as the example to follow.
    """
    address, hint = given.text(key).rstrip("/"), f"write it like {like}"
    try:
        parts = urlsplit(address)
        _ = parts.port  # read here, because reading it may raise
    except ValueError:
        raise SettingsError(f"{key} is no address of a server", hint) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"{key} is no address of a server", hint)
    if parts.username is not None or parts.query or parts.fragment:
        raise SettingsError(f"{key} is more than an address", hint)
    if parts.scheme == "http" and not _is_here(parts.hostname) and parts.hostname != near:
        raise SettingsError(f"{key}: {quoted(parts.hostname)} is asked without encryption", "write https://")
    return address


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
