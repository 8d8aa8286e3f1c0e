"""Signing in at an identity provider: what it said, in the browser that asked, and nothing else opens a session."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from rotator.adapters.observe import Quiet
from rotator.api.authenticating import Authenticator
from rotator.api.limits import Limits
from rotator.api.problems import Problem
from rotator.api.throttle import Throttle
from rotator.app.tokens import tokens_of
from rotator.dashboard.exchanging import AT_ONCE, FAILING
from rotator.dashboard.visitors import KNOWN, WENT
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.api.conftest import MINE, THEIRS, Api
from tests.dashboard.conftest import Browser, MovedClock, dashboard, scene_of, who_is
from tests.dashboard.identity import ISSUER, SECRET, Identity, identity

HOUR = timedelta(hours=1)
LONG = 600.0
"""Seconds: those who wait until something is set do not give up sooner, however busy the machine is."""


@pytest.fixture(scope="module")
def provider() -> Iterator[Identity]:
    with identity() as running:
        yield running


@pytest.fixture(autouse=True)
def as_ever(provider: Identity) -> None:
    """It says what it says to everybody."""
    provider.claims, provider.answer, provider.drips, provider.head = {}, None, None, False


@contextmanager
def serving_people(provider: Identity, clock: MovedClock, folder: Path, **more: int) -> Iterator[Api]:
    """Pages that people come to by way of the provider."""
    provider.redirect = "http://127.0.0.1:1/sign-in/back"  # as the provider has it; the tests bring the answer back
    oidc = {
        "issuer": ISSUER,
        "audience": "api",
        "jwks": f"{provider.url}/keys",
        "roles": {"viewer": ["staff"], "operator": ["ops"]},
        "owners": "teams",
        "everything": ["ops"],
        "sign_in": provider.sign_in,
    }
    with Keyserver(Behaviour()) as keyserver, pytest.MonkeyPatch.context() as patch:
        patch.setenv("IDENTITY_SECRET", SECRET)
        scene = scene_of(folder, keyserver)
        scene.rewrite(listen=None, api={"listen": "127.0.0.1:0", "oidc": oidc})
        with dashboard(scene, clock, **more) as running:
            yield running


@pytest.fixture(scope="module")
def serving(provider: Identity, clock: MovedClock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving_people(provider, clock, tmp_path_factory.mktemp("sso")) as running:
        yield running


@pytest.fixture
def sso(serving: Api, provider: Identity, clock: MovedClock) -> Iterator[Browser]:
    clock.ahead = clock.slept = timedelta(0)
    yield Browser(api=serving)
    clock.ahead = clock.slept = timedelta(0)


def went(browser: Browser, to: str = "/") -> tuple[str, str]:
    """Where it was sent, and what it keeps."""
    done = browser.get(f"/sign-in/sso?{urlencode({'to': to})}", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="navigate")
    assert done.status == 303, done.data
    (told,) = done.headers.getlist("set-cookie")
    text, *attributes = told.split("; ")
    assert sorted(attributes) == ["HttpOnly", "Max-Age=600", "Path=/", "SameSite=Lax", "Secure"]
    return done.headers["Location"], text.removeprefix(f"{WENT}=")


def came(browser: Browser, answer: dict[str, str], kept: str, known: str = "") -> Any:
    """The browser comes back from the provider's site. `known`: what it has since somebody signed in with it."""
    cookie = "; ".join(f"{name}={text}" for name, text in ((WENT, kept), (KNOWN, known)) if text)
    done = browser.get(
        f"/sign-in/back?{urlencode(answer)}", Cookie=cookie, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate"
    )
    # the jar of these browsers has room for one
    (told,) = [each for each in done.headers.getlist("set-cookie") if "rotator=" in each] or [""]
    browser.cookie = told.partition(";")[0].partition("=")[2]
    return done


def signed_on(browser: Browser, provider: Identity, to: str = "/") -> Any:
    location, kept = went(browser, to)
    return came(browser, provider.agreed(location), kept)


