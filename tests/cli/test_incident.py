"""`rotator incident`: what is told of an incident, its evidence as page and object, and whether that is genuine."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rotator.testing.keyserver import Keyserver
from tests.cli.scene import NAME, Answer, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")
GO = ("--assume-compromise", "--contained", "--yes")
TWO = ("llm-prod", "llm-test")
WORDS = {"mode": "scheduled", "reason": "age"}


def incident_of(answer: Answer) -> str:
    return str(re.findall(r"inc-\d{8}-[0-9a-f]{6}", answer.lines[0])[0])


@pytest.fixture
def two(tmp_path: Path, keyserver: Keyserver) -> Scene:
    return make(tmp_path, keyserver, names=TWO)


def test_before_there_was_one_there_is_none(scene: Scene) -> None:
    answer = scene.say("incident")
    assert (answer.code, answer.out) == (0, "no incident yet\n")


def test_ordinary_rotations_are_no_incident(scene: Scene) -> None:
    assert scene.say("rotate", NAME, "--wait", "--reason", "inc-20260101-abcdef: not one").code == 0
    assert scene.say("incident").out == "no incident yet\n"


def test_what_is_proven_is_told_with_the_reason(two: Scene) -> None:
    incident = incident_of(two.say("rotate", "--all", *GO, "--reason", "litellm 1.82.8"))
    answer = two.say("incident")
    assert answer.out.splitlines()[1].split()[0] == incident
    assert re.search(r"2 of 2 +complete +litellm 1\.82\.8", answer.out)


def test_an_incident_is_told_in_full_however_many_rotations_came_after_it(two: Scene, tmp_path: Path) -> None:
    incident = incident_of(two.say("rotate", "--all", *GO))
    with closing(sqlite3.connect(tmp_path / "rotator.db")) as database, database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(rotation)") if row[1] not in ("number", "id")]
        chosen = ", ".join(f"'{value}'" if (value := WORDS.get(name)) else f'"{name}"' for name in columns)
        into = ", ".join(f'"{name}"' for name in columns)
        many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001)"
        one = "(SELECT * FROM rotation LIMIT 1)"
        database.execute(f"{many} INSERT INTO rotation (id, {into}) SELECT 'later-' || i, {chosen} FROM n, {one}")
    assert re.search(rf"{incident} .* 2 of 2 +complete", two.say("incident").out)
    assert two.say("incident", "report", incident).out.startswith(f"incident {incident}: 100 % proven clean\n")


def test_an_id_that_no_incident_can_have_is_answered_with_the_nearest(two: Scene) -> None:
    incident = incident_of(two.say("rotate", "--all", *GO))
    for word in (incident[:-1], f"{incident}0", f"{incident}: ", "inc-", "%"):
        answer = two.say("incident", "report", word)
        assert (answer.code, answer.lines[0]) == (2, f"rotator: there is no incident {word!r}")


def test_an_id_whose_bytes_are_no_text_is_one_that_no_incident_has(two: Scene) -> None:
    answer = two.say("incident", "report", "inc-\udcff")
    assert (answer.code, answer.lines) == (
        2,
        ["rotator: there is no incident 'inc-\\udcff'", "hint: there was none yet"],
    )


def test_the_evidence_names_each_key_and_how_its_death_is_known(two: Scene, tmp_path: Path) -> None:
    incident = incident_of(two.say("rotate", "--all", *GO))
    answer = two.say("incident", "report", incident, "--html", "e.html", "--json", "e.json")
    assert answer.code == 0, answer.err
    assert answer.out.startswith(f"incident {incident}: 100 % proven clean\n")
    found = json.loads((tmp_path / "e.json").read_text())["evidence"]
    assert found["coverage"] == {"percent": 100.0, "proven": 2, "exposed": 2, "unknown": 0}
    assert (found["complete"], found["left"]) == (True, [])
    for each, name, old in zip(found["credentials"], TWO, ("key-1", "key-2"), strict=True):
        [key] = each["old_keys"]
        assert (each["credential"], key["key_id"], key["proof"]) == (name, old, "refused")
        times = [key["disabled_at"], key["deleted_at"], key["first_refused_at"], key["dead_at"]]
        assert times == sorted(times)
        assert each["started_at"] < each["live_at"] < key["dead_at"] <= each["ended_at"]
    page = (tmp_path / "e.html").read_text()
    assert page.count('class="death"') == page.count('class="cutover"') == 2
    for word in (incident, *TWO, "key-1", "key-2", ">complete<", "<svg "):
        assert word in page


def test_the_evidence_hangs_on_the_trail(two: Scene, tmp_path: Path) -> None:
    incident = incident_of(two.say("rotate", "--all", *GO))
    two.say("incident", "report", incident, "--json", "e.json")
    found = json.loads((tmp_path / "e.json").read_text())["evidence"]
    with two.journal() as journal:
        for each in found["credentials"]:
            events = journal.events(each["rotation"])
            assert (each["events"], each["head"]) == (len(events), events[-1].digest)
    head = found["checkpoint"]["digest"]
    assert two.say("log", "verify", "--head", head).code == 0
    page = two.say("incident", "report", incident, "--html", "e.html")
    assert page.code == 0
    assert head in (tmp_path / "e.html").read_text()


def test_evidence_is_checked_with_the_key_that_was_noted_and_needs_no_config(two: Scene, tmp_path: Path) -> None:
    incident = incident_of(two.say("rotate", "--all", *GO))
    two.say("incident", "report", incident, "--html", "e.html", "--json", "e.json")
    key = two.say("incident", "key").out.strip()
    (tmp_path / "rotator.yaml").unlink()
    for name in ("e.html", "e.json"):
        answer = two.say("incident", "check", name, "--key", key)
        assert (answer.code, answer.err) == (0, "")
        data = bytearray((tmp_path / name).read_bytes())
        data[len(data) // 2] ^= 1
        (tmp_path / name).write_bytes(data)
        answer = two.say("incident", "check", name, "--key", key)
        assert answer.code == 3
        message, hint = (
            f"rotator: {name}: it was changed since it was sealed",
            "believe nothing in it; ask for it again",
        )
        assert answer.err == f"{message}\nhint: {hint}\n"


def test_another_installations_evidence_is_refused(two: Scene, tmp_path: Path, keyserver: Keyserver) -> None:
    (tmp_path / "other").mkdir()
    other = make(tmp_path / "other", keyserver)
    incident = incident_of(two.say("rotate", "--all", *GO))
    two.say("incident", "report", incident, "--html", "e.html")
    answer = two.say("incident", "check", "e.html", "--key", other.say("incident", "key").out.strip())
    assert (answer.code, answer.lines[0]) == (3, "rotator: e.html: it is sealed with another key")


def test_a_key_that_nobody_proved_dead_makes_the_evidence_incomplete_and_is_named(two: Scene, tmp_path: Path) -> None:
    two.publish("theirs", "llm-test")  # a foreign value: its only place is left behind, so it cannot go on
    answer = two.say("rotate", "--all", *GO, "--store-wait", "0s")
    assert answer.code == 3
    incident = incident_of(answer)
    report = two.say("incident", "report", incident, "--html", "e.html", "--json", "e.json")
    assert report.code == 3
    assert f"incident {incident}: 50 % proven clean" in report.out
    found = json.loads((tmp_path / "e.json").read_text())["evidence"]
    assert not found["complete"]
    assert {each["credential"] for each in found["left"]} == {"llm-test"}
    page = (tmp_path / "e.html").read_text()
    assert ">incomplete<" in page
    assert page.count('class="death"') == 1
    assert 'fill="url(#hatch)"' in page


def test_no_value_of_a_key_is_in_the_evidence(two: Scene, tmp_path: Path) -> None:
    before = [two.published(name) for name in TWO]
    incident = incident_of(two.say("rotate", "--all", *GO))
    two.say("incident", "report", incident, "--html", "e.html", "--json", "e.json")
    for name in ("e.html", "e.json"):
        text = (tmp_path / name).read_text()
        for value in (*before, *(two.published(each) for each in TWO)):
            assert value not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("report",), "report: which incident?"),
        (("report", "inc-20260101-ffffff"), "there is no incident 'inc-20260101-ffffff'"),
        (("check",), "check: which file?"),
        (("check", "e.html"), "check: by which public key?"),
        (("check", "no-such-file", "--key", "A" * 43 + "="), "no-such-file: no such file or directory"),
        (("check", "rotator.yaml", "--key", "nonsense"), "that is no public key"),
        (("list", "--html", "x"), "--html and --json are for report"),
        (("key", "inc-1"), "key takes no argument"),
        (("key", "--key", "x"), "--key is for check alone"),
    ],
)
def test_bad_usage_is_told_in_two_lines(scene: Scene, words: tuple[str, ...], message: str) -> None:
    answer = scene.say("incident", *words)
    assert (answer.code, answer.lines[0]) == (2, f"rotator: {message}")
    assert len(answer.lines) == 2


def test_a_file_that_is_no_evidence_is_told(scene: Scene) -> None:
    key = scene.say("incident", "key").out.strip()
    answer = scene.say("incident", "check", "rotator.yaml", "--key", key)
    assert (answer.code, answer.lines[0]) == (3, "rotator: rotator.yaml: it has no seal at its end")


def test_where_the_evidence_cannot_be_written_is_told(scene: Scene) -> None:
    incident = incident_of(scene.say("rotate", NAME, *GO))
    answer = scene.say("incident", "report", incident, "--html", "no/such/folder.html")
    assert (answer.code, answer.lines[0]) == (2, "rotator: no/such/folder.html: no such file or directory")


def test_the_object_goes_to_standard_output_and_the_words_to_the_other(scene: Scene) -> None:
    incident = incident_of(scene.say("rotate", NAME, *GO))
    answer = scene.say("incident", "report", incident, "--json", "-")
    assert json.loads(answer.out)["evidence"]["incident"] == incident
    assert "100 % proven clean" in answer.err
