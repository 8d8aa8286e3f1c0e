"""A notice by Apprise, to a real socket: its URLs are secret, and its words inert."""

from __future__ import annotations

import json
import logging
import os
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.adapters.notifying.by_apprise import AppriseSender
from rotator.adapters.notifying.partly import Partly
from rotator.app.hardening import quiet_wires
from rotator.domain.failures import Permanent, Transient
from tests.consumers.receiver import Receiver, Reply
from tests.notifying.made import notice

# Plug-ins of it that nobody here uses bring old modules along.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def url(receiver: Receiver, path: str = "hunter2") -> str:
    return receiver.url.replace("http://", "json://").replace("/rotated", f"/{path}")


def sender(text: str, timeout: float = 20) -> AppriseSender:
    return AppriseSender(lambda: text, timedelta(seconds=timeout))


def test_every_url_of_the_reference_gets_it_with_the_command() -> None:
    with Receiver() as one, Receiver() as two:
        sender(f"# who\n{url(one)}\n\n{url(two)}\n").send(notice(), 0)
    for receiver in (one, two):
        (post,) = receiver.posts
        assert post.json["title"] == "[critical] app: a rotation is stuck"
        assert "rotator resume app" in post.json["message"]
        assert post.json["type"] == "failure"


def test_words_mention_nobody_and_are_no_link() -> None:
    bad = "@everyone @here <!channel> <https://evil.example|look> [a](https://evil.example) ![x](y) `rm`"
    with Receiver() as receiver:
        sender(url(receiver)).send(notice(subject="@channel", words=bad), 0)
    text = json.dumps(receiver.posts[0].json, ensure_ascii=False)
    for mark in ("@everyone", "@here", "@channel", "<!channel", "https://evil", "](", "`"):
        assert mark not in text


def test_one_service_that_fails_is_a_failure_without_its_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    quiet_wires()  # as every run of the rotator begins
    taken = pytest.raises(Partly, match="1 of its 2 services did not take it")
    with Receiver(lambda _: Reply(500)) as broken, Receiver() as well, taken as found:
        sender(f"{url(broken)}\n{url(well)}").send(notice(), 0)
    assert len(well.posts) == 1
    assert "hunter2" not in str(found.value) + caplog.text


def test_a_redirect_is_not_followed() -> None:
    with Receiver() as other:
        away = Reply(307, headers=(("Location", other.url),))
        with Receiver(lambda _: away) as receiver, pytest.raises(Transient):
            sender(url(receiver)).send(notice(), 0)
        assert other.posts == []


def test_one_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Transient):
        sender(f"json://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.5).send(notice(), 0)


@pytest.mark.parametrize("text", ["nonsense-hunter2", "nosuch://hunter2", "syslog://", "dbus://", "https://"])
def test_a_url_that_cannot_be_used_is_told_by_its_number(text: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Permanent, match="URL 1 of its reference") as found:
        sender(text).remarks()
    assert "hunter2" not in str(found.value) + found.value.hint + caplog.text


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n".join(["json://localhost/"] * 21)])
def test_none_and_too_many_are_refused(text: str) -> None:
    with pytest.raises(Permanent, match="its reference holds"):
        sender(text).remarks()


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with Receiver() as receiver:
        sender(url(receiver)).send(notice(), 0)
    assert os.listdir(tmp_path) == []  # noqa: PTH208
