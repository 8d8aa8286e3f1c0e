"""Where a secret may be sent: encrypted, or to this machine; and an address is nothing more than that."""

from __future__ import annotations

import pytest

from rotator.domain.address import address_in, checked_address, is_here
from rotator.domain.settings import Settings, SettingsError

HIDDEN = "hvs.CAESIJlU02LQZq"
LIKE = "https://server.internal:8200"
METADATA = "169.254.169.254"


def refusal(text: str, *, near: str = "") -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        checked_address(text, "address", LIKE, near=near)
    for line in (caught.value.message, caught.value.hint):
        assert line.isprintable()
        assert HIDDEN not in line
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "http://server.internal",
        "HTTP://server.internal",
        "hTtP://127.0.0.1.example.com",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://127.1",
        "http://0x7f000001",
        "http://2130706433",
        "http://127.0.0.1.",
        "http://localhost.",
        "http://localhost.example.com",
        "http://notlocalhost",
        "http://[::]",
        "http://[fe80::1]",
        "http://[2001:db8::1]:8200",
        f"http://{METADATA}",
        "http://-",
        "http://server.internal:443",
        "http://server.internal/127.0.0.1",
        "http://localhost\\.example.com",
    ],
)
def test_another_machine_is_never_asked_without_encryption(text: str) -> None:
    refused = refusal(text)
    assert "is asked without encryption" in refused.message
    assert refused.hint == "write https://"


@pytest.mark.parametrize(
    "text",
    [
        f"https://me:{HIDDEN}@server",
        f"https://{HIDDEN}@server",
        "https://@server",
        "https://:@server",
        f"http://me:{HIDDEN}@127.0.0.1",
        "http://localhost:80@server.internal",
        "http://localhost\\@server.internal",
        f"https://server?token={HIDDEN}",
        f"https://server/v1?{HIDDEN}",
        "https://server?",
        f"https://server#{HIDDEN}",
        f"https://server/#/{HIDDEN}",
        "https://server#",
        "http://localhost#@server.internal",
        "http://localhost?@server.internal",
    ],
)
def test_what_is_more_than_an_address_is_refused_and_not_repeated(text: str) -> None:
    refused = refusal(text)
    assert refused.message == "address is more than an address"
    assert refused.hint == f"write it like {LIKE}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "https:",
        "https://",
        "https:///path",
        "https://:8200",
        "server.internal",
        "server.internal:8200",
        "127.0.0.1",
        "//server.internal",
        "ftp://server.internal",
        "file:///etc/passwd",
        "unix:///run/server.sock",
        "httpss://server",
        "https://server:port",
        "https://server:-1",
        "https://server:0",
        "https://server:65536",
        "https://server:99999999",
        "https://server:8200:8200",
        "https://[::1",
        "https://::1]",
        "https://[server]",
        "https://ser ver",
        " https://server",
        "https://server ",
        "https://server\n.internal",
        "http://127.0.0.1\n.internal",
        "https://server\t",
        "https://ser\x00ver",
        "https://sérver",
        "http://１２７.０.０.１",
        "http://localhost\u3002",
    ],
)
def test_what_names_no_server_is_refused(text: str) -> None:
    refused = refusal(text)
    assert refused.message == "address is no address of a server"
    assert refused.hint == f"write it like {LIKE}"


@pytest.mark.parametrize(
    "text",
    [
        "https://server.internal",
        "HTTPS://Server.Internal",
        "https://server.internal:8200",
        "https://server.internal:1/a/path",
        "https://10.0.0.1",
        "https://[2001:db8::1]:8200",
        "http://127.0.0.1",
        "http://127.0.0.1:8200/v1",
        "http://127.255.255.254",
        "http://localhost:8200",
        "HTTP://LOCALHOST",
        "http://[::1]",
        "http://[0:0:0:0:0:0:0:1]:8200",
    ],
)
def test_an_address_is_taken_as_it_is_written(text: str) -> None:
    assert checked_address(text, "address", LIKE) == text
    assert checked_address(f"{text}///", "address", LIKE) == text


def test_a_host_that_is_near_may_be_asked_without_encryption_and_no_other_may() -> None:
    near = f"http://{METADATA}:80"
    assert checked_address(near, "address", LIKE, near=METADATA) == near
    for other in ("http://10.0.0.1", f"http://{METADATA}.example.com", "http://1" + METADATA):
        assert "without encryption" in refusal(other, near=METADATA).message


@pytest.mark.parametrize("host", ["", "LOCALHOST", "localhost.", "127.0.0.1:80", "[::1]", "127.0.0.256"])
def test_what_is_not_plainly_this_machine_is_not(host: str) -> None:
    assert not is_here(host)


def test_a_setting_is_read_named_and_may_have_a_default() -> None:
    given = Settings({"url": "https://server/v1/"}, ("url", "other"))
    assert address_in(given, "url", LIKE) == "https://server/v1"
    assert address_in(given, "other", LIKE, default="https://default/") == "https://default"
    with pytest.raises(SettingsError, match="other is missing"):
        address_in(given, "other", LIKE)
    with pytest.raises(SettingsError, match="url: 'server' is asked without encryption"):
        address_in(Settings({"url": "http://server"}, ("url",)), "url", LIKE)
