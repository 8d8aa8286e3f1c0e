"""`rotator scan` and `notify`: a report opens an incident and tells people; nothing is rotated, no value is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.changes import NEVER
from rotator.domain.rotation import Mode, Phase, Problem, Rotation
from rotator.ports import Change
from rotator.testing.keyserver import Keyserver, Operation
from tests.cli.scene import Scene, make
from tests.consumers.receiver import Receiver, Reply

pytestmark = pytest.mark.stand_in("API provider: keyserver")
STRANGE = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0" + "zzYx"
WHSEC = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def two(tmp_path: Path, keyserver: Keyserver) -> Scene:
    """a and b, adopted, each with a key of its own."""
    scene = make(tmp_path, keyserver, names=("a", "b"))
    for name in ("a", "b"):
        assert scene.say("adopt", name).code == 0
    return scene


def gitleaks(*values: str, file: str = "config.py") -> str:
    return json.dumps(
        [
            {
                "RuleID": "generic-api-key",
                "Description": "x",
                "StartLine": number,
                "Match": f"key = {value}",
                "Secret": value,
                "File": file,
                "Commit": "0123456789abcdef",
                "Fingerprint": "f",
            }
            for number, value in enumerate(values, 1)
        ]
    )


def trufflehog(*values: str) -> str:
    lines = [
        {
            "SourceMetadata": {"Data": {"Git": {"commit": "abcdef0123456789", "file": "app.env", "line": 3}}},
            "DetectorName": "URI",
            "Verified": False,
            "Raw": value,
            "RawV2": "",
            "Redacted": "",
        }
        for value in values
    ]
    return "\n".join(map(json.dumps, lines)) + "\n"


def github(*values: str) -> str:
    return json.dumps(
        [
            {"number": number, "state": "open", "secret_type": "x_api_key", "secret": value, "html_url": "https://g/1"}
            for number, value in enumerate(values, 1)
        ]
    )


def partner(*values: str) -> str:
    return json.dumps(
        [{"token": each, "type": "x", "url": "https://github.com/o/r/blob/1/a", "source": "content"} for each in values]
    )


def notified(scene: Scene, **targets: dict[str, Any]) -> None:
    (scene.folder / "whsec").touch(mode=0o600)
    (scene.folder / "whsec").write_text(WHSEC)
    scene.rewrite(notifications=targets)


def mints(scene: Scene) -> int:
    return scene.mints


@pytest.mark.parametrize(
    ("option", "written"),
    [("--gitleaks", gitleaks), ("--trufflehog", trufflehog), ("--github", github), ("--github", partner)],
)
def test_a_report_opens_an_incident_about_exactly_its_credential_and_rotates_nothing(
    option: str, written: Callable[..., str], two: Scene
) -> None:
    value = two.published("b")
    (two.folder / "report").write_text(written(value))
    before = mints(two)
    answer = two.say("scan", option, "report")
    assert answer.code == 1, answer.err
    assert "b: key-2 is public" in answer.out
    assert "nothing was rotated" in answer.out
    (incident,) = [line.split()[1] for line in answer.out.splitlines() if line.startswith("incident ")]
    assert answer.out.splitlines()[-1] == f"next: rotate --incident {incident} --assume-compromise"
    assert mints(two) == before
    assert value not in answer.out + answer.err
    plan = two.json("incident", "plan", incident)
    assert [each["credential"] for each in plan["credentials"]] == ["b"]
    pulled = two.say("rotate", "--incident", incident, "--assume-compromise", "--contained", "--yes")
    assert pulled.code == 0, pulled.err
    assert {key.id for key in two.keyserver.live("b")} == {"key-3"}
    assert {key.id for key in two.keyserver.live("a")} == {"key-1"}


def test_no_value_is_anywhere_afterwards(two: Scene) -> None:
    value = two.published("b")
    report = gitleaks(value, file=f"{value}.txt")
    answer = two.say("scan", "--gitleaks", "-", "--json", stdin=report)
    assert answer.code == 1
    assert value not in answer.out + answer.err
    for file in two.folder.glob("rotator.db*"):
        assert value.encode() not in file.read_bytes()
    assert value not in two.say("log", "export").out


def test_no_value_of_another_finding_and_no_strange_key_stays_with_the_incident(two: Scene) -> None:
    value, other = two.published("b"), two.published("a")
    findings = json.loads(gitleaks(value, file=f"https://host/{other}/{STRANGE}/x")) + json.loads(gitleaks(other))
    answer = two.say("scan", "--gitleaks", "-", "--json", stdin=json.dumps(findings))
    assert answer.code == 1
    incident = json.loads(answer.out)["incident"]
    said = answer.out + two.say("incident", "plan", incident).out
    with two.journal() as journal:
        said += "".join(journal.recall(each) or "" for each in journal.remembered(""))
    assert "https://host/" in said
    for each in (value, other, STRANGE):
        assert each not in said


def test_the_same_report_again_is_the_same_incident_in_any_order_and_by_any_scanner(two: Scene) -> None:
    values = two.published("a"), two.published("b")
    first = two.json("scan", "--gitleaks", "-", stdin=gitleaks(*values))
    again = two.json("scan", "--gitleaks", "-", stdin=gitleaks(*reversed(values), *values))
    other = two.json("scan", "--trufflehog", "-", stdin=trufflehog(values[0]))
    assert first["new"]
    assert (again["new"], other["new"]) == (False, False)
    assert first["incident"] == again["incident"] == other["incident"]
    assert [each["credential"] for each in first["exposed"]] == ["a", "b"]
    trail = [json.loads(line) for line in two.say("log", "export").out.splitlines()]
    assert len([each for each in trail if each["action"] == "leak reported"]) == 2


def test_a_closed_one_is_over_and_the_same_leak_is_another(two: Scene) -> None:
    report = gitleaks(two.published("b"))
    first = two.json("scan", "--gitleaks", "-", stdin=report)["incident"]
    assert two.say("incident", "close", first, "--incomplete", "--reason", "no").code == 0
    second = two.json("scan", "--gitleaks", "-", stdin=report)
    assert second["new"]
    assert second["incident"] != first


def pull(scene: Scene, incident: str) -> None:
    answer = scene.say("rotate", "--incident", incident, "--assume-compromise", "--contained", "--yes")
    assert answer.code == 0, answer.err


def test_a_successor_that_leaks_on_the_same_day_is_another_incident_which_replaces_it(two: Scene) -> None:
    first = two.json("scan", "--gitleaks", "-", stdin=gitleaks(two.published("b")))["incident"]
    pull(two, first)
    leaked = two.published("b")
    second = two.json("scan", "--gitleaks", "-", stdin=gitleaks(leaked))
    assert second["new"]
    assert second["incident"] != first
    assert not two.json("scan", "--gitleaks", "-", stdin=gitleaks(leaked))["new"]
    pull(two, second["incident"])
    assert two.published("b") != leaked
    assert {key.id for key in two.keyserver.live("b")} == {"key-4"}
    assert two.json("scan", "--gitleaks", "-", stdin=gitleaks(leaked))["incident"] is None


def test_a_value_that_is_ours_only_later_opens_an_incident_that_rotates_it(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    scene = make(tmp_path, keyserver, names=("a", "b"))
    whole = json.loads(scene.config.read_text())["credentials"]
    scene.rewrite(credentials={"a": whole["a"]})
    assert scene.say("adopt", "a").code == 0
    report = gitleaks(scene.published("b"))
    first = scene.json("scan", "--gitleaks", "-", stdin=report)
    assert (first["exposed"], len(first["unmanaged"])) == ([], 1)
    scene.rewrite(credentials=whole)
    assert scene.say("adopt", "b").code == 0
    second = scene.json("scan", "--gitleaks", "-", stdin=report)
    assert second["new"]
    assert [each["credential"] for each in second["exposed"]] == ["b"]
    pull(scene, second["incident"])
    assert scene.published("b") not in report


def test_what_is_found_besides_is_added_to_the_incident_that_is_open(two: Scene) -> None:
    value = two.published("b")
    first = two.json("scan", "--gitleaks", "-", stdin=gitleaks(value))
    more = json.dumps([*json.loads(gitleaks(value)), 7])
    second = two.json("scan", "--gitleaks", "-", stdin=more)
    third = two.json("scan", "--gitleaks", "-", stdin=more)
    assert first["incident"] == second["incident"] == third["incident"]
    assert (second["new"], third["new"]) == (True, False)
    assert "1 findings of the report cannot be understood" in two.say("incident", "plan", first["incident"]).out


def test_a_key_that_is_proven_dead_opens_nothing(two: Scene) -> None:
    value = two.published("b")
    assert two.say("rotate", "b", "--assume-compromise", "--contained", "--yes").code == 0
    answer = two.say("scan", "--gitleaks", "-", stdin=gitleaks(value))
    assert answer.code == 0, answer.out
    assert "key-2 of b is proven dead" in answer.out
    assert "nothing was opened" in answer.out


def test_a_key_that_nobody_here_manages_is_named_with_where_it_is_revoked(two: Scene) -> None:
    answer = two.say("scan", "--gitleaks", "-", stdin=gitleaks(STRANGE))
    assert "what looks like a key of OpenAI ending in …zzYx, found at config.py:1 of 0123456789ab" in answer.out
    assert "https://platform.openai.com/api-keys" in answer.out
    assert STRANGE not in answer.out + answer.err
    assert answer.code in (1, 3)


def test_an_incident_of_a_key_that_nobody_here_manages_is_never_closed_as_if_nothing_was_exposed(two: Scene) -> None:
    incident = two.json("scan", "--gitleaks", "-", stdin=gitleaks(STRANGE))["incident"]
    assert two.say("incident", "plan", incident).code == 3
    closed = two.say("incident", "close", incident)
    assert "nothing was exposed" not in closed.out
    assert closed.code == 3
    assert two.say("incident", "close", incident, "--incomplete", "--reason", "revoked by hand").code == 0


def test_the_provider_says_whose_a_value_is_that_the_journal_does_not_know(two: Scene) -> None:
    key_id, value = two.keyserver.seed_key("b")
    before = len(two.keyserver.log)
    found = two.json("scan", "--gitleaks", "-", stdin=gitleaks(value))
    assert [each["key_ids"] for each in found["exposed"]] == [[key_id]]
    assert Operation.IDENTIFY in [each.operation for each in list(two.keyserver.log)[before:]]


def test_a_value_that_the_report_hides_is_unknown_and_not_safe(two: Scene) -> None:
    answer = two.say("scan", "--gitleaks", "-", stdin=gitleaks("REDACTED"))
    assert answer.code == 3
    assert "unknown: generic-api-key (config.py:1 of 0123456789ab): the report hides its value" in answer.out


@pytest.mark.parametrize("report", ["[]", "null", ""])
def test_a_report_without_findings_is_nothing(report: str, two: Scene) -> None:
    option = "--gitleaks" if report else "--trufflehog"
    assert two.say("scan", option, "-", stdin=report).code == 0


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        ((), "", "a report of which scanner?"),
        (("--gitleaks", "-", "--github", "-"), "", "one report at a time"),
        (("--gitleaks", "nowhere"), "", "nowhere: no such file or directory"),
        (("--gitleaks", "-"), "hunter2", "this is no report of gitleaks"),
        (("--github", "-"), '"hunter2"', "this is no report of github"),
        (("--trufflehog", "-"), "hunter2\nhunter3", "this is no report of trufflehog"),
        (("--gitleaks", "-"), "[" * 100_000, "this is no report of gitleaks"),
    ],
)
def test_what_is_no_report_is_refused_in_two_lines_without_repeating_it(
    arguments: tuple[str, ...], stdin: str, message: str, two: Scene
) -> None:
    answer = two.say("scan", *arguments, stdin=stdin)
    assert answer.code == 2
    assert answer.err.splitlines()[0] == f"rotator: {message}"
    assert len(answer.err.splitlines()) == 2
    assert "hunter" not in answer.err + answer.out


def test_findings_that_nobody_understands_are_counted_and_make_it_incomplete(two: Scene) -> None:
    report = json.dumps([*json.loads(gitleaks(two.published("b"))), 7, {"Secret": 1}, {"RuleID": "x"}, None])
    answer = two.say("scan", "--gitleaks", "-", stdin=report)
    assert answer.code == 3
    assert "unknown: 4 findings of the report cannot be understood" in answer.out
    assert "b: key-2 is public" in answer.out


def test_people_are_told_once_with_the_command_and_without_the_value(two: Scene) -> None:
    value = two.published("b")
    with Receiver() as receiver:
        notified(two, ops={"webhook": receiver.url, "secret": "file:whsec"})
        first = two.say("scan", "--gitleaks", "-", stdin=gitleaks(value))
        again = two.say("scan", "--gitleaks", "-", stdin=gitleaks(value))
    (post,) = receiver.posts
    assert "told ops" in first.out
    assert "told ops" not in again.out
    assert post.authentic(WHSEC)
    data = post.json["data"]
    assert (data["kind"], data["severity"]) == ("leak reported", "critical")
    assert data["command"] == f"rotator incident plan {data['subject']}"
    assert "gitleaks found keys of b (key-2)" in data["words"]
    assert value.encode() not in post.body


def test_who_was_away_at_the_first_report_is_told_by_the_second(two: Scene) -> None:
    report = gitleaks(two.published("b"))
    with Receiver() as receiver:
        notified(two, ops={"webhook": "http://127.0.0.1:1/x", "secret": "file:whsec"})
        assert "not told: ops" in two.say("scan", "--gitleaks", "-", stdin=report).out
        notified(two, ops={"webhook": receiver.url, "secret": "file:whsec"})
        second = two.say("scan", "--gitleaks", "-", stdin=report)
        assert "known already" in second.out
        assert "told ops" in second.out
        assert "told ops" not in two.say("scan", "--gitleaks", "-", stdin=report).out
    assert len(receiver.posts) == 1


def test_a_pass_over_what_is_due_tells_people_of_what_is_stuck_and_that_it_is_over(two: Scene) -> None:
    with Receiver() as receiver:
        notified(two, ops={"webhook": receiver.url, "secret": "file:whsec"})
        with two.journal() as journal:
            now = datetime.now(UTC)
            row = Rotation(id="r1", credential="a", mode=Mode.MANUAL, reason="", started_at=now, next_at=now, since=now)
            assert journal.begin(row, Change())
            begun = journal.rotation("r1")
            assert begun is not None
            problem = Problem(message="no room", hint="delete one")
            stuck = replace(begun, phase=Phase.STUCK, problem=problem, parked_from=Phase.PLANNED, next_at=NEVER)
            journal.commit(stuck, now, Change())
        assert two.say("rotate", "--due").code == 3
        assert two.say("rotate", "--due").code == 3
        told = [(each.json["type"], each.json["data"]["command"]) for each in receiver.posts]
        assert told == [("notice.raised", "rotator resume a")]
        assert two.say("resume", "a").code == 0
        two.say("rotate", "--due")
    assert [each.json["type"] for each in receiver.posts] == ["notice.raised", "notice.resolved"]


# -- rotator notify ----------------------------------------------------------------------------------------------------


def test_notify_test_says_of_each_target_whether_it_got_it(two: Scene) -> None:
    with Receiver() as well, Receiver(lambda _: Reply(500)) as broken:
        notified(two, ops={"webhook": well.url, "secret": "file:whsec"}, bad={"webhook": broken.url})
        both = two.say("notify", "test")
        one = two.say("notify", "test", "ops")
    assert (both.code, one.code) == (3, 0)
    assert "ops: delivered (webhook at 127.0.0.1)" in both.out
    assert "bad: not delivered: its webhook answers with status 500" in both.out
    assert well.posts[0].json["data"]["kind"] == "test"
    assert len(well.posts) == 2


def test_notify_refuses_what_is_not_there(two: Scene) -> None:
    none = two.say("notify", "test")
    assert (none.code, none.err.splitlines()[0]) == (2, "rotator: the config tells nobody anything")
    notified(two, ops={"webhook": "https://127.0.0.1:1/x"})
    misspelt = two.say("notify", "test", "opps")
    assert misspelt.code == 2
    assert misspelt.err.splitlines() == ["rotator: there is no notification 'opps'", "hint: did you mean ops?"]


def test_notify_list_shows_who_is_told_and_what_goes_on(two: Scene) -> None:
    with Receiver() as receiver:
        notified(two, ops={"webhook": f"{receiver.url}/hunter2", "secret": "file:whsec", "owners": ["team-ml"]})
        assert two.say("scan", "--gitleaks", "-", stdin=gitleaks(two.published("b"))).code == 1
        answer = two.say("notify", "list")
    assert answer.code == 0
    assert "webhook, signed" in answer.out
    assert "team-ml" in answer.out
    assert "rotator incident plan inc-" in answer.out
    assert "hunter2" not in answer.out


def test_check_says_who_is_told_and_what_would_keep_them_from_it(two: Scene) -> None:
    notified(two, ops={"webhook": "https://127.0.0.1:1/x", "secret": "file:missing"}, plain={"webhook": "http://x/y"})
    answer = two.say("check")
    assert "file:" in answer.out
    assert "notifications.plain.webhook is not encrypted" in answer.out
    assert answer.code != 0
