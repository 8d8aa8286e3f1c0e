"""By what somebody comes in, with which cookie, and where he goes on."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from rotator.api.app import Parts
from rotator.api.limits import Limits
from rotator.app.tokens import break_glass
from rotator.dashboard.visitors import COOKIE, Door
from tests.api.conftest import Api
from tests.cli.scene import Scene
from tests.dashboard.conftest import Browser, MovedClock, dashboard, scene_of, who_is

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def test_a_token_opens_a_session_and_the_page_that_was_asked_for(browser: Browser) -> None:
    asked = browser.get("/?of=me")
    assert (asked.status, asked.headers["Location"]) == (303, "/sign-in?to=%2F%3Fof%3Dme")
    shown = browser.get(asked.headers["Location"])
    assert 'name="to" value="/?of=me"' in shown.data.decode()
    done = browser.sign_in("viewer", to="/?of=me")
    assert (done.status, done.headers["Location"]) == (303, "/?of=me")
    assert who_is(browser) == "anna"
    assert browser.get("/sign-in").status == 303


def test_the_cookie_is_for_this_host_alone_and_no_script(browser: Browser) -> None:
    (told,) = browser.sign_in("viewer").headers.getlist("set-cookie")
    name, *attributes = told.split("; ")
    assert name == f"__Host-rotator={browser.cookie}"
    assert len(browser.cookie) == 43
    assert sorted(attributes) == ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict", "Secure"]


def test_neither_the_token_nor_the_sessions_id_is_kept(api: Api) -> None:
    door = Door.of(Parts.of(lambda: api.assembly, api.assembly.config.api, Limits()))  # type: ignore[arg-type]
    proof = door.authenticator.prove(api.tokens["viewer"], "127.0.0.1")
    text = door.sessions.begin(proof)
    kept = repr(proof) + repr(door.sessions._known)
    assert proof.caller.name in kept
    assert text not in kept
    assert api.tokens["viewer"] not in kept


@pytest.mark.parametrize("token", ["", " ", "rotk_" + "a" * 43, "x.y.z", "é" * 100, "a" * 17_000, "a\r\nb"])
def test_what_is_no_token_is_refused_and_not_shown_again(browser: Browser, token: str) -> None:
    done = browser.sign_in(token)
    assert (done.status, browser.cookie) == (401, "")
    assert "a valid token is needed" in done.data.decode()
    if token.strip():
        assert token not in done.data.decode()


def test_a_token_is_taken_as_it_was_pasted(browser: Browser) -> None:
    assert browser.sign_in(f"  {browser.api.tokens['viewer']}\r\n").status == 303


def test_guesses_are_waited_for_and_a_right_token_is_taken_all_the_same(shared_scene: Scene) -> None:
    with dashboard(shared_scene_again(shared_scene), failed_logins=5) as api:
        browser = Browser(api=api)
        answers = [browser.sign_in("rotk_" + f"{n}".zfill(43)) for n in range(7)]
        assert [each.status for each in answers] == [401] * 5 + [429] * 2
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert "too many logins failed from this address" in answers[-1].data.decode()
        assert browser.sign_in("viewer").status == 303


def test_a_break_glass_token_opens_a_responders_session_for_its_hour(browser: Browser, clock: MovedClock) -> None:
    made = break_glass(browser.api.assembly, "SSO is down")
    assert browser.sign_in(made.text).status == 303
    assert who_is(browser) == made.token.name
    clock.ahead = timedelta(minutes=59)
    assert who_is(browser) == made.token.name
    clock.ahead = timedelta(minutes=61)
    assert who_is(browser) == ""


def test_an_id_that_somebody_planted_becomes_nobodys_session(browser: Browser) -> None:
    browser.cookie = "p" * 43
    browser.sign_in("viewer")
    assert browser.cookie != "p" * 43
    assert who_is(Browser(api=browser.api, cookie="p" * 43)) == ""


def test_who_signs_in_again_has_another_session_and_the_former_is_over(browser: Browser) -> None:
    browser.sign_in("viewer")
    former = Browser(api=browser.api, cookie=browser.cookie)
    assert who_is(former) == "anna"
    browser.sign_in("operator")
    assert (who_is(browser), who_is(former)) == ("bert", "")


def test_a_proxy_that_asks_for_a_password_keeps_nobody_from_signing_in(browser: Browser) -> None:
    browser.headers["Authorization"] = "Basic YTpi"
    assert browser.sign_in("viewer").status == 303
    assert who_is(browser) == "anna"


def test_two_cookies_of_that_name_are_none(browser: Browser) -> None:
    browser.sign_in("viewer")
    twice = f"{COOKIE}={browser.cookie}; {COOKIE}={'p' * 43}"
    assert browser.get("/", Cookie=twice).status == 303
    assert browser.get("/", Cookie=f"a=b; {COOKIE}={browser.cookie}; c").status == 200


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/%5cevil.example",
        "%2f%2fevil.example",
        "/%2f%2fevil.example",
        "/%2fevil.example",
        "https://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        " //evil.example",
        "/\t/evil.example",
        "/\r\nSet-Cookie: a=b",
        "/%0d%0aSet-Cookie:a=b",
        "/a\u202eb",
        "/" + "a" * 2000,
        "evil.example",
        "",
        "/sign-in?to=/sign-in",
    ],
)
def test_nobody_is_sent_to_another_site(browser: Browser, to: str) -> None:
    done = browser.sign_in("viewer", to=to)
    assert (done.status, done.headers["Location"]) == (303, "/")
    assert "a=b" not in str(done.headers)
    from urllib.parse import quote

    assert browser.get(f"/sign-in?to={quote(to)}").headers["Location"] == "/"
    shown = Browser(api=browser.api).get(f"/sign-in?to={quote(to)}").data.decode()
    assert "evil" not in shown


def test_a_link_from_elsewhere_finds_the_session_that_the_browser_kept_back(browser: Browser) -> None:
    """With SameSite=Strict the first request from a chat or a mail has no cookie."""
    done = browser.get("/?a=1&b=2", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")
    assert done.status == 200
    assert 'content="0; url=/?a=1&amp;b=2"' in done.data.decode()
    again = browser.get("/", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="navigate")
    assert again.status == 303


def test_a_page_cannot_be_loaded_as_a_part_of_another_sites(browser: Browser) -> None:
    browser.headers["Authorization"] = f"Bearer {browser.api.tokens['viewer']}"
    for site in ("cross-site", "same-site"):
        done = browser.get("/", Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="script")
        assert done.status == 403
    assert browser.get("/", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="cors", Sec_Fetch_Dest="empty").status == 200


def test_a_page_that_asks_by_itself_is_told_that_nobody_is_signed_in(browser: Browser) -> None:
    assert browser.get("/", Sec_Fetch_Dest="empty").status == 401


def shared_scene_again(scene: Scene) -> Scene:
    """Another folder over the same keyserver: tokens are named once in each."""
    folder = scene.folder / f"again-{time.monotonic_ns()}"
    folder.mkdir()
    return scene_of(folder, scene.keyserver)
