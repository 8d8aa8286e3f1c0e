"""Every page in a real Chromium: it keeps nobody out, fits a telephone, and loads nothing from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

from rotator.app.steering import steer
from rotator.dashboard.rendering import templates
from rotator.domain.records import Verb
from rotator.domain.rotation import Phase, Problem
from rotator.ports import Change
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.api.conftest import Api
from tests.dashboard.conftest import dashboard
from tests.dashboard.hostile import LONG, NAMES
from tests.dashboard.rich import FRESH, INCIDENT, NEVER, STUCK, let_config_wait, rich
from tests.dashboard.rich import _begin as begin
from tests.dashboard.shots import paths_of
from tests.servers.chromium import NARROW, WIDE, Chromium

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
"""axe-core, MPL-2.0, as its Python package brings it."""
WORDS = LONG[:150].join(NAMES).replace("\0", "").encode("utf-8", "replace").decode()
"""No journal holds the others; that they do not come so far, and what becomes of them, is test_hostile_names."""
OFTEN = 2
"""Seconds after which pages look again here."""
SERIOUS = ("serious", "critical")
HIDE = (
    "Object.defineProperty(document, 'hidden', {get: () => %s, configurable: true});"
    "document.dispatchEvent(new Event('visibilitychange'));"
)
"""A tab that nobody sees, or sees again."""
COUNTED = (
    "const its = window.fetch; window.asked = 0;"
    "window.fetch = (...given) => { window.asked += 1; return its(...given); }; 0;"
)
"""Of each time that the page asks."""
PAGES = (
    *("now", "credentials", "credentials-old", "credential", "credential-behind", "rotation-stuck", "rotation-live"),
    *("rotation-done", "fortnight", "incidents", "incident", "trail", "config", "lost", "sign-in"),
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Everything at once, with words as hostile as they come."""
    with Keyserver(Behaviour()) as keyserver, pytest.MonkeyPatch.context() as patch:
        patch.setitem(templates().globals, "every", OFTEN)
        scene = rich(tmp_path_factory.mktemp("looks"), keyserver, 12, words=WORDS)
        with dashboard(scene) as running:
            let_config_wait(scene, running.assembly)
            yield running


@dataclass(kw_only=True)
class Visit:
    """One browser at one page. `said`: what its console had; `asked`: the address of each request."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Visitor:
    """Somebody with a browser, whose token a header brings."""

    api: Api
    chromium: Chromium
    contexts: list[Any] = field(default_factory=list)

    def goes(self, name: str, who: str | None = "responder", **how: Any) -> Visit:
        """To a page by its name or path; it is there and quiet on return."""
        headers = {"Authorization": f"Bearer {self.api.tokens[who]}"} if who and name != "sign-in" else {}
        context = self.chromium.context(headers=headers, **how)
        self.contexts.append(context)
        visit = Visit(page=context.new_page())
        visit.page.on("console", lambda message: visit.said.append(message.text))
        visit.page.on("pageerror", lambda error: visit.said.append(str(error)))
        visit.page.on("request", lambda request: visit.asked.append(request.url))
        path = {**paths_of(self.api), "sign-in": "/sign-in"}.get(name, name)
        visit.page.goto(self.api.url + path, wait_until="load")
        return visit


@pytest.fixture
def visitor(api: Api, chromium: Chromium) -> Iterator[Visitor]:
    found = Visitor(api=api, chromium=chromium)
    yield found
    for each in found.contexts:
        each.close()


@pytest.fixture(scope="module")
def visits(api: Api, chromium: Chromium) -> Iterator[dict[str, Visit]]:
    """Each page once, for tests that only look; whoever does more with one sets its size and colours first."""
    visitor = Visitor(api=api, chromium=chromium)
    visits = {name: visitor.goes(name) for name in PAGES}
    for each in visits.values():
        each.page.evaluate(HIDE % "true")  # none of its parts is replaced while somebody looks at it
    yield visits
    for each in visitor.contexts:
        each.close()


def findings(page: Any) -> list[str]:
    """What axe finds that is serious: its name and where."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


