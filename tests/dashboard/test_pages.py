"""What the pages show, to whom, and what they let whom do; over a real socket, as text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.app.first_page import Calm, FirstPage, first_page
from rotator.app.need import Need, made
from rotator.app.needing import MOST_OF_A_KIND, bounded, needs
from rotator.app.seeing import Scope
from rotator.app.surveying import Counts, Surveys, survey
from rotator.dashboard.files import FILES, KINDS, STATIC
from rotator.domain.notices import Severity
from rotator.domain.records import CredentialRow
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.api.conftest import Api
from tests.cli.scene import make
from tests.dashboard.conftest import dashboard
from tests.dashboard.rich import (
    ADRIFT,
    BEHIND,
    EXPOSED,
    FRESH,
    HELD,
    INCIDENT,
    LATE,
    LIVE,
    OWNERS,
    STUCK,
    UNPROVEN,
    WAITS,
    let_config_wait,
    rich,
)
from tests.dashboard.shots import paths_of

ALL = Scope()
MINE = frozenset({STUCK, HELD, LIVE, ADRIFT})
"""Of team-ml, by their places in the scene's config; dora sees these."""
THEIRS = (WAITS, LATE, BEHIND, UNPROVEN, EXPOSED, FRESH)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with Keyserver(Behaviour()) as keyserver:
        scene = rich(tmp_path_factory.mktemp("pages"), keyserver, 130)
        with dashboard(scene) as running:
            let_config_wait(scene, running.assembly)
            yield running


def text(api: Api, path: str, who: str = "responder") -> str:
    """A page that is there."""
    found = api.call("GET", path, who)
    assert found.status == 200, found.data
    return str(found.data.decode())


def amiss(api: Api) -> tuple[CredentialRow, ...]:
    """What is held or was left behind."""
    return Surveys(lambda: api.assembly).amiss(api.assembly)


# -- the first page ----------------------------------------------------------------------------------------------------


def test_all_that_needs_a_person_is_there_with_what_mends_it(api: Api) -> None:
    found = {each.kind: each for each in needs(api.assembly, ALL, survey(api.assembly), amiss(api))}
    commands = {kind: each.command for kind, each in found.items()}
    assert commands == {
        "incident": f"rotator incident plan {INCIDENT}",
        "stuck": f"rotator resume {STUCK}",
        "too old": f"rotate {LATE}",
        "not proven": f"rotator prove {UNPROVEN}",
        "driver would not start": "rotator plugins list",
        "needs a key": f"rotator provide {WAITS}",
        "config waits": "rotator config diff",
        "left behind": f"rotator sync {BEHIND}",
        "not adopted": f"rotator adopt {ADRIFT}",
        "paused": "rotator pause --end",
        "on hold": f"rotator release {HELD}",
    }
    text(api, "/credentials")  # by then they are counted, for which the first page waits a moment alone
    page = text(api, "/")
    assert [each for each in commands.values() if each not in page] == []


def test_the_loudest_comes_first_and_an_incident_before_all(api: Api) -> None:
    found = needs(api.assembly, ALL, survey(api.assembly), amiss(api))
    assert [each.severity for each in found] == sorted(
        (each.severity for each in found), key=[Severity.CRITICAL, Severity.WARNING, Severity.INFO].index
    )
    assert [each.kind for each in found[:2]] == ["incident", "stuck"]


def test_a_calm_day_is_said_plainly(tmp_path: Path) -> None:
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver, ("app",))
        scene.rewrite(listen="127.0.0.1:0", consumers={"web": {"lockfiles": ["r.txt"]}})
        scene.credential("app", owner="team-ml")
        assert scene.say("adopt", "app").code == 0
        with dashboard(scene) as running:
            survey(running.assembly)
            running.call("GET", "/credentials")  # by then they are counted
            page = text(running, "/")
            assert "Nothing needs you." in page
            assert "<title>Nothing needs you" in page


def test_what_was_not_counted_is_no_calm() -> None:
    def page(*found: Need, counts: Counts | None) -> FirstPage:
        from datetime import UTC, datetime

        return FirstPage(now=datetime.now(UTC), needs=found, counts=counts, counted_at=None)

    assert page(counts=None).calm is Calm.UNKNOWN
    assert [number for _, number, _ in page(counts=None).figures] == [None] * 4
    assert page(counts=Counts(total=0)).calm is Calm.CALM


