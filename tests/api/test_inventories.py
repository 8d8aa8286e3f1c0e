"""What a consumer posts about itself is only added, seen when it comes, and never takes anything out of a plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.app.inventories import inventories_of
from rotator.app.posted import BACK_DATED
from rotator.domain.packages import PYPI, Component, Inventory, Package
from rotator.domain.times import format_time
from tests.api.conftest import THEIRS, Api

BAD, GOOD = "litellm==1.82.8 --hash=sha256:" + "a" * 64, "litellm==1.83.0 --hash=sha256:" + "b" * 64
FILE = "web/requirements.txt"
DAY = timedelta(days=1)


def post(api: Api, text: str, who: str = "web", name: str = FILE, **more: Any) -> Any:
    return api.post("/v1/inventories", {"files": [{"name": name, "text": text}], **more}, who)


def now() -> datetime:
    return datetime.now(UTC)


def plan(api: Api, start: datetime) -> tuple[set[str], set[str]]:
    """Which credentials the bad version exposes from then on, and of which nobody can say."""
    body = {"packages": ["litellm==1.82.8"], "bad_from": format_time(start)}
    answer = api.post("/v1/incidents", body, "responder")
    assert answer.status == 200, answer.data
    found = answer.json()["plan"]
    return {each["credential"] for each in found["credentials"]}, set(found["unknown"]["credentials"])


def had(api: Api, since: datetime, version: str = "1.82.8") -> None:
    """Recorded by us, in the config's own lockfile."""
    component = Component(package=Package.of(PYPI, "litellm"), version=version, hashed=True)
    one = Inventory(consumer="web", kind="requirements.txt", origin=FILE, since=since, components=(component,))
    inventories_of(api.assembly).record([one], since)


def test_it_is_recorded_as_seen_now(api: Api) -> None:
    before = now()
    answer = post(api, BAD).json()
    assert (answer["consumer"], answer["back_dated"]) == ("web", False)
    assert [(each["form"], each["packages"], each["news"]) for each in answer["files"]] == [
        ("requirements.txt", 1, True)
    ]
    (kept,) = inventories_of(api.assembly).history("web")
    assert before <= kept.since <= now()
    assert not post(api, BAD).json()["files"][0]["news"]


def test_it_exposes_what_the_consumer_reads(api: Api) -> None:
    start = now() - DAY
    assert THEIRS not in plan(api, start)[0]
    post(api, BAD)
    assert THEIRS in plan(api, start)[0]


def test_a_clean_one_takes_nothing_out_of_a_plan(api: Api) -> None:
    start = now() - DAY
    had(api, start)
    exposed, _ = plan(api, start)
    assert THEIRS in exposed
    for claimed in (None, start, start + timedelta(seconds=1), start - DAY, now()):
        more = {} if claimed is None else {"had_since": format_time(claimed)}
        assert post(api, GOOD, **more).status == 200
        assert plan(api, start)[0] == exposed


def test_what_is_claimed_of_an_earlier_time_makes_nobody_safe(api: Api) -> None:
    start = now() - DAY
    _, before = plan(api, start)
    assert THEIRS in before
    assert post(api, GOOD, had_since=format_time(start - DAY)).json()["back_dated"]
    exposed, unknown = plan(api, start)
    assert THEIRS in unknown
    assert not exposed


def test_what_is_claimed_of_an_earlier_time_exposes(api: Api) -> None:
    start = now() - DAY
    post(api, BAD, had_since=format_time(start))
    post(api, GOOD)
    assert THEIRS in plan(api, start)[0]
    marked = [each for each in inventories_of(api.assembly).history("web") if each.commit]
    assert [each.gaps[-1].startswith(BACK_DATED) for each in marked] == [True]
    assert [each.until is not None for each in marked] == [True]


@pytest.mark.parametrize("at", ["2099-01-01T00:00:00Z", "1999-01-01T00:00:00Z", "2026-01-01T00:00:00", "soon"])
def test_a_time_that_cannot_be_is_refused(api: Api, at: str) -> None:
    assert post(api, GOOD, had_since=at).status == 422
    assert not inventories_of(api.assembly).history()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("../../etc/uv.lock", GOOD),
        ("/etc/requirements.txt", GOOD),
        ("a\nb/requirements.txt", GOOD),
        ("x" * 201, GOOD),
        (FILE, ""),
        (FILE, "-----BEGIN"),
        ("uv.lock", "this is no lockfile ["),
        ("package-lock.json", "{"),
    ],
)
def test_what_is_no_inventory_is_refused_and_nothing_is_recorded(api: Api, name: str, text: str) -> None:
    body = {"files": [{"name": "good/requirements.txt", "text": GOOD}, {"name": name, "text": text}]}
    answer = api.post("/v1/inventories", body, "web")
    assert answer.status == 422, answer.data
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not inventories_of(api.assembly).history()


def test_nobody_but_the_consumer_posts_and_it_posts_for_no_other(api: Api) -> None:
    for who in ("viewer", "operator", "responder", "mine"):
        assert post(api, BAD, who).status == 403
    assert api.post("/v1/inventories", {"consumer": "agents", "files": []}, "web").status == 422
    assert api.call("GET", "/v1/credentials", "web").status == 403
    assert not inventories_of(api.assembly).history()
