"""`--revoke-foreign`: exactly the keys of the plan die, their number typed back; never one that may be ours."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.app.revoking import Target, revoke, shut_out
from rotator.domain.aftermath import ForeignKey
from rotator.domain.marks import Marker
from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, Scene, make
from tests.cli.shape import check_report
from tests.cli.test_due import assembled
from tests.cli.typing_back import in_terminal

pytestmark = pytest.mark.stand_in("API provider: keyserver")
GO = ("--assume-compromise", "--contained", "--yes")
SHARED = {"principal": NAME}


@pytest.fixture
def shared(scene: Scene) -> Scene:
    """Two keys that nobody here made lie beside the credential's own."""
    scene.credential(principal=SHARED)
    for mark in ("his", None):
        scene.keyserver.seed_key(NAME, mark=mark)
    return scene


def states(report: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {each["key_id"]: each["state"] for each in report["foreign_keys"]}


def test_their_number_is_typed_back_and_they_die_proven(shared: Scene) -> None:
    answer = in_terminal(shared, "yes\n2\n", NAME, "--assume-compromise", "--contained", "--revoke-foreign")
    assert answer.code == 0, answer.err + answer.out
    assert "foreign key, to be revoked: key-2 'his' at ks, principal llm-prod, beside llm-prod: made" in answer.err
    assert "Type the number of foreign keys that die (2) to go on: " in answer.err
    assert "foreign key key-2 at ks: dead (absent: two lists lack it)" in answer.out
    assert len(shared.alive) == 1
    trail = [json.loads(line) for line in shared.say("log", "export").out.splitlines()]
    told = [(each["kind"], each["action"], each["subject"]) for each in trail if "foreign" in each.get("action", "")]
    assert sorted(told) == [
        *(("intent", "revoke foreign", each) for each in ("key-2", "key-3")),
        *(("observation", "foreign key gone", each) for each in ("key-2", "key-3")),
        *(("outcome", "revoke foreign", each) for each in ("key-2", "key-3")),
    ]


def test_where_keys_open_sessions_those_that_came_late_are_ended_before_it_is_proven(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    scene = make(tmp_path, keyserver, login_window="1s")
    scene.credential(principal=SHARED)
    keyserver.seed_key(NAME, mark="his")
    keyserver.fail(Operation.DELETE, FaultKind.ERROR_BEFORE, skip=3)  # both keys were deleted, and ours twice
    began = time.monotonic()
    answer = scene.say("rotate", NAME, *GO, "--revoke-foreign=1")
    assert answer.code == 0, answer.err + answer.out
    assert time.monotonic() - began > 1
    trail = [json.loads(line) for line in scene.say("log", "export").out.splitlines()]
    told = [(each["kind"], each["action"]) for each in trail if each.get("subject") == "key-2"]
    assert told == [
        ("intent", "revoke foreign"),
        ("outcome", "revoke foreign"),
        ("intent", "end sessions"),
        ("intent", "end sessions"),
        ("outcome", "end sessions"),
        ("observation", "foreign key gone"),
    ]
    assert keyserver.log.calls()[Operation.DELETE] == 2 + 2 + 1


def test_a_key_whose_death_was_answered_by_errors_is_shut_out_too(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, login_window="1s")
    scene.credential(principal=SHARED)
    key_id, _ = keyserver.seed_key(NAME, mark="his")
    with assembled(scene) as assembly:
        spec = assembly.config.credentials[NAME]
        his = Target(spec, ForeignKey(provider="ks", principal=NAME, key_id=key_id, beside=NAME))
        keyserver.fail(Operation.DELETE, FaultKind.ERROR_AFTER, calls=None)
        (asked,) = revoke(assembly, [his], 1, sleep=lambda seconds: None)
        assert asked.deleted_at is None
        assert shut_out(assembly, replace(his, key=asked), sleep=lambda seconds: None) == asked.why
        keyserver.tell(faults=())
        before = keyserver.log.calls()[Operation.DELETE]
        assert not shut_out(assembly, replace(his, key=asked))
        assert keyserver.log.calls()[Operation.DELETE] == before + 1


def test_another_number_changes_nothing(shared: Scene) -> None:
    answer = in_terminal(shared, "yes\n3\n", NAME, "--assume-compromise", "--contained", "--revoke-foreign")
    assert answer.code == 2
    assert answer.err.endswith("rotate: that was not the number of foreign keys\nhint: nothing was changed\n")
    assert shared.mints == 0
    assert len(shared.alive) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--revoke-foreign", "--revoke-foreign without a terminal needs the number of foreign keys"),
        ("--revoke-foreign=1", "there are 2 foreign keys of the window and not 1"),
        ("--revoke-foreign=two", "--revoke-foreign takes a number of keys"),
        ("--revoke-foreign=²", "--revoke-foreign takes a number of keys"),
        ("--revoke-foreign=-2", "--revoke-foreign takes a number of keys"),
    ],
)
def test_without_a_terminal_it_takes_the_right_number_alone(shared: Scene, given: str, message: str) -> None:
    answer = shared.say("rotate", NAME, *GO, given)
    assert answer.code == 2
    assert answer.lines[-2] == f"rotate: {message}"
    assert answer.lines[-1].startswith("hint: ")
    assert answer.lines[-1].endswith("nothing was changed")
    assert shared.mints == 0
    assert len(shared.alive) == 3


