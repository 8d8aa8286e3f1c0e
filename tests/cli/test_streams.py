"""Standard streams that are closed, full, gone or of another encoding stop no rotation and change no exit code."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.scene import NAME, SCRIPTS, Answer, Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")
FULL = Path("/dev/full")
Before = Callable[[], None]


def run(scene: Scene, *words: str, before: Before | None = None, **environment: str) -> Answer:
    """A command whose streams are as `before` leaves them, in the process that becomes it."""
    done = subprocess.run(
        [str(SCRIPTS / ("rotate" if words[0] == "rotate" else "rotator")), *_without_rotate(scene, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=240,
        env={**scene.environment(), **environment},
        preexec_fn=before,
        check=False,
    )
    return Answer(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


def _without_rotate(scene: Scene, words: tuple[str, ...]) -> list[str]:
    return scene.with_config(words[1:] if words[0] == "rotate" else words)


def closed(*descriptors: int) -> Before:
    def before() -> None:
        for each in descriptors:
            os.close(each)

    return before


def full(*descriptors: int) -> Before:
    def before() -> None:
        for each in descriptors:
            os.dup2(os.open(FULL, os.O_WRONLY), each)

    return before


def gone(*descriptors: int) -> Before:
    """A pipe that nobody reads any more."""

    def before() -> None:
        reader, writer = os.pipe()
        os.close(reader)
        for each in descriptors:
            os.dup2(writer, each)

    return before


@pytest.mark.parametrize("descriptors", [(0,), (1,), (2,), (1, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("level", ["", "debug"])
def test_a_rotation_goes_its_way_without_the_streams_that_are_closed(
    descriptors: tuple[int, ...], level: str, scene: Scene
) -> None:
    scene.policy(overlap="0s")
    answer = run(scene, "rotate", NAME, "--wait", before=closed(*descriptors), ROTATOR_LOG=level)
    assert answer.code == 0, answer
    assert scene.alive == {"key-2"}
    assert (scene.folder / "rotator.db").read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize(
    "before", [full(2), gone(2), gone(1), gone(1, 2)], ids=["full", "gone", "out gone", "both gone"]
)
@pytest.mark.parametrize("level", ["", "debug"])
def test_a_rotation_goes_its_way_when_nobody_can_be_told_of_it(before: Before, level: str, scene: Scene) -> None:
    scene.policy(overlap="0s")
    assert run(scene, "rotate", NAME, "--wait", before=before, ROTATOR_LOG=level).code == 0
    assert scene.alive == {"key-2"}


def test_a_reader_that_has_gone_does_not_change_the_exit_code(scene: Scene) -> None:
    assert run(scene, "rotate", "nobody", before=gone(1, 2)).code == 2
    scene.keyserver.stop()
    assert run(scene, "check", before=gone(1)).code == 1


@pytest.mark.parametrize("words", [("status",), ("rotate", NAME, "--json"), ("history", "--json"), ("log", "export")])
def test_results_that_cannot_be_written_are_told(words: tuple[str, ...], scene: Scene) -> None:
    scene.say("rotate", NAME)
    answer = run(scene, *words, before=full(1))
    assert answer.code == 3
    assert answer.lines[-2].endswith(": standard output cannot be written: No space left on device")
    assert answer.lines[-1].startswith("hint: ")


@pytest.mark.parametrize("words", [("--help",), ("rotate", "--help"), ("status",), ("rotate", NAME, "--wait")], ids=str)
def test_letters_that_an_encoding_lacks_are_written_with_others(words: tuple[str, ...], scene: Scene) -> None:
    answer = run(scene, *words, PYTHONIOENCODING="ascii")
    assert answer.code == 0, answer.err
    assert (answer.out + answer.err).isascii()
    assert "\\u" not in answer.out + answer.err


def test_a_name_of_other_letters_is_repeated_as_well_as_it_goes(scene: Scene) -> None:
    answer = run(scene, "rotate", "llm-prød", PYTHONIOENCODING="ascii")
    assert answer.lines == ["rotate: there is no credential 'llm-pr\\xf8d'", "hint: did you mean llm-prod?"]