def test_whoever_the_provider_names_has_a_session_and_goes_on(sso: Browser, provider: Identity) -> None:
    assert 'href="/sign-in/sso?to=/credentials"' in sso.get("/sign-in?to=/credentials").data.decode()
    done = signed_on(sso, provider, "/credentials?of=me")
    assert done.status == 200, done.data
    assert 'content="0; url=/credentials?of=me"' in done.data.decode()
    session, known, kept = done.headers.getlist("set-cookie")[::-1]
    assert known.startswith(f"{KNOWN}=")
    assert known.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")
    assert session.endswith("SameSite=Strict")
    assert kept == f"{WENT}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert who_is(sso) == "oidc:u-1 (eva@example)"
    sso.csrf = sso.seal()
    assert sso.send(f"/credentials/{MINE}/hold", {"why": "x"}).status == 303
    assert sso.api.get(f"/v1/credentials/{MINE}")["held"] == "x (by oidc:u-1 (eva@example))"


def test_its_claims_say_what_he_may_and_whose_he_sees(sso: Browser, provider: Identity) -> None:
    provider.claims = {"groups": ["staff"], "teams": ["team-ml"]}
    signed_on(sso, provider)
    sso.csrf = sso.seal()
    assert sso.send(f"/credentials/{MINE}/hold", {"why": "x"}).status == 403
    for claims, said in (
        ({"groups": []}, "nobody gave you a role here"),
        ({"groups": ["staff"]}, "your token names no owner"),
    ):
        provider.claims = claims
        done = signed_on(Browser(api=sso.api), provider)
        assert done.status == 403
        assert said in done.data.decode()
    provider.claims = {"groups": ["ops"], "teams": []}
    other = Browser(api=sso.api)
    signed_on(other, provider)
    other.csrf = other.seal()
    assert other.send(f"/credentials/{THEIRS}/release", {"why": "x"}).status == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": None},
        {"nonce": "another"},
        {"aud": "api"},
        {"aud": ["rotator pages", "other"], "azp": "other"},
        {"aud": ["rotator pages", "other"]},
        {"iss": "https://evil.example/"},
        {"exp": 1},
        {"exp": None},
        {"sub": None},
        {"iat": 9_999_999_999},
    ],
)
def test_what_was_not_said_for_us_and_now_is_not_believed(
    sso: Browser, provider: Identity, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    done = signed_on(sso, provider)
    assert (done.status, sso.cookie) == (403, "")
    assert "what the identity provider says of you is not believed" in done.data.decode()


def test_what_somebody_else_signed_is_not_believed(sso: Browser, provider: Identity) -> None:
    location, kept = went(sso)
    answer = provider.agreed(location)
    other = Identity()
    provider.answer = (200, json.dumps({"id_token": other.signed(provider.codes[answer["code"]]["nonce"])}).encode())
    assert came(sso, answer, kept).status == 403
    for bad in (
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"id_token": 1}',
        b'{"id_token": "a.b.c"}',
        b"x" * 300_000,
        b"[" * 100_000,
    ):
        location, kept = went(sso)
        provider.answer = (200, bad)
        done = came(sso, provider.agreed(location), kept)
        assert (done.status in (403, 503), sso.cookie) == (True, ""), bad[:20]
    for status in (302, 400, 500):
        location, kept = went(sso)
        provider.answer = (status, b"{}")
        assert came(sso, provider.agreed(location), kept).status == 403


def test_an_answer_counts_once_and_in_the_browser_that_asked(sso: Browser, provider: Identity) -> None:
    location, kept = went(sso)
    answer = provider.agreed(location)
    _, others = went(Browser(api=sso.api))
    known = known_of(signed_on(Browser(api=sso.api), provider))
    before = len(provider.asked)
    for wrong, cookie in (
        (answer, ""),
        (answer, others),
        (answer, kept[:-1]),
        (answer, "é"),
        (answer, "a.b"),
        (answer, known),
        (answer, f"{kept}; {WENT}={others}"),
        ({**answer, "state": ""}, kept),
        ({**answer, "state": "é"}, kept),
        ({"code": answer["code"]}, kept),
        ({**answer, "iss": "https://evil.example/"}, kept),
        ({"state": answer["state"]}, kept),
        ({"state": answer["state"], "error": "access_denied"}, kept),
    ):
        done = came(sso, wrong, cookie)
        assert (done.status, sso.cookie) == (403, ""), wrong
    assert len(provider.asked) == before  # nobody was asked on behalf of these
    assert came(sso, answer, kept).status == 200
    again = Browser(api=sso.api)
    assert (came(again, answer, kept).status, again.cookie) == (403, "")


