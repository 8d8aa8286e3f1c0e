"""What waits of the config is put in force by a form as it was shown, and else not at all."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rotator.domain.held import Held
from tests.api.conftest import Api
from tests.cli.scene import Scene
from tests.dashboard.conftest import Browser


def changed(scene: Scene) -> str:
    """A sensitive change of the file; the digest of what waits then."""
    scene.rewrite(metrics={"listen": "127.0.0.1:9"})
    return str(json.loads(scene.say("config", "diff", "--json").out)["digest"])


def waits(scene: Scene) -> Any:
    return json.loads(scene.say("config", "diff", "--json").out)


def test_what_waits_is_approved_as_it_was_shown_and_only_so(fresh: Api) -> None:
    browser = Browser(api=fresh)
    browser.sign_in("responder")
    first = str(json.loads(fresh.scene.say("config", "diff", "--json").out)["digest"])
    done = browser.send("/config/approve", {"why": "the first", "digest": first})
    assert (done.status, done.headers["Location"]) == (303, "/config"), done.data
    assert "approved, number 1" in browser.get("/").data.decode()
    digest = changed(fresh.scene)
    other = changed_again(fresh.scene)
    refused = browser.send("/config/approve", {"why": "x", "digest": digest})
    assert refused.status == 409
    assert "that is not what waits now" in refused.data.decode()
    assert waits(fresh.scene)["waits"] is True
    key = "sk-proj-" + "a1B2" * 12
    assert browser.send("/config/approve", {"why": f"metrics, {key}", "digest": other, "back": "/"}).status == 303
    assert waits(fresh.scene)["waits"] is False
    told = fresh.assembly.journal.events()[-1].event
    assert (told.action, told.detail["how"]) == ("config approved", "cleo by the API: metrics, …")


def test_a_value_that_the_daemon_holds_is_left_out_of_the_reason(fresh: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that approves holds none, and would know none."""
    net, value = Held(), "Zq8vTr4LmW2xKp9sBd7y"
    net.begin()
    net.parts({"password": value})
    monkeypatch.setattr("rotator.app.net.HELD", net)
    browser = Browser(api=fresh)
    browser.sign_in("responder")
    fields = {"why": f"it was {value}", "digest": str(waits(fresh.scene)["digest"])}
    assert browser.send("/config/approve", fields).status == 303
    assert fresh.assembly.journal.events()[-1].event.detail["how"] == "cleo by the API: it was <secret>"


def test_two_clicks_approve_once_and_both_are_told_so(fresh: Api) -> None:
    browser = Browser(api=fresh)
    browser.sign_in("responder")
    fields = {"why": "x", "digest": str(waits(fresh.scene)["digest"]), "once": "o-1"}
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: browser.send("/config/approve", fields), range(2)))
    assert [(each.status, each.headers["Location"]) for each in done] == [(303, "/config")] * 2
    approved = [each.event for each in fresh.assembly.journal.events() if each.event.action == "config approved"]
    assert len(approved) == 1


def changed_again(scene: Scene) -> str:
    scene.rewrite(metrics={"listen": "127.0.0.1:10"})
    return str(json.loads(scene.say("config", "diff", "--json").out)["digest"])


@pytest.mark.parametrize("digest", ["", "0" * 31, "0" * 33, "Z" * 32, "--help", "0" * 32 + "\n"])
def test_what_is_no_digest_approves_nothing(responder: Browser, digest: str) -> None:
    before = responder.api.assembly.journal.events()
    done = responder.send("/config/approve", {"why": "x", "digest": digest})
    assert done.status == 422
    assert responder.api.assembly.journal.events() == before


def test_a_reason_that_looks_like_an_option_is_a_reason(fresh: Api) -> None:
    browser = Browser(api=fresh)
    browser.sign_in("responder")
    digest = str(waits(fresh.scene)["digest"])
    assert browser.send("/config/approve", {"why": "--config /etc/passwd", "digest": digest}).status == 303
    assert fresh.assembly.journal.events()[-1].event.detail["how"].endswith(": --config /etc/passwd")