def test_of_many_of_a_kind_so_many_are_told_and_the_others_counted() -> None:
    many = [made("too old", f"c{each}", "", None) for each in range(MOST_OF_A_KIND + 7)]
    shown = tuple(bounded(many))
    assert len(shown) == MOST_OF_A_KIND
    assert [each.more for each in shown if each.more] == [7]


# -- who sees what -----------------------------------------------------------------------------------------------------


def test_who_sees_some_owners_credentials_sees_no_name_of_others_on_any_page(api: Api) -> None:
    for name, path in {**paths_of(api), "csv": "/credentials.csv", "trail.csv": "/trail.csv"}.items():
        found = api.call("GET", path, "mine")
        page = found.data.decode()
        assert found.status in (200, 403, 404), name
        if found.status == 200:
            assert [each for each in THEIRS if re.search(rf"\b{each}\b", page)] == [], name


def test_others_credentials_and_what_is_not_there_are_answered_alike(api: Api) -> None:
    there, nowhere = (api.call("GET", f"/credentials/{name}", "mine") for name in (LATE, "nope"))
    assert there.status == nowhere.status == 404
    assert there.data.decode().replace(LATE, "").count("<") == nowhere.data.decode().replace("nope", "").count("<")
    assert api.call("GET", "/config", "mine").status == 403


def test_their_own_ones_are_counted_and_shown(api: Api) -> None:
    found = first_page(api.assembly, Scope(frozenset({OWNERS[0]})), survey(api.assembly), amiss(api))
    assert {each.credential for each in found.needs if each.credential} <= MINE
    assert found.counts is not None
    assert found.counts.total < 60


@pytest.mark.parametrize(("who", "forms"), [("viewer", 1), ("operator", 4), ("responder", 4)])
def test_a_form_is_there_for_whoever_may(api: Api, who: str, forms: int) -> None:
    page = text(api, f"/credentials/{STUCK}", who)
    assert page.count('<form method="post"') == forms, "signing out, resume, rollback and hold"


def test_only_a_responder_approves(api: Api) -> None:
    assert "/config/approve" in text(api, "/config", "responder")
    assert "/config/approve" not in text(api, "/config", "operator")
    assert "A responder approves it" in text(api, "/config", "operator")


def test_each_verb_is_there_only_where_it_makes_sense(api: Api) -> None:
    verbs = {
        name: set(re.findall(rf'action="/credentials/{name}/(\w+)"', text(api, f"/credentials/{name}")))
        for name in (FRESH, HELD, STUCK, LIVE)
    }
    assert verbs == {
        FRESH: {"rotate", "hold"},
        HELD: {"release"},
        STUCK: {"resume", "rollback", "hold"},
        LIVE: {"rollback", "hold"},
    }


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_a_live_page_has_all_its_parts_whatever_stands_in_them(api: Api, who: str) -> None:
    """A part that is not there when a page is loaded never comes."""

    def parts(path: str) -> set[str]:
        return set(re.findall(r'id="([\w-]+)"[^>]* data-part', text(api, path, who)))

    rows = {name: api.assembly.journal.open_rotation(name) for name in (STUCK, LIVE)}
    ended = api.assembly.journal.rotations(UNPROVEN, limit=1)[0]
    rotations = [f"/rotations/{row.id}" for row in (*rows.values(), ended) if row is not None]
    assert [parts(path) for path in rotations] == [{"standing", "needs", "line", "old", "events"}] * 3
    credentials = [parts(f"/credentials/{name}") for name in (FRESH, HELD, STUCK, LIVE)]
    assert credentials == [{"broken", "needs", "standing", "acts", "why", "places", "keys", "past"}] * 4
    assert parts(f"/incidents/{INCIDENT}") == {"coverage", "exposed", "unknown", "left"}
    assert parts("/trail") == {"lines", "pages"}
    assert parts("/credentials") == {"list", "pages"}


# -- the other pages ---------------------------------------------------------------------------------------------------