def test_a_code_without_its_verifier_is_worth_nothing(sso: Browser, provider: Identity) -> None:
    """A code that was stolen and is brought by the thief's browser, with the thief's own state."""
    stolen = provider.agreed(went(sso)[0])
    thief = Browser(api=sso.api)
    location, kept = went(thief)
    own = provider.agreed(location)
    assert (came(thief, {**own, "code": stolen["code"]}, kept).status, thief.cookie) == (403, "")


def test_who_takes_too_long_begins_again(sso: Browser, provider: Identity, clock: MovedClock) -> None:
    location, kept = went(sso)
    answer = provider.agreed(location)
    clock.ahead = timedelta(minutes=10)
    assert came(sso, answer, kept).status == 403
    clock.ahead = -HOUR
    assert came(sso, answer, kept).status == 403


def test_what_the_provider_says_of_an_error_is_text(sso: Browser, provider: Identity) -> None:
    location, kept = went(sso)
    state = provider.agreed(location)["state"]
    done = came(sso, {"state": state, "error": "<script>\u202esk-proj-" + "a1B2" * 12 + "x" * 900}, kept)
    assert "the identity provider refused: &lt;script&gt; …" in done.data.decode()
    assert len(done.data) < 4000


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil", "/sign-in", "/sign-in/sso"])
def test_nobody_is_sent_to_another_site_by_way_of_the_provider(sso: Browser, provider: Identity, to: str) -> None:
    done = signed_on(sso, provider, to)
    assert 'content="0; url=/"' in done.data.decode()
    assert "evil" not in done.data.decode()


@pytest.mark.parametrize("lasts", [60, 300, 36_000])
def test_the_provider_is_asked_again_after_an_hour(
    sso: Browser, provider: Identity, clock: MovedClock, lasts: int
) -> None:
    provider.claims = {"exp": int(time.time()) + lasts}
    signed_on(sso, provider)
    for minutes in (30, 59):
        clock.ahead = timedelta(minutes=minutes)
        assert who_is(sso)
    clock.ahead = timedelta(minutes=61)
    assert who_is(sso) == ""
    clock.ahead = timedelta(0)
    signed_on(sso, provider)
    clock.ahead = timedelta(days=-1)
    for minutes in (30, 59):
        clock.slept = timedelta(minutes=minutes)
        assert who_is(sso)
    clock.slept = timedelta(minutes=61)
    assert who_is(sso) == ""


def test_an_id_token_is_no_token_of_the_api_and_the_apis_opens_pages(sso: Browser, provider: Identity) -> None:
    assert sso.api.call("GET", "/v1/me", provider.signed("n")).status == 401
    assert sso.sign_in(provider.signed("n")).status == 401
    provider.claims = {"aud": "api"}
    text = provider.signed("n")
    assert sso.sign_in(text).status == 303
    assert who_is(sso) == "oidc:u-1 (eva@example)"


def test_a_session_by_a_jwt_ends_with_it(sso: Browser, provider: Identity, clock: MovedClock) -> None:
    provider.claims = {"aud": "api"}
    sso.sign_in(provider.signed("n"))
    clock.ahead = timedelta(minutes=4)
    assert who_is(sso)
    clock.ahead = timedelta(minutes=7)
    assert who_is(sso) == ""


@pytest.mark.parametrize("head", [False, True])
def test_a_provider_that_drips_is_not_waited_for(
    sso: Browser, provider: Identity, monkeypatch: pytest.MonkeyPatch, head: bool
) -> None:
    signed_on(Browser(api=sso.api), provider)  # so that its keys are known
    monkeypatch.setattr("rotator.dashboard.signing_on.TIMEOUT", 0.5)
    provider.drips, provider.head = threading.Event(), head
    try:
        done = signed_on(sso, provider)
    finally:
        provider.drips.set()
    assert (done.status, sso.cookie) == (503, "")
    assert "the identity provider cannot be asked now" in done.data.decode()


