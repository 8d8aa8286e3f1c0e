"""`rotator incident verify` and `close`: every old key asked about once more, and nothing closed that is not proven."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.ports import Change
from rotator.testing.keyserver import FaultKind, Keyserver
from tests.cli.litellm_night import BAD, incident_of, night, recorded
from tests.cli.scene import NAME, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")
GO = ("--assume-compromise", "--contained", "--yes")
TWO = ("llm-prod", "llm-test")


@pytest.fixture
def two(tmp_path: Path, keyserver: Keyserver) -> Scene:
    return make(tmp_path, keyserver, names=TWO)


@pytest.fixture
def rotated(two: Scene) -> tuple[Scene, str]:
    """Both, replaced in an incident."""
    answer = two.say("rotate", "--all", *GO)
    assert answer.code == 0
    return two, incident_of(answer)


def test_what_is_dead_is_proven_once_more(rotated: tuple[Scene, str]) -> None:
    scene, incident = rotated
    answer = scene.say("incident", "verify", incident)
    assert answer.code == 0, answer.out
    assert answer.out.splitlines()[:2] == [
        f"{name}: key-{number}: absent: two lists lack it and was proven dead before"
        for number, name in enumerate(TWO, 1)
    ]
    assert answer.out.splitlines()[-1] == (f"incident {incident}: 2 of 2 credentials proven now, 2 old keys dead")


def test_an_old_key_that_consumers_are_to_read_again_is_not_called_dead(rotated: tuple[Scene, str]) -> None:
    scene, incident = rotated
    journal = scene.journal()
    journal.save(replace(journal.credential(NAME), current="key-1"), datetime.now(UTC), Change())
    journal.close()
    answer = scene.say("incident", "verify", incident)
    assert answer.code == 3
    assert f"left: {NAME}: key key-1 is not proven dead: it is the current key" in answer.out
    assert f"  revoke it by hand; then rotator prove {NAME}" in answer.out


def test_what_was_not_rotated_is_left_with_the_command(two: Scene) -> None:
    incident = incident_of(two.say("incident", "open", *TWO))
    answer = two.say("incident", "verify", incident)
    assert answer.code == 3
    assert [line for line in answer.out.splitlines() if line.startswith("left")] == [
        f"left: {name}: it was not rotated yet" for name in TWO
    ]
    assert f"  rotate --incident {incident} --assume-compromise" in answer.out


def test_what_is_stuck_is_left_with_why(two: Scene) -> None:
    two.say("adopt", "llm-test")
    two.publish("theirs", "llm-test")  # a foreign value in its only place
    incident = incident_of(two.say("rotate", "--all", *GO, "--store-wait", "0s"))
    answer = two.say("incident", "verify", incident)
    assert answer.code == 3
    assert "left: llm-test: its rotation is stuck: " in answer.out
    assert "rotator resume llm-test" in answer.out
    assert "left: llm-prod" not in answer.out


def test_a_provider_that_is_down_proves_nothing_and_stops_no_other(tmp_path: Path, keyserver: Keyserver) -> None:
    with Keyserver() as other:
        scene = make(tmp_path, keyserver, names=TWO)
        data = json.loads(scene.config.read_text())
        (scene.folder / "admin2").touch(mode=0o600)
        (scene.folder / "admin2").write_text(other.admin)
        data["providers"]["other"] = {**data["providers"]["ks"], "base_url": other.url, "admin": "file:admin2"}
        data["credentials"]["llm-test"]["provider"] = "other"
        path = scene.folder / "store" / "llm-test.json"
        path.write_text(json.dumps({"API_KEY": other.seed_key("llm-test")[1]}))
        scene.config.write_text(json.dumps(data))
        incident = incident_of(scene.say("rotate", "--all", *GO))
        other.stop()
        answer = scene.say("incident", "verify", incident)
        closed = scene.say("incident", "close", incident)
        other.start()
        assert answer.code == 3
        assert "left: llm-test: nobody knows: " in answer.out
        assert "llm-prod: key-1: absent" in answer.out
        assert "1 of 2 credentials proven now" in answer.out
        assert closed.code == 3
        assert scene.say("incident", "close", incident).code == 0


def test_a_provider_that_answers_401_to_everybody_proves_nothing(
    rotated: tuple[Scene, str], keyserver: Keyserver
) -> None:
    scene, incident = rotated
    keyserver.fail(None, FaultKind.UNAUTHORIZED, calls=None)
    answer = scene.say("incident", "verify", incident)
    assert answer.code == 3
    for name in TWO:
        assert f"left: {name}: nobody knows: " in answer.out
    assert "0 of 2 credentials proven now, 0 old keys dead" in answer.out
    assert scene.say("incident", "close", incident).code == 3


def test_a_foreign_key_beside_it_that_may_be_the_thiefs_is_left_and_lives(scene: Scene) -> None:
    scene.credential(principal={"principal": NAME})
    incident = incident_of(scene.say("rotate", NAME, *GO))
    other, _ = scene.keyserver.seed_key(NAME)
    answer = scene.say("incident", "verify", incident)
    assert answer.code == 3
    assert f"left: {NAME}: foreign key {other} at ks may be the thief's, and lives" in answer.out
    assert other in scene.alive
    assert [each["key_id"] for each in scene.json("incident", "verify", incident)["foreign_keys"]] == [other]
    assert scene.say("incident", "close", incident).code == 3


def test_one_that_was_made_before_the_thief_could_is_a_finding(scene: Scene) -> None:
    scene.credential(principal={"principal": NAME})
    other, _ = scene.keyserver.seed_key(NAME)
    since = datetime.now(UTC) + timedelta(milliseconds=1)
    while datetime.now(UTC) < since:
        pass
    incident = incident_of(scene.say("rotate", NAME, *GO, "--from", since.isoformat()))
    answer = scene.say("incident", "verify", incident)
    assert answer.code == 1, answer.out + answer.err
    assert f"foreign key, not touched: {other}" in answer.out
    assert "before the window" in answer.out
    assert other in scene.alive


def test_a_store_left_behind_is_left_until_it_is_mended(two_stores: Scene) -> None:
    scene = two_stores
    document = scene.folder / "more" / f"{NAME}.json"
    document.rename(scene.folder / "away.json")
    document.mkdir()
    incident = incident_of(scene.say("rotate", NAME, *GO, "--store-wait", "1s"))
    document.rmdir()
    (scene.folder / "away.json").rename(document)
    answer = scene.say("incident", "verify", incident)
    assert answer.code == 3
    assert f"left: {NAME}: more:{NAME}.json was left behind" in answer.out
    assert "  rotator reconcile" in answer.out
    assert scene.say("incident", "report", incident).code == 3
    scene.say("reconcile")
    assert scene.say("incident", "verify", incident).code == 0
    report = scene.say("incident", "report", incident)
    assert report.code == 0, report.out


def test_a_store_left_behind_again_is_left_again(two_stores: Scene) -> None:
    scene = two_stores
    away, back = scene.folder / "away", scene.folder / "more"
    words = ("--store-wait", "1s")
    back.rename(away)
    incident = incident_of(scene.say("rotate", NAME, *GO, *words))
    away.rename(back)
    scene.say("reconcile")
    assert scene.say("incident", "verify", incident).code == 0
    back.rename(away)
    assert scene.say("rotate", "--incident", incident, *GO, *words, "--again").code == 1
    report = scene.say("incident", "report", incident)
    assert report.code == 3
    assert f"left: {NAME}: more:{NAME}.json was left behind" in report.out


def test_nobody_is_called_a_thief_where_no_rotation_says_which_keys_are_ours(two: Scene) -> None:
    incident = incident_of(two.say("incident", "open", *TWO))
    answer = two.say("incident", "verify", incident)
    assert answer.code == 3
    assert "foreign" not in answer.out


@pytest.mark.parametrize("how", ["its driver cannot be made", "it does not answer"])
def test_a_store_that_is_away_hides_no_death(two_stores: Scene, how: str) -> None:
    scene = two_stores
    back = scene.folder / "more"
    document = back / f"{NAME}.json"
    if how == "it does not answer":
        document.unlink()
        document.mkdir()
    else:
        back.rename(scene.folder / "away")
    incident = incident_of(scene.say("rotate", NAME, *GO, "--store-wait", "1s"))
    answer = scene.say("incident", "verify", incident)
    assert answer.code == 3
    assert f"{NAME}: key-1: absent: two lists lack it" in answer.out
    assert f"left: {NAME}: more:{NAME}.json was left behind" in answer.out
    assert answer.out.splitlines()[-1].endswith("0 of 1 credential proven now, 1 old key dead; 1 thing left")


def test_who_is_unknown_keeps_it_open(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = recorded(night(tmp_path, keyserver))
    scene.rewrite(consumers={**json.loads(scene.config.read_text())["consumers"], "cron": {}})
    scene.credential("mail", consumers=["web", "cron"])
    incident = incident_of(scene.say("incident", "open", *BAD))
    assert scene.say("rotate", "--incident", incident, *GO).code == 3
    answer = scene.say("incident", "close", incident)
    assert answer.code == 3
    assert "left: mail: nobody knows whether it is exposed: read by cron" in answer.out
    assert "left: consumer cron: nobody knows whether it is exposed: no record of its PyPI packages" in answer.out
    assert answer.lines == [
        f"rotator: incident {incident} stays open: 2 things left",
        "hint: do what stands beneath each, then the same command; or --incomplete --reason TEXT",
    ]


# -- closing -----------------------------------------------------------------------------------------------------------


def test_what_is_proven_is_closed_and_stays_so(rotated: tuple[Scene, str], tmp_path: Path) -> None:
    scene, incident = rotated
    assert " open " in scene.say("incident").out.splitlines()[1]
    answer = scene.say("incident", "close", incident)
    assert answer.code == 0
    assert answer.out.splitlines()[-1].startswith(f"incident {incident} is closed: all of it was proven, at ")
    assert " closed " in scene.say("incident").out.splitlines()[1]
    again = scene.say("incident", "close", incident)
    assert again.code == 0
    assert again.out.startswith(f"incident {incident} was closed before: all of it was proven, at ")
    report = scene.say("incident", "report", incident, "--json", "e.json", "--html", "e.html")
    assert report.code == 0
    assert report.out.splitlines()[1].startswith("closed at ")
    closed = json.loads((tmp_path / "e.json").read_text())["evidence"]["closed"]
    assert closed["gave_up"] is None
    assert "; closed " in (tmp_path / "e.html").read_text()
    assert scene.say("incident", "verify", incident).code == 0


def test_what_can_never_be_complete_is_closed_as_that_and_never_shown_as_complete(two: Scene, tmp_path: Path) -> None:
    incident = incident_of(two.say("incident", "open", *TWO, "--reason", "laptop"))
    answer = two.say("incident", "close", incident, "--incomplete", "--reason", "its provider is <gone>")
    assert answer.code == 0
    assert answer.out.endswith("its provider is <gone>\n")
    line = two.say("incident").out.splitlines()[1]
    assert "closed" in line
    assert "incomplete  laptop; closed incomplete: its provider is <gone>" in line
    report = two.say("incident", "report", incident, "--html", "e.html", "--json", "e.json")
    assert report.code == 3
    assert "closed incomplete at" in report.out
    page = (tmp_path / "e.html").read_text()
    assert "incomplete: its provider is &lt;gone&gt;" in page
    assert ">incomplete<" in page


def test_also_what_is_proven_is_not_complete_once_it_was_given_up(rotated: tuple[Scene, str]) -> None:
    scene, incident = rotated
    scene.say("incident", "close", incident, "--incomplete", "--reason", "nobody knows who else")
    assert scene.say("incident", "report", incident).code == 3
    assert " incomplete " in scene.say("incident").out


def test_an_incident_that_matched_nothing_by_everybodys_records_is_closed_as_that(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    scene = recorded(night(tmp_path, keyserver))
    incident = incident_of(scene.say("incident", "open", "--package", "litellm==1.82.9", *BAD[4:]))
    assert scene.say("incident", "verify", incident).code == 3
    assert scene.say("incident", "report", incident).code == 3
    answer = scene.say("incident", "close", incident)
    assert answer.code == 0
    assert answer.out.splitlines()[-1].startswith(f"incident {incident} is closed: nothing was exposed, by everybody's")
    report = scene.say("incident", "report", incident)
    assert report.code == 0
    assert report.out.startswith(f"incident {incident}: nothing was exposed\n")


def test_an_incident_that_matched_nothing_stays_open_while_of_somebody_nobody_knows(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    scene = recorded(night(tmp_path, keyserver))
    scene.rewrite(consumers={**json.loads(scene.config.read_text())["consumers"], "cron": {}})
    incident = incident_of(scene.say("incident", "open", "--package", "litellm==1.82.9", *BAD[4:]))
    answer = scene.say("incident", "close", incident)
    assert answer.code == 3
    assert "left: consumer cron: " in answer.out


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("verify", "inc-1"), "there is no incident 'inc-1'", "there was none yet"),
        (("close", "inc-1"), "there is no incident 'inc-1'", "there was none yet"),
        (("close", "inc-1", "--incomplete"), "--incomplete: why can it never be complete?", "--reason TEXT"),
        (("close", "inc-1", "--incomplete", "--reason", " "), "--incomplete: why can it never", "--reason TEXT"),
        (("close", "inc-1", "--reason", "x"), "--reason is for --incomplete", "an incident that is proven needs none"),
    ],
)
def test_bad_usage_is_told_in_two_lines(scene: Scene, words: tuple[str, ...], message: str, hint: str) -> None:
    answer = scene.say("incident", *words)
    assert (answer.code, len(answer.lines)) == (2, 2)
    assert answer.lines[0].startswith(f"rotator: {message}")
    assert answer.lines[1].startswith(f"hint: {hint}")


def test_a_misspelt_id_is_told_the_nearest(rotated: tuple[Scene, str]) -> None:
    scene, incident = rotated
    answer = scene.say("incident", "verify", incident[:-1] + "x")
    assert (answer.code, answer.lines[1]) == (2, f"hint: did you mean {incident}?")