def test_the_dry_run_says_which_number(shared: Scene) -> None:
    answer = shared.say("rotate", NAME, "--assume-compromise", "--dry-run", "--revoke-foreign")
    assert answer.code == 0, answer.err
    assert "--yes --revoke-foreign=2 kills exactly these" in answer.out
    assert len(shared.alive) == 3
    report = shared.json("rotate", NAME, *GO, "--revoke-foreign=2")
    check_report(report)
    assert states(report) == {"key-2": "absent", "key-3": "absent"}
    assert len(shared.alive) == 1


def test_a_name_behind_it_is_no_number(shared: Scene) -> None:
    answer = shared.say("rotate", "--revoke-foreign", NAME, *GO)
    assert answer.code == 2
    assert answer.lines == [
        "rotate: --revoke-foreign takes a number of keys",
        "hint: write --revoke-foreign=3, or the names before it; nothing was changed",
    ]


def test_it_needs_the_emergency(shared: Scene) -> None:
    answer = shared.say("rotate", NAME, "--revoke-foreign=2")
    assert answer.code == 2
    assert "--revoke-foreign needs --assume-compromise" in answer.lines[0]
    assert len(shared.alive) == 3


def test_without_it_they_live_and_are_left_for_a_person(shared: Scene) -> None:
    answer = shared.say("rotate", NAME, *GO)
    assert answer.code == 3
    assert len(shared.alive) == 3
    assert "in the window; it lives" in answer.out


def test_who_says_since_when_is_not_troubled_by_older_ones(shared: Scene) -> None:
    answer = shared.say("rotate", NAME, *GO, "--from", "2099-01-01T00:00:00Z")
    assert answer.code == 2
    assert answer.lines[-2] == "rotate: the window starts in the future"
    since = datetime.fromtimestamp(time.time() + 0.2, UTC)
    time.sleep(0.4)
    report = shared.json("rotate", NAME, *GO, "--from", since.isoformat())
    assert {each["key_id"]: each["in_window"] for each in report["foreign_keys"]} == {"key-2": False, "key-3": False}
    assert shared.say("rotate", NAME, *GO).code == 0  # the incident remembers since when


