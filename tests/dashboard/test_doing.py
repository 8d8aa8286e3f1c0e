"""What people do by forms: once, with a reason, from a page of ours that was shown to them, and else not at all."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from rotator.adapters.observe import Quiet
from rotator.dashboard.forms import LONGEST, read_form
from rotator.dashboard.visitors import COOKIE
from rotator.domain.rotation import Phase
from rotator.ports import Change
from tests.api.conftest import MINE, THEIRS, Api
from tests.dashboard.conftest import FORM, Browser

HOLD = f"/credentials/{MINE}/hold"
POSTS = (
    HOLD,
    f"/credentials/{MINE}/release",
    f"/credentials/{MINE}/resume",
    f"/credentials/{MINE}/rollback",
    f"/credentials/{MINE}/rotate",
    "/config/approve",
    "/sign-out",
)
WHOLE = {"why": "x", "digest": "0" * 32}


def fields_of(path: str) -> dict[str, str]:
    """What its form has."""
    if path == "/sign-out":
        return {}
    return WHOLE if path == "/config/approve" else {"why": "x"}


def held(api: Api, name: str = MINE) -> str | None:
    found = api.get(f"/v1/credentials/{name}")["held"]
    return None if found is None else str(found)


# -- from where --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": ""}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://localhost"}, 403),
        ({"Origin": "file://"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=a"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Encoding": "gzip"}, 415),
    ],
)
@pytest.mark.parametrize("how", ["header", "cookie"])
def test_a_post_that_is_no_form_of_our_own_page_changes_nothing(
    responder: Browser, headers: dict[str, str], status: int, how: str
) -> None:
    if how == "header":
        responder.cookie = ""
        responder.headers["Authorization"] = f"Bearer {responder.api.tokens['responder']}"
        responder.csrf = responder.seal()
    before = responder.api.assembly.journal.events()
    for path in (*POSTS, "/sign-in"):
        done = responder.send(path, fields_of(path), **{name.replace("-", "_"): text for name, text in headers.items()})
        assert done.status == status, (path, done.data)
    assert responder.api.assembly.journal.events() == before
    assert responder.get("/").status == 200


@pytest.mark.parametrize("how", ["header", "cookie"])
def test_a_form_that_was_not_shown_to_this_caller_changes_nothing(responder: Browser, how: str) -> None:
    other = Browser(api=responder.api)
    other.sign_in("responder")
    by_header = Browser(api=responder.api, headers={"Authorization": f"Bearer {responder.api.tokens['operator']}"})
    own = responder.csrf
    if how == "header":
        responder.cookie = ""
        responder.headers["Authorization"] = f"Bearer {responder.api.tokens['responder']}"
        own = responder.seal()
    before = responder.api.assembly.journal.events()
    for path in POSTS:
        for csrf in ("", "0" * 64, other.csrf, by_header.seal(), own[:-1], own.upper() + "é"):
            done = responder.send(path, {**fields_of(path), "csrf": csrf})
            assert done.status == 403, path
            assert "this form is not of your session" in done.data.decode()
        assert responder.post(path, urlencode(fields_of(path))).status == 403
    assert responder.api.assembly.journal.events() == before
    assert responder.csrf != other.csrf


def test_behind_a_proxy_that_ends_tls_our_page_is_known_by_the_host_it_keeps(operator: Browser) -> None:
    own = {"Host": "localhost", "Origin": "https://localhost"}
    assert operator.send(HOLD, {"why": "x"}, **own).status == 303
    assert operator.send(HOLD, {"why": "x"}, **{**own, "Host": "localhost:443"}).status == 303
    assert operator.send(HOLD, {"why": "x"}, **{**own, "Host": "127.0.0.1:8750"}).status == 403


def test_a_caller_by_header_does_what_he_may_and_has_nothing_to_sign_out_of(browser: Browser) -> None:
    browser.headers["Authorization"] = f"Bearer {browser.api.tokens['operator']}"
    browser.csrf = browser.seal()
    assert browser.send(HOLD, {"why": "by header"}).status == 303
    assert 'role="status">held until' in browser.get("/").data.decode()
    assert held(browser.api) == "by header (by bert)"
    done = browser.send("/sign-out")
    assert (done.status, browser.cookie) == (422, "")
    assert "your proxy says who you are" in done.data.decode()


# -- words -------------------------------------------------------------------------------------------------------------


def test_hold_and_release_do_what_the_commands_do_and_say_so_once(operator: Browser) -> None:
    done = operator.send(HOLD, {"why": "  an\r\n audit "})
    assert (done.status, done.headers["Location"]) == (303, f"/credentials/{MINE}")
    assert held(operator.api) == "an audit (by bert)"
    assert f'role="status">held until `rotator release {MINE}`' in operator.get("/").data.decode()
    assert 'role="status"' not in operator.get("/").data.decode()
    back = operator.send(f"/credentials/{MINE}/release", {"why": "over", "back": "/credentials?of=me"})
    assert back.headers["Location"] == "/credentials?of=me"
    assert held(operator.api) is None
    last = operator.api.assembly.journal.events()[-1].event
    assert (last.action, last.detail["why"]) == ("release", "over (by bert)")


def test_a_message_is_for_whoever_did_it_and_not_for_what_asks_by_itself(operator: Browser) -> None:
    other = Browser(api=operator.api)
    other.sign_in("operator")
    operator.send(HOLD, {"why": "x"})
    assert 'role="status"' not in other.get("/").data.decode()
    assert 'role="status"' not in operator.get("/", Sec_Fetch_Dest="empty").data.decode()
    assert 'role="status"' in operator.get("/").data.decode()


def test_a_rotation_is_begun_with_who_asked_and_why(fresh: Api) -> None:
    browser = Browser(api=fresh)
    browser.sign_in("operator")
    done = browser.send(f"/credentials/{MINE}/rotate", {"why": "a try"})
    assert (done.status, done.headers["Location"]) == (303, f"/credentials/{MINE}")
    assert f"{MINE} is being rotated: planned" in browser.get("/").data.decode()
    (row,) = fresh.assembly.journal.rotations()
    assert (row.credential, row.reason) == (MINE, "asked: a try (by bert)")
    assert browser.send(f"/credentials/{MINE}/rollback", {"why": "no"}).status == 303
    assert said(browser).startswith("rollback asked for")
    assert browser.send(f"/credentials/{MINE}/rotate", {"why": "again"}).status == 303
    assert len(fresh.assembly.journal.rotations()) == 1
    assert said(browser) == f"{MINE} was being rotated already (planned); what was asked of that one comes first"


def test_what_is_held_or_goes_back_is_not_said_to_be_rotated(fresh: Api) -> None:
    browser = Browser(api=fresh)
    browser.sign_in("operator")
    browser.send(HOLD, {"why": "an audit"})
    browser.send(f"/credentials/{MINE}/rotate", {"why": "now"})
    assert said(browser) == f"{MINE} is held, so its rotation waits for `rotator release {MINE}`"
    (row,) = fresh.assembly.journal.rotations()
    for changes in ({"phase": Phase.ROLLING_BACK}, {"phase": Phase.SWEEPING, "ends_as": Phase.ROLLED_BACK}):
        back(fresh, **changes)
        browser.send(f"/credentials/{MINE}/rotate", {"why": "now"})
        assert said(browser).startswith(f"{MINE} is on its way back, and nothing new was begun")
    assert [each.id for each in fresh.assembly.journal.rotations()] == [row.id]


def back(api: Api, **changes: Any) -> None:
    """Its rotation stands there, as whoever runs it would leave it."""
    journal, now = api.assembly.journal, api.assembly.clock.now()
    (row,) = journal.claim(owner="a test", now=now, lease=timedelta(minutes=1), limit=1)
    journal.commit(replace(row, owner=None, next_at=now, **changes), now, Change())


def said(browser: Browser) -> str:
    """What the next page says of what was done."""
    found = re.search(r'role="status">([^<]*)', browser.get("/").data.decode())
    return unescape(found[1]) if found is not None else ""


def test_what_was_not_held_is_not_said_to_be_released(operator: Browser) -> None:
    operator.send(f"/credentials/{THEIRS}/hold", {"why": "x"})
    operator.send(f"/credentials/{THEIRS}/release", {"why": "x"})
    assert said(operator) == "released"
    before = operator.api.assembly.journal.events()
    operator.send(f"/credentials/{THEIRS}/release", {"why": "x"})
    assert said(operator) == "it was not held"
    assert operator.api.assembly.journal.events() == before


def test_what_cannot_be_done_is_told_in_the_commands_two_lines(operator: Browser) -> None:
    for verb in ("resume", "rollback"):
        done = operator.send(f"/credentials/{THEIRS}/{verb}", {"why": "x"})
        assert done.status == 422
        page = done.data.decode()
        assert f"{THEIRS} has no open rotation" in page
        assert f"`rotator history {THEIRS}` shows past ones" in page


@pytest.mark.parametrize("why", ["", "   ", "\r\n\t", "\u202e\u200b", "a" * (LONGEST + 1)])
def test_nothing_is_done_without_a_reason_or_with_a_book(operator: Browser, why: str) -> None:
    before = operator.api.assembly.journal.events()
    assert operator.send(HOLD, {"why": why}).status == 422
    assert operator.post(HOLD, urlencode({"csrf": operator.csrf})).status == 422
    assert operator.api.assembly.journal.events() == before
    assert operator.send(HOLD, {"why": "a" * LONGEST}).status == 303


def test_a_key_that_was_pasted_into_the_reason_is_kept_nowhere(operator: Browser) -> None:
    key = "sk-proj-" + "a1B2" * 12
    assert operator.send(HOLD, {"why": f"it is {key} that leaked"}).status == 303
    assert held(operator.api) == "it is … that leaked (by bert)"
    assert key not in repr(operator.api.assembly.journal.events())
    operator.send(HOLD, {"why": f"my token is {operator.api.tokens['operator']}"})
    assert operator.api.tokens["operator"] not in repr(operator.api.assembly.journal.events())
    for gap in ("\r\n", "\u00ad"):
        assert operator.send(HOLD, {"why": f"{key[:20]}{gap}{key[20:]}"}).status == 303
        assert held(operator.api) == "<secret> (by bert)"


# -- once --------------------------------------------------------------------------------------------------------------


def test_a_form_that_is_sent_twice_does_it_once(operator: Browser) -> None:
    fields = {"why": "twice", "once": "o-1"}
    assert operator.send(HOLD, fields).status == 303
    events = len(operator.api.assembly.journal.events())
    again = operator.send(HOLD, fields)
    assert (again.status, again.headers["Location"]) == (303, f"/credentials/{MINE}")
    assert len(operator.api.assembly.journal.events()) == events
    other = operator.send(HOLD, {**fields, "why": "other words"})
    assert other.status == 422
    assert "this form was sent before, with other words" in other.data.decode()
    assert "Idempotency" not in other.data.decode()
    assert operator.send(f"/credentials/{MINE}/release", fields).status == 303
    assert len(operator.api.assembly.journal.events()) == events + 1


def test_a_double_click_does_it_once(operator: Browser) -> None:
    before = len(operator.api.assembly.journal.events())
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: operator.send(HOLD, {"why": "click", "once": "o-2"}).status, range(8)))
    assert set(done) == {303}
    assert len(operator.api.assembly.journal.events()) == before + 1


def test_what_was_refused_may_be_sent_again(operator: Browser) -> None:
    fields = {"why": "x", "once": "o-3"}
    path = f"/credentials/{THEIRS}/resume"
    assert [operator.send(path, fields).status for _ in range(2)] == [422, 422]


# -- hostile -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "back",
    ["//evil.example", "/\\evil.example", "https://evil.example", "/%2f%2fevil.example", "/\r\nX: y", "evil", "/\0"],
)
def test_nobody_is_sent_to_another_site_afterwards(operator: Browser, back: str) -> None:
    done = operator.send(HOLD, {"why": "x", "back": back})
    assert (done.status, done.headers["Location"]) == (303, f"/credentials/{MINE}")
    assert "X" not in done.headers


@pytest.mark.parametrize(
    "name",
    ["<script>alert(1)</script>", "..", "a/../b", "%00", "é", "a b", "\u202e", "'\"", "{{7*7}}", "a" * 81, "a" * 5000],
)
def test_hostile_names_are_text_and_not_there(operator: Browser, name: str) -> None:
    done = operator.send(f"/credentials/{quote(name, safe='')}/hold", {"why": "x"})
    assert done.status in (403, 404, 415)
    page = done.data.decode()
    assert "<script>" not in page
    assert "&#39;49&#39;" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"csrf",
        b"csrf=a&csrf=b",
        b"&" * 100,
        b"&".join(b"f%d=x" % n for n in range(100)),
        b"why=%ff&csrf=a",
        b"why=\xff",
        b"\0",
    ],
)
def test_what_is_no_form_is_refused(operator: Browser, body: bytes) -> None:
    done = operator.post(HOLD, body)
    assert done.status in (403, 422)
    assert b"<h1>" in done.data


def test_who_hangs_up_in_the_middle_of_a_form_is_no_defect_of_ours(operator: Browser) -> None:
    heard: list[str] = []

    class Hears(Quiet):
        def alert(self, action: str, subject: str, message: str) -> None:
            heard.append(f"{action} {message}")

    api = operator.api
    before, api.assembly.observer = api.assembly.observer, Hears()
    try:
        head = [f"POST {HOLD} HTTP/1.1", f"Host: {api.url[7:]}", f"Origin: {api.url}", f"Content-Type: {FORM}"]
        head += [f"Cookie: {COOKIE}={operator.cookie}", "Content-Length: 100", "Connection: close"]
        with socket.create_connection(api.server.address, timeout=30) as connection:
            connection.sendall(("\r\n".join(head) + "\r\n\r\nwhy=x&cs").encode())
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
        assert operator.get("/").status == 200
        operator.api.assembly.told.alert("afterwards", "", "this is heard")
    finally:
        api.assembly.observer = before
    assert heard == ["afterwards this is heard"]


def test_a_field_that_nobody_knows_is_refused(operator: Browser) -> None:
    before = operator.api.assembly.journal.events()
    assert operator.send(HOLD, {"why": "x", "force": "yes"}).status == 422
    assert operator.api.assembly.journal.events() == before


def test_a_form_never_shows_what_it_holds() -> None:
    assert "rotk_" not in repr(read_form(b"token=rotk_abc"))


@pytest.mark.parametrize("length", ["100000000", "25000"])
def test_a_form_is_small(operator: Browser, length: str) -> None:
    done = operator.post(HOLD, b"a" * 25_000)
    assert (done.status, b"larger than" in done.data) == (413, True)
    chunks = iter([b"csrf=", b"a" * 30_000])
    headers = {"Origin": operator.api.url, "Content-Type": FORM}
    done = operator.api.http.request("POST", operator.api.url + HOLD, body=chunks, headers=headers, chunked=True)
    assert done.status in (401, 413)
