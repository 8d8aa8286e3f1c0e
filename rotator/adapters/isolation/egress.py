"""Where a driver may connect to. The parent looks the name up, looks at the address, connects, and hands over.

A host is allowed by name and port. Addresses that are not public are refused, lest a vendor's name leads into this
network; unless the operator named the host, or listed the address or its network. Link-local addresses, where clouds
keep the metadata of a machine and its credentials, are refused even then, if not listed themselves; so are the other
addresses where they do. An IPv6 address that stands for an IPv4 one is judged as that one.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HTTPS = 443
PORTS = {"http": 80, "https": HTTPS}
METADATA = frozenset(
    ipaddress.ip_address(each)
    for each in (
        "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
    )
)  # fmt: skip
"""Not link-local: Azure's wire server, Alibaba, Oracle, AWS by IPv6 (machines and EKS), Google by IPv6."""
NOT_PUBLIC = tuple(ipaddress.ip_network(each) for each in ("64:ff9b:1::/48", "fec0::/10"))
"""What a Python may take for public: a network's own translation, site-local addresses."""
TRANSLATED, COMPATIBLE = ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^\s/?#'\"\\]+)")
_BARE = re.compile(r"[\w.:\[\]-]+")


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
        """The same, with a host counted as the operator's where one of these texts of the config names it."""
        said = {each for text in texts for each in _named_in(text.lower())}
        hosts = tuple(
            Host(each.name, each.port, each.listed or not said.isdisjoint({(each.name, each.port), (each.name, None)}))
            for each in self.hosts
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
        inner = _inner(address)
        if any(each in network for network in self.networks for each in (address, inner)):
            return True
        if host.listed and host.name in (str(address), str(inner)):
            return True
        if inner.is_link_local or inner.is_multicast or inner.is_unspecified or inner in METADATA:
            return False
        return host.listed or (inner.is_global and not any(inner in network for network in NOT_PUBLIC))


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to: mapped, by 6to4, Teredo or NAT64; else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in TRANSLATED or (address in COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1] or address


def plain(name: str) -> str:
    """A host's name as it is compared: lower case, without brackets and the dot at the end."""
    return name.lower().strip("[]").rstrip(".")


def _first(addresses: list[tuple[str, int]], seconds: float | None) -> socket.socket:
    """A connection to the first address that accepts one; the last one's failure where none does."""
    deadline = None if seconds is None else time.monotonic() + seconds
    for address in addresses[:-1]:
        try:
            return socket.create_connection(address, _left(deadline))
        except OSError:
            continue
    return socket.create_connection(addresses[-1], _left(deadline))


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _named_in(text: str) -> Iterator[tuple[str, int | None]]:
    """The hosts that a text of a config names, with their ports where it says any: by URL, or alone, or as a list."""
    found = [(PORTS.get(scheme), authority.rpartition("@")[2]) for scheme, authority in _URL.findall(text)]
    if "://" not in text:
        found = [(None, text)]
    for port, hosts in found:
        for each in map(str.strip, hosts.split(",")):
            if _BARE.fullmatch(each):
                try:
                    host = _host(each, listed=True)
                except NotAHost:
                    continue  # a word of the settings, and no host
                yield host.name, host.port if _has_port(each) else port


def _network(text: str) -> Network | None:
    """An address or a network; None for a name, and for an address with a port, which is a host."""
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


def _has_port(text: str) -> bool:
    """Whether a host is followed by a port, and is no IPv6 address without brackets."""
    return ":" in text and not text.endswith("]") and (text.count(":") == 1 or "]:" in text)


def _host(text: str, *, listed: bool) -> Host:
    name, port = text, str(HTTPS)
    if _has_port(text):
        name, _, port = text.rpartition(":")
    host = plain(name)
    if not host or not host.isprintable() or set(host) & set("/@ \\?#,[]"):
        raise NotAHost(f"{text!r} is no host")
    if not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 65536:
        raise NotAHost(f"{text!r} is no host")
    return Host(host, int(port), listed)
