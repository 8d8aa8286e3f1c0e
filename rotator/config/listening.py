"""Where something listens: an address and a port, and who may be asked for there."""

from __future__ import annotations

import ipaddress
import re

from rotator.config.errors import ConfigError

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]{2,45})\]|(?P<four>[0-9.]{7,15}|localhost)):(?P<port>[0-9]{1,5})")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")
HOW = "write ADDRESS:PORT, like 127.0.0.1:9464 or [::1]:9464"


def read_address(text: str, where: str) -> tuple[str, int]:
    """The address and the port; no name is looked up. Raises `ConfigError`, which begins with `where`."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ConfigError(f"{where} is no address with a port", HOW)
    address = found["six"] or ("127.0.0.1" if found["four"] == "localhost" else found["four"])
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise ConfigError(f"{where} is no address with a port", HOW) from None
    port = int(found["port"])
    if not 0 < port <= 65535:
        raise ConfigError(f"{where} has a port that there is not", "a port is a number from 1 to 65535")
    return str(parsed), port


def loopback(address: str) -> bool:
    """Whether only this machine reaches it."""
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def read_hosts(names: list[str], where: str) -> tuple[str, ...]:
    """Names that a client may ask for, in lower case and without a port. Raises `ConfigError`."""
    for index, name in enumerate(names):
        if not _HOST.fullmatch(name):
            raise ConfigError(f"{where}.{index + 1} is no host's name", "write a name alone, like rotator.internal")
    return tuple(name.lower() for name in names)
