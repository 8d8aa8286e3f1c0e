"""What a provider, a file or a person put where a name is meant, through every sink that shows it to somebody."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rotator.adapters.metrics.exposing import Exposition
from rotator.adapters.metrics.families import Sample
from rotator.adapters.notifying import texts
from rotator.adapters.notifying.mail import MailSender, Server
from rotator.api.callers import Caller
from rotator.app import tables
from rotator.app.first_page import FirstPage
from rotator.app.listing import Listing, Wanted
from rotator.app.need import Act, Need
from rotator.app.surveying import Counts, Standing, State
from rotator.app.timeline import timeline
from rotator.app.trail_pages import Line, TrailPage
from rotator.cli.terminal import clean
from rotator.cli.words import sentence, standing
from rotator.dashboard.differing import Difference
from rotator.dashboard.rendering import templates
from rotator.domain.notices import Severity
from rotator.domain.records import ChainedEvent, Event, EventKind
from rotator.domain.rotation import Mode, OldKey, Phase, Problem, Proof, Rotation, StoreState, WaitFor, Waiting
from rotator.domain.tokens import Role
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.dashboard.hostile import LONG, NAMES
from tests.dashboard.rich import STUCK, rich
from tests.notifying.made import notice

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)
TAME = "tame"
OURS = re.compile("[\n\u00a0\u2009]")
"""What our own templates have between words."""
each_name = pytest.mark.parametrize("name", [*NAMES, LONG, "\n".join(NAMES)], ids=lambda name: ascii(name[:20]))


# -- values with the name wherever somebody else could have put it -----------------------------------------------------


def a_rotation(name: str, phase: Phase = Phase.STUCK) -> Rotation:
    return Rotation(
        id="1m8c0ygt0p8w91qq",
        credential=name,
        mode=Mode.MANUAL,
        reason=name,
        started_at=NOW,
        next_at=NOW,
        since=NOW,
        phase=phase,
        waiting=Waiting(until=NOW + timedelta(days=1), for_=WaitFor.QUIET, note=name),
        problem=Problem(message=name, hint=name),
        old_keys=(OldKey(key_id=name, proof=Proof.UNPROVEN, dead_at=NOW),),
        stores=(StoreState(store=name, ref=name, left_behind=name, promoted_at=NOW),),
        new_key=name,
        minted_at=NOW,
    )


def an_event(name: str) -> ChainedEvent:
    event = Event(
        kind=EventKind.OUTCOME, action="promote", subject=f"{name}:{name}", detail={"result": name, name: name}
    )
    return ChainedEvent(rotation=name, seq=1, at=NOW, fence=1, event=event, previous="", digest="0" * 64)


def a_need(name: str) -> Need:
    return Need(
        kind="stuck",
        severity=Severity.CRITICAL,
        what="a rotation is stuck",
        words=name,
        hint=name,
        command=f"rotator resume {name}",
        since=NOW,
        credential=name,
        rotation=name,
        act=Act.RESUME,
    )


def a_listing(name: str) -> Listing:
    shown = [Standing(name, name, name, State.OLD, NOW, NOW, timedelta(days=30), 2.0)]
    return Listing(at=NOW, shown=shown, number=2, first=1, after=name, total=2, owners=[name], states={"too old": 1})


def pages(name: str) -> Mapping[str, Mapping[str, Any]]:
    """Each template that shows what comes from elsewhere, with what it is given."""
    row, event = a_rotation(name), an_event(name)
    first = FirstPage(now=NOW, needs=(a_need(name),), counts=Counts(total=1), counted_at=NOW)
    whose = Line(each=event, credential=name, rotation=name)
    return {
        "first.html": {"page": first},
        "credentials.html": {"page": a_listing(name), "wanted": Wanted(text=name, owner=name)},
        "rotation.html": {
            "row": row,
            "line": timeline(row, [event], NOW),
            "events": [event],
            "hidden": 0,
            "needs": (a_need(name),),
        },
        "trail.html": {"page": TrailPage(lines=(whose,), older=None), "credential": name, "before": 0, "most": 10},
        "config.html": {
            "path_": name,
            "found": Difference(changes=((name, True, name, name),), doubt=name, digest="0" * 32, waits=True),
        },
        "refused.html": {"phrase": "not found", "message": name, "hint": name},
        "login.html": {"message": name, "hint": name, "to": name, "plain": True, "sso": True},
    }


class Structure(HTMLParser):
    """The elements of a page with the names of their attributes, and all its texts and values."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.texts += [text or "" for _, text in attrs]
        self.links += [text or "" for name, text in attrs if name in ("href", "src", "action")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", ()))


def page_of(template: str, values: Mapping[str, Any], name: str) -> str:
    caller = Caller(name=name, role=Role.RESPONDER, owners=frozenset({name}))
    around = {"csrf": "seal", "once": "once", "flash": name, "path": "/credentials", "here": "/credentials", "now": NOW}
    return templates().get_template(template).render(caller=caller, **around, **values)


@each_name
@pytest.mark.parametrize("template", sorted(pages(TAME)))
def test_a_page_has_the_same_elements_whatever_the_name_is(template: str, name: str) -> None:
    tame = Structure(page_of(template, pages(TAME)[template], TAME))
    text = page_of(template, pages(name)[template], name)
    found = Structure(text)
    assert found.elements == tame.elements
    assert [each for each in found.links if not each.startswith(("/", "#"))] == []
    assert [each for each in found.texts if not OURS.sub("", each).isprintable()] == []
    assert text.encode()


def test_a_page_that_trusts_a_name_is_found_out() -> None:
    bad = "<p>" + NAMES[0] + "</p>"
    assert Structure(bad).elements != Structure("<p>tame</p>").elements


# -- the terminal ------------------------------------------------------------------------------------------------------


@each_name
def test_nothing_steers_a_terminal(name: str) -> None:
    for phase in (Phase.STUCK, Phase.LIVE, Phase.DONE, Phase.ROLLED_BACK):
        row = a_rotation(name, phase)
        assert clean(sentence(row, NOW)).isprintable()
        assert standing(row, NOW).isprintable()


@pytest.mark.parametrize(
    "command", ["status", f"status {STUCK}", f"history {STUCK}", "history", f"why {STUCK}", "incident"]
)
def test_nothing_that_a_journal_holds_steers_a_terminal(hostile_scene: Any, command: str) -> None:
    said = hostile_scene.say(*command.split())
    assert said.out
    steering = [line for line in (said.out + said.err).splitlines() if not line.isprintable()]
    assert steering == []


@pytest.fixture(scope="module")
def hostile_scene(tmp_path_factory: pytest.TempPathFactory) -> Any:
    words = " ".join(NAMES).replace("\0", "").encode("utf-8", "replace").decode()
    with Keyserver(Behaviour()) as keyserver:
        yield rich(tmp_path_factory.mktemp("hostile"), keyserver, 3, words=words)


# -- chats, mails and programs -----------------------------------------------------------------------------------------


@each_name
def test_nothing_in_a_chat_or_a_mail_is_a_link_a_mention_or_a_line_of_its_own(name: str) -> None:
    hostile, tame = (notice(each, words=each, hint=each, owner=each) for each in (name, TAME))
    assert len(texts.plain(hostile).splitlines()) == len(texts.plain(tame).splitlines())
    for text in (texts.title(hostile), *texts.plain(hostile).splitlines()):
        assert all(each.isprintable() or each == texts.ZERO_WIDTH for each in text)
        assert not any(each in text for each in ("<", "](", "://", "@everyone", "<!channel>"))


@each_name
def test_a_mail_has_the_headers_that_we_gave_it_and_no_other(name: str) -> None:
    server = Server(host="127.0.0.1", port=25, tls="none", user="", password=None, ca=None)
    sender = MailSender(server, "rotator@example.org", ("anna@example.org",), timedelta(seconds=1))
    tame, hostile = (sender.mail(notice(each, words=each, hint=each)) for each in (TAME, name))
    assert hostile.keys() == tame.keys()
    assert b"\r\n\r\n" in hostile.as_bytes()


@each_name
def test_a_program_is_sent_one_object(name: str) -> None:
    found = json.loads(texts.as_json(notice(name, words=name, hint=name)))
    assert found["data"]["subject"].isprintable()
    assert found["data"]["severity"] == "critical"


# -- spreadsheets ------------------------------------------------------------------------------------------------------


@each_name
def test_a_cell_is_text_and_no_formula(name: str) -> None:
    text = "".join(tables.lines(("a", "b"), [(name, 1), (f" {name}", None)]))
    rows = list(csv.reader(io.StringIO(text.encode().decode(), newline=""), strict=True))
    assert [len(each) for each in rows] == [2, 2, 2]
    for cell in (rows[1][0], rows[2][0]):
        assert cell.isprintable()
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "|", "%", "＝"))


def test_a_formula_would_be_found_out() -> None:
    assert tables.cell("=1+1") == "'=1+1"
    assert tables.cell("llm-prod") == "llm-prod"


# -- metrics -----------------------------------------------------------------------------------------------------------


@each_name
def test_a_label_stays_a_label(name: str) -> None:
    samples = [Sample("rotator_foreign_keys", (name,), 7.0)]
    _, text = Exposition(lambda: samples, None)()
    (family,) = text_string_to_metric_families(text.decode())
    (found,) = family.samples
    assert found.value == 7.0
    assert set(found.labels) == {"provider"}
    assert found.labels["provider"].isprintable()