def test_a_key_that_a_store_holds_is_spared_and_named(shared: Scene) -> None:
    key_id, secret = shared.keyserver.seed_key(NAME)
    other = shared.folder / "store" / "other.json"
    other.touch(mode=0o600)
    other.write_text(json.dumps({"API_KEY": secret}))
    data = json.loads(shared.config.read_text())
    publish = [{"store": "files", "ref": "other.json", "fields": {"API_KEY": "{secret}"}}]
    data["credentials"]["other"] = {**data["credentials"][NAME], "publish": publish}
    shared.rewrite(**data)
    answer = shared.say("rotate", NAME, *GO, "--revoke-foreign=3")
    assert answer.code == 3
    assert "files:other.json holds it" in answer.out
    assert key_id in shared.alive
    assert len(shared.alive) == 2


def test_a_store_that_cannot_be_read_spares_every_one(shared: Scene) -> None:
    data = json.loads(shared.config.read_text())
    publish = [{"store": "files", "ref": "folder.json", "fields": {"API_KEY": "{secret}"}}]
    data["credentials"]["other"] = {**data["credentials"][NAME], "publish": publish}
    shared.rewrite(**data)
    (shared.folder / "store" / "folder.json").mkdir()
    answer = shared.say("rotate", NAME, *GO, "--revoke-foreign=2")
    assert answer.code == 3
    assert answer.out.count("nobody can say that no store holds it") == 2
    assert {"key-2", "key-3"} < shared.alive


def test_another_installation_s_key_is_spared(shared: Scene) -> None:
    mark = Marker("theirs", b"k" * 32).write("x", "r1", 1)
    theirs, _ = shared.keyserver.seed_key(NAME, mark=mark)
    answer = shared.say("rotate", NAME, *GO, "--revoke-foreign=3")
    assert answer.code == 3
    assert "it bears a mark of another installation of the rotator, theirs" in answer.out
    assert theirs in shared.alive
    assert len(shared.alive) == 2


def test_a_failure_of_one_stops_no_other_and_is_named(shared: Scene) -> None:
    shared.keyserver.fail(Operation.DELETE, FaultKind.FORBIDDEN, calls=1)
    report = shared.json("rotate", NAME, *GO, "--revoke-foreign=2")
    assert sorted(states(report).values()) == ["absent", "alive"]
    again = shared.json("rotate", NAME, *GO, "--revoke-foreign=1")
    assert set(states(again).values()) == {"absent"}
    assert len(shared.alive) == 1


def test_a_list_that_lags_proves_nothing_too_early(tmp_path: Path) -> None:
    with Keyserver(Behaviour(list_lag=1.0, death=1.0)) as keyserver:
        scene = make(tmp_path, keyserver, list_lag="1s", death_window="1s")
        scene.credential(principal=SHARED)
        keyserver.seed_key(NAME)
        report = scene.json("rotate", NAME, *GO, "--revoke-foreign=1")
        assert states(report) == {"key-2": "absent"}
        assert len(scene.alive) == 1


def test_killed_twice_is_nothing_more(shared: Scene) -> None:
    shared.say("rotate", NAME, *GO, "--revoke-foreign=2")
    deletions = len(shared.keyserver.log.of(Operation.DELETE))
    answer = shared.say("rotate", NAME, *GO, "--revoke-foreign=0")
    assert answer.code == 0, answer.out
    assert len(shared.keyserver.log.of(Operation.DELETE)) == deletions
    assert "foreign key key-2 at ks: dead (absent: two lists lack it)" in answer.out


def test_an_admin_key_that_was_replaced_meanwhile_is_asked_for_no_more(scene: Scene) -> None:
    words = ("rotate", NAME, "--assume-compromise", "--yes", "--not-contained")
    assert scene.say(*words).code == 3
    data = json.loads(scene.config.read_text())
    scene.keyserver.tell(admins="admins")
    _, secret = scene.keyserver.seed_key("admins")
    (scene.folder / "admin").write_text(secret)
    scene.rewrite(**data)
    answer = scene.say(*words)
    assert "the admin key of ks was replaced since this incident began" in answer.out
    assert answer.code == 0, answer.out