def test_those_who_wait_for_the_provider_are_few_and_keep_nobody_else_out(
    sso: Browser, provider: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotator.dashboard.signing_on.TIMEOUT", LONG)
    monkeypatch.setattr("rotator.dashboard.exchanging.PATIENCE", 0.2)
    assert signed_on(sso, provider).status == 200  # so that its keys are known
    waiting = replace(sso.api, http=urllib3.PoolManager(retries=False, timeout=LONG))
    provider.drips, before = threading.Event(), len(provider.asked)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(signed_on(Browser(api=waiting), provider).status))
        for _ in range(AT_ONCE)
    ]
    try:
        for each in threads:
            each.start()
        while len(provider.asked) < before + AT_ONCE:
            assert all(each.is_alive() for each in threads), answers
            time.sleep(0.01)
        done = signed_on(Browser(api=sso.api), provider)
        assert (done.status, done.headers["Retry-After"]) == (503, "5")
        assert "too many sign in at this moment" in done.data.decode()
        assert Browser(api=sso.api).sign_in("viewer").status == 303
    finally:
        provider.drips.set()
        for each in threads:
            each.join()
        waiting.http.clear()
    assert answers == [200] * AT_ONCE


def test_who_comes_back_with_codes_that_are_none_is_somebody_whose_logins_fail(
    provider: Identity, tmp_path: Path
) -> None:
    with serving_people(provider, MovedClock(), tmp_path, failed_logins=3) as api:
        assert api.call("GET", "/v1/me", "x.y.z").status == 401
        for _ in range(2):
            browser = Browser(api=api)
            location, kept = went(browser)
            answer = {**provider.agreed(location), "code": "guessed"}
            assert came(browser, answer, kept).status == 403
        assert api.call("GET", "/v1/me", "x.y.z").status == 429
        assert signed_on(Browser(api=api), provider).status == 200  # loopback may be many, behind a proxy


def known_of(done: Any) -> str:
    (told,) = [each for each in done.headers.getlist("set-cookie") if each.startswith(f"{KNOWN}=")]
    return str(told.partition(";")[0].removeprefix(f"{KNOWN}="))


