"""`rotator incident open` and `plan`: what is exposed is fixed, shown in order, and changes of it are told first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rotator.app.incidents import keep, recall, remembered
from rotator.app.own_environment import OWN
from rotator.domain.packages import PYPI, Component, Inventory, Package
from rotator.domain.times import parse_time
from rotator.testing.keyserver import Keyserver
from tests.advisories.given import about, in_folder, osv, real_feed
from tests.cli.litellm_night import BAD, NAMES, WINDOW, exposed, incident_of, night, recorded
from tests.cli.scene import Answer, Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")
PUBLISHED = "2026-03-24T11:15:14Z"
FRESH = ("--stale", "36500d")
LITELLM = about("LiteLLM", versions=["1.82.7", "1.82.8"])


@pytest.fixture
def known(tmp_path: Path, keyserver: Keyserver) -> Scene:
    return recorded(night(tmp_path, keyserver))


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    return in_folder(
        tmp_path / "feed",
        osv("MAL-2026-2144", LITELLM, aliases=["PYSEC-2026-2"], published=PUBLISHED),
        osv("PYSEC-2026-2", about("litellm", ECOSYSTEM=[{"introduced": "1.82.7"}, {"last_affected": "1.82.8"}])),
        osv("MAL-ANY", about("litellm"), published=PUBLISHED),
        osv("MAL-ELSE", about("left-pad", versions=["9"]), published=PUBLISHED),
        osv("MAL-SILENT", LITELLM),
        osv("MAL-GONE", LITELLM, withdrawn="2026-03-25T00:00:00Z"),
        osv("MAL-GIT", about("litellm", GIT=[{"introduced": "0"}]), published=PUBLISHED),
    )


def opened(scene: Scene, feed: Path, name: str = "MAL-2026-2144", *more: str) -> Answer:
    return scene.say("incident", "open", "--advisory", name, "--osv", str(feed), *FRESH, *more)


def rewritten(scene: Scene, **consumers: list[str]) -> None:
    for name, readers in consumers.items():
        scene.credential(name.replace("_", "-"), consumers=readers)


# -- opening -----------------------------------------------------------------------------------------------------------


def test_an_advisory_exposes_what_its_versions_could_read_and_nothing_is_rotated(known: Scene, feed: Path) -> None:
    answer = opened(known, feed, "MAL-2026-2144", *WINDOW)
    assert answer.code == 0, answer.err
    assert exposed(answer) == ["app-db", "openai"]
    assert answer.out.startswith(f"incident {incident_of(answer)}: 2 credentials to replace, in this order; litellm")
    assert known.mints == 0
    assert [each[:2] for each in _listed(known)] == [[incident_of(answer), "open"]]


def _listed(scene: Scene) -> list[list[str]]:
    rows = [line.split() for line in scene.say("incident").out.splitlines()[1:]]
    return [[row[0], *row[3:]] for row in rows]


def test_every_name_of_an_advisory_means_the_same(known: Scene, feed: Path) -> None:
    one, other = opened(known, feed, "mal-2026-2144"), opened(known, feed, "PYSEC-2026-2")
    assert incident_of(one) == incident_of(other)
    assert "it was opened with the same words at" in other.out
    plan = known.json("incident", "plan", incident_of(one))
    assert set(plan["advisories"]) == {"MAL-2026-2144", "PYSEC-2026-2"}
    assert plan["packages"] == ["litellm 1.82.7, 1.82.8"]


def test_without_a_window_it_begins_before_the_advisory_and_that_is_said(known: Scene, feed: Path) -> None:
    answer = opened(known, feed)
    assert "note: window from 2026-03-17T11:15:14Z, 7 days before the advisory was published" in answer.out
    assert "rather too wide" in answer.out
    assert exposed(answer) == ["app-db", "openai", "grafana"]  # batch had 1.82.7 until the 20th
    assert known.json("incident", "plan", incident_of(answer))["window"]["from"] == "2026-03-17T11:15:14Z"


def test_an_advisory_without_versions_means_any_and_says_so(known: Scene, feed: Path) -> None:
    answer = opened(known, feed, "MAL-ANY", *WINDOW)
    assert "note: the advisory names no version of litellm: any version counts" in answer.out
    assert set(exposed(answer)) == set(NAMES)


def test_an_advisory_of_commits_alone_leaves_everybody_unknown(known: Scene, feed: Path) -> None:
    answer = opened(known, feed, "MAL-GIT", *WINDOW)
    assert answer.code == 3
    assert exposed(answer) == []
    assert "nobody can say who had it" in answer.out
    assert "unknown: consumer agents" in answer.out


def test_stale_records_are_said_and_never_all_there_is(known: Scene, feed: Path) -> None:
    answer = known.say("incident", "open", "--advisory", "MAL-2026-2144", "--osv", str(feed), *WINDOW)
    assert answer.code == 3
    assert "of 2026-03-26T09:53:17Z: what was found since is missing" in answer.out


def test_a_record_that_cannot_be_read_is_said(known: Scene, tmp_path: Path) -> None:
    broken = in_folder(tmp_path / "broken", osv("MAL-1", LITELLM, published=PUBLISHED), b"{")
    answer = opened(known, broken, "MAL-1", *WINDOW)
    assert answer.code == 3
    assert "note: 1 records of the advisories cannot be read" in answer.out


def test_what_matches_nothing_is_not_called_safe(known: Scene, feed: Path) -> None:
    answer = opened(known, feed, "MAL-ELSE", *WINDOW)
    assert answer.code == 1
    assert answer.out.splitlines()[-2] == (
        "nothing matches: by their records, none of your consumers had it in this time"
    )
    rewritten(known, mail=["web", "cron"])
    known.rewrite(consumers={**json.loads(known.config.read_text())["consumers"], "cron": {}})
    answer = opened(known, feed, "MAL-ELSE", *WINDOW)
    assert answer.code == 3
    assert "unknown: consumer cron: no record" in answer.out
    assert "nothing matches, which is not the same as safe" in answer.out


def test_packages_and_credentials_can_be_named_beside_and_what_those_open_is_in_it(known: Scene) -> None:
    data = json.loads(known.config.read_text())
    data["stores"]["second"] = {**data["stores"]["files"], "root": "files:vault-login.json#API_KEY"}
    data["credentials"]["mail"]["publish"][0]["store"] = "second"
    known.config.write_text(json.dumps(data))
    answer = known.say("incident", "open", "vault-login", "--package", "LiteLLM==1.82.8", *WINDOW)
    assert exposed(answer) == ["vault-login", "app-db", "openai", "mail"]
    assert "exposed: vault-login (opens a store): named by a person" in answer.out
    assert "exposed: mail: named by a person → vault-login opens the store second" in answer.out


def test_credentials_alone_leave_nobody_unknown(known: Scene) -> None:
    answer = known.say("incident", "open", "mail", "--reason", "laptop stolen")
    assert (answer.code, exposed(answer)) == (0, ["mail"])
    assert "unknown" not in answer.out
    assert "laptop stolen" in known.say("incident").out


def test_the_real_records_of_that_day_expose_the_same(known: Scene) -> None:
    answer = opened(known, real_feed(), "MAL-2026-2144", *WINDOW)
    assert exposed(answer) == ["app-db", "openai"]
    assert "PYSEC-2026-2" in known.json("incident", "plan", incident_of(answer))["advisories"]


def test_leaves_come_by_privilege(known: Scene) -> None:
    data = json.loads(known.config.read_text())
    data["stores"]["second"] = {**data["stores"]["files"], "root": "second"}
    [place] = data["credentials"]["vault-login"]["publish"]
    data["credentials"]["vault-login"]["publish"].append({**place, "store": "second"})
    known.config.write_text(json.dumps(data))
    rewritten(
        known, mail=["agents"], vault_login=["agents"], grafana=["agents", "web"], app_db=["late", "web", "batch"]
    )
    known.credential("openai", needs={"scopes": ["read"]}, consumers=["agents", "web", "batch", "late"])
    # app-db has four readers, grafana two, vault-login one and two places, mail one of each; of as many readers as
    # app-db has, openai's key alone can do less than its principal
    assert exposed(known.say("incident", "open", *BAD)) == ["app-db", "grafana", "vault-login", "mail", "openai"]


def test_the_same_words_with_other_flags_change_what_is_remembered(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", "mail", "--contained"))
    again = known.say("incident", "open", "mail", "--not-contained", "--reason", "he is still in")
    assert incident_of(again) == incident
    journal = known.journal()
    record = recall(journal, incident)
    assert record is not None
    assert (record.contained_at, record.uncontained, record.reason) == (None, True, "he is still in")
    known.say("incident", "open", "mail", "--contained")
    record = recall(journal, incident)
    journal.close()
    assert record is not None
    assert record.contained_at is not None
    assert (record.uncontained, record.reason) == (False, "he is still in")


def test_a_window_that_ends_in_the_future_is_kept_as_it_was_typed(known: Scene) -> None:
    words = ("incident", "open", "--package", "litellm==1.82.8", *WINDOW[:2], "--to", "2036-12-01T00:00:00Z")
    first, again = known.say(*words), known.say(*words)
    assert incident_of(first) == incident_of(again)
    assert "from 2026-03-24 10:39 to now, and on until 2036-12-01 00:00 (UTC)" in first.out
    assert known.json("incident", "plan", incident_of(first))["window"]["to"] < "2036"


def test_an_id_that_another_incident_has_by_chance_gets_longer(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", "mail"))
    journal = known.journal()
    record = recall(journal, incident)
    assert record is not None
    keep(journal, replace(record, chosen=("grafana",), names=("grafana",)))
    answer = known.say("incident", "open", "mail")
    assert exposed(answer) == ["mail"]
    assert answer.out.startswith(f"incident {incident}")
    assert not answer.out.startswith(f"incident {incident}:")
    assert [recall(journal, each).chosen for each in remembered(journal)] == [("grafana",), ("mail",)]  # type: ignore[union-attr]
    journal.close()


# -- the plan ----------------------------------------------------------------------------------------------------------


def test_a_plan_tells_each_way_and_what_nobody_knows_also_as_an_object(known: Scene) -> None:
    rewritten(known, mail=["web", "cron"])
    known.rewrite(consumers={**json.loads(known.config.read_text())["consumers"], "cron": {}})
    incident = incident_of(known.say("incident", "open", *BAD))
    plan = known.json("incident", "plan", incident)
    assert [(each["credential"], each["rank"]) for each in plan["credentials"]] == [
        ("app-db", "leaf"),
        ("openai", "leaf"),
    ]
    assert plan["credentials"][1]["why"][0][-1] == "openai"
    assert list(plan["unknown"]["consumers"]) == ["cron"]
    assert list(plan["unknown"]["credentials"]) == ["mail"]
    assert known.say("incident", "plan", incident).code == 3
    assert known.mints == 0


def test_what_is_new_in_a_plan_is_said_once(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    rewritten(known, mail=["agents"])
    grown = known.say("incident", "plan", incident)
    assert "the plan grew from 2 to 3 credentials since it was shown at" in grown.out
    assert "new is mail" in grown.out
    assert "grew" not in known.say("incident", "plan", incident).out
    rewritten(known, mail=["web"])
    assert "no more in it: mail" in known.say("incident", "plan", incident).out


def test_a_plan_that_grew_fivefold_says_so_first(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", "--package", "litellm==1.82.7", *WINDOW, "mail"))
    rewritten(known, **{name.replace("-", "_"): ["agents"] for name in NAMES})
    _had(known, "agents", "1.82.7")
    answer = known.say("incident", "plan", incident)
    first = answer.out.splitlines()[1]
    assert first.startswith("LOOK HERE: the plan grew fivefold or more, from 1 to 5 credentials since")
    assert known.json("incident", "plan", incident)["changed"]["fivefold"] is False  # it was shown


def test_a_plan_that_grew_fivefold_in_small_steps_says_so(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD[:4], *WINDOW, "--reason", "steps", "mail"))
    journal = known.journal()
    record = recall(journal, incident)
    assert record is not None
    assert record.first is not None
    keep(journal, replace(record, first=replace(record.first, names=("mail",))))
    journal.close()
    rewritten(known, grafana=["agents"], vault_login=["agents"])
    answer = known.say("incident", "plan", incident)
    assert answer.out.splitlines()[1].startswith(
        "LOOK HERE: the plan grew fivefold or more, from 1 to 5 credentials since it was shown first, at "
    )
    assert "new is grafana, vault-login" in answer.out or "new is vault-login, grafana" in answer.out


def _had(scene: Scene, consumer: str, version: str) -> None:
    """A record of somebody who had litellm in a version on that day."""
    journal = scene.journal()
    component = Component(package=Package.of(PYPI, "litellm"), version=version)
    at = parse_time("2026-03-24T12:00:00Z")
    journal.inventories.record(
        [Inventory(consumer=consumer, kind="uv.lock", origin="other/uv.lock", since=at, components=(component,))], at
    )
    journal.close()


def test_what_was_matched_stays_whatever_the_feed_says_later(known: Scene, feed: Path) -> None:
    incident = incident_of(opened(known, feed, "MAL-2026-2144", *WINDOW))
    poisoned(feed)
    assert exposed(known.say("incident", "plan", incident)) == ["app-db", "openai"]
    again = opened(known, feed, "MAL-2026-2144", *WINDOW)
    assert incident_of(again) != incident
    assert f"note: {incident} is open about the same advisory" in again.out


def poisoned(feed: Path) -> None:
    """Whoever can write the feed makes the advisory one about everything."""
    record = osv("MAL-2026-2144", about("litellm"), aliases=["PYSEC-2026-2"], published=PUBLISHED)
    (feed / "0.json").write_text(json.dumps(record))


# -- the rotator itself ------------------------------------------------------------------------------------------------


def test_the_rotator_itself_comes_first_with_what_to_do(known: Scene) -> None:
    answer = known.say("incident", "open", "--package", "pyyaml", *WINDOW)
    itself, todo = answer.out.splitlines()[1:3]
    assert itself.startswith("this rotator itself has pyyaml ")
    assert todo == "  stop here, install it anew on a clean machine, and run the same command there"
    assert set(exposed(answer)) == set(NAMES)


def test_what_the_rotator_had_in_the_window_is_known_from_its_records(known: Scene) -> None:
    _own(known, "2026-03-01T00:00:00Z", "1.82.8")
    _own(known, "2026-04-01T00:00:00Z", "1.83.0")
    answer = known.say("incident", "open", *BAD)
    assert answer.out.splitlines()[1] == (
        "this rotator itself had litellm 1.82.8 from 2026-03-01T00:00:00Z until 2026-04-01T00:00:00Z: "
        "what it read then is exposed"
    )
    assert set(exposed(answer)) == set(NAMES)
    assert answer.code == 0, answer.out
    assert "nothing is known before" not in answer.out


def test_a_record_of_the_rotator_outside_the_window_exposes_nothing(known: Scene) -> None:
    _own(known, "2026-02-01T00:00:00Z", "1.82.8")
    _own(known, "2026-03-01T00:00:00Z", "1.82.6")
    answer = known.say("incident", "open", *BAD)
    assert exposed(answer) == ["app-db", "openai"]
    assert "itself" not in answer.out


def _own(scene: Scene, since: str, version: str) -> None:
    journal = scene.journal()
    component = Component(package=Package.of(PYPI, "litellm"), version=version)
    at = parse_time(since)
    own = Inventory(consumer=OWN, kind="site-packages", origin="/opt/rotator", since=at, components=(component,))
    journal.inventories.record([own], at)
    journal.close()


def test_its_own_environment_is_recorded_by_what_looks_at_packages_and_only_when_it_changed(known: Scene) -> None:
    def records() -> int:
        journal = known.journal()
        found = len(journal.inventories.history(OWN))
        journal.close()
        return found

    assert records() == 0
    for words in (("audit", "record"), ("rotate", "--due"), ("incident", "open", *BAD)):
        assert known.say(*words).code in (0, 1, 3)
        assert records() == 1
    assert "this rotator" not in known.say("audit", "where", "litellm==1.82.8").out


# -- bad input ---------------------------------------------------------------------------------------------------------

FUTURE = ("--from", "2036-03-24T10:39:00Z")
BACKWARDS = ("--from", WINDOW[3], "--to", WINDOW[1])
WRONG: dict[str, tuple[tuple[str, ...], str, str]] = {
    "nothing": (("open",), "an incident about what?", "name credentials, or --package SPEC --from T"),
    "no time": (("open", "--package", "litellm"), "--package: since when was it bad?", "--from 2026-03-24T10:00:00Z"),
    "no records": (("open", "--advisory", "MAL-1"), "--advisory: by which records?", "--osv with a directory"),
    "records alone": (("open", "mail", "--osv", "x"), "--osv is where --advisory is looked up", "name the advisory"),
    "a name": (("open", "lm-prod"), "there is no credential 'lm-prod'", "did you mean llm-prod?"),
    "backwards": (("open", "--package", "x", *BACKWARDS), "the window ends before it starts", "write the earlier"),
    "the future": (("open", "--package", "x", *FUTURE), "the window starts in the future", "write the time since"),
    "no time at all": (("open", "mail", "--from", "March"), "--from: 'March' is not a time", "write it like"),
    "a package": (
        ("open", "--package", "litellm=1", *WINDOW),
        "'=1' says no versions",
        "write it like litellm==1.82.8",
    ),
    "an id": (("plan", "inc-1"), "there is no incident 'inc-1'", "there was none yet"),
    "no id": (("plan",), "ID is missing", "see `rotator incident plan --help`"),
    "a verb": (("opne",), "'opne' is nothing that is done with incidents", "did you mean open?"),
    "an id as a verb": (("inc-20260324-abcdef",), "'inc-20260324-abcdef' is nothing", "did you mean report ID?"),
    "both": (
        ("open", "mail", "--contained", "--not-contained"),
        "--not-contained cannot stand beside --contained",
        "see `rotator",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_understood_is_told_in_two_lines(scene: Scene, case: str) -> None:
    words, message, hint = WRONG[case]
    answer = scene.say("incident", *words)
    assert answer.code == 2
    assert answer.lines[0].startswith(f"rotator: {message}"), answer.err
    assert answer.lines[1].startswith(f"hint: {hint}"), answer.err
    assert len(answer.lines) == 2


OF_A_FEED: dict[str, tuple[str, str, str]] = {
    "misspelt": ("MAL-2026-2145", "has no advisory 'MAL-2026-2145'", "did you mean MAL-2026-2144?"),
    "strange": ("XYZ", "has no advisory 'XYZ'", "is it a feed of that ecosystem?"),
    "withdrawn": ("MAL-GONE", "MAL-GONE was withdrawn at 2026-03-25T00:00:00Z", "if it is bad all the same"),
    "undated": ("MAL-SILENT", "the advisory does not say when it was published", "--from 2026-03-24T10:00:00Z"),
}


@pytest.mark.parametrize("case", OF_A_FEED)
def test_what_a_feed_lacks_is_told_in_two_lines_and_opens_nothing(known: Scene, feed: Path, case: str) -> None:
    name, message, hint = OF_A_FEED[case]
    answer = opened(known, feed, name)
    assert answer.code == 2
    assert message in answer.lines[0]
    assert answer.lines[1].startswith(f"hint: {hint}")
    assert known.say("incident").out == "no incident yet\n"


@pytest.mark.parametrize(
    ("origin", "code", "message"),
    [
        ("nowhere", 2, "nowhere cannot be read: no such file or directory"),
        ("rotator.yaml", 2, "MAL-1"),
        ("https://127.0.0.1:1/all.zip", 3, "127.0.0.1 gave no whole answer"),
    ],
)
def test_a_feed_that_cannot_be_had_is_told(scene: Scene, origin: str, code: int, message: str) -> None:
    answer = scene.say("incident", "open", "--advisory", "MAL-1", "--osv", origin, *WINDOW)
    assert answer.code == code
    assert message in answer.lines[0]
    assert len(answer.lines) == 2


def test_a_window_that_ends_before_the_advisory_needs_its_beginning(known: Scene, feed: Path) -> None:
    answer = opened(known, feed, "MAL-2026-2144", "--to", "2026-03-01T00:00:00Z")
    assert (answer.code, answer.lines[0]) == (2, "rotator: the window ends before the advisory was published")


def test_an_advisory_about_half_the_world_is_refused(known: Scene, tmp_path: Path) -> None:
    everything: list[dict[str, Any]] = [about(f"p{number}", versions=["1"]) for number in range(1001)]
    feed = in_folder(tmp_path / "huge", osv("MAL-1", *everything, published=PUBLISHED))
    answer = opened(known, feed, "MAL-1", *WINDOW)
    assert (answer.code, answer.lines[0]) == (2, "rotator: MAL-1 and its aliases name more than 1000 packages")
