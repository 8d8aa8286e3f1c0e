"""What the service does now and then: none of it keeps it from ending, and no clock keeps it from being done."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.housekeeping import begin_due, enroll, spread_missed
from rotator.daemon import duties
from rotator.daemon.duties import Clockwork, Duty
from rotator.daemon.reminders import Reminders
from rotator.domain.credential import Credential
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import Phase
from rotator.engine.world import World
from rotator.ports import Change
from rotator.testing.keyserver import Keyserver, Operation
from tests.cli.scene import NAME, Scene, make
from tests.daemon.running import eventually, make_due, phases, serving

pytestmark = pytest.mark.stand_in("API provider: keyserver")
MANY = tuple(f"key-{number:02}" for number in range(40))


@contextmanager
def together(scene: Scene) -> Iterator[Assembly]:
    assembly = Assembly(config=load_config(scene.config))
    try:
        yield assembly
    finally:
        assembly.close()


def test_a_long_pass_of_the_reconciler_keeps_no_daemon_from_ending_and_nothing_begins_meanwhile(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    scene = make(tmp_path, keyserver, names=MANY)
    for name in MANY:
        scene.say("adopt", name)
    keyserver.tell(latency=0.25)
    asked = len(keyserver.log)
    with serving(scene) as daemon:
        eventually(lambda: len(keyserver.log) > asked + 4)  # the pass has begun
        daemon.process.send_signal(signal.SIGTERM)
        daemon.until("stopping")
        make_due(scene, MANY[0])
        assert daemon.process.wait(60) == 0
    assert len(keyserver.log) < asked + 3 * len(MANY)
    assert len(keyserver.log.of(Operation.MINT)) == 0
    with together(scene) as assembly:
        assert assembly.journal.recall("reconciled at") is None
        assert assembly.journal.recall("reconciled up to") in MANY


def test_a_clock_that_is_set_back_keeps_no_duty_from_being_done(
    tmp_path: Path, keyserver: Keyserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[float] = []
    scene = make(tmp_path, keyserver)
    with together(scene) as assembly:
        reminders = Reminders(lambda: assembly.told, assembly.clock.now)
        duty = Duty("often", timedelta(hours=1), lambda *_: done.append(time.monotonic()))
        clockwork = Clockwork(assembly, reminders, [duty])
        clockwork.start()
        eventually(lambda: len(done) == 1)
        clockwork.look()
        ahead = duties._ahead()
        monkeypatch.setattr(duties, "_ahead", lambda: ahead - 86_400)
        clockwork.look()
        eventually(lambda: len(done) == 2)
        clockwork.look()
        clockwork.stop()
        assert clockwork.wait(20)
        assert len(done) == 2


def test_a_policy_that_became_shorter_is_followed(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=(NAME, "adopted"))
    scene.say("adopt", "adopted")
    assert scene.say("rotate", NAME, "--wait").code == 0
    now = datetime.now(UTC)
    with together(scene) as assembly:
        for name in (NAME, "adopted"):
            row = assembly.journal.credential(name)
            aged = replace(row, current_since=now - timedelta(days=15), next_due=now + timedelta(days=15))
            assembly.journal.save(aged, now, Change())
    scene.policy(every="10d")
    with together(scene) as assembly:
        enroll(assembly)
        assert assembly.journal.credential(NAME).next_due <= datetime.now(UTC)  # type: ignore[operator]
        kept = assembly.journal.credential("adopted").next_due
        assert kept is not None
        assert now < kept < now + timedelta(days=1)  # spread over the jitter's share, as what is adopted old is
        enroll(assembly)
        assert assembly.journal.credential("adopted").next_due == kept


def test_a_credential_that_is_renamed_and_renamed_back_is_rotated_on(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver)
    scene.policy(overlap="0s", quiet_for="0s")
    scene.say("adopt", NAME)
    told = json.loads(scene.config.read_text())["credentials"]
    for name in ("renamed", NAME):
        scene.rewrite(credentials={name: told[NAME]})
        with together(scene) as assembly:
            assert enroll(assembly).problems == {}
            assert assembly.journal.holders("key-1") == (name,)
    assert scene.say("rotate", NAME, "--wait").code == 0
    assert scene.alive == {"key-2"}


def test_a_defect_of_one_credential_keeps_no_other_from_being_rotated(
    tmp_path: Path, keyserver: Keyserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make(tmp_path, keyserver, names=("a-bad", "good"))
    for name in ("a-bad", "good"):
        scene.say("adopt", name)
        make_due(scene, name)
    world_of = Assembly.world_of

    def broken(self: Assembly, spec: Credential) -> World:
        if spec.name == "a-bad":
            raise ValueError("of a driver")
        return world_of(self, spec)

    monkeypatch.setattr(Assembly, "world_of", broken)
    with together(scene) as assembly:
        begun = begin_due(assembly, 2, put_off=True)
        assert set(begun.problems) == {"a-bad"}
        assert "ValueError" in begun.problems["a-bad"][0]
        assert "of a driver" not in begun.problems["a-bad"][0]
        assert assembly.journal.open_rotation("good") is not None
        assert assembly.journal.due(assembly.clock.now(), 9) == ()


def test_what_the_config_does_not_have_keeps_nothing_from_its_turn_and_is_left_alone(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    """It may be a replica's whose file is newer."""
    scene = make(tmp_path, keyserver)
    scene.say("adopt", NAME)
    make_due(scene, NAME, ago=timedelta(days=1))
    with together(scene) as assembly:
        long_ago = assembly.clock.now() - timedelta(days=2)
        for number in range(9):
            row = CredentialRow(name=f"gone-{number}", next_due=long_ago)
            assembly.journal.save(row, assembly.clock.now(), Change())
        assert spread_missed(assembly) == 1
        make_due(scene, NAME)
        begin_due(assembly, 2, put_off=True)
        assert assembly.journal.open_rotation(NAME) is not None
        assert {row.next_due for row in assembly.journal.due(assembly.clock.now(), 99)} == {long_ago}


def test_alerts_of_a_day_are_not_repeated_by_a_reload(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=(NAME, "other"))
    scene.say("adopt", NAME)
    with together(scene) as assembly:
        now = datetime.now(UTC)
        row = replace(assembly.journal.credential(NAME), current_since=now - timedelta(days=40), held=True)
        assembly.journal.save(row, now, Change())
    with serving(scene) as daemon:
        daemon.until("too old")
        data = json.loads(scene.config.read_text())["credentials"][NAME]
        scene.credential(NAME, tags=[*data["tags"], "more"])
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("reloading")
        daemon.until("serving")
        make_due(scene, "other")
        eventually(lambda: phases(scene, "other")[:1] == [Phase.DONE])
        daemon.end(signal.SIGTERM)
        daemon.rest()
    assert sum(line.get("action") == "too old" for line in daemon.lines) == 1
