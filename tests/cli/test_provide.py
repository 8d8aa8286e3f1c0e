"""`provide`: a key that a person made in the console is handed over, and everything else is refused untouched."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, SCRIPTS, SHORT, Answer, Scene, make
from tests.cli.shape import check_report

pytestmark = pytest.mark.stand_in("API provider: keyserver")
CONSOLE = "https://keys.example.com/new"
GO = ("--assume-compromise", "--contained", "--yes", "--no-wait")


@pytest.fixture
def byhand(tmp_path: Path) -> Iterator[Scene]:
    """A credential whose keys a person makes."""
    with Keyserver(Behaviour(marks=False)) as keyserver:
        yield make(tmp_path, keyserver, strategy="by-hand", console=CONSOLE)


def _asked(scene: Scene, *words: str) -> Scene:
    """A rotation that waits for a key."""
    assert scene.say("rotate", NAME, *words).code in (0, 3)
    assert scene.json("status")["rotations"][0]["waiting"]["for"] == "person"
    return scene


def _made(scene: Scene, name: str = NAME) -> tuple[str, str]:
    """A key that a person makes in the console, and its value."""
    return scene.keyserver.seed_key(name)


def _refused(scene: Scene, value: str, *words: str) -> Answer:
    """A hand-over that is refused in two lines, without the value, and changes nothing."""
    before = sorted(path.read_bytes() for path in (scene.folder / "store").rglob("*") if path.is_file())
    answer = scene.say("provide", NAME, *words, stdin=value)
    assert (answer.code, len(answer.lines), answer.out) == (2, 2, "")
    assert not value.strip() or value.strip() not in answer.err
    assert sorted(path.read_bytes() for path in (scene.folder / "store").rglob("*") if path.is_file()) == before
    return answer


def test_a_key_that_a_person_made_becomes_current_and_the_old_one_dies(byhand: Scene) -> None:
    _asked(byhand)
    key_id, value = _made(byhand)
    answer = byhand.say("provide", NAME, stdin=f"{value}\n")
    assert answer.code == 0
    assert answer.out == f"{NAME}: {key_id} is handed over; `rotate --due` or the daemon goes on with it\n"
    assert value not in answer.out + answer.err
    assert byhand.say("rotate", NAME, "--wait").code == 0
    assert byhand.published() == value
    assert byhand.alive == {key_id}
    assert byhand.mints == 0


def test_everybody_is_told_what_a_person_has_to_do(byhand: Scene) -> None:
    byhand.credential(needs={"scopes": ["api.read"]})
    todo = f"make a key for {NAME} at {CONSOLE} that may do api.read and nothing else, then `rotator provide {NAME}`"
    plan = byhand.say("rotate", NAME, "--dry-run")
    assert f"1. wait      for a person: {todo}\n" in plan.out
    assert "nothing is published before a person hands one over" in plan.out
    assert f"a person makes its keys; once a rotation asks for one: {todo}\n" in byhand.say("why", NAME).out
    begun = byhand.say("rotate", NAME)
    assert begun.code == 0
    assert f"! {NAME}: needs a key: {todo}\n" in begun.err
    assert begun.out == f"{NAME}: minting — waits for a person: {todo}\n"
    assert f"waits for a person: {todo}" in byhand.say("status").out
    assert f"a person makes its keys; now: {todo}\n" in byhand.say("why", NAME).out


def test_the_object_has_the_fixed_shape(byhand: Scene) -> None:
    _asked(byhand)
    report = byhand.json("provide", NAME, stdin=_made(byhand)[1])
    check_report(report)
    assert [each["credential"] for each in report["rotations"]] == [NAME]


def test_the_same_key_twice_is_harmless(byhand: Scene) -> None:
    _asked(byhand)
    key_id, value = _made(byhand)
    assert [byhand.say("provide", NAME, stdin=value).code for _ in range(2)] == [0, 0]
    assert byhand.say("rotate", NAME, "--wait").code == 0
    assert byhand.alive == {key_id}


def test_on_a_terminal_it_is_asked_for_without_an_echo(byhand: Scene) -> None:
    _asked(byhand)
    _, value = _made(byhand)
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [str(SCRIPTS / "rotator"), *byhand.with_config(["provide", NAME])],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=byhand.environment(),
            start_new_session=True,  # so that there is no other terminal to ask on
        ) as asking:
            assert asking.stderr is not None
            assert asking.stderr.readline().startswith(f"{NAME} waits: make a key")
            prompt = asking.stderr.read(len("secret (not shown): "))
            os.write(ours, f"{value}\n".encode())
            out, err = asking.communicate(timeout=200)
        os.set_blocking(ours, False)
        echo = os.read(ours, 1000) if select.select([ours], [], [], 0.1)[0] else b""
    finally:
        os.close(ours)
        os.close(theirs)
    assert (asking.returncode, prompt) == (0, "secret (not shown): ")
    assert value not in out + err + echo.decode()


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_where_nothing_waits_the_command_that_begins_is_named(byhand: Scene) -> None:
    byhand.say("adopt", NAME)
    answer = _refused(byhand, _made(byhand)[1])
    assert answer.lines == [
        f"rotator: {NAME} has no open rotation",
        f"hint: `rotate {NAME}` begins one, and asks for a key",
    ]


def test_where_the_provider_mints_there_is_nothing_to_hand_over(scene: Scene) -> None:
    answer = scene.say("provide", NAME, stdin="anything")
    assert (answer.code, answer.lines[0]) == (2, f"rotator: {NAME}: its provider mints keys itself")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("two\nlines\n", "line break"),
        ("a\tb", "control"),
        ("bell\x07", "control"),
        (" padded", "blank"),
    ],
)
def test_what_can_be_no_key_is_refused(byhand: Scene, text: str, what: str) -> None:
    _asked(byhand)
    assert what in _refused(byhand, text).lines[0]


def test_a_value_longer_than_any_key_is_refused_and_never_cut(byhand: Scene) -> None:
    _asked(byhand)
    for length in (64 * 1024 + 1, 10**6):
        answer = _refused(byhand, "k" * length)
        assert "or no end" in answer.lines[0]


def test_a_value_on_the_command_line_is_refused_and_not_repeated(byhand: Scene) -> None:
    _asked(byhand)
    value = _made(byhand)[1]
    answer = byhand.say("provide", NAME, value)
    assert (answer.code, answer.lines[0]) == (2, "rotator: a key is not taken from the command line")
    assert value not in answer.err + answer.out


def test_the_old_value_is_refused(byhand: Scene) -> None:
    _asked(byhand)
    assert f"this is a key that {NAME} has or had" in _refused(byhand, byhand.published()).lines[0]


def test_another_credentials_key_is_refused(tmp_path: Path) -> None:
    with Keyserver(Behaviour(marks=False)) as keyserver:
        scene = make(tmp_path, keyserver, names=(NAME, "other"), strategy="by-hand")
        scene.say("adopt", "other")
        _asked(scene)
        assert "this is a key that other has or had" in _refused(scene, scene.published("other")).lines[0]


def test_a_value_that_the_provider_refuses_is_refused(byhand: Scene) -> None:
    _asked(byhand)
    assert "the provider refuses the key" in _refused(byhand, "sk-nobody-made-this").lines[0]


def test_a_key_that_was_there_before_it_was_asked_for_is_refused(byhand: Scene) -> None:
    key_id, value = _made(byhand)
    _asked(byhand)
    assert f"{key_id} was there before it was asked for" in _refused(byhand, value).lines[0]


def test_a_key_of_another_principal_is_refused(byhand: Scene) -> None:
    _asked(byhand)
    key_id, value = _made(byhand, "elsewhere")
    assert f"{key_id} is not listed for {NAME}" in _refused(byhand, value).lines[0]


def test_a_second_key_is_refused_as_long_as_the_first_works(byhand: Scene) -> None:
    _asked(byhand)
    first, value = _made(byhand)
    byhand.say("provide", NAME, stdin=value)
    second, other = _made(byhand)
    assert f"another key was handed over already: {first}" in _refused(byhand, other).lines[0]
    byhand.keyserver.delete_key(NAME, first)
    assert byhand.say("provide", NAME, stdin=other).code == 0
    assert byhand.say("rotate", NAME, "--wait").code == 0
    assert byhand.alive == {second}


def test_without_the_providers_word_two_new_keys_cannot_be_told_apart(tmp_path: Path) -> None:
    with Keyserver(Behaviour(marks=False, identify=False)) as keyserver:
        scene = _asked(make(tmp_path, keyserver, strategy="by-hand", identifies=False))
        (first, value), (second, _) = _made(scene), _made(scene)
        assert f"nobody can tell which of {first}, {second} this is" in _refused(scene, value).lines[0]
        keyserver.delete_key(NAME, second)
        assert scene.say("provide", NAME, stdin=value).out.startswith(f"{NAME}: {first} is handed over")


def test_the_list_is_waited_for_where_the_provider_tells_no_id(tmp_path: Path) -> None:
    with Keyserver(Behaviour(marks=False, identify=False, list_lag=1.0)) as keyserver:
        scene = _asked(make(tmp_path, keyserver, strategy="by-hand", identifies=False, list_lag="1s"))
        answer = scene.say("provide", NAME, stdin=_made(scene)[1])
        assert (answer.code, answer.err) == (0, "waits 1 s, until the provider's list can be believed\n")


def test_when_the_provider_cannot_be_asked_nothing_is_handed_over(byhand: Scene) -> None:
    _asked(byhand)
    value = _made(byhand)[1]
    byhand.keyserver.fail(Operation.RESOURCE, FaultKind.ERROR_BEFORE, calls=None)
    _refused(byhand, value)


# -- going back, and emergencies ---------------------------------------------------------------------------------------


def test_a_rollback_deletes_the_key_that_was_taken(byhand: Scene) -> None:
    byhand.policy(overlap="1h", max_overlap="2h")
    old = byhand.published()
    _asked(byhand)
    byhand.say("provide", NAME, stdin=_made(byhand)[1])
    assert byhand.say("rotate", NAME).code == 0
    assert byhand.published() != old
    byhand.say("rollback", NAME)
    assert byhand.say("rotate", NAME, "--wait").code == 1
    assert (byhand.published(), byhand.alive) == (old, {"key-1"})


def test_a_rollback_before_it_was_taken_drops_the_value_and_shows_the_key(byhand: Scene) -> None:
    _asked(byhand)
    key_id, value = _made(byhand)
    byhand.say("rollback", NAME)
    byhand.say("rotate", NAME, "--wait")
    _asked(byhand)
    assert _refused(byhand, value).lines[0].startswith(f"rotator: {key_id} was there before")
    assert not any(value.encode() in path.read_bytes() for path in byhand.folder.rglob("*") if path.is_file())
    assert byhand.alive == {"key-1", key_id}


def test_an_emergency_says_loudly_that_it_waits_and_takes_no_key_from_before_it(byhand: Scene) -> None:
    byhand.lease(SHORT)
    _asked(byhand)
    early, exposed = _made(byhand)
    byhand.say("provide", NAME, stdin=exposed)
    answer = byhand.say("rotate", NAME, *GO)
    assert answer.code == 3
    assert f"! {NAME}: exposed until a person acts: make a key for {NAME}" in answer.err
    assert f"this is a key that {NAME} has or had" in _refused(byhand, exposed).lines[0]
    late, safe = _made(byhand)
    assert byhand.say("provide", NAME, stdin=safe).code == 0
    assert byhand.say("rotate", NAME, "--wait").code == 0
    (rotation,) = byhand.json("rotate", NAME, *GO, "--wait")["rotations"]
    assert {old["key_id"]: old["proof"] for old in rotation["old_keys"]} == {"key-1": "refused", early: "refused"}
    assert byhand.alive == {late}