class StandingClock(MovedClock):
    """One by which no time passes but what the machine `slept`: a hundred sign-ins are within a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._stands = super().boottime()

    def boottime(self) -> float:
        """As it stands."""
        return self._stands + self.slept.total_seconds()


def test_who_never_signed_in_keeps_nobody_out_who_did(provider: Identity, tmp_path: Path) -> None:
    clock = StandingClock()
    with serving_people(provider, clock, tmp_path) as api:
        browser, known = Browser(api=api), known_of(signed_on(Browser(api=api), provider))
        before = len(provider.asked)
        for _ in range(FAILING):
            location, kept = went(browser)
            answer = {**provider.agreed(location), "code": "guessed"}
            assert [came(browser, answer, kept).status for _ in range(2)] == [403, 403]
        assert len(provider.asked) == before + FAILING  # each state is good for one guess
        done = signed_on(browser, provider)
        assert (done.status, browser.cookie) == (503, "")
        assert "too many sign-ins fail at this moment" in done.data.decode()
        assert 1 <= int(done.headers["Retry-After"]) <= 61
        for forged in (went(browser)[1], known[:-1], "a", f"é.{known}", f"{known}x", known.upper(), "0-9.", "."):
            location, kept = went(browser)
            assert came(browser, provider.agreed(location), kept, forged).status == 503
        location, kept = went(browser)
        assert came(browser, provider.agreed(location), kept, known).status == 200
        assert who_is(browser) == "oidc:u-1 (eva@example)"
        location, kept = went(browser)
        assert came(browser, {**provider.agreed(location), "code": "guessed"}, kept, known).status == 403
        location, kept = went(browser)
        assert came(browser, provider.agreed(location), kept, known).status == 503  # it fails with it once
        clock.slept += timedelta(minutes=1)
        assert signed_on(browser, provider).status == 200


def test_who_waits_a_moment_for_room_has_it(sso: Browser, provider: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rotator.dashboard.signing_on.TIMEOUT", 30.0)
    monkeypatch.setattr("rotator.dashboard.exchanging.PATIENCE", 30.0)
    signed_on(sso, provider)  # so that its keys are known
    provider.drips, before = threading.Event(), len(provider.asked)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(signed_on(Browser(api=sso.api), provider).status))
        for _ in range(AT_ONCE + 3)
    ]
    try:
        for each in threads:
            each.start()
        while len(provider.asked) < before + AT_ONCE:
            assert any(each.is_alive() for each in threads)
            time.sleep(0.01)
        assert answers == []
    finally:
        provider.drips.set()
        for each in threads:
            each.join(60)
    assert answers == [200] * len(threads)


def test_new_keys_are_believed_also_after_the_clock_was_set_back(clock: MovedClock, tmp_path: Path) -> None:
    with identity() as provider, serving_people(provider, clock, tmp_path) as api:
        clock.ahead = timedelta(days=1)
        assert signed_on(Browser(api=api), provider).status == 200
        clock.ahead = timedelta(0)
        provider.key, provider.kid = Identity().key, "new"
        clock.slept += timedelta(minutes=1)
        assert signed_on(Browser(api=api), provider).status == 200


def test_the_session_that_the_browser_had_is_over_though_it_does_not_send_it(sso: Browser, provider: Identity) -> None:
    sso.sign_in("operator")
    before = Browser(api=sso.api, cookie=sso.cookie)
    location, kept = went(sso)
    assert who_is(before) == "bert"
    sso.cookie = ""  # from another site it is kept back
    assert came(sso, provider.agreed(location), kept).status == 200
    assert who_is(before) == ""
    assert who_is(sso) == "oidc:u-1 (eva@example)"


def test_who_begins_at_another_name_of_ours_is_sent_to_the_one_that_he_comes_back_to(
    sso: Browser, provider: Identity
) -> None:
    done = sso.get("/sign-in/sso?to=/credentials%3Fof%3Dme", Host="localhost")
    assert done.status == 303
    assert done.headers["Location"] == "http://127.0.0.1:1/sign-in/sso?to=%2Fcredentials%3Fof%3Dme&moved=yes"
    assert "set-cookie" not in done.headers
    done = sso.get("/sign-in/sso?to=/&moved=yes", Host="localhost")  # a proxy calls us so: not round and round
    assert done.headers["Location"].startswith("https://id.example/authorize?")


def test_nobody_hears_where_our_own_secret_is_kept_but_those_who_run_this(
    sso: Browser, provider: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[str, str]] = []

    class Hears(Quiet):
        def alert(self, action: str, subject: str, message: str) -> None:
            heard.append((action, message))

    monkeypatch.setattr(sso.api.assembly, "observer", Hears())
    monkeypatch.delenv("IDENTITY_SECRET")
    for _ in range(2):
        done = signed_on(sso, provider)
        assert (done.status, sso.cookie, "IDENTITY_SECRET" in done.data.decode()) == (503, "", False)
        assert "the identity provider cannot be asked now" in done.data.decode()
    ((action, message),) = heard
    assert action == "no sign-in"
    assert "the environment variable IDENTITY_SECRET is not set" in message


def test_an_address_that_goes_on_failing_is_not_listened_to(api: Api) -> None:
    throttle = Throttle(lambda *_: None, Limits())
    guard = Authenticator(lambda: tokens_of(api.assembly), api.assembly.clock, throttle, None)
    for _ in range(Limits().failed_logins):
        guard.listen("192.0.2.7")
        guard.failed("192.0.2.7")
        guard.failed("127.0.0.1")
    with pytest.raises(Problem) as told:
        guard.listen("192.0.2.7")
    assert told.value.status == 429
    guard.listen("127.0.0.1")


def test_where_it_is_not_written_nobody_signs_in_so(browser: Browser) -> None:
    assert "/sign-in/sso" not in browser.get("/sign-in").data.decode()
    for path in ("/sign-in/sso", "/sign-in/back?code=a&state=b"):
        done = browser.get(path)
        assert done.status == 404
        assert "nobody signs in here at an identity provider" in done.data.decode()
