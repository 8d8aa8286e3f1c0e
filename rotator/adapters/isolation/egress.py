"""Where a driver may connect to. The parent looks the name up, looks at the address, connects, and hands over.

A host is allowed by name and port. Addresses that are not public are refused, lest a vendor's name leads into this
network; unless the operator named the host, or listed the address or its network. Link-local addresses, where clouds
keep the metadata of a machine and its credentials, are refused even then, if not listed themselves.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HTTPS = 443


class NotAHost(ValueError):
    """The text names no host, no host with a port, and no network."""


class Refused(Exception):
    """Not to be connected to. The message names the host and what to write."""


@dataclass(frozen=True, slots=True)
class Host:
    """One host at one port. `listed`: the operator wrote it, and not the driver."""

    name: str
    port: int
    listed: bool


@dataclass(frozen=True, slots=True)
class Hosts:
    """All that one driver may connect to."""

    hosts: tuple[Host, ...]
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, operators: Iterable[str], drivers: Iterable[str], *, ours: bool = False) -> Hosts:
        """The operator's hosts and networks; where there are none of the operator's hosts, those of the driver.

        `ours`: whether the rotator brings the driver, whose networks are taken then, too. Raises `NotAHost`.
        """
        networks, listed = [], []
        for text in operators:
            network = _network(text)
            if network is None:
                listed.append(_host(text, listed=True))
            else:
                networks.append(network)
        vendors = []
        for text in () if listed else drivers:
            network = _network(text) if ours and "/" in text else None
            if network is None:
                vendors.append(_host(text, listed=False))
            else:
                networks.append(network)
        return cls(tuple(listed + vendors), tuple(networks))

    def named(self, texts: Iterable[str]) -> Hosts:
        """The same, with a host counted as the operator's where one of these texts of the config mentions it."""
        words = [text.lower() for text in texts]
        hosts = tuple(
            Host(each.name, each.port, each.listed or any(each.name in word for word in words)) for each in self.hosts
        )
        return Hosts(hosts, self.networks)

    def __str__(self) -> str:
        """Give the hosts and networks as the config would list them."""
        hosts = (each.name if each.port == HTTPS else f"{each.name}:{each.port}" for each in self.hosts)
        return ", ".join([*hosts, *map(str, self.networks)])

    def find(self, name: str, port: int) -> Host | None:
        """The entry for a host."""
        return next((each for each in self.hosts if (each.name, each.port) == (plain(name), port)), None)

    def connect(self, name: str, port: int, seconds: float | None) -> socket.socket:
        """A connected, blocking socket. Raises `Refused`, and what `socket.create_connection` raises."""
        host = self.find(name, port)
        if host is None:
            raise Refused(f"{name}:{port} is not among the hosts of this driver; list it in hosts: if that is right")
        found = socket.getaddrinfo(host.name, port, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        allowed = [(each, port) for each in addresses if self._may_reach(host, ipaddress.ip_address(each))]
        if not allowed:
            where = addresses[0]
            raise Refused(f"{name} is at {where}, which is not public; list {where} in hosts: if that is right")
        connected = _first(allowed, seconds)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(None)
        return connected

    def _may_reach(self, host: Host, address: Address) -> bool:
        address = getattr(address, "ipv4_mapped", None) or address
        if any(address in network for network in self.networks) or str(address) == host.name:
            return True
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            return False
        return host.listed or address.is_global


def plain(name: str) -> str:
    """A host's name as it is compared: lower case, without brackets and the dot at the end."""
    return name.lower().strip("[]").rstrip(".")


def _first(addresses: list[tuple[str, int]], seconds: float | None) -> socket.socket:
    """A connection to the first address that accepts one; the last one's failure where none does."""
    for address in addresses[:-1]:
        try:
            return socket.create_connection(address, seconds)
        except OSError:
            continue
    return socket.create_connection(addresses[-1], seconds)


def _network(text: str) -> Network | None:
    """An address or a network; None for a name, and for an address with a port, which is a host."""
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


def _host(text: str, *, listed: bool) -> Host:
    name, colon, port = text.rpartition(":")
    if not colon or (name.count(":") and not name.endswith("]")):
        name, port = text, str(HTTPS)
    if not name or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536 or set(name) & set("/@ "):
        raise NotAHost(f"{text!r} is no host")
    return Host(plain(name), int(port), listed)
