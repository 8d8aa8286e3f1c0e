"""APIs of many shapes: what is sent byte for byte, and what is read out of answers that nobody had thought of."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rotator_rest import Rest

from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, CapFull, Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.keys import Disabling, Key, KeyState, MintRequest, Verdict
from rotator.domain.secret import Secret
from tests.providers.described import TIMEOUT, changed
from tests.sdk.canned_server import Canned, reply

ADMIN = "admin-secret-0123456789"
P = Principal(name="p", settings={"project": "a/b c", "owners": ("o1", "o2")})
VALUE = Secret({"secret": "the-value-0123456789"})
PLAIN: dict[str, Any] = {
    "mint": {"path": "/keys", "json": {"name": "{mark}"}, "id": "/id", "secret": "/key"},
    "list": {"path": "/keys", "id": "/id", "mark": "/name"},
    "delete": {"path": "/keys/{id}"},
    "verify": {"path": "/me"},
}


def driver(canned: Canned, changes: dict[str, Any] | None = None, **settings: Any) -> Rest:
    table = changed(PLAIN, changes or {})
    return Rest.from_settings("mine", {"description": table, "base_url": canned.url, **settings}, ADMIN, TIMEOUT)


def listed(changes: dict[str, Any], *pages: Any) -> tuple[Key, ...]:
    with Canned([reply(200, page) for page in pages]) as canned:
        return driver(canned, changes).keys(P)


MADE = reply(200, {"id": 5, "key": "the-new-value"})

# -- what is sent ------------------------------------------------------------------------------------------------------


def test_a_form_is_sent_as_one_and_a_list_in_it_several_times() -> None:
    form = {
        "name": "{mark}",
        "scope": "{scopes}",
        "joined": "a {scopes}",
        "left_out": "{lifetime_seconds}",
        "n": 3,
        "on": True,
    }
    with Canned([MADE]) as canned:
        request = MintRequest(mark="m&1", scopes=("x", "y"))
        driver(canned, {"mint.json": None, "mint.form": form}).mint(P, request)
    (got,) = canned.got
    assert got.headers["content-type"] == "application/x-www-form-urlencoded"
    assert got.body == b"name=m%261&scope=x&scope=y&joined=a+x+y&n=3&on=true"


def test_a_body_keeps_its_types_and_leaves_out_what_has_no_value() -> None:
    body = {
        "ttl": "{lifetime_seconds}",
        "text": "{lifetime_seconds}s",
        "at": "{expires_at_milliseconds}",
        "scopes": "{scopes}",
        "owners": "{principal.owners}",
        "deep": [{"mark": "rotator {mark}", "on": True, "none": None}],
    }
    with Canned([MADE]) as canned:
        mine = driver(canned, {"mint.json": body})
        mine.mint(P, MintRequest(mark="m"))
        before = datetime.now(UTC)
        mine.mint(P, MintRequest(mark="m", lifetime=timedelta(hours=1), scopes=("x",)))
        after = datetime.now(UTC)
    first, second = (json.loads(got.body) for got in canned.got)
    assert first == {"owners": ["o1", "o2"], "deep": [{"mark": "rotator m", "on": True, "none": None}]}
    assert (second["ttl"], second["text"], second["scopes"]) == (3600, "3600s", ["x"])
    assert before.timestamp() - 1 < second["at"] / 1000 - 3600 < after.timestamp() + 1


@pytest.mark.parametrize(
    ("auth", "header", "text"),
    [
        ({}, "authorization", f"Bearer {ADMIN}"),
        ({"header": "X-Api-Key"}, "x-api-key", ADMIN),
        ({"format": "Token token={admin}"}, "authorization", f"Token token={ADMIN}"),
        (
            {"basic": "{settings.user}:{admin}"},
            "authorization",
            "Basic dTp" + base64.b64encode(ADMIN.encode()).decode(),
        ),
    ],
)
def test_the_admin_credential_is_shown_as_described_and_by_every_request_of_its_own(
    auth: dict[str, str], header: str, text: str
) -> None:
    own = {"user": "u:"} if "basic" in auth else {}
    expected = f"Basic {base64.b64encode(f'u::{ADMIN}'.encode()).decode()}" if own else text
    with Canned([reply(200, [])]) as canned:
        mine = driver(canned, {"auth": auth, "check": {"path": "/whoami"}}, **own)
        mine.keys(P)
        mine.check_admin(P)
        mine.set_state(P, "k", KeyState.DELETED)
        mine.verify(P, VALUE)
    assert [got.headers.get(header) for got in canned.got[:3]] == [expected] * 3
    assert ADMIN not in str(canned.got[3])
    assert base64.b64encode(ADMIN.encode()).decode()[:8] not in str(canned.got[3])


def test_more_headers_go_with_the_admin_credential_and_with_what_names_them() -> None:
    changes = {
        "headers": {"X-Version": "2026-04", "X-Project": "{principal.project}"},
        "verify.headers": {"X-Use": "1"},
        "mint.headers": {"Idempotency-Key": "{mark}"},
    }
    with Canned([MADE]) as canned:
        mine = driver(canned, changes)
        mine.mint(P, MintRequest(mark="m"))
        mine.verify(P, VALUE)
    first, second = canned.got
    assert (first.headers["x-version"], first.headers["x-project"]) == ("2026-04", "a/b c")
    assert first.headers["idempotency-key"] == "m"
    assert "x-version" not in second.headers
    assert second.headers["x-use"] == "1"


def test_what_is_filled_into_a_path_stays_in_its_segment_unless_the_id_is_a_path() -> None:
    with Canned([reply(200, {})]) as canned:
        mine = driver(canned, {"delete.path": "/p/{principal.project}/k/{id}?force=true&why={id}"})
        mine.set_state(P, "x/../y?z", KeyState.DELETED)
        driver(canned, {"delete.path": "/v2/{+id}:undo"}).set_state(P, "projects/1/keys/2", KeyState.DELETED)
        for strange in ("..", "", "a//b", "../admin"):
            with pytest.raises(Permanent):
                driver(canned, {"delete.path": "/v2/{+id}"}).set_state(P, strange, KeyState.DELETED)
    first, second = canned.got
    assert first.target == "/p/a%2Fb%20c/k/x%2F..%2Fy%3Fz?force=true&why=x%2F..%2Fy%3Fz"
    assert second.target == "/v2/projects/1/keys/2:undo"


def test_a_value_may_be_shown_in_a_body_or_a_path_and_is_never_in_a_failure() -> None:
    text = VALUE.reveal("secret")
    with Canned([reply(500, {"error": f"{text} broke us"})]) as canned:
        posted = driver(
            canned, {"verify": {"method": "POST", "path": "/i", "auth": "admin", "json": {"k": "{secret}"}}}
        )
        shown = driver(canned, {"verify.path": "/bot{secret}/me"})
        for mine in (posted, shown):
            with pytest.raises(Transient) as caught:
                mine.verify(P, VALUE)
            assert text not in str(caught.value)
    assert json.loads(canned.got[0].body) == {"k": text}
    assert canned.got[0].headers["authorization"] == f"Bearer {ADMIN}"
    assert canned.got[1].target == f"/bot{text}/me"


# -- what comes back from a mint ---------------------------------------------------------------------------------------


def test_an_id_may_be_a_number_the_end_of_a_location_or_our_own_mark() -> None:
    with Canned([MADE]) as canned:
        assert driver(canned).mint(P, MintRequest(mark="m")).key_id == "5"
        assert driver(canned, {"mint.id": "mark"}).mint(P, MintRequest(mark="m")).key_id == "m"
    location = {"Location": "https://elsewhere.example.com/v1/keys/k%2F7/?x=1"}
    with Canned([reply(201, {"key": "v"}, headers=location)]) as canned:
        assert driver(canned, {"mint.id": "location"}).mint(P, MintRequest(mark="m")).key_id == "k/7"


def test_a_value_may_have_several_parts_or_be_the_whole_answer() -> None:
    answer = {"data": [{"id": "k", "pair": {"public": "pk", "secret": "sk"}}]}
    parts = {"public": "/data/0/pair/public", "private": "/data/0/pair/secret"}
    changes = {
        "mint": {**PLAIN["mint"], "id": "/data/0/id", "secret": None, "value": parts},
        "secret_part": "private",
        "verify.auth": {"basic": "{public}:{private}"},
    }
    with Canned([reply(200, answer)]) as canned:
        mine = driver(canned, changes)
        minted = mine.mint(P, MintRequest(mark="m"))
        assert minted.value == Secret({"public": "pk", "private": "sk"})
        assert mine.capabilities(P).secret_part == "private"
        mine.verify(P, minted.value)
    assert canned.got[1].headers["authorization"] == f"Basic {base64.b64encode(b'pk:sk').decode()}"
    plain = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nthe-value"
    with Canned([plain]) as canned:
        whole = driver(canned, {"mint.id": "mark", "mint.secret": ""}).mint(P, MintRequest(mark="m"))
        assert whole.value == Secret({"secret": "the-value"})


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"id": 5},
        {"id": 5, "key": ""},
        {"id": 5, "key": 7},
        {"id": 5, "key": "two\nlines"},
        {"id": 5, "key": "a tab\there"},
        {"id": 5, "key": "x" * 20_000},
        {"key": "the-new-value"},
        {"id": "", "key": "the-new-value"},
        {"id": True, "key": "the-new-value"},
        {"id": "two\nlines", "key": "the-new-value"},
        {"id": "x" * 600, "key": "the-new-value"},
        {"id": 5, "key": "the-new-value", "made": "soon"},
    ],
    ids=lambda each: str(each)[:40],
)
def test_a_key_that_cannot_be_read_or_published_is_ambiguous_and_not_shown(answer: Any) -> None:
    with Canned([reply(201, answer)]) as canned, pytest.raises(Ambiguous) as caught:
        driver(canned, {"mint.created": "/made"}).mint(P, MintRequest(mark="m"))
    assert len(canned.got) == 1
    shown = repr(vars(caught.value)) + repr(caught.value.__context__)
    assert "the-new-value" not in shown
    assert "lines" not in shown


# -- what answers mean -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (200, {"ok": False, "error": "too_many"}, CapFull),
        (200, {"ok": False, "error": "no_scope"}, Denied),
        (200, {"ok": False, "error": "ratelimited"}, Transient),
        (200, {"ok": False, "error": "name_taken"}, Conflict),
        (200, {"ok": False, "error": "policy"}, Permanent),
        (200, {"ok": False, "error": "something new"}, Ambiguous),
        (403, {"error": "too_many"}, CapFull),
        (403, {"error": "something new"}, Denied),
        (402, {}, CapFull),
        (401, {}, Denied),
        (409, {}, Conflict),
        (400, {"message": "no"}, Permanent),
        (429, {}, Transient),
        (500, {}, Ambiguous),
        (503, {}, Ambiguous),
        (507, {}, Ambiguous),
        (503, {"error": "ratelimited"}, Ambiguous),
        (303, {}, Ambiguous),
        (301, {}, Permanent),
        (200, "<html>login</html>", Ambiguous),
    ],
)
def test_codes_within_a_body_and_statuses_mean_what_is_described(
    status: int, body: Any, failure: type[Failure]
) -> None:
    words = {
        "cap": ["too_many", 402, 507],
        "denied": ["no_scope"],
        "later": ["ratelimited", 503],
        "conflict": ["name_taken"],
        "never": ["policy"],
    }
    changes = {"error_code": "/error", "mint": {**PLAIN["mint"], **words}}
    with Canned([reply(status, body)]) as canned, pytest.raises(Failure) as caught:
        driver(canned, changes).mint(P, MintRequest(mark="m"))
    assert type(caught.value) is failure
    assert len(canned.got) == 1


@pytest.mark.parametrize(
    ("verify", "status", "body", "verdict"),
    [
        ({}, 200, {}, Verdict.WORKS),
        ({}, 401, {}, Verdict.INVALID),
        ({}, 403, {}, Verdict.FORBIDDEN),
        ({"not_yet": [425]}, 425, {}, Verdict.NOT_YET),
        ({"invalid": [403]}, 403, {}, Verdict.INVALID),
        ({"code": "/active", "works": [True], "invalid": [False]}, 200, {"active": True}, Verdict.WORKS),
        ({"code": "/active", "works": [True], "invalid": [False]}, 200, {"active": False}, Verdict.INVALID),
        ({"code": "/error", "invalid": ["dead"]}, 200, {"ok": True}, Verdict.WORKS),
        ({"code": "/error", "invalid": ["dead"]}, 200, {"error": "dead"}, Verdict.INVALID),
        ({"code": "/error", "invalid": ["dead"], "forbidden": ["scope"]}, 401, {"error": "scope"}, Verdict.FORBIDDEN),
        ({}, 401, b"Unauthorized", Verdict.INVALID),
    ],
)
def test_a_verdict_follows_from_the_code_or_else_the_status(
    verify: dict[str, Any], status: int, body: Any, verdict: Verdict
) -> None:
    plain = b"HTTP/1.1 401 x\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\r\nUnauthorized"
    with Canned([plain if isinstance(body, bytes) else reply(status, body)]) as canned:
        assert driver(canned, {"verify": {"path": "/me", **verify}}).verify(P, VALUE) is verdict


@pytest.mark.parametrize(
    ("verify", "status", "body"),
    [
        ({}, 404, {}),
        ({}, 429, {}),
        ({}, 500, {}),
        ({}, 302, {}),
        ({}, 401, "<html>login</html>"),
        ({}, 200, "<html>login</html>"),
        ({"invalid": []}, 401, {}),
        ({"code": "/active", "works": [True], "invalid": [False]}, 200, {}),
        ({"code": "/active", "works": [True], "invalid": [False]}, 200, {"active": "maybe"}),
        ({"code": "/error", "invalid": ["dead"]}, 401, {"error": "something new"}),
        ({"code": "/error", "invalid": ["dead"]}, 200, {"error": "something new"}),
    ],
)
def test_what_the_description_does_not_know_says_nothing_of_a_key(
    verify: dict[str, Any], status: int, body: Any
) -> None:
    with Canned([reply(status, body)]) as canned, pytest.raises((Transient, Permanent)):
        driver(canned, {"verify": {"path": "/me", **verify}}).verify(P, VALUE)


ADMIN_ASKS = {"method": "POST", "path": "/i", "auth": "admin", "json": {"k": "{secret}"}}


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("words", [{}, {"invalid": [404]}], ids=str)
def test_an_admin_credential_that_asks_for_a_key_and_is_refused_says_nothing_of_the_key(
    words: dict[str, Any], status: int
) -> None:
    changes = {"verify": {**ADMIN_ASKS, **words}, "identify": {**ADMIN_ASKS, "id": "/id"}}
    with Canned([reply(status, {})]) as canned:
        mine = driver(canned, changes)
        for ask in (mine.verify, mine.identify):
            with pytest.raises(Denied):
                ask(P, VALUE)


def test_where_the_admin_credential_asks_a_refusal_is_a_verdict_only_if_the_description_says_so() -> None:
    changes = {
        "verify": {**ADMIN_ASKS, "forbidden": [403], "invalid": [401]},
        "identify": {**ADMIN_ASKS, "id": "/id", "unknown": [401]},
    }
    with Canned([reply(401, {}), reply(403, {}), reply(401, {})]) as canned:
        mine = driver(canned, changes)
        assert mine.verify(P, VALUE) is Verdict.INVALID
        assert mine.verify(P, VALUE) is Verdict.FORBIDDEN
        assert mine.identify(P, VALUE) is None
    with Canned([reply(404, {})]) as canned:
        assert driver(canned, {"identify": {**ADMIN_ASKS, "id": "/id"}}).identify(P, VALUE) is None


# -- disabling for good ------------------------------------------------------------------------------------------------


def test_without_enable_a_disable_is_for_good_and_may_bring_the_end_near() -> None:
    changes = {"disable": {"path": "/keys/{id}", "json": {"expires": "{expires_at_seconds}"}, "lifetime": "60s"}}
    with Canned([reply(200, [{"id": "k"}])]) as canned:
        mine = driver(canned, changes)
        assert mine.capabilities(P).disabling is Disabling.EXPIRY
        before = datetime.now(UTC).timestamp()
        mine.set_state(P, "k", KeyState.DISABLED)
        after = datetime.now(UTC).timestamp()
        with pytest.raises(Permanent):
            mine.set_state(P, "k", KeyState.ENABLED)
        mine.set_state(P, "gone", KeyState.ENABLED)
    assert before - 1 < json.loads(canned.got[0].body)["expires"] - 60 < after + 1


# -- lists -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "answer", "ids"),
    [
        ({}, [{"id": "a"}, {"id": 2}], ["a", "2"]),
        ({"list.items": "/data/keys"}, {"data": {"keys": [{"id": "a"}]}}, ["a"]),
        ({"list.items": "/data/keys"}, {"data": {"keys": None}}, []),
        ({"list.items": "/keys", "list.empty": "absent"}, {"total": 0}, []),
        ({"list.items": "/a~1b/m~0n"}, {"a/b": {"m~n": [{"id": "a"}]}}, ["a"]),
        ({"list.items": "/0/keys"}, [{"keys": [{"id": "a"}]}], ["a"]),
        ({"list.items": "/owners/*/keys"}, {"owners": [{"keys": [{"id": "a"}]}, {"keys": [{"id": "b"}]}]}, ["a", "b"]),
        ({"list.items": "/by_id/*"}, {"by_id": {"x": {"id": "a"}, "y": {"id": "b"}}}, ["a", "b"]),
        ({"list.items": "/owners/*/keys"}, {"owners": []}, []),
        ({"list.items": "/owners/*/keys"}, {"owners": None}, []),
        ({"list.items": "/owners/*/keys", "list.empty": "absent"}, {"total": 0}, []),
        ({"list.items": "/*/keys"}, {}, []),
        ({"list.id": ""}, ["a", "b"], ["a", "b"]),
        ({"list.id": "/meta/uid"}, [{"meta": {"uid": "a"}}], ["a"]),
        ({"list.only": {"/p": "{principal.project}"}}, [{"id": "a", "p": "a/b c"}, {"id": "b", "p": "x"}], ["a"]),
        ({"list.only": {"/mine": "true"}}, [{"id": "a", "mine": True}, {"id": "b"}], ["a"]),
    ],
)
def test_rows_are_found_wherever_a_list_has_them(changes: dict[str, Any], answer: Any, ids: list[str]) -> None:
    assert [key.id for key in listed(changes, answer)] == ids


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({}, {}),
        ({}, None),
        ({"list.items": "/keys"}, {"data": []}),
        ({"list.items": "/keys"}, {"keys": {"a": 1}}),
        ({"list.items": "/keys", "list.empty": "absent"}, []),
        ({"list.items": "/keys", "list.empty": "absent"}, "text"),
        ({"list.items": "/owners/*/keys"}, {}),
        ({"list.items": "/owners/*/keys"}, {"error": "later"}),
        ({"list.items": "/owners/*/keys"}, {"owners": "none"}),
        ({"list.items": "/data/owners/*/keys"}, {"data": {}}),
        ({"list.items": "/owners/*/keys", "list.empty": "absent"}, []),
        ({"list.items": "/owners/*/keys", "list.empty": "absent"}, {"owners": False}),
        ({"list.items": "/*/keys"}, "text"),
        ({}, [{}]),
        ({}, [{"id": None}]),
        ({}, [{"id": "two\nlines"}]),
        ({"list.state": {"at": "/s", "enabled": ["on"]}}, [{"id": "a", "s": "odd"}]),
        ({"list.state": {"at": "/s", "enabled": ["on"]}}, [{"id": "a"}]),
        ({"list.created": "/at"}, [{"id": "a", "at": "soon"}]),
        ({"list.created": "/at"}, [{"id": "a", "at": "2026-11-23T10:00:00"}]),
        ({"list.created": "/at"}, [{"id": "a", "at": True}]),
        ({"list.created": "/at"}, [{"id": "a", "at": 1e40}]),
    ],
    ids=str,
)
def test_a_list_of_another_form_is_transient_and_never_empty(changes: dict[str, Any], answer: Any) -> None:
    with pytest.raises(Transient):
        listed(changes, answer)


@pytest.mark.parametrize(
    ("written", "changes"),
    [
        ("2026-11-23T10:00:00Z", {}),
        ("2026-11-23T11:00:00.000+01:00", {}),
        (1795428000, {}),
        (1795428000.0, {}),
        (1795428000000, {}),
        ("1795428000", {}),
        ("1795428000000", {}),
        ("2026-11-23T10:00:00", {"list.times": "utc"}),
        ("2026-11-23 10:00:00", {"list.times": "utc"}),
    ],
    ids=str,
)
def test_a_time_is_read_in_each_of_the_ways_in_which_apis_write_it(written: Any, changes: dict[str, Any]) -> None:
    (key,) = listed({"list.created": "/at", **changes}, [{"id": "a", "at": written}])
    assert key.created_at == datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.mark.parametrize("never", [None, "", 0, "0", "never", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"], ids=str)
def test_never_is_written_in_many_ways(never: Any) -> None:
    (key,) = listed({"list.last_used": "/at"}, [{"id": "a", "at": never}])
    assert key.last_used_at is None


def test_states_are_told_apart_by_whatever_stands_there() -> None:
    state = {"at": "/s", "enabled": ["on", True], "disabled": [0, "off"], "deleted": [None]}
    rows = [{"id": str(n), "s": value} for n, value in enumerate(["on", True, 0, "off", None])] + [{"id": "5"}]
    assert [key.state.value for key in listed({"list.state": state}, rows)] == [
        "enabled",
        "enabled",
        "disabled",
        "disabled",
        "deleted",
        "deleted",
    ]


def test_texts_of_somebody_else_are_bounded_and_without_control_characters() -> None:
    nasty = "<b>$(rm -rf /)</b>\x1b[31m\n" + "x" * 5000
    rows = [{"id": "a", "name": nasty, "hint": nasty, "by": nasty, "scopes": [nasty, 5, "ok"]}]
    pointers = {"list.hint": "/hint", "list.last_used_by": "/by", "list.scopes": "/scopes"}
    (key,) = listed(pointers, rows)
    for text in (key.mark or "", key.hint, key.last_used_by, *(key.grant or ())):
        assert text.isprintable()
        assert len(text) <= 256
    assert (key.grant or ())[-1] == "ok"
    assert listed({"list.scopes": "/s"}, [{"id": "a", "s": "read,write admin"}])[0].grant == ("read", "write", "admin")


def test_where_rows_say_little_each_key_is_asked_for_and_one_that_is_gone_is_left_out() -> None:
    replies = [
        reply(200, ["a", "b/c", "gone"]),
        reply(200, {"name": "m1", "on": True}),
        reply(200, {"name": "m2", "on": False}),
        reply(404, {}),
    ]
    state = {"at": "/on", "enabled": [True], "disabled": [False]}
    with Canned(list(replies)) as canned:
        keys = driver(canned, {"list.id": "", "list.detail": "/keys/{id}", "list.state": state}).keys(P)
    assert [(key.id, key.mark, key.state) for key in keys] == [
        ("a", "m1", KeyState.ENABLED),
        ("b/c", "m2", KeyState.DISABLED),
    ]
    assert [got.target for got in canned.got] == ["/keys", "/keys/a", "/keys/b%2Fc", "/keys/gone"]


# -- pages -------------------------------------------------------------------------------------------------------------


def _rows(*ids: str) -> list[dict[str, str]]:
    return [{"id": each} for each in ids]


@pytest.mark.parametrize(
    ("way", "pages", "targets"),
    [
        (
            {"cursor": "/next", "parameter": "after"},
            [{"keys": _rows("a"), "next": "c&1"}, {"keys": _rows("b"), "next": None}],
            ["/keys", "/keys?after=c%261"],
        ),
        (
            {"cursor": "/next", "parameter": "p", "more": "/has_more"},
            [{"keys": _rows("a"), "next": 7, "has_more": True}, {"keys": _rows("b"), "next": 8, "has_more": False}],
            ["/keys", "/keys?p=7"],
        ),
        (
            {"last": "/id", "parameter": "after", "more": "/more"},
            [{"keys": _rows("a", "b"), "more": True}, {"keys": _rows("c"), "more": False}],
            ["/keys", "/keys?after=b"],
        ),
        (
            {"page": "page"},
            [{"keys": _rows("a")}, {"keys": _rows("b")}, {"keys": []}],
            ["/keys?page=1", "/keys?page=2", "/keys?page=3"],
        ),
        ({"page": "p", "first": 0}, [{"keys": _rows("a")}, {"keys": []}], ["/keys?p=0", "/keys?p=1"]),
        (
            {"offset": "skip"},
            [{"keys": _rows("a", "b")}, {"keys": _rows("c")}, {"keys": []}],
            ["/keys", "/keys?skip=2", "/keys?skip=3"],
        ),
        (
            {"url": "/links/next"},
            [{"keys": _rows("a"), "links": {"next": "BASE/keys?page=2&size=5"}}, {"keys": _rows("b")}],
            ["/keys", "/keys?page=2&size=5"],
        ),
        (
            {"url": "/links/next"},
            [{"keys": _rows("a"), "links": {"next": "?page=2"}}, {"keys": _rows("b"), "links": {}}],
            ["/keys", "/keys?page=2"],
        ),
    ],
)
def test_pages_are_followed_in_each_of_the_ways_to_their_end(
    way: dict[str, Any], pages: list[dict[str, Any]], targets: list[str]
) -> None:
    with Canned([None]) as canned:
        text = json.dumps(pages).replace("BASE", canned.url)
        canned.replies[:] = [reply(200, page) for page in json.loads(text)]
        keys = driver(canned, {"list.items": "/keys", "list.next": way}).keys(P)
    assert "".join(key.id for key in keys) == "abc"[: len(keys)]
    assert [got.target for got in canned.got] == targets


def _owned(*ids: str) -> list[dict[str, str]]:
    return [{"id": each, "owner": "mine" if each.startswith("m") else "other"} for each in ids]


@pytest.mark.parametrize(
    ("way", "pages", "targets"),
    [
        (
            {"page": "p"},
            [_owned("m1", "a"), _owned("b", "c"), _owned("m2"), []],
            ["/keys?p=1", "/keys?p=2", "/keys?p=3", "/keys?p=4"],
        ),
        (
            {"offset": "skip"},
            [_owned("m1", "a"), _owned("b", "c"), _owned("m2"), []],
            ["/keys", "/keys?skip=2", "/keys?skip=4", "/keys?skip=5"],
        ),
        (
            {"last": "/id", "parameter": "after"},
            [_owned("m1", "a"), _owned("b", "c"), _owned("m2"), []],
            ["/keys", "/keys?after=a", "/keys?after=c", "/keys?after=m2"],
        ),
    ],
)
def test_pages_are_counted_by_what_the_server_sent_and_not_by_whose_the_rows_are(
    way: dict[str, Any], pages: list[Any], targets: list[str]
) -> None:
    with Canned([reply(200, page) for page in pages]) as canned:
        keys = driver(canned, {"list.next": way, "list.only": {"/owner": "mine"}}).keys(P)
    assert [key.id for key in keys] == ["m1", "m2"]
    assert [got.target for got in canned.got] == targets


def test_rows_of_others_are_asked_nothing_of_and_hide_none_of_ours() -> None:
    rows = [{"id": "k", "owner": "other"}, {"owner": "other"}, *_owned("other"), {"id": "k", "owner": "mine"}]
    with Canned([reply(200, rows), reply(200, {"name": "m"})]) as canned:
        changes = {"list.only": {"/owner": "mine"}, "list.detail": "/keys/{id}"}
        (key,) = driver(canned, changes).keys(P)
    assert (key.id, key.mark) == ("k", "m")
    assert [got.target for got in canned.got] == ["/keys", "/keys/k"]


def test_a_page_of_others_that_repeats_itself_is_no_list() -> None:
    with Canned([reply(200, _owned("a", "b"))]) as canned:
        with pytest.raises(Permanent, match="repeats"):
            driver(canned, {"list.next": {"page": "p"}, "list.only": {"/owner": "mine"}}).keys(P)
        assert len(canned.got) == 2


@pytest.mark.parametrize("more", ["true", "false", 1, 0, "", [], {}], ids=repr)
def test_whether_there_is_more_told_in_a_strange_form_is_no_end(more: Any) -> None:
    page = {"keys": _rows("a"), "next": "b", "more": more}
    way = {"cursor": "/next", "parameter": "p", "more": "/more"}
    with pytest.raises(Transient, match="told in a strange form"):
        listed({"list.items": "/keys", "list.next": way}, page)


def test_where_nothing_tells_of_more_there_is_none() -> None:
    way = {"cursor": "/next", "parameter": "p", "more": "/more"}
    for page in ({"keys": _rows("a"), "next": "b"}, {"keys": _rows("a"), "next": "b", "more": None}):
        assert [key.id for key in listed({"list.items": "/keys", "list.next": way}, page)] == ["a"]


@pytest.mark.parametrize(
    ("way", "page"),
    [
        ({"cursor": "/next", "parameter": "p"}, {"keys": _rows("a"), "next": {"after": "a"}}),
        ({"cursor": "/next", "parameter": "p"}, {"keys": _rows("a"), "next": ["a"]}),
        ({"last": "/at", "parameter": "p"}, {"keys": [{"id": "a"}]}),
        ({"last": "/at", "parameter": "p"}, {"keys": [{"id": "a", "at": {}}]}),
    ],
    ids=str,
)
def test_a_cursor_in_a_strange_form_is_no_end(way: dict[str, Any], page: dict[str, Any]) -> None:
    with pytest.raises(Transient, match="told in a strange form"):
        listed({"list.items": "/keys", "list.next": way}, page)


def test_a_link_header_leads_on_beneath_the_base_url() -> None:
    with Canned([None]) as canned:
        link = f'<{canned.url}/v1/keys?page=1>; rel="first", <{canned.url}/v1/keys?page=2>; rel="next"'
        canned.replies[:] = [reply(200, _rows("a"), headers={"Link": link}), reply(200, _rows("b"))]
        mine = driver(canned, {"list.next": {"link": True}}, base_url=f"{canned.url}/v1")
        assert [key.id for key in mine.keys(P)] == ["a", "b"]
    assert [got.target for got in canned.got] == ["/v1/keys", "/v1/keys?page=2"]


@pytest.mark.parametrize(
    "away",
    [
        "https://evil.example.com/keys",
        "//evil.example.com/keys",
        "http://127.0.0.1:1/keys",
        "http://u@127.0.0.1/keys",
        "ftp://127.0.0.1/keys",
        "/../admin",
        "keys",
        "http://[bad/keys",
        "/keys\\@evil.example.com",
        "/keys\r\nX-Evil: 1",
        5,
        ["/keys"],
    ],
    ids=str,
)
def test_a_list_that_leads_to_another_host_is_not_followed(away: Any) -> None:
    with Canned([reply(200, {"keys": _rows("a"), "next": away})]) as canned:
        with pytest.raises(Permanent, match="another place"):
            driver(canned, {"list.items": "/keys", "list.next": {"url": "/next"}}).keys(P)
        assert len(canned.got) == 1


@pytest.mark.parametrize("url", [0, 7, False, True, {}, [], ["x"], {"href": "/keys?2"}])
def test_a_next_page_of_a_strange_form_does_not_end_the_list(url: Any) -> None:
    with pytest.raises((Transient, Permanent)):
        listed({"list.items": "/keys", "list.next": {"url": "/next"}}, {"keys": _rows("a"), "next": url}, {"keys": []})


@pytest.mark.parametrize("url", [None, ""])
def test_a_next_page_that_is_nowhere_ends_it(url: Any) -> None:
    assert len(listed({"list.items": "/keys", "list.next": {"url": "/next"}}, {"keys": _rows("a"), "next": url})) == 1


@pytest.mark.parametrize(
    ("way", "page"),
    [
        ({"url": "/next"}, {"next": None}),
        ({"cursor": "/next", "parameter": "after"}, {"next": ""}),
        ({"link": True}, {}),
        ({"last": "/id", "parameter": "after"}, {}),
        ({"page": "page"}, {}),
        ({"offset": "offset"}, {}),
    ],
    ids=["url", "cursor", "link", "last", "page", "offset"],
)
def test_more_of_which_nobody_says_where_is_no_end(way: dict[str, Any], page: dict[str, Any]) -> None:
    rows = _rows("a") if way.keys() & {"url", "cursor", "link"} else []
    with pytest.raises(Transient, match="more"):
        listed(
            {"list.items": "/keys", "list.next": {**way, "more": "/more"}},
            {"keys": rows, **page, "more": True},
            {"keys": []},
        )


def test_a_list_that_repeats_itself_is_no_list() -> None:
    with Canned([reply(200, {"keys": _rows("a")})]) as canned:
        with pytest.raises(Permanent, match="repeats"):
            driver(canned, {"list.items": "/keys", "list.next": {"page": "p"}}).keys(P)
        assert len(canned.got) == 2


def test_ten_thousand_keys_are_read_over_a_hundred_pages() -> None:
    def page(number: int) -> bytes:
        rows = _rows(*(f"{number}-{each}" for each in range(100)))
        return reply(200, {"keys": rows, "next": number + 1 if number < 99 else None})

    with Canned([page(number) for number in range(100)]) as canned:
        changes = {"list.items": "/keys", "list.next": {"cursor": "/next", "parameter": "p"}}
        keys = driver(canned, changes).keys(P)
    assert len({key.id for key in keys}) == 10_000
    assert len(canned.got) == 100


def test_a_look_at_the_admin_credential_reads_one_page_and_judges_no_row() -> None:
    with Canned([reply(200, {"keys": [{"id": "a", "s": "odd"}], "next": "x"})]) as canned:
        state = {"at": "/s", "enabled": ["on"]}
        changes = {"list.items": "/keys", "list.next": {"cursor": "/next", "parameter": "p"}, "list.state": state}
        driver(canned, changes).check_admin(P)
    assert len(canned.got) == 1
