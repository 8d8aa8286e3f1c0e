"""Who comes in, for how long, and by what; and that nobody else gets anything from any page."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from urllib3 import PoolManager

from rotator.api.app import Parts
from rotator.api.guarded import ANYBODY, Guarded, needs
from rotator.api.limits import Limits
from rotator.app.tokens import tokens_of
from rotator.dashboard.app import routes
from rotator.dashboard.routing import Page, page_router
from rotator.dashboard.visitors import COOKIE
from rotator.domain.tokens import Role, includes
from tests.api.conftest import MINE, THEIRS, Api
from tests.dashboard.conftest import GREETED, Browser

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
THREADS = 40
"""As many as requests are worked on at once."""
ROLES = {"viewer": Role.VIEWER, "operator": Role.OPERATOR, "responder": Role.RESPONDER}


def app_of(api: Api) -> FastAPI:
    listening = api.assembly.config.api
    assert listening is not None
    return routes(Parts.of(lambda: api.assembly, listening, Limits()))


def pages(api: Api) -> list[tuple[str, str, Role | str]]:
    """Method, path about the credential that is there, and role, of each page."""
    found = []
    for route in app_of(api).routes:
        assert isinstance(route, Guarded), f"{route} is not guarded"
        if isinstance(route, Page):
            found += [(method, filled(route.path), route.needed) for method in sorted(route.methods or ())]
    return found


def filled(path: str) -> str:
    for name, text in {"name": MINE, "verb": "hold"}.items():
        path = path.replace(f"{{{name}}}", text)
    while "{" in path:
        path = path.partition("{")[0] + "1" + path.partition("}")[2]
    return path


# -- every page --------------------------------------------------------------------------------------------------------


def test_every_route_is_guarded_and_those_of_pages_are_not_described(api: Api) -> None:
    found = pages(api)
    assert len(found) >= 7
    assert {needed for method, _, needed in found if method == "POST"} == {ANYBODY, *ROLES.values()}
    assert {path for path in api.get("/v1/openapi.json")["paths"] if not path.startswith("/v1/")} == set()


def test_a_page_that_declares_no_role_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="declares no role"):
        page_router().get("/open")(lambda: {"shut": True})
    router = page_router()
    router.get("/shut")(needs(Role.VIEWER)(lambda: {"shut": True}))
    assert isinstance(router.routes[0], APIRoute)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Cookie": f"{COOKIE}="},
        {"Cookie": f"{COOKIE}=" + "a" * 43},
        {"Cookie": "é=é; a"},
        {"Authorization": ""},
        {"Authorization": "Bearer rotk_" + "a" * 43},
        {"Authorization": "Basic YTpi"},
    ],
)
def test_nobody_gets_anything_from_any_page_and_changes_nothing(browser: Browser, headers: dict[str, str]) -> None:
    before = browser.api.assembly.journal.events()
    for method, path, needed in pages(browser.api):
        if needed == ANYBODY:
            continue
        done = browser.get(path, **headers) if method == "GET" else browser.send(path, {"why": "x"}, **headers)
        by_header = headers.get("Authorization", "").startswith("Bearer")
        assert done.status == (303 if method == "GET" and not by_header else 401), path
        assert MINE not in done.data.decode()
        if done.status == 303:
            assert done.headers["Location"].startswith("/sign-in?to=%2F")
    assert browser.api.assembly.journal.events() == before


@pytest.mark.parametrize("how", ["header", "cookie"])
@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_whoever_lacks_the_role_gets_nothing_from_any_page(browser: Browser, who: str, how: str) -> None:
    if how == "cookie":
        browser.sign_in(who)
    else:
        browser.headers["Authorization"] = f"Bearer {browser.api.tokens[who]}"
        browser.csrf = browser.seal()
    before, refused = browser.api.assembly.journal.events(), 0
    for method, path, needed in pages(browser.api):
        if needed == ANYBODY or includes(ROLES[who], Role(needed)):
            continue
        done = browser.get(path) if method == "GET" else browser.send(path, {"why": "x", "digest": "0" * 32})
        assert done.status == 403, path
        assert f"this needs the role {needed}, and yours is {who}" in done.data.decode()
        refused += 1
    assert refused
    assert browser.api.assembly.journal.events() == before


def test_a_consumers_token_opens_no_page(browser: Browser) -> None:
    done = browser.sign_in("web")
    assert (done.status, browser.cookie) == (403, "")
    assert "this token posts inventories, and opens no page" in done.data.decode()
    assert browser.get("/", Authorization=f"Bearer {browser.api.tokens['web']}").status == 403


@pytest.mark.parametrize("how", ["header", "cookie"])
def test_what_is_others_is_not_there_for_a_scoped_token(browser: Browser, how: str) -> None:
    if how == "cookie":
        browser.sign_in("mine")
    else:
        browser.headers["Authorization"] = f"Bearer {browser.api.tokens['mine']}"
        browser.csrf = browser.seal()
    before = browser.api.assembly.journal.events()
    for verb in ("hold", "release", "resume", "rollback", "rotate"):
        theirs = browser.send(f"/credentials/{THEIRS}/{verb}", {"why": "x"})
        nobodys = browser.send(f"/credentials/no-such/{verb}", {"why": "x"})
        assert (theirs.status, nobodys.status) == (404, 404)
        assert words(theirs) == [each.replace("no-such", THEIRS) for each in words(nobodys)]
    assert browser.send("/config/approve", {"why": "x", "digest": "0" * 32}).status == 403
    assert browser.api.assembly.journal.events() == before


def test_no_page_shows_a_scoped_token_what_is_others(browser: Browser) -> None:
    api = browser.api
    api.scene.say("adopt", THEIRS)
    api.post("/v1/rotations", {"names": [THEIRS], "reason": "of team-db"})
    api.post("/v1/incidents", {"names": [THEIRS]}, "responder")
    ids = {
        "name": THEIRS,
        "rotation": api.assembly.journal.rotations(THEIRS)[0].id,
        "incident": api.get("/v1/incidents")["incidents"][0]["incident"],
    }
    all_seen, looked = 0, 0
    whole = Browser(api=api)
    whole.sign_in("responder")
    browser.sign_in("mine")
    for route in app_of(api).routes:
        if not isinstance(route, Page) or "GET" not in (route.methods or ()) or route.needed == ANYBODY:
            continue
        path = route.path
        for name, text in ids.items():
            path = path.replace(f"{{{name}}}", text)
        all_seen += THEIRS in whole.get(path).data.decode()
        done, page = browser.get(path), browser.get(path).data.decode()
        looked += 1
        assert "team-db" not in page, path
        if path == route.path:
            assert THEIRS not in page, path
        else:
            assert done.status == 404, path
    assert looked
    assert all_seen == 0 or all_seen >= looked / 2  # else there was nothing to see


def words(done: Any) -> list[str]:
    """The lines of a page that say what was refused."""
    return [line for line in done.data.decode().splitlines() if "class=" in line]


# -- what every answer says --------------------------------------------------------------------------------------------


def test_every_answer_has_the_headers_that_keep_it_to_itself(browser: Browser) -> None:
    browser.sign_in("viewer")
    answers = [
        browser.get("/"),
        browser.get("/no/such/page"),
        browser.get("/sign-in"),
        browser.get("/static/no-such.css"),
        browser.get("/", Host="evil.example"),
        browser.get("/", Authorization="Bearer x"),
        browser.send(f"/credentials/{MINE}/hold", {"why": "x"}),
        browser.send("/sign-in", Origin="null"),
        browser.post("/sign-in", b"a" * 100_000),
        browser.api.http.request("DELETE", browser.api.url + "/"),
    ]
    assert {each.status for each in answers} == {200, 303, 401, 403, 404, 405, 413, 421}
    for each in answers:
        headers = {name.lower(): text for name, text in each.headers.items()}
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert {"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
        assert "strict-transport-security" not in headers  # without TLS it would lock people out
        assert not [name for name in headers if name.startswith("access-control")]


def test_people_read_pages_and_programs_read_problems(browser: Browser) -> None:
    browser.sign_in("viewer")
    for done in (browser.get("/no/such"), browser.get("/", Host="evil.example"), browser.send("/x", Origin="null")):
        assert done.headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"<h1>" in done.data
    for done in (browser.get("/v1/no"), browser.get("/v1/me"), browser.get("/v1/me", Host="evil.example")):
        assert done.headers["Content-Type"] == "application/problem+json"
        assert done.headers["referrer-policy"] == "no-referrer"


def test_the_api_takes_no_cookie_and_no_form(browser: Browser) -> None:
    browser.sign_in("operator")
    assert browser.get("/v1/me").status == 401
    assert browser.send(f"/v1/credentials/{MINE}/hold", {"why": "x"}).status == 415
    assert browser.post(f"/v1/credentials/{MINE}/hold", b"{}", Content_Type="application/json").status == 401


def test_a_page_that_is_not_there_says_so_to_whoever_asks(browser: Browser) -> None:
    assert "there is no such page" in browser.get("/no/such").data.decode()
    browser.sign_in("viewer")
    done = browser.get("/no/such")
    assert done.status == 404
    assert GREETED.search(done.data.decode())
    refused = browser.get("/sign-out")
    assert (refused.status, refused.headers["Allow"]) == (405, "POST")
    refused = browser.api.http.request("DELETE", browser.api.url + "/sign-in")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, POST")


def test_who_says_nothing_of_himself_is_answered_though_everybody_else_waits(
    fresh: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a journal that hangs nobody is asked who it was that did not say."""
    tokens = type(tokens_of(fresh.assembly))
    find, hang, asked = tokens.find, threading.Event(), []

    def hanging(self: Any, digest: str) -> Any:
        asked.append(digest)
        hang.wait(600)
        return find(self, digest)

    monkeypatch.setattr(tokens, "find", hanging)
    http = PoolManager(retries=False, timeout=600, maxsize=THREADS)
    headers = {"Authorization": f"Bearer {fresh.tokens['viewer']}"}
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = [pool.submit(http.request, "GET", f"{fresh.url}/v1/me", headers=headers) for _ in range(THREADS)]
        try:
            while len(asked) < THREADS:
                assert not any(each.done() for each in waiting)
                time.sleep(0.01)
            monkeypatch.setattr(fresh, "http", PoolManager(retries=False, timeout=60))
            browser = Browser(api=fresh)
            assert (browser.get("/").status, browser.get("/sign-in").status, browser.get("/nope").status) == (
                303,
                200,
                404,
            )
            assert fresh.call("GET", "/v1/me", None).status == 401
        finally:
            hang.set()
        assert {each.result().status for each in waiting} == {200}


def test_a_defect_of_ours_shows_its_type_and_nothing_else(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise LookupError("the secret is hunter2")

    browser.sign_in("operator")
    monkeypatch.setattr("rotator.dashboard.doing.said", broken)
    done = browser.send(f"/credentials/{MINE}/hold", {"why": "x"})
    assert done.status == 500
    assert "an error of the rotator itself (LookupError)" in done.data.decode()
    assert "hunter2" not in done.data.decode()


def test_over_tls_browsers_shall_come_by_nothing_else_unless_on_loopback(api: Api) -> None:
    from rotator.api.headers import headers_of

    assert (b"strict-transport-security", b"max-age=31536000") in headers_of("/", strict=True)
    assert not [name for name, _ in headers_of("/", strict=False) if name.startswith(b"strict")]
