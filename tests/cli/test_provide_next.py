"""`provide --next`: a person at a terminal is walked through everything that waits, keys to make and keys to delete."""

from __future__ import annotations

import os
import pty
import signal
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import SCRIPTS, SHORT, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")
CONSOLE = "https://keys.example.com/new"
PROMPT = b"Enter skips): "
NAMES = ("alpha", "beta", "gamma")
CTRL_C, CTRL_D = b"\x03", b"\x04"


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Scene]:
    """Three credentials at a provider that neither mints nor lists nor deletes."""
    with Keyserver(Behaviour(marks=False)) as keyserver:
        offers: dict[str, Any] = {
            "lists": False,
            "deletes": False,
            "disable": False,
            "identifies": False,
            "usage": False,
        }
        # two leases are waited for where there is no list
        yield make(tmp_path, keyserver, names=NAMES, lease=SHORT, strategy="by-hand", console=CONSOLE, **offers)


def at_a_terminal(scene: Scene, *typed: bytes) -> tuple[str, int]:
    """What a person sees who types this, one for each prompt; and the exit code."""
    child, screen = pty.fork()
    if child == 0:
        os.chdir(scene.folder)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # who runs the tests in the background has had it ignored
        os.execve(str(SCRIPTS / "rotator"), ["rotator", *scene.with_config(["provide", "--next"])], scene.environment())  # noqa: S606 - a terminal of its own
    seen, answered, deadline = b"", 0, time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            seen += os.read(screen, 4096)
        except OSError:
            break
        if answered < len(typed) and seen.count(PROMPT) > answered:
            while termios.tcgetattr(screen)[3] & termios.ECHO:  # the master's flags are those of the terminal
                assert time.monotonic() < deadline, seen
                time.sleep(0.01)
            os.write(screen, typed[answered])
            answered += 1
    os.close(screen)
    _, status = os.waitpid(child, 0)
    return seen.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(status)


def asked(scene: Scene, *names: str) -> None:
    for name in names:
        assert scene.say("rotate", name).code == 0


def line(value: str) -> bytes:
    return f"{value}\n".encode()


def on_its_way(scene: Scene, name: str) -> str:
    """A rotation that waits for a person to delete the old key; the old key's id at the keyserver."""
    (old,) = {key.id for key in scene.keyserver.live(name)}
    asked(scene, name)
    assert scene.say("provide", name, stdin=scene.keyserver.seed_key(name)[1]).code == 0
    assert scene.say("rotate", name).code == 0
    time.sleep(1.1)  # the overlap
    scene.say("rotate", name)
    assert "waits for a person: delete key-" in scene.say("status", name).out
    return old


def test_emergencies_come_first_then_who_waits_longest(many: Scene) -> None:
    asked(many, *NAMES)
    many.say("rotate", "gamma", "--assume-compromise", "--contained", "--yes", "--no-wait")
    shown, code = at_a_terminal(many, b"\n", b"\n", b"\n")
    places = [shown.index(text) for text in ("[1/3] gamma", "emergency, exposed", "[2/3] alpha", "[3/3] beta")]
    assert places == sorted(places)
    assert (shown.count("  skipped\n"), code) == (3, 0)
    assert shown.endswith("nothing was handed over; 3 keys still to make\n")


def test_each_is_told_with_its_scopes_and_taken_without_an_echo(many: Scene) -> None:
    many.credential("beta", needs={"scopes": ["api.read"]})
    asked(many, "alpha", "beta")
    values = [many.keyserver.seed_key(name)[1] for name in ("alpha", "beta")]
    shown, code = at_a_terminal(many, *map(line, values))
    assert f"make a key for beta at {CONSOLE} that may do api.read and nothing else\n" in shown
    assert shown.endswith("2 keys handed over; `rotate --due` or the daemon goes on\n")
    assert not [value for value in values if value in shown]
    assert code == 0
    many.say("rotate", "--due")
    assert [many.published(name) for name in ("alpha", "beta")] == values


