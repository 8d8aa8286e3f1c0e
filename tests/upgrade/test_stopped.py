"""The older wheel is killed with rotations in every phase and around every effect; the newer one finishes them all."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.journal.version import HEAD
from rotator.domain.rotation import Phase
from tests.daemon.running import eventually
from tests.upgrade.conftest import Making
from tests.upgrade.scene import QUICK, Upgraded
from tests.upgrade.wheels import OLDER_SCHEMA, Installed

pytestmark = pytest.mark.stand_in("API provider: keyserver")
VICTIM = str(Path(__file__).with_name("older_process.py"))
EFFECTS = {"due": 9, "stolen": 8}
WHERE = ("before", "after")
"""So many does a rotation of each kind have."""
PHASES = {
    "due": ("planned", "minting", "staging", "promoting", "live", "retiring", "sweeping"),
    "back": ("rolling_back", "withdrawing", "sweeping"),
    "stolen": ("containing", "stuck"),
}
MODES = {"due": "scheduled", "back": "manual", "stolen": "contain_first"}
STUCK = "stolen-stuck"
INCIDENT = "inc-20261126-0decaf"
SEED = int(os.environ.get("ROTATOR_SEED", "20261126"))
SAMPLE = 8


def _points(effects: int) -> dict[str, dict[str, Any]]:
    """Where each credential's rotation is stopped, by its name: every phase, and around so many of the effects."""
    points: dict[str, dict[str, Any]] = {}
    for kind, phases in PHASES.items():
        for phase in phases:
            points[f"{kind}-{phase.replace('_', '-')}"] = {"phase": phase}
    all_effects = [
        (kind, number, where) for kind, count in EFFECTS.items() for number in range(count) for where in WHERE
    ]
    for kind, number, where in random.Random(SEED).sample(all_effects, min(effects, len(all_effects))):
        points[f"{kind}-{number}-{where}"] = {"effect": number, "where": where}
    for name, point in points.items():
        kind = name.partition("-")[0]
        point["mode"] = MODES[kind]
        point["back"] = kind == "back"
        point["reason"] = f"compromise: {INCIDENT}" if kind == "stolen" else "a test"
    return points


def test_every_phase_is_among_those_where_the_older_one_is_stopped() -> None:
    stopped = {phase for phases in PHASES.values() for phase in phases}
    assert stopped == {phase.value for phase in Phase if not phase.terminal}


@pytest.mark.parametrize("effects", [SAMPLE, pytest.param(99, marks=pytest.mark.slow)])
def test_what_the_older_wheel_began_the_newer_one_finishes(
    older_wheel: Installed, newer_wheel: Installed, upgraded: Making, effects: int
) -> None:
    old, new = older_wheel, newer_wheel
    names = tuple(_points(effects))
    stolen = [name for name in names if name.startswith("stolen")]
    installation = upgraded(*names)
    _configure(installation, names)
    before = installation.scene.published(STUCK)
    _stop_everywhere(installation, old, effects)
    assert installation.schema == OLDER_SCHEMA
    with installation.serving(new) as daemon:
        assert installation.schema == HEAD
        assert [line["subject"] for line in daemon.lines if line.get("action") == "config approved"] == [
            str(installation.scene.config)
        ]
        installation.scene.publish(before, STUCK)
        assert installation.scene.say("resume", STUCK).code == 0
        eventually(lambda: installation.open == 0, 120)
        assert daemon.end(signal.SIGTERM) == 0
    _nothing_is_lost(installation, names)
    _evidence_holds(installation, new, stolen)


def _configure(installation: Upgraded, names: tuple[str, ...]) -> None:
    """A lease that outlasts the time in which all come to where they stop; a way back that is open long enough."""
    installation.scene.rewrite(
        policies={"quick": QUICK, "slow": {**QUICK, "overlap": "1h"}}, defaults={"lease": "12s", "isolation": "off"}
    )
    for name in names:
        if name.startswith("back"):
            installation.scene.credential(name, policy="slow")


def _stop_everywhere(installation: Upgraded, old: Installed, effects: int) -> None:
    """The older one opens an incident, too."""
    scene = installation.scene
    assert installation.run(old, "adopt", STUCK).code == 0
    scene.publish("a colleague's own value", STUCK)
    file = scene.folder / "points.json"
    file.write_text(json.dumps(_points(effects)))
    command = [old.python, VICTIM, str(scene.config), str(file), INCIDENT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert json.loads(done.stdout)["missing"] == [], done.stdout


def _rows(installation: Upgraded) -> dict[str, dict[str, Any]]:
    """The one rotation of each credential."""
    rows = installation.scene.json("history", "--limit", "500")["rotations"]
    found = {row["credential"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def _nothing_is_lost(installation: Upgraded, names: tuple[str, ...]) -> None:
    """Of each one key lives, consumers read it, and it is the one that the rotation's end says."""
    found = _rows(installation)
    assert set(found) == set(names)
    for name, row in found.items():
        back = name.startswith("back")
        assert row["phase"] == ("rolled_back" if back else "done"), row
        assert installation.works(name), name
        assert len(installation.alive(name)) == 1, name
        assert back or row["new_key"]["key_id"] in installation.alive(name)
        assert back or {key["proof"] for key in row["old_keys"]} <= {"refused", "absent"}, row
        assert row["old_keys"], row


def _evidence_holds(installation: Upgraded, new: Installed, stolen: list[str]) -> None:
    """The trail is one chain over both wheels, and what was exposed is proven dead in a sealed file."""
    say = installation.scene.say  # what the newer wheel has, in this process
    assert say("log", "verify").code == 0
    words = ("--incident", INCIDENT, "--assume-compromise", "--contained", "--yes")
    ended = installation.run(new, *words, script="rotate")  # what is done stays; what was never looked at is looked at
    assert ended.code == 0, ended
    verified = say("incident", "verify", INCIDENT)
    assert verified.code == 0, verified
    assert f"{len(stolen)} of {len(stolen)} credentials proven now" in verified.out
    file = str(installation.scene.folder / "evidence.json")
    assert say("incident", "report", INCIDENT, "--json", file).code == 0
    key = say("incident", "key").out.split()[-1]
    assert say("incident", "check", file, "--key", key).code == 0
