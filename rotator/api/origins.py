"""What browsers say of where something comes from (the Origin header, RFC 6454), compared with what we are called."""

from __future__ import annotations

from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def name_of(host: str) -> str:
    """Without its port; of an IPv6 address with its brackets."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()


def origin(text: str) -> str:
    """The name in it; empty, which nobody is called, for what is none."""
    try:
        return name_of(urlsplit(text).netloc)
    except ValueError:
        return ""


def same_origin(text: str, host: str, scheme: str) -> bool:
    """Whether an origin is ourselves, with the port: on one machine another port is somebody else.

    Over TLS its scheme must be https; without, a proxy may have ended it.
    """
    try:
        told = urlsplit(text)
        ours = urlsplit(f"//{host}")
        port = _PORTS[told.scheme]
        same = (name_of(told.netloc), told.port or port) == (name_of(host), ours.port or port)
    except (ValueError, KeyError):
        return False
    bare = not (told.path or told.query or told.fragment or told.username or told.password)
    return same and bare and (scheme != "https" or told.scheme == "https")
