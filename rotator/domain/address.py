"""The address of a server, as somebody wrote it: secrets go there, so it is encrypted unless it is this machine."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from rotator.domain.settings import Settings, SettingsError
from rotator.domain.times import quoted


def address_in(given: Settings, key: str, like: str, *, default: str | None = None, near: str = "") -> str:
    """The address at `key` of a table, checked as `checked_address` does it. Raises `SettingsError`."""
    return checked_address(given.text(key, default), key, like, near=near)


def checked_address(text: str, key: str, like: str, *, near: str = "") -> str:
    """The text without slashes at its end: `https://host[:port][/path]`, or `http` where nobody can listen.

    That is this machine, by a loopback address or as `localhost`, and the host `near`, exactly as it is written here.
    Raises `SettingsError` with `key` as the name and `like` as the example to follow.
    """
    text = text.rstrip("/")
    parts = _split(text)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise SettingsError(f"{key} is no address of a server", f"write it like {like}")
    if parts.username is not None or "?" in text or "#" in text:
        raise SettingsError(f"{key} is more than an address", f"write it like {like}")
    if parts.scheme == "http" and not is_here(parts.hostname) and parts.hostname != near:
        raise SettingsError(f"{key}: {quoted(parts.hostname)} is asked without encryption", "write https://")
    return text


def _split(text: str) -> SplitResult | None:
    # urlsplit drops line breaks and goes on, and not everybody reads a blank alike: such text is not parsed at all.
    if not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        _ = parts.port  # read here, because reading it may raise
    except ValueError:
        return None
    return parts


def is_here(host: str) -> bool:
    """Whether a host is this machine, by what is written alone: no name is looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
