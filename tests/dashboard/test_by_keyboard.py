"""A person without a mouse, in a real Chromium: signing in, holding, rotating and approving by Tab and Enter alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.api.conftest import Api
from tests.dashboard.conftest import dashboard
from tests.dashboard.rich import FRESH, LATE, STUCK, let_config_wait, rich
from tests.servers.chromium import Chromium

MOST = 200
"""Times that somebody presses Tab before she gives up."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with Keyserver(Behaviour()) as keyserver:
        scene = rich(tmp_path_factory.mktemp("keyboard"), keyserver, 3)
        with dashboard(scene) as running:
            for name in (FRESH, LATE):
                scene.say("adopt", name)
            let_config_wait(scene, running.assembly)
            yield running


@pytest.fixture
def page(api: Api, chromium: Chromium) -> Iterator[Any]:
    """A browser of whoever signed in, by keys alone."""
    context = chromium.context()
    found = context.new_page()
    found.goto(api.url + "/")
    assert found.inner_text("h1") == "Sign in"
    reach(found, "input[name=token]")
    found.keyboard.type(api.tokens["responder"])
    found.keyboard.press("Enter")
    found.wait_for_selector("ol.needs li")
    yield found
    context.close()


def reach(page: Any, selector: str, words: str = "") -> None:
    """Tab until the focus is there, and is seen to be there."""
    wanted = "([s, w]) => document.activeElement.matches(s) && document.activeElement.textContent.includes(w)"
    for _ in range(MOST):
        page.keyboard.press("Tab")
        if page.evaluate(wanted, [selector, words]):
            style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert style != "none", f"nobody sees that the focus is at {selector}"
            return
    raise AssertionError(f"no Tab leads to {selector} {words}")


def opened(page: Any, api: Api, name: str, verb: str) -> None:
    """Open the form of a verb on a credential's page, and say why."""
    page.goto(f"{api.url}/credentials/{name}")
    reach(page, f"#act-{verb} summary")
    page.keyboard.press("Enter")
    reach(page, f"#act-{verb}-why")
    page.keyboard.type("by keys alone")
    reach(page, f"#act-{verb} button")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=status].flash")


def test_the_first_tab_leads_past_the_menu(page: Any) -> None:
    page.reload()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_credential_is_held_and_released(page: Any, api: Api) -> None:
    opened(page, api, FRESH, "hold")
    assert "held until" in page.inner_text(".flash")
    row = api.assembly.journal.credential(FRESH)
    assert (row.held, row.held_why) == (True, "by keys alone (by cleo)")
    opened(page, api, FRESH, "release")
    assert not api.assembly.journal.credential(FRESH).held


def test_a_credential_is_rotated(page: Any, api: Api) -> None:
    assert api.assembly.journal.open_rotation(LATE) is None
    opened(page, api, LATE, "rotate")
    assert "is being rotated" in page.inner_text(".flash")
    row = api.assembly.journal.open_rotation(LATE)
    assert row is not None
    assert "by keys alone (by cleo)" in row.reason


def test_a_stuck_rotation_goes_on_from_the_first_page(page: Any, api: Api) -> None:
    reach(page, "summary", "Resume")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("the grant is there")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=status].flash")
    with closing(sqlite3.connect(api.scene.folder / "rotator.db")) as database:
        asked = database.execute("SELECT credential, verb, why FROM request").fetchall()
    assert (STUCK, "resume", "the grant is there (by cleo)") in asked


def test_a_config_is_read_and_approved(page: Any, api: Api) -> None:
    reach(page, "nav a", "Config")
    page.keyboard.press("Enter")
    page.wait_for_selector("table.diff")
    assert "providers.ks.base_url" in page.inner_text("main")
    reach(page, "#act-approve summary")
    page.keyboard.press("Enter")
    reach(page, "#act-approve-why")
    page.keyboard.type("the provider moved")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=status].flash", timeout=60_000)
    approved = [each for each in api.assembly.journal.events() if each.event.action == "config approved"]
    assert "the provider moved" in str(approved[-1].event.detail)


def test_signing_out_is_reached_and_then_nothing_is_seen(page: Any, api: Api) -> None:
    reach(page, "button", "Sign out")
    page.keyboard.press("Enter")
    page.wait_for_selector("input[name=token]")
    page.goto(api.url + "/credentials")
    assert page.inner_text("h1") == "Sign in"
