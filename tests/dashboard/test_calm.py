"""The first page is calm only where nothing is late, stuck, left behind or unknown: whatever moved its due time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.app import standing
from rotator.app.first_page import Calm, FirstPage, first_page
from rotator.app.housekeeping import begin_due
from rotator.app.needing import MOST_DUE
from rotator.app.seeing import Scope
from rotator.app.surveying import Counts, State, Surveys, survey
from rotator.domain.records import Event, EventKind
from rotator.ports import Change
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.api.conftest import MINE, THEIRS, Api
from tests.cli.scene import Scene
from tests.dashboard.conftest import dashboard, scene_of

ALL = Scope()
DAY = timedelta(days=1)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """One whose config a test writes before it is served."""
    with Keyserver(Behaviour()) as keyserver:
        yield scene_of(tmp_path, keyserver)


def seen(api: Api, scope: Scope = ALL) -> FirstPage:
    """As it is at this moment."""
    return first_page(api.assembly, scope, survey(api.assembly), Surveys(lambda: api.assembly).amiss(api.assembly))


def told(api: Api, kind: str, scope: Scope = ALL) -> list[str]:
    """Of which credentials it says this."""
    return [each.credential for each in seen(api, scope).needs if each.kind == kind]


def keyed(api: Api, name: str, age: timedelta, due: timedelta, **more: object) -> None:
    """A key of this age, due so far from now."""
    now = datetime.now(UTC)
    known = {"current": f"key-of-{name}", "current_since": now - age, "next_due": now + due, **more}
    api.assembly.journal.save(replace(api.assembly.journal.credential(name), **known), now, Change())  # type: ignore[arg-type]


def test_a_key_that_is_too_old_is_told_although_its_next_time_was_moved_ahead(fresh: Api) -> None:
    keyed(fresh, MINE, 2 * DAY, 20 * DAY)
    keyed(fresh, THEIRS, 40 * DAY, 20 * DAY)
    assert told(fresh, "too old") == [THEIRS]
    assert seen(fresh).calm is Calm.NEEDED


def test_many_that_are_due_and_young_hide_none_that_is_too_old(scene: Scene) -> None:
    data = json.loads(scene.config.read_text())
    names = [f"service-{number:03}" for number in range(MOST_DUE + 5)]
    first, slow = data["credentials"][MINE], {**data["policies"]["quick"], "every": "365d"}
    many = {
        name: {
            **first,
            "policy": "slow",
            "principal": {"principal": name, "exclusive": True},
            "publish": [{"store": "files", "ref": f"{name}.json", "fields": {"API_KEY": "{secret}"}}],
        }
        for name in names
    }
    scene.rewrite(credentials={**data["credentials"], **many}, policies={**data["policies"], "slow": slow})
    with dashboard(scene) as api:
        for name in names:
            keyed(api, name, 90 * DAY, -10 * DAY)
        keyed(api, MINE, 2 * DAY, 20 * DAY)
        keyed(api, THEIRS, 40 * DAY, -9 * DAY)
        assert told(api, "too old") == [THEIRS]


def test_what_could_not_be_begun_is_told_until_it_is_begun(api: Api) -> None:
    keyed(api, MINE, 2 * DAY, 20 * DAY)
    keyed(api, THEIRS, 29 * DAY, -DAY)
    folder, away = api.scene.folder / "admin", api.scene.folder / "admin.away"
    folder.rename(away)
    begun = begin_due(api.assembly, 10, put_off=True)
    assert set(begun.problems) == {THEIRS}
    assert told(api, "cannot begin") == [THEIRS]
    assert seen(api).calm is Calm.NEEDED
    away.rename(folder)
    keyed(api, THEIRS, 29 * DAY, -DAY)
    assert begin_due(api.assembly, 10, put_off=True).problems == {}
    assert told(api, "cannot begin") == []


@pytest.mark.parametrize("state", [State.STUCK, State.OLD, State.BEHIND, State.UNKNOWN, State.BROKEN])
def test_it_is_never_calm_where_some_are_not_in_order(state: State) -> None:
    now = datetime.now(UTC)
    page = FirstPage(now=now, needs=(), counts=Counts(total=2, of={State.FRESH: 1, state: 1}), counted_at=now)
    assert page.calm is Calm.AMISS
    assert page.amiss == ((state, 1),)


def test_a_page_without_a_need_says_what_is_not_in_order(scene: Scene) -> None:
    """Within a freeze a key may be older than its policy allows: nobody has to act, and it is not in order."""
    today = datetime.now(UTC).date()
    data = json.loads(scene.config.read_text())
    frozen = {**data["policies"]["quick"], "blackout": [f"{today - 3 * DAY}/{today + 20 * DAY}"]}
    scene.rewrite(policies={**data["policies"], "quick": frozen})
    with dashboard(scene) as api:
        keyed(api, MINE, 31 * DAY, 20 * DAY)
        keyed(api, THEIRS, 2 * DAY, 20 * DAY)
        assert seen(api).needs == ()
        api.call("GET", "/credentials")
        page = api.call("GET", "/").data.decode()
        assert "Nothing needs you" not in page
        assert "Not everything is in order" in page
        assert 'href="/credentials?state=too%20old"' in page


def test_who_sees_some_owners_credentials_is_told_that_the_services_troubles_are_not_shown(scene: Scene) -> None:
    with dashboard(scene) as api:
        keyed(api, MINE, 2 * DAY, 20 * DAY)
        keyed(api, THEIRS, 2 * DAY, 20 * DAY)
        standing.keep(api.assembly.journal, "driver would not start", [("ks", "its pin")], datetime.now(UTC))
        api.call("GET", "/credentials")
        page = api.call("GET", "/", "mine").data.decode()
        assert "Nothing needs you." in page
        assert "Troubles of the service itself" in page
        assert "Nothing needs you." not in api.call("GET", "/").data.decode()


def test_no_table_of_the_trail_holds_what_has_the_form_of_a_key(api: Api) -> None:
    key = "sk-ant-api03-" + "A" * 93 + "AA"
    held = Event(kind=EventKind.OPERATOR, action="hold", subject=key, detail={"why": f"leaked {key}"})
    api.assembly.journal.note(MINE, (held,), datetime.now(UTC))
    assert key[:20] not in api.call("GET", "/trail.csv").data.decode()
    assert key[:20] not in api.call("GET", "/trail").data.decode()