def wait_for(page: Any, condition: str) -> None:
    """Until an expression is true."""
    for _ in range(1200):  # Playwright's own waiting evaluates a text, which our pages forbid
        if page.evaluate(condition):
            return
        time.sleep(0.1)
    raise AssertionError(f"it never was so: {condition}")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_keeps_anybody_out_in_light_and_in_dark(visits: dict[str, Visit], name: str) -> None:
    page = visits[name].page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert findings(page) == []


def test_a_page_that_keeps_people_out_is_found_out(visitor: Visitor) -> None:
    page = visitor.goes("now").page
    page.evaluate("document.querySelector('h1').innerHTML = '<img src=\"/x\"><span style=\"color: #999\">soft</span>'")
    page.evaluate("document.querySelector('h1 span').style.color = '#bbb'")
    assert {each.partition(":")[0] for each in findings(page)} >= {"image-alt", "color-contrast"}


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_a_telephone_or_a_desk(visits: dict[str, Visit], name: str) -> None:
    page = visits[name].page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    for size in (NARROW, WIDE, (768, 1024)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], f"{name} at {size[0]}"


@pytest.mark.parametrize("name", PAGES)
def test_nothing_comes_from_elsewhere_and_the_browser_has_nothing_to_say(
    api: Api, visits: dict[str, Visit], name: str
) -> None:
    visit = visits[name]
    assert len(visit.asked) >= 3, "the page, its style and its script"
    assert [each for each in visit.asked if not each.startswith(api.url + "/")] == []
    assert [each for each in visit.said if "404" not in each or name != "lost"] == []


def test_a_script_or_a_style_of_somebody_else_is_not_run(visitor: Visitor) -> None:
    visit = visitor.goes("now")
    bad = "const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s)"
    visit.page.evaluate(bad)
    visit.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
    assert visit.page.evaluate("window.ran") is None
    assert len([each for each in visit.said if "Content Security Policy" in each]) == 2


@pytest.mark.parametrize("name", PAGES)
def test_headings_come_in_order_and_each_page_has_one_main_and_one_first(visits: dict[str, Visit], name: str) -> None:
    page = visits[name].page
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map((e) => Number(e.tagName[1]))")
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("document.querySelectorAll('main').length") == 1


@pytest.mark.parametrize("name", PAGES)
def test_every_table_has_a_caption_and_says_of_what_its_heads_are(visits: dict[str, Visit], name: str) -> None:
    page = visits[name].page
    assert page.evaluate("[...document.querySelectorAll('table')].every((t) => t.caption && t.caption.textContent)")
    assert page.evaluate("[...document.querySelectorAll('th')].every((t) => ['col', 'row'].includes(t.scope))")
    assert page.evaluate("[...document.querySelectorAll('time')].every((t) => !isNaN(Date.parse(t.dateTime)))")


def test_without_a_script_a_form_is_opened_and_sent(visitor: Visitor) -> None:
    page = visitor.goes(f"/credentials/{FRESH}", script=False).page
    page.click("#act-hold summary")
    page.fill("#act-hold-why", "an audit")
    page.click("#act-hold button")
    assert "held until" in page.inner_text("[role=status]")
    assert visitor.api.assembly.journal.credential(FRESH).held
    page.click("#act-release summary")
    page.fill("#act-release-why", "it is over")
    page.click("#act-release button")
    assert not visitor.api.assembly.journal.credential(FRESH).held


# -- while it is looked at ---------------------------------------------------------------------------------------------


def live(page: Any) -> Any:
    """What it says of itself."""
    return page.inner_text(".live")


def test_a_page_that_is_live_takes_up_what_changed_and_moves_no_focus(visitor: Visitor) -> None:
    name = "service-001"
    page = visitor.goes(f"/credentials/{name}").page
    page.focus("a[href^='/trail']")
    steer(visitor.api.assembly, name, Verb.HOLD, "while somebody looks")
    wait_for(page, "document.querySelector('#standing').textContent.includes('while somebody looks')")
    assert page.evaluate("document.activeElement.getAttribute('href')").startswith("/trail")


