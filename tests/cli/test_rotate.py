"""`rotate` as a person types it, end to end on the keyserver."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rotator.adapters.machine import MachineClock, RandomIds
from rotator.domain.rotation import Mode, Phase
from rotator.engine.starting import new_rotation
from rotator.ports import Change
from rotator.testing.keyserver import FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def test_no_selection_prints_help_in_two_lines_and_changes_nothing(scene: Scene) -> None:
    answer = scene.run(script="rotate")
    assert answer.code == 2
    assert answer.lines[0] == "rotate: nothing was selected"
    assert answer.lines[1].startswith("hint: ")
    assert not (scene.folder / "rotator.db").exists()


def test_a_misspelt_name_is_answered_with_the_nearest_and_nothing_is_done(scene: Scene) -> None:
    answer = scene.say("rotate", "llm-prd")
    assert (answer.code, answer.out) == (2, "")
    assert answer.lines == ["rotate: there is no credential 'llm-prd'", "hint: did you mean llm-prod?"]
    assert len(scene.keyserver.live(NAME)) == 1


def test_a_manual_rotation_returns_when_the_new_key_is_live(scene: Scene) -> None:
    old = scene.published()
    scene.rewrite(
        policies={"quick": {"every": "30d", "overlap": "1h", "quiet_for": "0s", "max_overlap": "2h"}},
    )
    answer = scene.say("rotate", NAME)
    assert answer.code == 0, answer.err
    assert "is live" in answer.out
    assert "dies not before" in answer.out
    assert scene.published() != old
    assert len(scene.keyserver.live(NAME)) == 2


def test_with_wait_the_old_key_is_dead_when_it_returns(scene: Scene) -> None:
    answer = scene.say("rotate", NAME, "--wait", "--json")
    assert answer.code == 0, answer.err
    (rotation,) = json.loads(answer.out)["rotations"]
    assert rotation["phase"] == "done"
    assert [old["proof"] for old in rotation["old_keys"]] == ["refused"]
    assert [key.id for key in scene.keyserver.live(NAME)] == [rotation["new_key"]["key_id"]]


def test_a_colleagues_field_in_the_document_stays(scene: Scene) -> None:
    assert scene.say("rotate", NAME, "--wait").code == 0
    document = json.loads((scene.folder / "store" / f"{NAME}.json").read_text())
    assert document["OTHER"] == "theirs"
    assert set(document) == {"API_KEY", "OTHER"}


def test_a_dry_run_changes_nothing(scene: Scene) -> None:
    before = scene.published()
    answer = scene.say("rotate", NAME, "--dry-run")
    assert answer.code == 0, answer.err
    assert "not faster than" in answer.out
    assert scene.published() == before
    assert len(scene.keyserver.live(NAME)) == 1
    assert scene.keyserver.log.calls()[Operation.MINT] == 0


def test_an_emergency_without_a_terminal_needs_yes_and_the_answer_about_containment(scene: Scene) -> None:
    for options in ([], ["--yes"], ["--contained"]):
        answer = scene.say("rotate", NAME, "--assume-compromise", *options)
        assert answer.code == 2
        assert "no terminal" in answer.err
    assert scene.keyserver.log.calls()[Operation.MINT] == 0


def test_an_emergency_kills_every_key_that_belongs_and_proves_it(scene: Scene) -> None:
    other, _ = scene.keyserver.seed_key(NAME)
    answer = scene.say("rotate", NAME, "--assume-compromise", "--contained", "--yes", "--json")
    assert answer.code == 0, answer.err
    report = json.loads(answer.out)
    (rotation,) = report["rotations"]
    assert report["incident"].startswith("inc-")
    assert {old["key_id"]: old["proof"] for old in rotation["old_keys"]}[other] == "absent"
    assert sorted(old["proof"] for old in rotation["old_keys"]) == ["absent", "refused"]
    assert [key.id for key in scene.keyserver.live(NAME)] == [rotation["new_key"]["key_id"]]
    assert report["coverage"]["proven"] == 1


def test_the_same_emergency_within_a_day_keeps_what_is_clean(scene: Scene) -> None:
    words = [NAME, "--assume-compromise", "--contained", "--yes", "--json"]
    first = json.loads(scene.say("rotate", *words).out)
    mints = scene.keyserver.log.calls()[Operation.MINT]
    second = json.loads(scene.say("rotate", *words).out)
    assert second["incident"] == first["incident"]
    assert second["rotations"][0]["rotation"] == first["rotations"][0]["rotation"]
    assert scene.keyserver.log.calls()[Operation.MINT] == mints
    third = json.loads(scene.say("rotate", *words, "--again").out)
    assert third["rotations"][0]["rotation"] != first["rotations"][0]["rotation"]


def test_in_an_emergency_what_can_go_goes_and_the_rest_is_listed_first(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=("good", "bad"))
    credentials = json.loads(scene.config.read_text())["credentials"]
    credentials["bad"]["policy"] = "no-such-policy"
    scene.rewrite(credentials=credentials)
    answer = scene.say("rotate", "--all", "--assume-compromise", "--contained", "--yes")
    assert answer.code == 3
    assert "cannot: bad" in answer.err
    assert "good: rotated" in answer.out
    assert len(keyserver.live("bad")) == 1


def test_a_provider_that_refuses_everybody_proves_nothing(scene: Scene) -> None:
    scene.say("adopt", NAME)
    scene.keyserver.fail(Operation.RESOURCE, FaultKind.UNAUTHORIZED, calls=None)
    answer = scene.say("rotate", NAME, "--wait")
    assert answer.code in (1, 3)
    assert len(scene.keyserver.live(NAME)) >= 1
    assert "rotated in" not in answer.out


def test_due_starts_nothing_before_its_time_and_everything_after(scene: Scene) -> None:
    assert scene.say("rotate", "--due").code == 0
    assert scene.keyserver.log.calls()[Operation.MINT] == 0


def test_due_does_not_wait_for_the_rotation_of_a_credential_that_is_not_configured(scene: Scene) -> None:
    with scene.journal() as journal:
        gone = new_rotation("gone", Mode.SCHEDULED, "a test", RandomIds(), MachineClock().now())
        assert journal.begin(gone, Change())
    answer = scene.run("--due", script="rotate")
    assert (answer.code, "gone: " in answer.out) == (0, True), answer.err
    with scene.journal() as journal:
        left = journal.open_rotation("gone")
    assert left is not None
    assert (left.phase, left.owner, left.clean) == (Phase.PLANNED, None, True)


def test_an_unreachable_provider_is_two_lines_and_changes_nothing(scene: Scene) -> None:
    before = scene.published()
    scene.keyserver.stop()
    answer = scene.say("rotate", NAME)
    assert answer.code in (2, 3)
    assert len(answer.lines) == 2
    assert answer.lines[0].startswith(f"rotate: {NAME}: ")
    assert answer.lines[1].startswith("hint: ")
    assert scene.published() == before


def test_a_wrong_admin_credential_is_two_lines_and_changes_nothing(scene: Scene) -> None:
    (scene.folder / "admin").write_text("wrong")
    answer = scene.say("rotate", NAME)
    assert answer.code == 2
    assert len(answer.lines) == 2
    assert len(scene.keyserver.live(NAME)) == 1


def test_the_same_command_after_the_fault_was_mended_tries_once_more(scene: Scene) -> None:
    scene.lease("8s")  # a quarter of it is waited for after each mint without an answer
    scene.say("adopt", NAME)
    scene.keyserver.fail(Operation.MINT, FaultKind.ERROR_BEFORE, calls=None)
    assert scene.say("rotate", NAME).code == 3
    scene.keyserver.tell(faults=())
    answer = scene.say("rotate", NAME)
    assert answer.code == 0, answer.out
    assert "is live" in answer.out


def test_the_same_command_while_the_fault_lasts_tries_once_more_and_comes_back(scene: Scene) -> None:
    scene.lease("8s")  # a quarter of it is waited for after each mint without an answer
    scene.say("adopt", NAME)
    scene.keyserver.fail(Operation.MINT, FaultKind.ERROR_BEFORE, calls=None)
    scene.say("rotate", NAME)
    before = scene.mints
    assert scene.say("rotate", NAME).code == 3
    assert scene.mints > before
