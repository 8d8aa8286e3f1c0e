"""Where a driver may connect to: names against names, then addresses against what the operator allowed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.isolation.egress import Hosts, NotAHost, Refused
from rotator.adapters.isolation.keeping import NotMade
from rotator.domain.credential import Principal
from rotator.domain.failures import Permanent
from tests.isolation.children import SVC, Start, needs_sandbox
from tests.isolation.strangers import HOSTILE, install

PUBLIC = "8.8.8.8"

Resolving = Callable[..., list[tuple[str, int]]]


@pytest.fixture
def resolving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolving]:
    """Lets names have addresses, each time the next; gives the list of what was dialled, which a listener answers."""
    really, dialling = socket.getaddrinfo, socket.create_connection
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def let(*each_time: tuple[str, ...]) -> list[tuple[str, int]]:
            times, dialled = iter(each_time), []

            def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
                return [answer for address in next(times) for answer in really(address, port, type=socket.SOCK_STREAM)]

            def create_connection(address: tuple[str, int], timeout: float | None = None) -> socket.socket:
                dialled.append(address)
                monkeypatch.setattr(socket, "getaddrinfo", really)
                return dialling(listener.getsockname(), timeout)

            monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
            monkeypatch.setattr(socket, "create_connection", create_connection)
            return dialled

        yield let


INWARD = (
    "10.0.0.1", "127.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "169.254.169.254", "224.0.0.1",
    "0.0.0.0",  # noqa: S104 - to be refused
    "168.63.129.16", "100.100.100.200", "192.0.0.192",  # metadata
    "::1", "::", "fe80::1", "fd00::1", "fec0::1", "ff02::1", "fd00:ec2::254",
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::10.0.0.1", "2002:a00:1::", "2002:a9fe:a9fe::",
    "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
)  # fmt: skip
METADATA = (
    "169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fe80::1",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
)  # fmt: skip


@pytest.mark.parametrize("address", INWARD)
def test_a_vendor_s_name_leads_to_no_address_that_is_not_public(address: str, resolving: Resolving) -> None:
    dialled = resolving((address,))
    with pytest.raises(Refused, match="which is not public"):
        Hosts.of((), ["api.example.com"]).connect("api.example.com", 443, 1.0)
    assert dialled == []


@pytest.mark.parametrize("address", INWARD)
def test_a_driver_that_names_such_an_address_itself_gets_none_either(address: str) -> None:
    shown = f"[{address}]:443" if ":" in address else f"{address}:443"
    with pytest.raises(Refused):
        Hosts.of((), [shown]).connect(address, 443, 1.0)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808", "2002:808:808::"])
def test_a_public_address_is_dialled(address: str, resolving: Resolving) -> None:
    dialled = resolving((address,))
    Hosts.of((), ["api.example.com"]).connect("API.example.com.", 443, 1.0).close()
    assert dialled == [(address, 443)]


@pytest.mark.parametrize("address", METADATA)
def test_the_operator_s_host_leads_into_his_network_but_not_to_metadata(address: str, resolving: Resolving) -> None:
    dialled = resolving(("10.0.0.1",))
    hosts = Hosts.of(["vault.internal:8200"], [])
    hosts.connect("vault.internal", 8200, 1.0).close()
    assert dialled == [("10.0.0.1", 8200)]
    dialled = resolving((address,))
    with pytest.raises(Refused):
        hosts.connect("vault.internal", 8200, 1.0)
    resolving((address,))
    Hosts.of(["vault.internal:8200", "169.254.0.0/16", address], []).connect("vault.internal", 8200, 1.0).close()


def test_what_was_looked_at_is_what_is_dialled(resolving: Resolving) -> None:
    dialled = resolving((PUBLIC,), ("127.0.0.1",))
    Hosts.of((), ["api.example.com"]).connect("api.example.com", 443, 1.0).close()
    assert dialled == [(PUBLIC, 443)]


def test_of_several_addresses_only_those_that_are_allowed_are_dialled(resolving: Resolving) -> None:
    dialled = resolving(("10.0.0.1", "169.254.169.254", PUBLIC))
    Hosts.of((), ["api.example.com"]).connect("api.example.com", 443, 1.0).close()
    assert dialled == [(PUBLIC, 443)]


def test_the_operator_s_hosts_replace_those_of_the_driver() -> None:
    hosts = Hosts.of(["proxy.internal:3128"], ["api.example.com"])
    assert str(hosts) == "proxy.internal:3128"
    with pytest.raises(Refused, match="not among the hosts"):
        hosts.connect("api.example.com", 443, 1.0)


@pytest.mark.parametrize(
    "name",
    [
        "evil.example", "api.example.com.evil.example", "xapi.example.com", "example.com", "api.example.com%00",
        "api.example.com/", "user@api.example.com", "api.example.com:443", "api。example。com", "", ".", "[]",
    ],
)  # fmt: skip
def test_another_name_is_another_host(name: str) -> None:
    with pytest.raises(Refused):
        Hosts.of((), ["api.example.com"]).connect(name, 443, 1.0)


@pytest.mark.parametrize(
    "text",
    ["", ".", "[]", ":443", "a:0", "a:65536", "a:" + "9" * 5000, "a:４４３", "a/b", "u@a", "a b", "a\\b", "a\n", "a,b"],
)
def test_what_is_no_host_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NotAHost):
        Hosts.of([text], [])


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("http://db.internal:8443/v1", True),
        ("http://db.internal/v1", False),  # at another port
        ("db.internal", True),
        ("db.internal:8443", True),
        ("db.internal:22", False),
        ("other:8443,db.internal:8443", True),
        ("postgresql://user:word@other,db.internal:8443/name", True),
        ("  server: https://db.internal:8443\n  user: a\n", True),
        ("http://sub.db.internal:8443", False),
        ("http://db.internal.example.com:8443", False),
        ("http://db.internal@example.com:8443", False),
        ("http://example.com:8443/db.internal:8443", False),
        ("xdb.internal", False),
        ("the host db.internal is not to be reached", False),
        ("", False),
    ],
)
def test_a_text_of_the_config_names_a_host_as_a_whole_or_not_at_all(text: str, listed: bool) -> None:
    hosts = Hosts.of((), ["db.internal:8443"]).named([text])
    assert [each.listed for each in hosts.hosts] == [listed]


def test_an_address_that_is_part_of_another_one_is_not_named_by_it() -> None:
    hosts = Hosts.of((), ["10.0.0.1:443", "[fd00::1]:443"]).named(["https://10.0.0.12", "https://[fd00::12]"])
    assert not any(each.listed for each in hosts.hosts)
    hosts = Hosts.of((), ["10.0.0.12:443", "[fd00::12]:443"]).named(["https://10.0.0.12", "https://[fd00::12]"])
    assert all(each.listed for each in hosts.hosts)


# -- drivers -----------------------------------------------------------------------------------------------------------


@needs_sandbox
def test_a_stranger_s_driver_reaches_no_host_that_the_config_does_not_name(strangers: Path, start: Start) -> None:
    wanted = HOSTILE.replace('hosts=tuple(settings.get("hosts", ()))', 'hosts=("collect.example",)')
    assert wanted != HOSTILE
    install(strangers, "hostile", {"hostile_driver.py": wanted}, driver="hostile_driver:Hostile")
    with pytest.raises(NotMade, match=r"wants to reach collect.example:443, which the config does not name") as caught:
        start("hostile", {"note": "collect.example.com"})
    assert caught.value.hint == "hosts: [collect.example:443] allows it"
    start("hostile", hosts=("collect.example",)).check_admin(SVC)


ELSEWHERE = (
    "https://evil.example\\@api.example.com/", "https://api.example.com@evil.example/", "//api.example.com/",
    "https://api.example.com:444/", "http://api.example.com/", "ftp://api.example.com/", "https://api.example.com:/",
    "https://api.example.com:65537/", "https://evil.example/@api.example.com", "https://api.example.com\n.evil/",
    "https://api.example.com/\\evil", "HTTPS://api.example.com", "https://api.example.com#@evil.example/", "file:///",
)  # fmt: skip


@needs_sandbox
def test_keys_are_tried_nowhere_but_at_the_driver_s_hosts(strangers: Path, start: Start) -> None:
    probing = HOSTILE.replace('url = self._settings.get("probe")', "url = principal.name")
    assert probing != HOSTILE
    install(strangers, "hostile", {"hostile_driver.py": probing}, driver="hostile_driver:Hostile")
    provider = start("hostile", {"hosts": ["api.example.com"]})
    for url in ELSEWHERE:
        with pytest.raises(Permanent, match="wants keys to be tried at"):
            provider.capabilities(Principal(name=url))
    for url in ("https://api.example.com", "https://API.example.com:443/v1/models?limit=1#top"):
        offers = provider.capabilities(Principal(name=url))
        assert offers.probe is not None
        assert offers.probe.url == url