def test_what_is_refused_is_asked_for_again(many: Scene) -> None:
    asked(many, "alpha", "beta")
    good = many.keyserver.seed_key("alpha")[1]
    old, others = many.published("alpha"), many.published("beta")
    shown, _ = at_a_terminal(many, line(old), line(others), line("sk-nobodys"), line(good), b"\n")
    refusals = [each.strip() for each in shown.splitlines() if "not taken" in each]
    assert refusals == [
        "not taken: this is a key that alpha has or had",
        "not taken: this is a key that beta has or had",
        "not taken: the provider refuses the key",
    ]
    assert shown.count("make a key for alpha") == 1
    assert "  handed over: key-" in shown
    assert old not in shown


@pytest.mark.parametrize(("key", "code"), [(CTRL_C, 3), (CTRL_D, 0)])
def test_leaving_keeps_what_was_done(many: Scene, key: bytes, code: int) -> None:
    asked(many, *NAMES)
    value = many.keyserver.seed_key("alpha")[1]
    shown, ended = at_a_terminal(many, line(value), key)
    assert shown.endswith("1 key handed over; 2 keys still to make; `rotate --due` or the daemon goes on\n")
    assert (ended, "Traceback" in shown) == (code, False)
    many.say("rotate", "--due")
    assert many.published("alpha") == value


def test_old_keys_to_be_deleted_are_told_with_where_and_the_end_of_each_value(many: Scene) -> None:
    value = many.published("alpha")
    on_its_way(many, "alpha")
    shown, code = at_a_terminal(many)
    told = " ".join(shown.split())
    assert "1 credential with old keys to be deleted by hand: alpha: delete key-" in told
    assert f"of alpha at {CONSOLE}; the value ends in …{value[-4:]}" in told
    assert shown.endswith("no key is to be made\n")
    assert (value in shown, code) == (False, 0)


def test_the_next_pass_notices_a_deletion_and_proves_it(many: Scene) -> None:
    old = on_its_way(many, "alpha")
    assert many.say("prove", "alpha").code == 3
    many.keyserver.delete_key("alpha", old)
    assert "refused twice" in many.say("prove", "alpha").out  # and the rotation is told to look
    assert many.say("rotate", "alpha", "--wait").code == 0
    (rotation,) = many.json("status")["rotations"] or [None]
    assert rotation is None or rotation["old_keys"][0]["proof"] == "refused"
    assert "alpha" not in at_a_terminal(many)[0]
    assert "refused when it was proven" in many.say("prove", "alpha").out


def test_resume_has_it_looked_at_where_a_deletion_is_waited_for(many: Scene) -> None:
    on_its_way(many, "alpha")
    answer = many.say("resume", "alpha")
    assert (answer.code, "looked at again" in answer.out) == (0, True)


def test_without_a_terminal_it_is_refused_with_the_way_that_works(many: Scene) -> None:
    asked(many, "alpha")
    answer = many.say("provide", "--next", stdin="a-value\n")
    assert (answer.code, answer.out) == (2, "")
    assert answer.lines == [
        "rotator: --next asks on a terminal",
        "hint: without one: `rotator provide NAME`, the key on standard input",
    ]


@pytest.mark.parametrize("words", [(), ("alpha", "--next")])
def test_a_name_or_next_and_not_both(many: Scene, words: tuple[str, ...]) -> None:
    answer = many.say("provide", *words)
    assert (answer.code, answer.lines[0]) == (2, "rotator: provide needs a NAME or --next, and not both")


def test_where_nothing_is_deleted_by_api_nothing_is_revoked(many: Scene) -> None:
    many.say("adopt", "alpha")
    answer = many.say("revoke", "alpha", "--yes")
    assert (answer.code, "its provider deletes nothing by its API" in answer.err) == (2, True)
    assert f"at {CONSOLE}" in answer.err


def test_the_plan_says_what_is_left_to_a_person(many: Scene) -> None:
    plan = many.say("rotate", "alpha", "--dry-run").out
    assert "wait for a person to delete, then prove dead" in plan
    assert "the old one lives until a person deletes it" in plan
    assert "one that nobody handed over is never found" in plan
