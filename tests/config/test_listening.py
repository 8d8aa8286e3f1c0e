"""`metrics:` in the config: an address of this machine, loopback unless somebody says otherwise."""

from __future__ import annotations

import pytest

from rotator.config.errors import ConfigError
from rotator.config.listening import loopback, read_address, read_hosts


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("localhost:1", ("127.0.0.1", 1)),
        ("[::1]:65535", ("::1", 65535)),
        ("0.0.0.0:9464", ("0.0.0.0", 9464)),  # noqa: S104 - who listens everywhere says so elsewhere
    ],
)
def test_an_address_and_a_port_are_read(text: str, address: tuple[str, int]) -> None:
    assert read_address(text, "here") == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "9464", "127.0.0.1", "127.0.0.1:", ":9464", "host:9464", "::1:9464", "[::1]", "1.2.3.4.5:6"),
        *("999.0.0.1:80", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:9464\n", "[127.0.0.1:9464"),
        *("\u0663.0.0.1:80", "127.0.0.1:\u0663"),
    ],
)
def test_what_is_none_is_refused_and_said_how_it_is_written(text: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_address(text, "here")
    assert told.value.message.startswith("here ")
    assert told.value.hint


@pytest.mark.parametrize(
    ("address", "reached_from_here_alone"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("10.0.0.1", False),
    ],
)
def test_only_loopback_is_loopback(address: str, reached_from_here_alone: bool) -> None:
    assert loopback(address) is reached_from_here_alone


def test_names_by_which_it_may_be_asked_are_read_without_port_and_case() -> None:
    assert read_hosts(["Rotator.Internal", "a"], "hosts") == ("rotator.internal", "a")
    for name in ("a b", "a:80", "", "*", "a/b", "-a", "a\n"):
        with pytest.raises(ConfigError):
            read_hosts([name], "hosts")
