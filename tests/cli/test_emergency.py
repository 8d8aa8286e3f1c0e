"""`--assume-compromise`: what is shown, asked, done, left behind and proven."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, Scene, make
from tests.cli.shape import check_report
from tests.cli.typing_back import in_terminal

pytestmark = pytest.mark.stand_in("API provider: keyserver")
GO = ("--assume-compromise", "--contained", "--yes")


def test_the_incident_is_the_first_and_the_last_thing_said(scene: Scene) -> None:
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == 0
    first, last = answer.lines[0], answer.out.splitlines()[-1]
    (incident,) = re.findall(r"inc-\d{8}-[0-9a-f]{6}", first)
    assert last == f"incident {incident}: 1 old key of 1 credential proven dead"


def test_the_object_has_the_fixed_shape(scene: Scene) -> None:
    report = scene.json("rotate", NAME, *GO)
    check_report(report)
    (rotation,) = report["rotations"]
    assert (rotation["exposed"], rotation["mode"]) == (False, "compromise")
    assert report["coverage"]["exposed"] == 0


@pytest.mark.parametrize(("failures", "code"), [(4, 0), (60, 3)])
def test_what_fails_for_a_moment_while_it_begins_is_tried_again_and_what_goes_on_failing_is_told(
    scene: Scene, failures: int, code: int
) -> None:
    scene.lease("4s")  # of the three tries of a request none has too little time
    scene.keyserver.fail(Operation.LIST, FaultKind.ERROR_BEFORE, calls=failures)
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == code, answer.out + answer.err
    assert len(scene.alive) == 1
    if code:
        assert "the same command goes on" in answer.out
        assert "foreign" not in answer.out + answer.err
        assert scene.mints == 0


def test_a_throttle_while_they_begin_holds_them_back_and_drops_none(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=("a", "b", "c"))
    keyserver.fail(Operation.LIST, FaultKind.THROTTLED, calls=1, seconds=3)
    answer = scene.say("rotate", "--all", *GO)
    assert answer.code == 0, answer.out + answer.err
    assert scene.mints == 3


def test_who_does_not_wait_leaves_no_old_key_that_is_only_disabled(scene: Scene) -> None:
    scene.policy(compromise_grace="0s")
    scene.say("rotate", NAME, *GO, "--no-wait")
    (old,) = scene.json("status", NAME)["rotations"][0]["old_keys"]
    assert old["state"] == "deleted"


def test_a_refusal_to_go_on_changes_nothing(scene: Scene) -> None:
    answer = in_terminal(scene, "yes\nno\n", NAME, "--assume-compromise")
    assert answer.code == 2
    assert answer.err.endswith("rotate: stopped\nhint: nothing was changed\n")
    assert scene.mints == 0


def test_not_knowing_whether_it_is_contained_counts_as_not_contained(scene: Scene) -> None:
    answer = in_terminal(scene, "unknown\nyes\n", NAME, "--assume-compromise")
    assert answer.code == 3, answer.err
    assert "the admin key of ks was not replaced in this incident" in answer.out
    assert "not contained: whoever reads the stores now reads the new keys too" in answer.err
    assert scene.alive == {"key-2"}


def test_above_twenty_credentials_the_number_is_typed_back(tmp_path: Path, keyserver: Keyserver) -> None:
    names = tuple(f"c{number:02}" for number in range(21))
    scene = make(tmp_path, keyserver, names=names)
    for typed in ("yes\n", "20\n"):
        answer = in_terminal(scene, typed, "--all", "--assume-compromise", "--contained")
        assert answer.code == 2
        assert answer.err.endswith("rotate: that was not the number\nhint: nothing was changed\n")
        assert scene.mints == 0
    answer = in_terminal(scene, "21\n", "--all", "--assume-compromise", "--contained")
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1].endswith("21 old keys of 21 credentials proven dead")
    assert all(len(keyserver.live(name)) == 1 for name in names)


def test_foreign_keys_are_reported_and_live(scene: Scene) -> None:
    scene.credential(principal={"principal": NAME})
    other, _ = scene.keyserver.seed_key(NAME)
    report = scene.json("rotate", NAME, *GO)
    check_report(report)
    assert [(each["provider"], each["key_id"]) for each in report["foreign_keys"]] == [("ks", other)]
    assert other in scene.alive


def test_contain_first_disables_before_it_mints(scene: Scene) -> None:
    answer = scene.say("rotate", NAME, *GO, "--contain-first")
    assert answer.code == 0, answer.err
    assert "without a working key for about" in answer.err
    done = [record.operation.value for record in scene.keyserver.log if record.operation.value in ("mint", "disable")]
    assert done[:2] == ["disable", "mint"]
    assert scene.alive == {"key-2"}


def test_contain_first_says_where_nothing_can_be_disabled(tmp_path: Path) -> None:
    with Keyserver(Behaviour(disable=False)) as keyserver:
        scene = make(tmp_path, keyserver, disable=False)
        answer = scene.say("rotate", NAME, *GO, "--contain-first")
        assert answer.code == 0, answer.err
        assert "cannot disable a key, so nothing is contained before the new key is live" in answer.err
        assert scene.alive == {"key-2"}


def _down(scene: Scene) -> None:
    """A folder stands where the document was."""
    document = scene.folder / "more" / f"{NAME}.json"
    document.rename(scene.folder / "away.json")
    document.mkdir()


def _up(scene: Scene) -> None:
    document = scene.folder / "more" / f"{NAME}.json"
    document.rmdir()
    (scene.folder / "away.json").rename(document)


def test_a_store_that_is_down_is_left_behind_named_and_mended_later(two_stores: Scene) -> None:
    scene, old = two_stores, two_stores.published()
    _down(scene)
    report = scene.json("rotate", NAME, *GO, "--store-wait", "1s")
    check_report(report)
    (rotation,) = report["rotations"]
    assert {each["store"]: each["left_behind"] for each in rotation["stores"]} == {"files": False, "more": True}
    assert rotation["exposed"] is False
    _up(scene)
    assert scene.published() != old
    assert json.loads((scene.folder / "more" / f"{NAME}.json").read_text())["API_KEY"] == old
    assert f"left behind: more:{NAME}.json" in scene.say("status").out
    answer = scene.say("reconcile")
    assert f"mended more:{NAME}.json" in answer.out
    assert json.loads((scene.folder / "more" / f"{NAME}.json").read_text())["API_KEY"] == scene.published()
    assert "left behind" not in scene.say("status").out


def test_a_store_left_behind_is_a_finding(two_stores: Scene) -> None:
    _down(two_stores)
    answer = two_stores.say("rotate", NAME, *GO, "--store-wait", "1s")
    assert answer.code == 1
    assert (
        f"left behind: more:{NAME}.json, which the same command mends, or `rotator reconcile`"
        in answer.out.splitlines()[-1]
    )


def test_the_same_command_mends_a_store_that_is_back_and_the_evidence_is_complete(two_stores: Scene) -> None:
    scene = two_stores
    scene.policy(overlap="1h")
    assert scene.say("rotate", NAME).code == 0  # in mid-overlap: what it keeps in the store that goes away stays there
    _down(scene)
    words = ("rotate", NAME, *GO, "--store-wait", "1s")
    first = scene.say(*words)
    (incident,) = re.findall(r"inc-\d{8}-[0-9a-f]{6}", first.lines[0])
    report = scene.say("incident", "report", incident)
    assert report.code == 3
    assert f"left: {NAME}: more:{NAME}.json was left behind" in report.out
    assert scene.say(*words).code == 1, "it is still away"
    mints = scene.mints
    _up(scene)
    answer = scene.say(*words)
    assert answer.code == 0, answer.out
    assert f"! {NAME}: reconciled: mended more:{NAME}.json, which was behind" in answer.err
    assert "left behind" not in answer.out
    assert json.loads((scene.folder / "more" / f"{NAME}.json").read_text())["API_KEY"] == scene.published()
    assert scene.mints == mints
    report = scene.say("incident", "report", incident)
    assert report.code == 0, report.out
    scene.policy(overlap="0s")
    assert scene.say("rotate", NAME, "--wait").code == 0
    assert not [path for path in (scene.folder / "more" / ".rotator" / "pending").rglob("*") if path.is_file()]


def test_what_was_left_behind_and_reconciled_is_not_left_any_more(two_stores: Scene) -> None:
    scene = two_stores
    _down(scene)
    first = scene.say("rotate", NAME, *GO, "--store-wait", "1s")
    (incident,) = re.findall(r"inc-\d{8}-[0-9a-f]{6}", first.lines[0])
    _up(scene)
    assert scene.say("incident", "report", incident).code == 3
    scene.say("reconcile")
    report = scene.say("incident", "report", incident)
    assert report.code == 0, report.out
    answer = scene.say("rotate", NAME, *GO)
    assert (answer.code, "left behind" in answer.out) == (0, False)


def test_a_store_whose_driver_cannot_be_made_is_left_behind_too(two_stores: Scene) -> None:
    scene = two_stores
    (scene.folder / "more").rename(scene.folder / "gone")
    assert scene.say("rotate", NAME).code == 2  # whoever is in no hurry is told
    report = scene.json("rotate", NAME, *GO, "--store-wait", "1s")
    (rotation,) = report["rotations"]
    assert {each["store"]: each["left_behind"] for each in rotation["stores"]} == {"files": False, "more": True}
    assert [old["proof"] for old in rotation["old_keys"]] == ["refused"]


def test_a_cap_filled_by_a_foreign_key_is_stuck_and_names_it(tmp_path: Path) -> None:
    with Keyserver(Behaviour(cap=2)) as keyserver:
        scene = make(tmp_path, keyserver, cap=2)
        scene.credential(principal={"principal": NAME})
        other, _ = keyserver.seed_key(NAME)
        answer = scene.say("rotate", NAME, *GO)
        assert answer.code == 3
        assert f"stuck: the cap is filled by foreign keys: {other}" in answer.out
        assert f"stuck: {NAME}" in answer.out.splitlines()[-1]
        assert scene.alive == {"key-1", other}
        keyserver.delete_key(NAME, other)
        scene.say("resume", NAME)
        assert scene.say("rotate", NAME, *GO).code == 0
        assert len(scene.alive) == 1


@pytest.mark.parametrize("option", ["--contain-first", "--contained", "--again", "--grace=1s", "--store-wait=1s"])
def test_an_option_of_the_emergency_needs_the_emergency(scene: Scene, option: str) -> None:
    answer = scene.say("rotate", NAME, option)
    assert answer.code == 2
    assert "needs --assume-compromise" in answer.lines[0]
    assert scene.mints == 0


def test_a_duration_that_is_none_is_refused(scene: Scene) -> None:
    answer = scene.say("rotate", NAME, *GO, "--store-wait", "soon")
    assert answer.code == 2
    assert answer.lines[0].startswith("rotate: --store-wait: ")
    assert scene.mints == 0


def test_another_admin_credential_for_this_run(scene: Scene) -> None:
    admin = scene.keyserver.admin
    (scene.folder / "admin").write_text("expired")
    (scene.folder / "break-glass").write_text(admin)
    (scene.folder / "break-glass").chmod(0o600)
    assert scene.say("rotate", NAME, *GO).code == 3
    assert scene.mints == 0
    assert scene.say("rotate", NAME, *GO, "--admin", "ks=file:break-glass").code == 0
    assert scene.say("rotate", NAME, *GO, "--again", "--admin", "ks=-", stdin=f"{admin}\n").code == 0
    assert len(scene.alive) == 1


@pytest.mark.parametrize("given", ["ks", "ks=", "no-such=file:x"])
def test_an_admin_option_that_is_not_understood_is_not_repeated(scene: Scene, given: str) -> None:
    answer = scene.say("rotate", NAME, "--admin", given)
    assert answer.code == 2
    assert len(answer.lines) == 2
    assert given not in answer.err


def test_what_was_replaced_before_the_breach_was_contained_is_replaced_again_afterwards(scene: Scene) -> None:
    words = ("rotate", NAME, "--assume-compromise", "--yes")
    assert scene.say(*words, "--not-contained").code == 3  # whoever reads on may have the admin key, too
    assert scene.alive == {"key-2"}
    answer = scene.say(*words, "--contained")
    assert answer.code == 0, answer.err
    assert scene.alive == {"key-3"}
    assert scene.say(*words, "--contained").code == 0  # now it is clean
    assert scene.mints == 2


def test_a_broken_credential_is_told_of_whatever_selects(scene: Scene) -> None:
    data = json.loads(scene.config.read_text())
    data["credentials"]["broken"] = {**data["credentials"][NAME], "policy": "no-such-policy"}
    scene.config.write_text(json.dumps(data))
    for which in ("--provider=ks", "--store=files", "--tag=t"):
        report = scene.json("rotate", which, *GO, "--again")
        assert {each["credential"] for each in report["rotations"]} == {NAME, "broken"}, which
        assert report["coverage"]["unknown"] == 1
