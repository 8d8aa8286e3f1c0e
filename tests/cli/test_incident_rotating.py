"""`rotate --incident` and `--advisory`: exactly the plan, the same id, and nothing that a person was not shown."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from rotator.testing.keyserver import Keyserver
from tests.advisories.given import about, in_folder, osv
from tests.cli.litellm_night import BAD, NAMES, WINDOW, exposed, incident_of, lock, night, recorded
from tests.cli.scene import NAME, SCRIPTS, SHORT, Scene
from tests.cli.typing_back import in_terminal
from tests.repository.making import Made, on

pytestmark = pytest.mark.stand_in("API provider: keyserver")
PUBLISHED = "2026-03-24T11:15:14Z"
COMPROMISED = "--assume-compromise"
GO = (COMPROMISED, "--contained", "--yes")
ADVISORY = "MAL-2026-2144"


@pytest.fixture
def known(tmp_path: Path, keyserver: Keyserver) -> Scene:
    return recorded(night(tmp_path, keyserver))


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    record = osv(ADVISORY, about("LiteLLM", versions=["1.82.7", "1.82.8"]), published=PUBLISHED)
    return in_folder(tmp_path / "feed", record)


def poison(feed: Path) -> None:
    (feed / "0.json").write_text(json.dumps(osv(ADVISORY, about("litellm"), published=PUBLISHED)))


def changed(scene: Scene, before: dict[str, str]) -> set[str]:
    return {name for name in NAMES if scene.published(name) != before[name]}


def values(scene: Scene) -> dict[str, str]:
    return {name: scene.published(name) for name in NAMES}


# -- what it rotates ---------------------------------------------------------------------------------------------------


def test_exactly_the_plan_is_rotated_in_its_order_under_the_same_id_and_twice_nothing_more(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    before = values(known)
    answer = known.say("rotate", "--incident", incident, *GO, "--parallel", "1")
    assert answer.code == 0, answer.err
    assert changed(known, before) == {"openai", "app-db"}
    assert answer.lines[0] == f"incident {incident}"
    assert answer.out.splitlines()[-1] == f"incident {incident}: 2 old keys of 2 credentials proven dead"
    mints = known.mints
    again = known.say("rotate", "--incident", incident, *GO)
    assert (again.code, known.mints) == (0, mints)
    report = known.say("incident", "report", incident, "--json", "e.json")
    assert report.code == 0
    evidence = json.loads((known.folder / "e.json").read_text())["evidence"]
    assert evidence["window"] == {"from": WINDOW[1], "to": WINDOW[3]}
    assert all(each["why"] for each in evidence["credentials"])


def test_other_selectors_add_to_the_incident_and_stay_in_it(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", "--package", "litellm==1.82.9", *WINDOW, "mail"))
    answer = known.say("rotate", "grafana", "--incident", incident, "--package", "litellm==1.82.8", *WINDOW, *GO)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1].endswith("4 old keys of 4 credentials proven dead")
    assert set(exposed(known.say("incident", "plan", incident))) == {"mail", "grafana", "openai", "app-db"}


def test_whether_it_is_contained_is_said_once(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", "mail", "--contained"))
    assert known.say("rotate", "--incident", incident, COMPROMISED, "--yes").code == 0
    other = incident_of(known.say("incident", "open", "grafana"))
    answer = known.say("rotate", "--incident", other, COMPROMISED, "--yes")
    assert (answer.code, answer.lines[-1]) == (2, "hint: add --yes and one of --contained, --not-contained")


def test_an_incident_that_matches_nothing_rotates_nothing(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", "--package", "litellm==1.82.9", *WINDOW))
    answer = known.say("rotate", "--incident", incident, *GO)
    assert (answer.code, known.mints) == (1, 0)
    assert answer.out.splitlines()[-1] == "nothing was changed: no record says that anything is exposed"


def test_one_that_the_config_lacks_by_now_is_told_and_never_complete(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", "mail", "grafana"))
    data = json.loads(known.config.read_text())
    del data["credentials"]["grafana"]
    known.config.write_text(json.dumps(data))
    answer = known.say("rotate", "--incident", incident, *GO)
    assert answer.code == 3
    assert "unknown: credential grafana: the config has no such credential any more" in answer.err
    assert answer.out.splitlines()[-1].endswith("1 unknown, not called safe: grafana")


# -- a feed selects, a person pulls ------------------------------------------------------------------------------------


def test_a_poisoned_advisory_rotates_nothing_more_than_what_was_matched_when_it_was_opened(
    known: Scene, feed: Path
) -> None:
    words = ("--advisory", ADVISORY, "--osv", str(feed))
    opened = known.say("incident", "open", *words, *WINDOW)
    before = values(known)
    poison(feed)
    answer = known.say("rotate", *words, *GO)
    assert answer.lines[0] == f"incident {incident_of(opened)}"
    assert changed(known, before) == {"openai", "app-db"}


def test_a_feed_alone_rotates_nothing(known: Scene, feed: Path) -> None:
    words = ("--advisory", ADVISORY, "--osv", str(feed), *WINDOW)
    for more in (GO, (COMPROMISED, "--contained")):
        answer = known.say("rotate", *words, *more)
        assert (answer.code, known.mints) == (2, 0)
        assert answer.lines == [
            f"rotate: no incident is open about {ADVISORY}, and a feed alone rotates nothing",
            f"hint: `rotator incident open --advisory {ADVISORY} --osv …`; then `rotate --incident ID`",
        ]
    assert in_terminal(known, "", *words, *GO).code == 2
    assert known.mints == 0
    assert known.say("incident").out == "no incident yet\n"


def test_a_person_at_a_terminal_opens_and_rotates_in_one(known: Scene, feed: Path) -> None:
    words = ("--advisory", ADVISORY, "--osv", str(feed), *WINDOW, COMPROMISED, "--contained")
    before = values(known)
    assert in_terminal(known, "no\n", *words).code == 2
    assert not changed(known, before)
    assert known.say("incident").out == "no incident yet\n"
    answer = in_terminal(known, "yes\n", *words)
    assert answer.code == 0, answer.err
    assert changed(known, before) == {"openai", "app-db"}
    incident = incident_of(answer)
    assert known.json("incident", "plan", incident)["changed"]["new"] == []


def test_two_open_incidents_of_one_advisory_are_told_apart_by_a_person(known: Scene, feed: Path) -> None:
    words = ("--advisory", ADVISORY, "--osv", str(feed))
    known.say("incident", "open", *words, *WINDOW)
    poison(feed)
    known.say("incident", "open", *words, *WINDOW)
    answer = known.say("rotate", *words, *GO)
    assert (answer.code, known.mints) == (2, 0)
    assert answer.lines[0].startswith(f"rotate: several open incidents are about {ADVISORY}: inc-")


def test_without_a_person_nothing_is_rotated_that_nobody_was_shown(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    known.credential("mail", consumers=["agents"])
    before = values(known)
    answer = known.say("rotate", "--incident", incident, *GO)
    assert answer.code == 2
    assert f"incident {incident}: the plan grew from 2 to 3 credentials since it was shown at" in answer.lines[0]
    assert answer.lines[0].endswith("new is mail")
    assert answer.lines[1] == f"hint: `rotator incident plan {incident}` shows it; then the same command"
    assert not changed(known, before)
    known.say("incident", "plan", incident)
    assert known.say("rotate", "--incident", incident, *GO).code == 0
    assert changed(known, before) == {"openai", "app-db", "mail"}


def test_one_that_took_anothers_place_is_as_new_as_one_more(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    known.credential("openai", consumers=["web"])
    known.credential("mail", consumers=["agents"])
    answer = known.say("rotate", "--incident", incident, *GO)
    assert (answer.code, known.mints) == (2, 0)
    assert "the plan has others in it since it was shown" in answer.lines[0]


def test_growth_is_no_hindrance_to_what_is_left_of_it(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    known.credential("openai", consumers=["web"])
    answer = known.say("rotate", "--incident", incident, *GO)
    assert "1 old key of 1 credential proven dead" in answer.out
    assert "no more in it" not in known.say("incident", "report", incident).out


def test_fivefold_growth_has_the_number_typed_back_however_small_it_is(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", "--package", "litellm==1.82.8", *WINDOW, "--reason", "x"))
    known.say("incident", "close", incident, "--incomplete", "--reason", "begin again")
    for name in NAMES:
        known.credential(name, consumers=["web"])
    incident = incident_of(known.say("incident", "open", "--package", "litellm==1.82.8", *WINDOW, "app-db"))
    for name in NAMES:
        known.credential(name, consumers=["agents"])
    before = values(known)
    words = ("--incident", incident, COMPROMISED, "--contained")
    answer = in_terminal(known, "yes\n", *words)
    assert answer.code == 2
    assert answer.lines[1].startswith("LOOK HERE: the plan grew fivefold or more, from 1 to 5 credentials")
    assert "Type the number of credentials (5) to go on: " in answer.err
    assert not changed(known, before)
    assert in_terminal(known, "5\n", *words).code == 0
    assert changed(known, before) == set(NAMES)


# -- ids and closed ones -----------------------------------------------------------------------------------------------


def test_the_id_that_is_printed_is_remembered_also_where_nothing_could_be_begun(scene: Scene) -> None:
    data = json.loads(scene.config.read_text())
    data["stores"]["files"]["root"] = "nowhere"
    scene.config.write_text(json.dumps(data))
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == 3
    incident = incident_of(answer)
    report = scene.say("incident", "report", incident)
    assert report.code == 3
    assert f"left: {NAME}: its old keys are not proven dead" in report.out
    assert incident in scene.say("incident").out


def test_after_it_was_closed_the_same_words_are_another_incident(scene: Scene) -> None:
    first = incident_of(scene.say("rotate", NAME, *GO))
    assert scene.say("incident", "close", first).code == 0
    mints = scene.mints
    again = scene.say("rotate", NAME, *GO)
    assert again.code == 0, again.err
    assert incident_of(again) != first
    assert scene.mints == mints + 1
    third = scene.say("rotate", NAME, *GO)
    assert (incident_of(third), scene.mints) == (incident_of(again), mints + 1)


def test_a_closed_one_is_rotated_no_more(scene: Scene) -> None:
    incident = incident_of(scene.say("rotate", NAME, *GO))
    scene.say("incident", "close", incident)
    for words in (("rotate", "--incident", incident, *GO), ("incident", "plan", incident)):
        answer = scene.say(*words)
        assert answer.code == 2
        assert f"incident {incident} was closed at" in answer.lines[0]
        assert answer.lines[1].startswith(f"hint: `rotator incident report {incident}` shows it")


def test_an_incident_that_rotate_began_is_gone_on_with_by_its_id(scene: Scene) -> None:
    incident = incident_of(scene.say("rotate", NAME, *GO))
    mints = scene.mints
    answer = scene.say("rotate", "--incident", incident, *GO)
    assert (answer.code, scene.mints) == (0, mints)
    assert answer.out.splitlines()[-1] == f"incident {incident}: 1 old key of 1 credential proven dead"


def test_what_is_recorded_later_may_make_the_plan_grow(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    Made.at(known.folder).commit(on(24, hour=12), {"svc/web/uv.lock": lock("1.82.7")})
    assert known.say("audit", "backfill", ".", "--pad", "1h").code == 0
    assert known.say("rotate", "--incident", incident, *GO).code == 2
    assert "new is mail" in known.say("incident", "plan", incident).out


WRONG = {
    "an id": (("--incident", "inc-1", *GO), "there is no incident 'inc-1'", "there was none yet"),
    "no emergency": (("--incident", "inc-1"), "--incident needs --assume-compromise", "its keys are exposed"),
    "nor for an advisory": (("--advisory", "M", "--osv", "x"), "--advisory needs --assume-compromise", "its keys"),
    "two of them": (
        ("--incident", "a", "--advisory", "b", *GO),
        "--incident and --advisory name an incident each",
        "leave",
    ),
    "two advisories": (("--advisory", "a", "--advisory", "b", *GO), "several advisories are one incident", "`rotator"),
    "records alone": ((NAME, "--osv", "x", *GO), "--osv is where --advisory is looked up", "name the advisory"),
    "no records": (("--advisory", "b", COMPROMISED, "--dry-run"), "--advisory: by which records?", "--osv with"),
    "an empty id": (("--incident", "", *GO), "an empty word is given as --incident", "is a variable not set?"),
    "and what is due": (
        ("--due", "--incident", "a", COMPROMISED),
        "--due and --assume-compromise are two things",
        "name what is",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_understood_is_told_in_two_lines(scene: Scene, case: str) -> None:
    words, message, hint = WRONG[case]
    answer = scene.say("rotate", *words)
    assert answer.code == 2
    assert answer.lines[0].startswith(f"rotate: {message}"), answer.err
    assert answer.lines[1].startswith(f"hint: {hint}"), answer.err
    assert (len(answer.lines), scene.mints) == (2, 0)


# -- what was shown stays ----------------------------------------------------------------------------------------------


def without(scene: Scene, name: str) -> None:
    data = json.loads(scene.config.read_text())
    del data["credentials"][name]
    scene.config.write_text(json.dumps(data))


@pytest.mark.parametrize("how", ["removed", "read by others"])
def test_what_was_in_the_plan_never_leaves_the_incident_unsaid(known: Scene, how: str) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    if how == "removed":
        without(known, "openai")
    else:
        known.credential("openai", consumers=["web"])
    for _ in range(2):
        plan = known.say("incident", "plan", incident)
        assert plan.code == 3
        assert "unknown: credential openai: it was in the plan at 20" in plan.out
        assert "Z, and the config says otherwise today" in plan.out
    answer = known.say("rotate", "--incident", incident, *GO)
    assert answer.code == 3
    assert answer.out.splitlines()[-1].endswith("1 unknown, not called safe: openai")
    for command in ("report", "verify", "close"):
        answer = known.say("incident", command, incident)
        assert answer.code == 3
        assert "left: openai: nobody knows whether it is exposed: it was in the plan at" in answer.out
    assert "50 % proven clean" in known.say("incident", "report", incident).out
    assert known.say("incident", "close", incident, "--incomplete", "--reason", "its provider is gone").code == 0


def test_what_left_the_plan_is_answered_by_rotating_it(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    known.credential("openai", consumers=["web"])
    assert known.say("rotate", "openai", "--incident", incident, *GO).code == 0
    assert known.say("incident", "close", incident).code == 0


def test_a_broken_entry_stays_in_the_plan_with_its_own_reason(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    known.credential("openai", nonsense=1)
    plan = known.say("incident", "plan", incident)
    assert (plan.code, set(exposed(plan))) == (3, {"app-db", "openai"})
    assert "unknown: what openai opens: rotator.yaml" in plan.out.replace(f"{known.folder}/", "")
    assert "nonsense" in plan.out
    assert "no consumer is declared" not in plan.out
    answer = known.say("rotate", "--incident", incident, *GO)
    assert answer.code == 3
    assert "nonsense" in answer.out
    assert "left: openai: " in known.say("incident", "report", incident).out


def test_of_a_broken_entry_that_was_never_in_it_its_own_reason_is_told(known: Scene) -> None:
    known.credential("openai", nonsense=1)
    answer = known.say("incident", "open", *BAD)
    [line] = [each for each in answer.out.splitlines() if each.startswith("unknown: credential openai: ")]
    assert "nonsense" in line


def test_what_a_broken_credential_opens_is_not_known(known: Scene) -> None:
    known.credential("openai", nonsense=1)
    answer = known.say("incident", "open", "openai")
    assert answer.code == 3
    assert "unknown: what openai opens: " in answer.out


def test_a_consumer_of_whom_nothing_is_known_counts_whatever_it_reads(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    consumers = json.loads(known.config.read_text())["consumers"]
    known.rewrite(consumers={**consumers, "ghost": {"lockfiles": ["svc/ghost/uv.lock"]}})
    answer = known.say("rotate", "--incident", incident, *GO)
    assert answer.code == 3
    assert answer.out.splitlines()[-1].endswith("1 unknown, not called safe: consumer ghost")
    for command in ("report", "verify", "close"):
        answer = known.say("incident", command, incident)
        assert answer.code == 3
        assert "left: consumer ghost: nobody knows" in answer.out
    assert "66.67 % proven clean" in known.say("incident", "report", incident).out
    package = known.say("rotate", *BAD, *GO)
    assert package.out.splitlines()[-1].endswith("1 unknown, not called safe: consumer ghost")


def test_what_is_left_out_is_called_exposed(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    known.credential("app-db", tags=["first"])
    assert known.say("rotate", "--incident", incident, "--tag", "first", *GO).code == 3
    lines = known.say("incident", "report", incident).out.splitlines()
    at = lines.index("left: openai: exposed, and left out by --tag or --owner")
    assert lines[at + 1] == "  the same command without --tag and --owner"


def test_what_a_plan_found_while_it_ran_stays(known: Scene) -> None:
    incident = incident_of(known.say("incident", "open", *BAD))
    known.lease(SHORT)
    words = known.with_config(["--incident", incident, *GO])
    running = subprocess.Popen(
        [str(SCRIPTS / "rotate"), *words],
        cwd=known.folder,
        env=known.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    while "minting" not in running.stderr.readline():
        assert running.poll() is None
    known.credential("grafana", consumers=["agents"])
    assert set(exposed(known.say("incident", "plan", incident))) == {"app-db", "openai", "grafana"}
    running.communicate(timeout=200)
    report = known.say("incident", "report", incident)
    assert report.code == 3
    assert "left: grafana: its old keys are not proven dead (no rotation of it was begun)" in report.out