def test_credentials_are_looked_through_and_come_page_by_page(api: Api) -> None:
    names: list[str] = []
    path: str | None = "/credentials?text=service"
    while path:
        page = text(api, path)
        names += re.findall(r'<th scope="row"><a href="/credentials/([\w-]+)"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else None
    assert len(names) == len(set(names)) == 130


def test_the_trail_is_told_from_the_newest_to_the_oldest(api: Api) -> None:
    last = api.assembly.opened.last_event()  # type: ignore[attr-defined]
    at: list[str] = []
    path: str | None = "/trail"
    while path:
        page = text(api, path)
        at += re.findall(r'<tr><th scope="row"><time datetime="([^"]+)"', page.replace("'", '"'))
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else None
    assert len(at) == last
    one = text(api, f"/trail?credential={STUCK}")
    assert "keep previous" in one
    assert LATE not in one


def test_a_table_is_a_file_with_every_row_and_no_formula(api: Api) -> None:
    found = api.call("GET", "/credentials.csv?state=too+old")
    assert found.headers["content-type"] == "text/csv; charset=utf-8"
    assert found.headers["content-disposition"] == 'attachment; filename="credentials.csv"'
    rows = list(csv.DictReader(io.StringIO(found.data.decode(), newline="")))
    assert [each["credential"] for each in rows] == [LATE]
    whole = list(csv.reader(io.StringIO(api.call("GET", "/trail.csv").data.decode(), newline="")))
    assert len(whole) == api.assembly.opened.last_event() + 1  # type: ignore[attr-defined]


def test_an_incident_says_what_is_proven_and_what_is_not(api: Api) -> None:
    page = text(api, f"/incidents/{INCIDENT}")
    assert "Not everything is proven dead." in page
    assert re.search(r"proven dead</dt><dd>1<", page)
    assert re.search(r"nobody can say</dt><dd>1<", page)
    assert "1 of 4" in text(api, "/incidents")


def test_the_config_that_waits_is_shown_key_by_key(api: Api) -> None:
    page = text(api, "/config")
    assert "providers.ks.base_url" in page
    assert "sensitive" in page
    assert re.search(r'name="digest" value="[0-9a-f]{32}"', page)


def test_every_time_is_for_machines_too(api: Api) -> None:
    for path in paths_of(api).values():
        page = api.call("GET", path, "responder").data.decode()
        assert not re.search(r"<time(?! datetime=)", page)


@pytest.mark.parametrize(
    "path", ["/rotations/nope", "/rotations/%00", "/incidents/inc-1", "/credentials/%ff", "/static/x.css"]
)
def test_what_is_not_there_is_a_page_that_says_so(api: Api, path: str) -> None:
    found = api.call("GET", path, "responder")
    assert found.status == 404
    assert "<h1>Not found</h1>" in found.data.decode()


@pytest.mark.parametrize("query", ["after=nope", "state=nope", "owner=nope", "text=" + "x" * 200, "text=%00%ff"])
def test_whatever_is_looked_for_the_list_is_a_page(api: Api, query: str) -> None:
    assert api.call("GET", f"/credentials?{query}").status == 200


# -- files -------------------------------------------------------------------------------------------------------------


def test_each_file_is_served_to_anybody_and_kept_for_ever(api: Api) -> None:
    for each in FILES.values():
        found = api.call("GET", each.path, None)
        assert (found.status, found.data) == (200, (STATIC / each.wanted).read_bytes())
        assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert found.headers["content-type"].startswith(each.kind.partition(";")[0])
        assert found.headers["x-content-type-options"] == "nosniff"


def test_no_other_file_is_served(api: Api) -> None:
    assert {each.name for each in STATIC.iterdir()} == set(KINDS)
    for path in ("/static/style.css", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/"):
        assert api.call("GET", path, "responder").status == 404


def test_pages_have_no_style_and_no_script_of_their_own(api: Api) -> None:
    for path in paths_of(api).values():
        page = api.call("GET", path, "responder").data.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"/static/live)", page)


def test_the_script_makes_no_code_of_text() -> None:
    script = (STATIC / "live.js").read_text()
    assert not re.search(
        r"\beval\b|new Function|innerHTML|insertAdjacentHTML|document\.write|setTimeout\([\"']", script
    )
