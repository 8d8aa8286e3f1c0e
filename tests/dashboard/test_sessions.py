"""How long a session lasts, and how many there are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.api.authenticating import Proof
from rotator.api.callers import Caller
from rotator.app.tokens import new_token
from rotator.dashboard.sessions import IN_ALL, OF_ONE, Sessions
from rotator.domain.tokens import Role
from tests.api.conftest import MINE
from tests.dashboard.conftest import Browser, MovedClock, who_is

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def test_it_ends_with_signing_out_and_nowhere_else(browser: Browser) -> None:
    other = Browser(api=browser.api)
    browser.sign_in("viewer")
    other.sign_in("viewer")
    kept = Browser(api=browser.api, cookie=browser.cookie)
    done = browser.send("/sign-out")
    assert (done.status, done.headers["Location"]) == (303, "/sign-in")
    assert "Max-Age=0" in done.headers["set-cookie"]
    assert (browser.cookie, who_is(kept), who_is(other)) == ("", "", "anna")
    kept.csrf = browser.csrf
    assert kept.send("/sign-out").status == 401


def test_it_ends_when_its_token_is_revoked_or_expires(browser: Browser, clock: MovedClock) -> None:
    made = new_token(browser.api.assembly, "passing", Role.OPERATOR)
    brief = new_token(browser.api.assembly, "brief", Role.OPERATOR, lasts=timedelta(minutes=10))
    other = Browser(api=browser.api)
    browser.sign_in(made.text)
    other.sign_in(brief.text)
    assert (who_is(browser), who_is(other)) == ("passing", "brief")
    browser.api.scene.say("token", "revoke", "passing")
    before = browser.api.assembly.journal.events()
    assert browser.send(f"/credentials/{MINE}/hold", {"why": "x"}).status == 401
    assert who_is(browser) == ""
    clock.ahead = timedelta(minutes=11)
    assert other.send(f"/credentials/{MINE}/hold", {"why": "x"}).status == 401
    clock.ahead = timedelta(0)
    assert who_is(other) == ""
    assert browser.api.assembly.journal.events() == before


@pytest.mark.parametrize("field", ["ahead", "slept"])
def test_it_ends_after_an_hour_of_nothing_and_half_a_day_of_anything(
    browser: Browser, clock: MovedClock, field: str
) -> None:
    browser.sign_in("viewer")
    for at in range(1, 24):
        setattr(clock, field, at * HOUR / 2)
        assert who_is(browser) == "anna"
    setattr(clock, field, 12 * HOUR)
    assert who_is(browser) == ""
    setattr(clock, field, timedelta(0))
    browser.sign_in("viewer")
    setattr(clock, field, HOUR)
    assert who_is(browser) == ""


def test_a_page_that_asks_by_itself_keeps_no_session_alive(browser: Browser, clock: MovedClock) -> None:
    browser.sign_in("viewer")
    for minutes in (20, 40, 59):
        clock.ahead = timedelta(minutes=minutes)
        assert browser.get("/", Sec_Fetch_Dest="empty").status == 200
    clock.ahead = timedelta(minutes=61)
    assert browser.get("/", Sec_Fetch_Dest="empty").status == 401


def test_a_clock_that_is_set_back_prolongs_nothing_and_brings_none_back(browser: Browser, clock: MovedClock) -> None:
    browser.sign_in("viewer")
    clock.ahead, clock.slept = -DAY, timedelta(minutes=59)
    assert who_is(browser) == "anna"
    clock.slept = 2 * HOUR
    assert who_is(browser) == ""
    clock.ahead = clock.slept = timedelta(0)
    assert who_is(browser) == ""


def test_thousands_of_sessions_are_bounded_and_nobody_ends_those_of_others(clock: MovedClock) -> None:
    sessions = Sessions(lambda proof: proof.caller, clock)
    mine = sessions.begin(proof_of("anna"))
    texts = [sessions.begin(proof_of("bert")) for _ in range(5000)]
    assert len(sessions) == 1 + OF_ONE
    assert sessions.find(mine) is not None
    assert [sessions.find(text) is not None for text in texts[-OF_ONE - 1 :]] == [False] + [True] * OF_ONE
    for n in range(5000):
        sessions.begin(proof_of(f"somebody-{n}"))
    assert len(sessions) == IN_ALL
    assert sessions.find(mine) is None


def proof_of(name: str) -> Proof:
    return Proof(caller=Caller(name=name, role=Role.VIEWER), digest="d")


def test_many_sign_ins_at_a_time_are_bounded_on_the_socket_too(browser: Browser) -> None:
    first = Browser(api=browser.api)
    first.sign_in("operator")
    for _ in range(OF_ONE):
        Browser(api=browser.api).sign_in("operator")
    assert who_is(first) == ""


def test_somebody_whose_role_became_another_is_asked_to_sign_in_again(clock: MovedClock) -> None:
    now = {"role": Role.RESPONDER}

    def still(proof: Proof) -> Caller | None:
        found = Caller(name="anna", role=now["role"])
        return found if found == proof.caller else None

    sessions = Sessions(still, clock)
    text = sessions.begin(Proof(caller=Caller(name="anna", role=Role.RESPONDER), digest="d"))
    assert sessions.find(text) is not None
    now["role"] = Role.VIEWER
    assert sessions.find(text) is None
    now["role"] = Role.RESPONDER
    assert sessions.find(text) is None


def test_who_cannot_be_asked_about_is_not_let_in_and_comes_in_later(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rotator.app.tokens import tokens_of
    from rotator.domain.failures import Transient

    browser.sign_in("viewer")

    def away(*_: object) -> None:
        raise Transient("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(type(tokens_of(browser.api.assembly)), "find", away)
        done = browser.get("/")
        assert (done.status, done.headers["Retry-After"]) == (503, "5")
        assert "the database does not answer" in done.data.decode()
        assert Browser(api=browser.api).sign_in("viewer").status == 503
    assert who_is(browser) == "anna"
