"""A notice by webhook, on real sockets: signed, never redirected, never waited for too long, and data all the way."""

from __future__ import annotations

import base64
import json
import socket
import threading
from datetime import timedelta

import pytest

from rotator.adapters.notifying.webhook import WebhookSender
from rotator.domain.failures import Failure, Permanent, Transient
from rotator.domain.settings import SettingsError
from tests.consumers.receiver import Receiver, Reply
from tests.notifying.made import notice

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
SOON = timedelta(seconds=0.5)


def sender(url: str, secret: str | None = SECRET, timeout: timedelta = timedelta(seconds=10)) -> WebhookSender:
    return WebhookSender(url, None if secret is None else lambda: secret, timeout, None, "notifications.ops.webhook")


def test_it_is_signed_and_says_what_happened_and_what_mends_it() -> None:
    with Receiver() as receiver:
        sender(receiver.url).send(notice(owner="team-ml"), 3)
    (post,) = receiver.posts
    assert post.authentic(SECRET)
    assert not post.authentic("whsec_" + base64.b64encode(b"x" * 32).decode())
    assert post.json["type"] == "notice.raised"
    assert post.json["timestamp"] == "2026-11-26T10:00:00Z"
    assert post.json["data"] == {
        "kind": "stuck",
        "severity": "critical",
        "resolved": False,
        "subject": "app",
        "owner": "team-ml",
        "title": "a rotation is stuck",
        "words": "no room at the provider",
        "hint": "delete one",
        "command": "rotator resume app",
        "key": notice().key,
        "count": 1,
        "dropped": 3,
    }


def test_each_attempt_at_the_same_notice_has_the_same_id_and_its_end_another_one_with_the_same_key() -> None:
    begun = notice()
    with Receiver() as receiver:
        for each in (begun, begun, begun.ended(begun.at + timedelta(minutes=5))):
            sender(receiver.url).send(each, 0)
    first, again, over = receiver.posts
    assert first.id == again.id != over.id
    assert first.json["data"]["key"] == over.json["data"]["key"]
    assert (over.json["type"], over.json["data"]["command"]) == ("notice.resolved", None)


def test_hostile_words_stay_within_their_field() -> None:
    words = '"}, {"type": "x"\r\n\x1b[2J\u202e\x00' + "x" * 5000
    with Receiver() as receiver:
        sender(receiver.url).send(notice(words=words), 0)
    (post,) = receiver.posts
    data = post.json["data"]
    assert set(post.json) == {"type", "timestamp", "data"}
    assert data["words"].startswith('"}, {"type": "x" [2J x')
    assert len(data["words"]) <= 1000
    assert post.body.isascii()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_with_a_signature(status: int) -> None:
    with Receiver() as other:
        away, refused = Reply(status, headers=(("Location", other.url),)), pytest.raises(Permanent, match="redirect")
        with Receiver(lambda _: away) as receiver, refused:
            sender(receiver.url).send(notice(), 0)
        assert other.posts == []


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_a_status_that_is_no_success_is_tried_again_later(status: int) -> None:
    later = pytest.raises(Transient, match=f"its webhook answers with status {status}")
    with Receiver(lambda _: Reply(status, body=b"hunter2")) as receiver, later as found:
        sender(receiver.url).send(notice(), 0)
    assert "hunter2" not in str(found.value)


def test_one_that_is_gone_is_told_no_more() -> None:
    with Receiver(lambda _: Reply(410)) as receiver, pytest.raises(Permanent, match=r"gone \(410\)"):
        sender(receiver.url).send(notice(), 0)


def test_one_that_never_answers_drips_or_hangs_up_is_given_up() -> None:
    with Receiver(lambda _: Reply(200, b"x" * 1000, drip=0.05)) as receiver, pytest.raises(Transient):
        sender(receiver.url, timeout=SOON).send(notice(), 0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(Transient, match="gave no answer"):
            sender(url, timeout=SOON).send(notice(), 0)
    with socket.create_server(("127.0.0.1", 0)) as closing:

        def hang_up() -> None:
            closing.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(Transient, match="gave no answer"):
            sender(f"http://127.0.0.1:{closing.getsockname()[1]}/").send(notice(), 0)
        thread.join()


def test_a_secret_that_is_none_sends_nothing_and_is_not_repeated() -> None:
    with Receiver() as receiver, pytest.raises(Failure) as found:
        sender(receiver.url, "hunter2").send(notice(), 0)
    assert receiver.posts == []
    assert "hunter2" not in str(found.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://alerts.internal/x",
        "ftp://alerts.internal/x",
        "https://user:hunter2@alerts.internal/",
        "https:///x",
        "https://alerts.internal/a b",
        "https://alerts.internal/\nX: y",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_unseen(url: str) -> None:
    with pytest.raises(SettingsError, match=r"notifications\.ops\.webhook") as found:
        sender(url)
    assert "hunter2" not in found.value.message + found.value.hint


def test_no_webhook_s_path_is_shown() -> None:
    assert sender("https://hooks.internal/T000/B000/hunter2").where == "webhook at hooks.internal"
    assert json.dumps(sender("https://hooks.internal/x", None).remarks()).count("not signed") == 1