def test_a_rotation_that_gets_stuck_while_somebody_looks_says_why_and_what_mends_it(visitor: Visitor) -> None:
    journal, now = visitor.api.assembly.journal, datetime.now(UTC)
    row = begin(journal, "service-002", now)
    page = visitor.goes(f"/rotations/{row.id}").page
    other = visitor.goes(f"/credentials/{row.credential}").page
    assert page.evaluate("document.querySelector('#needs').hidden")
    stuck = replace(row, phase=Phase.STUCK, parked_from=Phase.PLANNED, owner=None, next_at=NEVER)
    journal.commit(replace(stuck, problem=Problem(message="denied here", hint="grant it")), now, Change())
    wait_for(page, "!document.querySelector('#needs').hidden")
    assert "denied here" in page.inner_text("#needs")
    wait_for(other, "document.querySelector('#acts').textContent.includes('Resume')")


def test_a_form_that_is_being_filled_in_is_left_alone_until_it_is_closed(visitor: Visitor) -> None:
    page = visitor.goes("now").page
    page.click(f"li:has-text('{STUCK}') >> text=Resume…")
    page.query_selector("details[open] input[name=why]").type("half a sen")
    page.evaluate("document.querySelector('li:has(details[open]) h2').append(' as it was')")
    before = live(page)
    wait_for(page, f"document.querySelector('.live').innerText !== {before!r}")
    assert page.evaluate("document.activeElement.value") == "half a sen"
    assert page.evaluate("document.querySelector('li:has(details[open])').textContent.includes('as it was')")
    page.evaluate("document.activeElement.blur(); document.querySelector('details[open]').open = false")
    wait_for(page, "!document.querySelector('#needs').textContent.includes('as it was')")


def test_it_is_stopped_by_its_button_and_goes_on_by_it(visitor: Visitor) -> None:
    page = visitor.goes("now").page
    page.click("text=Stop refreshing")
    assert "stays so" in live(page)
    page.evaluate(COUNTED)
    time.sleep(OFTEN * 1.5)
    assert page.evaluate("window.asked") == 0
    page.click("text=Go on refreshing")
    wait_for(page, "document.querySelector('.live').dataset.state === 'live'")
    assert page.evaluate("window.asked") > 0


def test_it_says_when_the_server_is_lost_and_when_it_is_back(visitor: Visitor) -> None:
    visit = visitor.goes("now")
    visit.page.context.set_offline(True)
    wait_for(visit.page, "document.querySelector('.live').dataset.state === 'lost'")
    assert "does not answer" in visit.page.inner_text(".live [role=status]")
    visit.page.context.set_offline(False)
    wait_for(visit.page, "document.querySelector('.live').dataset.state === 'live'")


def test_whoever_is_signed_out_meanwhile_hears_it(visitor: Visitor) -> None:
    visit = visitor.goes("now")
    visit.page.context.set_extra_http_headers({})
    wait_for(visit.page, "document.querySelector('.live').dataset.state === 'lost'")
    assert "signed out" in visit.page.inner_text(".live [role=status]")


def test_a_tab_that_nobody_sees_asks_for_nothing(visitor: Visitor) -> None:
    page = visitor.goes("now").page
    page.evaluate(COUNTED + HIDE % "true")
    time.sleep(OFTEN * 1.5)
    assert page.evaluate("window.asked") == 0
    assert page.evaluate(HIDE % "false" + "window.asked") == 1
    wait_for(page, "document.querySelector('.live').dataset.state === 'live'")


def test_an_incident_is_looked_at_again_until_it_is_closed(visitor: Visitor) -> None:
    page = visitor.goes("incident").page
    assert page.evaluate("Number(document.querySelector('main').dataset.live)") <= 10
    assert page.inner_text("h1") == INCIDENT
