"""A feed from a URL: whole and from where it was said, or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.adapters.advisories.sources import read_feed
from rotator.domain.failures import Denied, Failure, Permanent, Transient
from tests.advisories.given import in_zip, osv
from tests.sdk.canned_server import Canned
from tests.servers.process import reserved_port


def answer(status: int, content: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Connection: close", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


@pytest.fixture
def feed(tmp_path: Path) -> bytes:
    return in_zip(tmp_path / "made.zip", osv("A-1")).read_bytes()


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir()), "nothing is left behind"


def test_a_zip_is_read_and_kept_nowhere(feed: bytes) -> None:
    with Canned([answer(200, feed)]) as server:
        assert [each.id for each in read_feed(f"{server.url}/all.zip").advisories] == ["A-1"]
    assert "authorization" not in {name.lower() for name in server.got[0].headers}


def test_a_zip_is_kept_where_it_is_said_in_place_of_an_older_one(feed: bytes, tmp_path: Path) -> None:
    kept = tmp_path / "kept.zip"
    kept.write_bytes(b"older")
    with Canned([answer(200, feed)]) as server:
        read_feed(f"{server.url}/all.zip", keep=kept)
    assert kept.read_bytes() == feed
    assert [each.id for each in read_feed(str(kept)).advisories] == ["A-1"]


def test_half_a_zip_is_none_and_the_kept_one_stays(feed: bytes, tmp_path: Path) -> None:
    kept = tmp_path / "kept.zip"
    kept.write_bytes(b"older")
    cut = answer(200, feed)[:-20]
    with Canned([lambda connection: connection.sendall(cut)]) as server, pytest.raises(Transient, match="no whole"):
        read_feed(f"{server.url}/all.zip", keep=kept)
    assert kept.read_bytes() == b"older"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kept.zip", "made.zip", "temporary"]


@pytest.mark.parametrize(
    ("reply", "kind", "said", "hint"),
    [
        (answer(404), Permanent, "answers 404", "look at the address"),
        (answer(429, Retry_After="7"), Transient, "answers 429", "in 7 seconds"),
        (answer(503), Transient, "answers 503", "try again later"),
        (answer(401), Denied, "wants credentials", "nothing is asked with credentials"),
        (answer(200, b"<!doctype html>"), Permanent, "no zip", "a page for people"),
        (answer(200, b'{"id": "A-1"}'), Permanent, "no zip", "name a zip"),
        (answer(200), Transient, "answers with nothing", "later"),
        (answer(302, Location="http://127.0.0.2:9/all.zip"), Permanent, "sends elsewhere", "name the address"),
        (answer(302, Location="/again"), Permanent, "in circles", "browser"),
        (None, Transient, "no whole answer", "network"),
    ],
)
def test_every_other_answer_is_two_lines(reply: bytes | None, kind: type[Failure], said: str, hint: str) -> None:
    with Canned([reply]) as server, pytest.raises(kind, match=said) as caught:
        read_feed(f"{server.url}/all.zip")
    assert hint in caught.value.hint


def test_a_redirect_within_the_host_is_followed(feed: bytes) -> None:
    with Canned([answer(302, Location="/there.zip"), answer(200, feed)]) as server:
        assert len(read_feed(f"{server.url}/all.zip").advisories) == 1
    assert [each.target for each in server.got] == ["/all.zip", "/there.zip"]


def test_without_a_network_it_says_so() -> None:
    with reserved_port() as port, pytest.raises(Transient, match="no whole answer") as caught:
        read_feed(f"http://127.0.0.1:{port}/all.zip")
    assert "network" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://203.0.113.7/all.zip", "without TLS"),
        ("http://localhost.evil.example/all.zip", "without TLS"),
        ("https://me:pw@host.example/all.zip", "a name or a password"),
        ("ftp://host.example/all.zip", "no URL that can be asked"),
        ("https:///all.zip", "no URL that can be asked"),
        ("https://[::1/all.zip", "no URL that can be asked"),
        ("https://host.example:99999/", "no URL that can be asked"),
    ],
)
def test_an_address_that_may_not_be_asked_is_not(url: str, said: str) -> None:
    with pytest.raises(Permanent, match=said) as caught:
        read_feed(url)
    assert "pw" not in caught.value.message + caught.value.hint
