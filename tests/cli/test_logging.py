"""`ROTATOR_LOG`: JSON on standard error, a line for each thing that was committed, by every command that commits."""

from __future__ import annotations

import json
import logging
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.hardening import WIRES
from rotator.domain.secret import Secret
from rotator.domain.vocabulary import ACTIONS
from rotator.policy.reasons import Reason
from rotator.testing.keyserver import Keyserver
from tests.adapters.test_observe import Ear
from tests.cli.scene import NAME, SCRIPTS, Answer, Scene, make
from tests.cli.test_due import make_due

pytestmark = pytest.mark.stand_in("API provider: keyserver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Talkative(Scene):
    """A scene with a log."""

    level: str = "info"

    def environment(self) -> dict[str, str]:
        return {**Scene.environment(self), "ROTATOR_LOG": self.level}


@pytest.fixture
def logging_scene(scene: Scene) -> Talkative:
    scene.policy(overlap="0s")
    return Talkative(folder=scene.folder, keyserver=scene.keyserver)


def lines(answer: Answer) -> list[dict[str, Any]]:
    """The log; nothing else is on standard error."""
    return [json.loads(line) for line in answer.lines]


def test_a_rotation_is_logged_from_its_reason_to_its_end_and_in_known_words(logging_scene: Talkative) -> None:
    answer = logging_scene.say("rotate", NAME, "--wait", "--reason", "left the team")
    assert answer.code == 0
    log = lines(answer)
    assert {line["action"] for line in log} <= set(ACTIONS)
    (begin,) = (line for line in log if line["action"] == "begin")
    assert (begin["reason"], begin["because"], begin["credential"]) == ("asked", "left the team", NAME)
    assert [line["subject"] for line in log if line["action"] == "phase"][-1] == "done"
    assert {line["action"] for line in log} >= {"adopt", "mint", "promote", "delete", "proven"}
    assert "intent" not in {line["kind"] for line in log}
    assert logging_scene.published() not in answer.err


def test_level_debug_tells_the_intents_too_and_error_only_what_needs_a_person(scene: Scene) -> None:
    scene.policy(overlap="0s")
    every = Talkative(folder=scene.folder, keyserver=scene.keyserver, level="debug")
    log = lines(every.say("rotate", NAME, "--wait"))
    assert [line["kind"] for line in log if line["action"] == "mint"] == ["intent", "outcome"]
    few = Talkative(folder=scene.folder, keyserver=scene.keyserver, level="ERROR")
    assert few.say("rotate", NAME, "--wait").err == ""


def test_a_scheduled_rotation_says_by_which_predicate_it_began(logging_scene: Talkative) -> None:
    logging_scene.say("rotate", "--due")
    make_due(logging_scene)
    log = lines(logging_scene.say("rotate", "--due", "--wait"))
    (begin,) = (line for line in log if line["action"] == "begin")
    assert begin["reason"] == Reason.AGE.value
    assert "rotated" in logging_scene.say("why", NAME).out


def test_an_emergency_says_compromise_and_which_incident(logging_scene: Talkative) -> None:
    logging_scene.say("adopt", NAME)
    answer = logging_scene.say("rotate", NAME, "--assume-compromise", "--contained", "--yes")
    assert answer.code == 0
    log = [json.loads(line) for line in answer.lines if line.startswith("{")]
    (begin,) = (line for line in log if line["action"] == "begin")
    assert begin["reason"] == "compromise"
    assert begin["because"].startswith("inc-")


@pytest.mark.parametrize(
    ("words", "action"),
    [
        (["adopt", NAME], "adopt"),
        (["hold", NAME, "--reason", "release day"], "hold"),
        (["release", NAME], "release"),
        (["revoke", NAME, "--yes"], "revoke"),
        (["reconcile"], "checkpoint"),
        (["reconcile", "--rebuild"], "adopt"),
    ],
    ids=" ".join,
)
def test_every_command_that_commits_is_heard(words: list[str], action: str, logging_scene: Talkative) -> None:
    logging_scene.say("adopt", NAME)
    if action == "release":
        logging_scene.say("hold", NAME)
    assert action in {line["action"] for line in lines(logging_scene.say(*words))}


def test_what_an_operator_asks_of_an_open_rotation_is_heard(logging_scene: Talkative) -> None:
    logging_scene.policy(overlap="1h", max_overlap="2h")
    logging_scene.say("rotate", NAME)
    (asked,) = lines(logging_scene.say("rollback", NAME, "--reason", "it broke"))
    assert (asked["action"], asked["subject"], asked["detail_why"]) == ("rollback", "asked", "it broke")


def test_an_alert_is_a_line_too(logging_scene: Talkative) -> None:
    other, _ = logging_scene.keyserver.seed_key(NAME)
    (alert,) = (line for line in lines(logging_scene.say("adopt", NAME)) if line["kind"] == "alert")
    assert (alert["level"], alert["action"], alert["subject"]) == ("warning", "adopted", NAME)
    assert other in alert["message"]


def test_the_head_of_a_checkpoint_is_in_the_log_and_verifies_the_trail(logging_scene: Talkative) -> None:
    logging_scene.say("rotate", NAME, "--wait")
    (closed,) = (line for line in lines(logging_scene.say("reconcile")) if line["action"] == "checkpoint")
    assert "nothing was rewritten" in logging_scene.say("log", "verify", "--head", closed["head"]).out


def test_what_only_looks_logs_nothing(logging_scene: Talkative) -> None:
    logging_scene.say("adopt", NAME)
    for words in (["check"], ["status"], ["why", NAME], ["history"], ["rotate", NAME, "--dry-run"], ["log", "export"]):
        assert logging_scene.say(*words).err == "", words


def test_without_the_variable_progress_is_shown_and_no_json(scene: Scene) -> None:
    answer = scene.say("rotate", NAME)
    assert answer.lines
    assert not [line for line in answer.lines if line.startswith("{")]


def test_on_a_terminal_the_log_stands_above_the_table(logging_scene: Talkative) -> None:
    logging_scene.policy(overlap="1s")  # time for a table, and something to say after it
    head, tail = pty.openpty()
    environment = {**logging_scene.environment(), "TERM": "xterm", "COLUMNS": "60"}
    command = [str(SCRIPTS / "rotate"), NAME, "--wait", "--config", str(logging_scene.config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=tail, env=environment)
    os.close(tail)
    shown = b""
    try:
        while piece := os.read(head, 4096):
            shown += piece
    except OSError:  # how Linux ends a terminal
        pass
    assert process.wait() == 0
    os.close(head)
    plain = shown.decode().replace("\r\n", "\n")
    log = [json.loads(line[line.index("{") :]) for line in plain.split("\n") if '"action"' in line]
    assert "promote" in {line["action"] for line in log}
    assert "phase" in plain
    assert "\x1b[2K" in plain, "the table was drawn"
    assert "\n\x1b[0J{" not in plain, "a line behind the table is drawn over"


@pytest.mark.parametrize("value", ["verbose", "info:/tmp/x", "1", "hunter2hunter2"])
def test_a_level_that_is_none_is_refused_and_not_repeated(value: str, scene: Scene) -> None:
    wrong = Talkative(folder=scene.folder, keyserver=scene.keyserver, level=value)
    answer = wrong.say("rotate", NAME)
    assert answer.code == 2
    assert answer.lines == [
        "rotate: the environment variable ROTATOR_LOG is not one of debug, info, warning, error",
        "hint: unset it or mend it",
    ]
    assert scene.mints == 0


@pytest.mark.parametrize("value", ["verbose", ""])
def test_in_an_emergency_a_wrong_level_stops_nobody(value: str, scene: Scene) -> None:
    wrong = Talkative(folder=scene.folder, keyserver=scene.keyserver, level=value)
    assert wrong.say("rotate", NAME, "--assume-compromise", "--contained", "--yes").code == 0


@pytest.mark.parametrize("wire", [*WIRES, "urllib3.connectionpool", "botocore.endpoint"])
def test_no_library_logs_what_crosses_a_wire_however_low_the_root_is(
    wire: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(wire), "level", logging.NOTSET)
    monkeypatch.setattr(logging.getLogger(wire.partition(".")[0]), "level", logging.NOTSET)
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)
    logging.getLogger(wire).manager._clear_cache()  # type: ignore[attr-defined]
    assert logging.getLogger(wire).isEnabledFor(logging.DEBUG)
    Assembly(config=load_config(scene.config))
    assert not logging.getLogger(wire).isEnabledFor(logging.INFO)
    assert logging.getLogger(wire).isEnabledFor(logging.WARNING)


def test_a_log_of_two_credentials_at_once_has_whole_lines(tmp_path: Any, keyserver: Keyserver) -> None:
    names = tuple(f"app-{number}" for number in range(6))
    busy = make(tmp_path, keyserver, names)
    busy.policy(overlap="0s")
    scene = Talkative(folder=busy.folder, keyserver=keyserver, level="debug")
    answer = scene.say("rotate", "--all", "--wait")
    assert answer.code == 0
    assert {line["credential"] for line in lines(answer) if line["action"] == "promote"} == set(names)


def test_a_value_that_gets_as_far_as_the_log_is_cut_out_there_and_everybody_hears_of_it(
    logging_scene: Talkative, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear()
    monkeypatch.setenv("ROTATOR_LOG", "info")
    assembly = Assembly(config=load_config(logging_scene.config), observer=ear)
    value, stranger = Secret({"secret": logging_scene.published()}).reveal("secret"), "sk-proj-" + "a1B2c3D4" * 4
    admin = assembly.admin_at_reference("ks")
    for each in (value, stranger, admin):
        assembly.told.alert("adopted", NAME, f"it is {each}, they say")
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["action"] for line in found] == ["redacted", "adopted"] * 3
    assert [line["message"] for line in found[1::2]] == [
        "it is <secret>, they say",
        "it is …, they say",
        "it is <secret>, they say",
    ]
    assert [each[1] for each in ear.heard].count("redacted") == 3


def test_a_defect_in_a_step_is_in_the_log_with_its_place(
    logging_scene: Talkative, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear()
    monkeypatch.setenv("ROTATOR_LOG", "info")
    assembly = Assembly(config=load_config(logging_scene.config), observer=ear)
    with pytest.raises(ZeroDivisionError) as broken:
        _ = 1 / 0
    assembly.defect(NAME, broken.value)
    (line,) = (json.loads(each) for each in capsys.readouterr().err.splitlines())
    assert (line["action"], line["subject"]) == ("defect", NAME)
    assert line["exceptions"][0]["type"] == "ZeroDivisionError"
    assert [each[1:3] for each in ear.heard] == [("defect", NAME)]


def test_a_thread_that_ends_by_a_defect_says_where_and_not_what() -> None:
    program = (
        "import threading; from rotator.cli.errors import quiet_threads; quiet_threads('rotator')\n"
        "def end(): raise ValueError('hunter2')\n"
        "thread = threading.Thread(target=end); thread.start(); thread.join()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=200, check=False)
    assert done.stderr == "rotator: an error of the rotator itself (ValueError at <string>:2) ended a thread\n"
