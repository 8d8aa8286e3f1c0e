"""The end of an emergency against a thief who hides: copied marks, noise in the trail, later runs that look at less."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.app.trails import MOST, kept
from rotator.domain.made import Made, MadeKind
from rotator.testing.keyserver import FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, SCRIPTS, SHORT, Scene, make
from tests.cli.test_after import GO, incident_of, mint

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def mark_of_ours(scene: Scene) -> str:
    (key,) = scene.keyserver.live(NAME)
    assert key.mark
    return key.mark


def test_a_copy_of_our_mark_at_another_principal_hides_no_key(scene: Scene) -> None:
    assert scene.say("rotate", NAME, *GO).code == 0
    key_id = mint(scene, "elsewhere", mark=mark_of_ours(scene))
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == 3
    assert f"key {key_id} " in answer.out


def test_keys_come_first_and_none_is_cut_off() -> None:
    now = datetime.now(UTC)
    users = [Made(kind=MadeKind.USER, id=f"user-{each}", at=now, there=True) for each in range(MOST + 7)]
    keys = [Made(kind=MadeKind.KEY, id=f"key-{each}", at=now, there=True) for each in range(MOST + 1)]
    made, cut = kept([*users, *keys])
    assert [each.id for each in made[: MOST + 1]] == [each.id for each in keys]
    assert (len(made), cut) == (2 * MOST + 1, 7)
    assert kept(users[:MOST]) == (tuple(users[:MOST]), 0)


def test_a_key_of_the_plan_that_was_minted_after_contained_is_minting_all_the_same(scene: Scene) -> None:
    scene.credential(principal={"principal": NAME})
    assert scene.say("rotate", NAME, *GO).code == 0
    mint(scene, NAME, mark="thief")
    answer = scene.say("rotate", NAME, *GO, "--revoke-foreign=1")
    assert "dead (absent: two lists lack it)" in answer.out
    assert answer.code == 3
    assert "the admin key of ks was not replaced in this incident: whoever has it can still mint" in answer.out
    assert "note: the admin key" not in answer.out


def codes(scene: Scene, incident: str) -> dict[str, int]:
    """What each command makes of the same incident."""
    return {each: scene.say("incident", each, incident).code for each in ("report", "verify", "close")}


def test_a_key_that_only_the_trail_knows_keeps_the_incident_open_everywhere(scene: Scene) -> None:
    key_id = mint(scene, "elsewhere", mark="helper")
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == 3
    assert codes(scene, incident_of(answer)) == {"report": 3, "verify": 3, "close": 3}
    assert f"left: ks: key {key_id} of elsewhere" in scene.say("incident", "verify", incident_of(answer)).out


def test_where_the_trail_was_refused_every_command_says_so_and_none_calls_it_clean(scene: Scene) -> None:
    scene.keyserver.fail(Operation.TRAIL, FaultKind.FORBIDDEN, calls=None)
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == 1
    assert "not read: " in answer.out
    report = scene.say("incident", "report", incident_of(answer), "--json", "e.json")
    assert report.code == 1
    assert "by hand: ks: its trail was not read, so nobody knows what was made: " in report.out
    (by_hand,) = json.loads((scene.folder / "e.json").read_text())["evidence"]["by_hand"]
    assert by_hand["provider"] == "ks"
    verified = scene.say("incident", "verify", incident_of(answer))
    assert (verified.code, "by hand: ks: its trail was not read" in verified.out) == (1, True)
    assert scene.say("incident", "close", incident_of(answer)).code == 0


def test_without_waiting_nobody_looked_and_nothing_is_complete(scene: Scene) -> None:
    scene.lease(SHORT)
    answer = scene.say("rotate", NAME, *GO, "--no-wait")
    assert answer.code == 3
    assert "nobody looked for foreign keys: the same command without --no-wait" in answer.out
    assert scene.say("rotate", NAME, "--wait").code == 0
    assert codes(scene, incident_of(answer)) == {"report": 3, "verify": 3, "close": 3}


def test_without_waiting_outside_of_an_emergency_nothing_is_said_of_foreign_keys(scene: Scene) -> None:
    answer = scene.say("rotate", NAME, "--no-wait")
    assert (answer.code, "foreign" in answer.out) == (0, False)


def test_a_later_run_that_does_not_look_keeps_what_an_earlier_one_saw(scene: Scene) -> None:
    scene.lease(SHORT)
    words = ("rotate", NAME, "--assume-compromise", "--not-contained", "--yes")
    key_id = mint(scene, "elsewhere")
    incident = incident_of(scene.say(*words))
    assert scene.say(*words, "--no-wait").code == 3
    assert scene.say("rotate", NAME, "--wait").code == 0
    report = scene.say("incident", "report", incident, "--json", "e.json")
    assert report.code == 3
    assert f"left: ks: key {key_id} of elsewhere was made in the window" in report.out
    assert "left: ks: its admin key was not replaced: whoever has it can still mint" in report.out
    assert "nobody looked for foreign keys since the last command of it" in report.out
    after = json.loads((scene.folder / "e.json").read_text())["evidence"]["after"]
    assert (after["looked_since_last_command"], after["looked_at"] is None) == (False, False)
    assert codes(scene, incident) == {"report": 3, "verify": 3, "close": 3}


def test_a_clean_end_is_not_clean_any_more_after_a_run_that_does_not_look(scene: Scene) -> None:
    assert scene.say("rotate", NAME, *GO).code == 0
    mint(scene, "elsewhere")
    answer = scene.say("rotate", NAME, *GO, "--no-wait")
    assert answer.code == 3
    assert scene.say("rotate", NAME, "--wait").code == 0
    assert codes(scene, incident_of(answer)) == {"report": 3, "verify": 3, "close": 3}


def test_ctrl_c_while_it_looks_is_told_and_turns_no_3_into_0(scene: Scene) -> None:
    key_id = mint(scene, "elsewhere")
    assert scene.say("rotate", NAME, *GO).code == 3
    data = json.loads(scene.config.read_text())
    scene.rewrite(providers={"ks": {**data["providers"]["ks"], "propagation": "60s"}})
    scene.lease(SHORT)
    words = [str(SCRIPTS / "rotate"), *scene.with_config([NAME, *GO])]
    with subprocess.Popen(
        words, cwd=scene.folder, env=scene.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        said = []
        for line in run.stderr:
            said.append(line)
            if "looking for keys that nobody here made" in line:
                time.sleep(1)
                run.send_signal(signal.SIGINT)
                break
        out, err = run.communicate(timeout=200)
    assert run.returncode == 3, out + err
    assert "interrupted: finishing the effects in hand; again: now" in err
    incident = re.findall(r"inc-\d{8}-[0-9a-f]{6}", "".join(said) + out + err)[0]
    report = scene.say("incident", "report", incident)
    assert report.code == 3
    assert f"key {key_id} of elsewhere was made in the window" in report.out
    assert scene.say("incident", "close", incident).code == 3


def test_a_run_that_cannot_begin_one_keeps_what_was_seen_beside_it(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=(NAME, "second"))
    scene.credential("second", principal={"principal": "second"})
    key_id = mint(scene, "second", mark="thief")
    incident = incident_of(scene.say("rotate", "--all", *GO))
    scene.credential("second", policy="quickk")
    again = scene.say("rotate", "--all", *GO)
    assert (again.code, incident_of(again)) == (3, incident)
    scene.credential("second", policy="quick")
    report = scene.say("incident", "report", incident)
    assert f"left: second: foreign key {key_id} at ks may be the thief's, and lives" in report.out
    assert report.code == 3


def test_a_foreign_key_that_is_seen_gone_now_is_not_left(scene: Scene) -> None:
    scene.credential(principal={"principal": NAME})
    key_id = mint(scene, NAME, mark="thief")
    answer = scene.say("rotate", NAME, *GO)
    assert codes(scene, incident_of(answer)) == {"report": 3, "verify": 3, "close": 3}
    scene.keyserver.delete_key(NAME, key_id)
    assert scene.say("incident", "verify", incident_of(answer)).code == 0
