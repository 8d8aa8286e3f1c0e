"""The worst night, typed: the same command three times, and what is mended in between."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rotator.testing.keyserver import FaultKind, Operation
from tests.cli.night import BOTH, CREDENTIALS, CROWDED, ONLY_AWAY, OVERLAPPING, SHARED, Night, night
from tests.cli.scene import SCRIPTS, Answer

pytestmark = pytest.mark.stand_in("API provider: keyserver")
COMMAND = ("--all", "--assume-compromise", "--contained", "--yes", "--store-wait", "1s", "--parallel", "2")
WITHOUT_ADMIN = {"pay-0", "pay-1", "pay-2"}
POSSIBLE = CREDENTIALS.keys() - WITHOUT_ADMIN - {ONLY_AWAY, SHARED}
"""What can be replaced before anything is mended."""


@pytest.fixture
def dark(tmp_path: Path) -> Iterator[Night]:
    """One in mid-overlap, two caps filled, one admin key missing, one store down."""
    with night(tmp_path) as world:
        assert world.scene.run(OVERLAPPING, script="rotate").code == 0
        world.steal()
        assert [len(world.stolen[name]) for name in (OVERLAPPING, CROWDED)] == [2, 2]
        world.admin_is_there("pay", there=False)
        world.vault_is_up(up=False)
        yield world


def _typed(world: Night) -> Answer:
    return world.scene.run(*COMMAND, script="rotate", timeout=240)


def _interrupted_at_half(world: Night) -> Answer:
    """The command, and Ctrl-C as soon as the stolen keys of three are dead."""
    process = subprocess.Popen(
        ["/usr/bin/env", "--default-signal=INT", str(SCRIPTS / "rotate"), *world.scene.with_config(COMMAND)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=world.scene.folder,
        env=world.scene.environment(),
    )
    deadline = time.monotonic() + 120
    while len(world.clean) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=200)
    return Answer(code=process.returncode, out=out, err=err)


def _evidence(world: Night, incident: str) -> tuple[int, dict[str, Any]]:
    answer = world.scene.run("incident", "report", incident, "--json", "e.json")
    return answer.code, json.loads((world.scene.folder / "e.json").read_text())["evidence"]


def _said_of(answer: Answer, name: str) -> str:
    [line] = [line for line in answer.out.splitlines() if line.startswith(f"{name}: ")]
    return line.removeprefix(f"{name}: ")


def _the_stolen_are_dead(world: Night) -> None:
    """As the keyservers and the stores themselves say."""
    for name in CREDENTIALS:
        [living] = world.alive(name)
        assert living not in world.stolen[name]
        assert [value for value in world.read[name] if world.accepted(name, value)] == []
        documents = world.documents(name)
        assert set(documents) == ({"vault"} if name == ONLY_AWAY else {"files", *(("vault",) if name in BOTH else ())})
        [value] = set(documents.values())
        assert world.accepted(name, value)
    # A value of a dead key in the store that was away: the next rotation drops it.
    assert {Path(path).parent for path in world.private()} <= {Path(f"vault/.rotator/pending/{OVERLAPPING}.json")}


def test_three_commands_end_the_night_and_the_second_names_exactly_what_remains(dark: Night) -> None:
    for keyserver in dark.keyservers.values():
        keyserver.fail(Operation.LIST, FaultKind.SLOW, seconds=0.3, calls=None)
    first = _interrupted_at_half(dark)
    assert first.code == 3, first.err
    assert first.lines[-2:] == [
        "rotate: interrupted",
        "hint: the same command goes on; `rotator status` shows what is half-way",
    ]
    half = dark.clean
    assert half < POSSIBLE, "it was over before it was interrupted"
    for keyserver in dark.keyservers.values():
        keyserver.tell(faults=())

    second = _typed(dark)
    assert second.code == 3, second.err
    for name in WITHOUT_ADMIN:
        assert f"the admin credential of pay: file:{dark.scene.folder}/pay-admin cannot be read" in _said_of(
            second, name
        )
        assert _said_of(second, name).endswith(" — check the path and its permissions")
    assert f"{dark.scene.folder}/vault is not there — mount or create its directory" in _said_of(second, ONLY_AWAY)
    filled = f"stuck: the cap is filled by foreign keys: {dark.foreign} — revoke it by hand, then "
    assert _said_of(second, SHARED) == f"{filled}`rotator resume {SHARED}`"
    assert {name for name in CREDENTIALS if _said_of(second, name).startswith("rotated in ")} == POSSIBLE
    behind = {f"vault:{name}.json" for name in BOTH}
    [incident] = set(re.findall(r"inc-\d{8}-[0-9a-f]{6}", first.err + second.out))
    assert second.out.splitlines()[-1] == (
        f"incident {incident}: 9 old keys of 7 credentials proven dead; 5 credentials left: the same command goes on; "
        f"left behind: {', '.join(sorted(behind))}, which the same command mends, or `rotator reconcile`; "
        f"stuck: {SHARED}"
    )
    assert dark.clean == POSSIBLE
    code, evidence = _evidence(dark, incident)
    assert code == 3
    assert {each["credential"] for each in evidence["left"]} == {*CREDENTIALS} - POSSIBLE | {*BOTH}
    assert all(each["hint"] for each in evidence["left"])

    dark.admin_is_there("pay", there=True)
    dark.vault_is_up(up=True)
    assert dark.keyservers["mail"].delete_key(SHARED, dark.foreign)
    third = _typed(dark)
    assert third.code == 0, third.err
    assert third.out.splitlines()[-1].endswith("old keys of 12 credentials proven dead")
    _the_stolen_are_dead(dark)
    code, evidence = _evidence(dark, incident)
    assert (code, evidence["complete"], evidence["left"]) == (0, True, [])
    assert evidence["coverage"] == {"percent": 100.0, "proven": 12, "exposed": 12, "unknown": 0}
    for each in evidence["credentials"]:
        proofs = {old["key_id"]: old["proof"] for old in each["old_keys"]}
        assert dark.stolen[each["credential"]] - {dark.foreign} <= proofs.keys()
        assert set(proofs.values()) <= {"refused", "absent"}
    with dark.scene.journal() as journal:
        replaced = Counter(row.credential for row in journal.rotations() if row.new_key is not None)
    assert replaced == {name: 2 if name == OVERLAPPING else 1 for name in CREDENTIALS}, "nothing is replaced twice"
