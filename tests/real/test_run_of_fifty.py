"""An emergency of fifty, killed again and again, here and elsewhere with another journal: nothing stolen lives on.

What is believed in the end are the servers, and not our journal. `make test` kills one run at a few seeded times,
`make test-all` others at two hundred, at every effect of a kind, and at every so manieth of the whole run.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cli.scene import SCRIPTS, Answer
from tests.real.fifty import KEYS, LOGINS, NAMES, WORDS, Fifty, fifty, roles
from tests.real.fifty_victim import WHERE
from tests.servers.openbao import OpenBaoServer
from tests.servers.postgres import PostgresServer

SEED = int(os.environ.get("ROTATOR_SEED", "20261126"))
ROOT = Path(__file__).parents[2]
BEGINS = "consumers that"
"""The last line that is shown before the first thing is done."""
LONGEST = 2.5
"""Seconds from the first thing that a process does to its death, at most; undisturbed a run does all within ten."""
KINDS = (
    *("open escrow", "keep previous", "mint", "clean up", "save in escrow"),
    *("promote", "disable", "delete", "drop pending", "drop value"),
)
"""All that an emergency of these two providers does."""


@pytest.fixture
def scene(
    tmp_path: Path, postgres_server: PostgresServer, openbao_server: OpenBaoServer, openbao_mount: str
) -> Iterator[Fifty]:
    with fifty(tmp_path, postgres_server, openbao_server, openbao_mount) as made:
        yield made


Shot = Callable[[subprocess.Popen[str]], None]
"""What is done to a process that has begun."""


@dataclass
class Night:
    """The command, typed again and again where the person is; `here` changes when the machine is lost."""

    here: Fifty
    kills: int = 0

    def move(self) -> None:
        """The machine is lost, and the journal with it."""
        self.here = self.here.elsewhere()

    def killed(self, shoot: Shot, *victim: str) -> bool:
        """Type it, and shoot when it has begun; False when it ended by itself, and all was done."""
        while True:
            code, said = self._shot(shoot, *victim)
            if code == -signal.SIGKILL:
                self.kills += 1
                return True
            if not self._rebuilt(said):
                assert code == 0, said
                return False

    def ends(self) -> Answer:
        """Type it until it is done: what a busy machine did not do in time, the next one does, or the one after."""
        said = []
        for _ in range(4):
            answer = self.here.run(*WORDS, script="rotate", timeout=240)
            if answer.code == 0:
                return answer
            said.append(f"{answer.code}: {answer.out}{answer.err[-600:]}")
            self._rebuilt(answer.err)
        raise AssertionError("\n\n".join(said))

    def _rebuilt(self, said: str) -> bool:
        if "`rotator reconcile --rebuild`" not in said:
            return False
        answer = self.here.run("reconcile", "--rebuild", timeout=240)
        assert answer.code == 0, answer.out + answer.err
        return True

    def _shot(self, shoot: Shot, *victim: str) -> tuple[int, str]:
        typed = ["-m", "tests.real.fifty_victim", *victim] if victim else [str(SCRIPTS / "rotate")]
        process = subprocess.Popen(
            [sys.executable, *typed, *WORDS, "--config", str(self.here.config)],
            cwd=ROOT,
            env=self.here.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        said = ""
        try:
            for line in process.stderr:
                said += line
                if line.startswith(BEGINS):
                    shoot(process)
                    break
            said += process.communicate(timeout=240)[1]
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        return process.returncode, said


def _at_random(chance: random.Random) -> Shot:
    def shoot(process: subprocess.Popen[str]) -> None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.random() * LONGEST)
        process.kill()

    return shoot


def _by_itself(process: subprocess.Popen[str]) -> None:
    """It kills itself at its effect."""


def _in_the_end_nothing_stolen_lives(scene: Fifty, night: Night) -> None:
    """As the servers themselves say; and the journal where it ended says the same."""
    answer = night.ends()
    published = {name: scene.value(name) for name in NAMES}
    assert [name for name in NAMES if scene.works(name, scene.stolen[name])] == []
    assert [name for name in NAMES if not scene.works(name, published[name])] == []
    assert scene.logins() == {urlsplit(published[name]).username for name in LOGINS}, "a login that no store holds"
    assert scene.roles() <= {role for name in LOGINS for role in roles(name)}
    assert [name for name in KEYS if len(scene.keyserver.live(name)) != 1] == []
    assert scene.kept() == []
    [incident] = re.findall(r"inc-\d{8}-[0-9a-f]{6}", answer.out)
    report = night.here.run("incident", "report", incident)
    assert report.code == 0, report.out
    assert report.out.startswith(f"incident {incident}: 100 % proven clean")


@pytest.mark.parametrize(
    ("seed", "kills"), [(SEED, 5), *(pytest.param(SEED + n, 8, marks=pytest.mark.slow) for n in range(1, 26))]
)
def test_killed_at_seeded_times_here_and_elsewhere_nothing_stolen_lives(scene: Fifty, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    night, lost = Night(scene), chance.randrange(1, kills)
    while night.kills < kills and night.killed(_at_random(chance)):
        if night.kills == lost:
            night.move()
    assert night.kills >= lost, "it was over before it was killed and its journal lost"
    _in_the_end_nothing_stolen_lives(scene, night)


@pytest.mark.slow
@pytest.mark.parametrize(("at", "where"), [*zip((16, 17, 18), WHERE, strict=True)])
def test_killed_at_every_so_manieth_effect_nothing_stolen_lives(scene: Fifty, at: int, where: str) -> None:
    night = Night(scene)
    while night.killed(_by_itself, "--at", str(at), "--where", where):
        assert night.kills < 100, "it never ends"
    assert night.kills > 15
    _in_the_end_nothing_stolen_lives(scene, night)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_each_kind_of_effect_nothing_stolen_lives(scene: Fifty, kind: str) -> None:
    night = Night(scene)
    if kind == "clean up":
        assert night.killed(_by_itself, "--kind", "mint", "--where", "after effect")
    for where in WHERE:
        assert night.killed(_by_itself, "--kind", kind, "--where", where), "it was over before"
    _in_the_end_nothing_stolen_lives(scene, night)
