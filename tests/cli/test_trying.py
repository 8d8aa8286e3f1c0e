"""`rotator plugins try`: what a described provider really does, measured, and nothing left behind unnamed."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.app.trying import Trial
from rotator.testing.keyserver import FaultKind, Keyserver, Operation
from tests.cli.scene import SCRIPTS, Answer, Scene
from tests.providers.described import OURS, changed, description
from tests.servers.key_issuers import ADMIN, OWNER, ElevenLabsStandIn
from tests.sleeping import Clock

pytestmark = pytest.mark.stand_in("API provider: keyserver")
FILE = OURS / "keyserver.yaml"
P = "svc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trying:
    """A keyserver, and the command over it."""

    scene: Scene
    server: Keyserver
    file: Path = FILE

    def words(self, *more: str) -> tuple[str, ...]:
        """The command as it is typed."""
        return (
            *("plugins", "try", str(self.file), "--base-url", self.server.url),
            *("--admin", "-", "--principal", f"principal={P}", "--yes", *more),
        )

    def say(self, *more: str, patience: str = "1s") -> Answer:
        """Run it."""
        return self.scene.say(*self.words("--patience", patience, *more), stdin=f"{self.server.admin}\n")

    def json(self, patience: str = "1s") -> tuple[int, dict[str, Any]]:
        """Its exit code and object."""
        answer = self.say("--json", patience=patience)
        found = json.loads(answer.out)
        assert self.server.admin not in answer.out + answer.err
        return answer.code, found

    @property
    def alive(self) -> set[str]:
        """The truth."""
        return {key.id for key in self.server.live(P)}


@pytest.fixture
def trying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trying]:
    clock = Clock(1_780_000_000.0)
    monkeypatch.setattr("rotator.app.trial_wiring.Trial", partial(Trial, sleep=clock.sleep, now=clock))
    with Keyserver(clock=clock) as server:
        yield Trying(scene=Scene(folder=tmp_path, keyserver=server), server=server)


def otherwise(trying: Trying, **changes: Any) -> Trying:
    """The same over a description that says something else."""
    path = trying.scene.folder / "other.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(changed(description("keyserver"), changes)))
    return Trying(scene=trying.scene, server=trying.server, file=path)


def seen(found: dict[str, Any], what: str) -> dict[str, Any]:
    (row,) = [row for row in found["rows"] if row["what"] == what]
    return dict(row)


def test_a_provider_that_does_what_is_said_of_it_is_told_so_and_nothing_is_left(trying: Trying) -> None:
    before, _ = trying.server.seed_key(P)
    answer = trying.say()
    assert answer.code == 0, answer.out + answer.err
    assert answer.out.splitlines()[-1] == "the provider does what the description says"
    for what in (
        "works after",
        "listed after",
        "mark",
        "identify",
        "a made-up value",
        "the engine's probe",
        "last used",
    ):
        assert what in answer.out
    for what in ("disabled: refused after", "enabled: works after", "a deleted key lives on for", "proof"):
        assert what in answer.out
    assert trying.alive == {before}, "the keys of others are left alone"
    assert trying.server.log.calls()[Operation.MINT] == 2


def test_the_object_has_a_row_for_everything_that_was_looked_at(trying: Trying) -> None:
    code, found = trying.json()
    assert (code, found["findings"], found["alive"], found["ended"], found["interrupted"]) == (0, [], [], None, False)
    assert seen(found, "proof") == {
        "what": "proof",
        "declared": "refused",
        "seen": "refused",
        "seconds": None,
        "differs": False,
    }
    assert seen(found, "works after")["seconds"] < 1


@pytest.mark.parametrize(
    ("behaviour", "findings"),
    [
        ({"propagation": 1.4}, ["works after", "enabled: works after"]),
        ({"list_lag": 1.4}, ["listed after", "deleted: gone from the list after"]),
        ({"death": 1.4}, ["disabled: refused after", "a deleted key lives on for"]),
    ],
)
def test_what_takes_longer_than_declared_is_measured(
    trying: Trying, behaviour: dict[str, float], findings: list[str]
) -> None:
    trying.server.tell(**behaviour)
    code, found = trying.json(patience="4s")
    assert (code, found["findings"]) == (1, findings)
    for what in findings:
        assert 1.0 < seen(found, what)["seconds"] < 2.5
    assert trying.alive == set()


def test_what_takes_as_long_as_declared_is_no_finding(trying: Trying) -> None:
    trying.server.tell(propagation=0.7, death=0.7, list_lag=0.7, flapping=0.3)
    slow = otherwise(trying, propagation="1s", death_window="1s", list_lag="1s")
    code, found = slow.json(patience="3s")
    assert (code, found["findings"]) == (0, [])
    assert trying.alive == set()


@pytest.mark.parametrize(
    ("behaviour", "finding", "word"),
    [
        ({"marks": False}, "mark", "does not come back"),
        ({"disable": False}, "disable", "cannot_disable"),
        ({"last_used": False}, "last used", "not told"),
        ({"identify": False}, "identify", "no id"),
    ],
)
def test_what_is_declared_and_is_not_there_is_a_finding(
    trying: Trying, behaviour: dict[str, Any], finding: str, word: str
) -> None:
    trying.server.tell(**behaviour)
    code, found = trying.json()
    assert (code, found["findings"]) == (1, [finding])
    assert word in seen(found, finding)["seen"]
    assert trying.alive == set()


def test_a_second_key_that_kills_the_first_is_a_finding(trying: Trying) -> None:
    trying.server.tell(in_place=True)
    code, found = trying.json()
    assert code == 1
    assert "the first key beside it" in found["findings"]
    assert trying.alive == set()


def test_where_there_is_room_for_one_key_the_death_has_no_control(trying: Trying) -> None:
    trying.server.tell(cap=1)
    code, found = otherwise(trying, cap=1).json()
    assert (code, found["findings"]) == (0, [])
    assert seen(found, "a second key")["seen"] == "no room: the death has no control"
    assert trying.json()[1]["findings"] == ["a second key"], "unless the description says that there is room"


def test_a_deleted_key_that_lives_on_is_named_and_is_an_incomplete_end(trying: Trying) -> None:
    trying.server.tell(death=math.inf)
    answer = trying.say(patience="1s")
    assert answer.code == 3
    assert "a deleted key" in answer.out
    assert "still works" in answer.out
    assert "! may still live: key-1, key-2; delete them in the provider's console" in answer.err


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        (
            {"verify.path": "/admin/whoami", "verify.auth": "admin", "verify.headers": {"X": "{secret}"}},
            "a made-up value",
        ),
        ({"list.mark": "/hint"}, "mark"),
        ({"mint.id": "mark"}, "listed"),
        ({"list.state.disabled": ["paused"], "list.state.enabled": ["enabled", "disabled"]}, "the list's word"),
        ({"enable.json": {"state": "disabled"}}, "an enabled key"),
        ({"identify.id": "/principal"}, "identify"),
    ],
)
def test_a_description_that_is_wrong_is_found_out(trying: Trying, changes: dict[str, Any], finding: str) -> None:
    code, found = otherwise(trying, probe=None, **changes).json()
    assert code in (1, 3)
    assert any(each.startswith(finding) for each in found["findings"]), found
    if code == 3:
        assert found["alive"], "what cannot be told dead is named"
    else:
        assert trying.alive == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"enable": None},
        {"disable": None, "enable": None},
        {"mint.json.secret": "{secret}", "mint.forms": {"secret": "ks_{value}"}, "mint.secret": None},
    ],
    ids=["disabled for good", "not disabled", "chosen value"],
)
def test_what_is_described_otherwise_is_tried_otherwise(trying: Trying, changes: dict[str, Any]) -> None:
    code, found = otherwise(trying, **changes).json()
    assert (code, found["findings"]) == (0, [])
    assert "enabled: works after" not in [row["what"] for row in found["rows"]] or "enable" not in changes
    assert trying.alive == set()


def test_a_key_that_never_works_is_deleted_again(trying: Trying) -> None:
    code, found = otherwise(trying, **{"mint.secret": "/id"}).json()
    assert code == 1
    assert found["ended"].startswith("the new key never worked")
    assert trying.alive == set()


def test_a_mint_without_an_answer_is_found_by_its_mark_and_deleted(trying: Trying) -> None:
    trying.server.fail(Operation.MINT, FaultKind.LOSE_RESPONSE)
    code, found = trying.json()
    assert code == 1
    assert "there may be a key" in found["ended"] or "broke the connection" in found["ended"]
    assert trying.alive == set()
    assert trying.server.log.calls()[Operation.MINT] == 1


def test_without_marks_what_is_new_is_named_and_left_alone(trying: Trying) -> None:
    trying.server.tell(marks=False)
    trying.server.fail(Operation.MINT, FaultKind.LOSE_RESPONSE)
    answer = otherwise(trying, **{"list.mark": None, "mint.json": {}}).say()
    assert answer.code == 3
    assert "! may still live: key-1;" in answer.err
    assert "1 mint got no answer" in answer.err
    assert trying.alive == {"key-1"}


def test_a_mint_that_is_lost_and_not_listed_may_still_come(trying: Trying) -> None:
    trying.server.fail(Operation.MINT, FaultKind.LOSE_REQUEST)
    answer = trying.say()
    assert answer.code == 3
    assert "1 mint got no answer, and no key with its mark is listed" in answer.err


def test_a_failure_in_the_middle_leaves_nothing(trying: Trying) -> None:
    trying.server.fail(Operation.DISABLE, FaultKind.ERROR_BEFORE, calls=10)
    code, found = trying.json()
    assert code == 1
    assert "500" in found["ended"]
    assert trying.alive == set()


def test_a_moments_trouble_is_none(trying: Trying) -> None:
    for operation in (Operation.LIST, Operation.RESOURCE, Operation.DELETE, Operation.DISABLE):
        trying.server.fail(operation, FaultKind.ERROR_BEFORE)
    assert trying.say().code == 0


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_deletes_what_was_made_and_a_second_one_names_it(trying: Trying, times: int) -> None:
    trying.server.tell(death=600)
    process = subprocess.Popen(
        ["/usr/bin/env", "--default-signal=INT", str(SCRIPTS / "rotator"), *trying.words("--patience", "60s")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=trying.scene.environment(),
    )
    assert process.stdin is not None
    process.stdin.write(f"{trying.server.admin}\n")
    process.stdin.flush()
    try:
        _wait_for(trying, Operation.DISABLE)  # and for a refusal that does not come
        process.send_signal(signal.SIGINT)
        _wait_for(trying, Operation.DELETE)
        if times == 2:
            process.send_signal(signal.SIGINT)
        else:
            trying.server.tell(death=0)
        _, err = process.communicate(timeout=200)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 3, err
    if times == 1:
        assert "interrupted; what was made is deleted" in err
        assert trying.alive == set()
    else:
        assert "! may still live: key-1, key-2;" in err


def _wait_for(trying: Trying, operation: Operation) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if trying.server.log.calls()[operation]:
            return
        time.sleep(0.02)
    raise AssertionError(f"no {operation}")


# -- what was typed ----------------------------------------------------------------------------------------------------


def _refused(answer: Answer, word: str) -> None:
    assert (answer.code, len(answer.lines), answer.out) == (2, 2, "")
    assert word in answer.err


def test_it_asks_before_it_makes_a_key(trying: Trying) -> None:
    words = [word for word in trying.words() if word != "--yes"]
    _refused(trying.scene.say(*words, stdin=f"{trying.server.admin}\nyes\n"), "there is no terminal to ask on")
    assert len(trying.server.log) == 0


def test_a_wrong_admin_credential_is_said_before_anything_is_made(trying: Trying) -> None:
    _refused(trying.scene.say(*trying.words(), stdin="wrong\n"), "refuses the admin credential")
    assert trying.server.log.mint_requests() == {}


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("plugins", "try"), "try needs a description"),
        (("plugins", "list", "--patience", "5s"), "these options are not for list"),
        (("plugins", "show", "rest", "--yes"), "these options are not for show"),
        (("plugins", "try", "elevenlab", "--admin", "-"), "did you mean elevenlabs?"),
        (("plugins", "try", "missing.yaml", "--admin", "-"), "missing.yaml cannot be read"),
        (("plugins", "try", str(FILE), "--admin", "-", "--principal", "x"), "--principal needs pairs"),
        (("plugins", "try", str(FILE), "--admin", "vault:a#b"), "--admin is not a reference"),
        (("plugins", "try", str(FILE), "--admin", "env:NO_SUCH"), "NO_SUCH is not set"),
        (("plugins", "try", str(FILE), "--patience", "long"), "is not a duration"),
        (("plugins", "try", str(FILE), "--admin", "-", "--yes"), "the principal says no principal"),
    ],
)
def test_what_is_typed_wrong_is_said_in_two_lines(trying: Trying, words: tuple[str, ...], word: str) -> None:
    _refused(trying.scene.say(*words, stdin="secret\n"), word)


def test_a_fault_of_the_description_is_said_with_its_line(trying: Trying) -> None:
    wrong = otherwise(trying, **{"mint.path": "keys"})
    _refused(wrong.say(), "description.mint.path is no path")
    assert f"{wrong.file}:" in wrong.say().err


def test_a_description_whose_keys_a_person_makes_cannot_be_tried(trying: Trying) -> None:
    _refused(otherwise(trying, mint=None).say(), "makes no keys by itself")
    assert len(trying.server.log) == 0


def test_one_that_ships_is_tried_by_its_name(trying: Trying) -> None:
    with ElevenLabsStandIn() as server:
        words = ("plugins", "try", "elevenlabs", "--base-url", server.url, "--admin", "-", "--yes", "--patience", "1s")
        answer = trying.scene.say(*words, "--principal", f"service_account={OWNER}", stdin=f"{ADMIN}\n")
    assert answer.code == 1
    assert "it went no further" in answer.out, "its keys need scopes"
    assert server.issued == {}


def test_show_lists_the_descriptions_that_a_driver_brings(trying: Trying) -> None:
    answer = trying.scene.say("plugins", "show", "rest")
    assert answer.out.endswith("It brings descriptions: elevenlabs, fireworks, grafana, sendgrid, xai\n")
    assert "base_url" in answer.out


def test_a_description_that_is_not_there_is_told_before_a_credential_is_asked_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(SCRIPTS / "rotator"), "plugins", "try", "nosuch.yaml"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "nosuch.yaml" in done.stderr.splitlines()[0]
    assert "credential" not in done.stderr
