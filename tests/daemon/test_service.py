"""`rotator daemon`: it begins what is due, goes on with what is open, and may be ended anywhere."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.app import standing
from rotator.domain.rotation import Mode, Phase, Problem, Rotation
from rotator.ports import Change
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import NAME, SCRIPTS, SHORT, Scene, make
from tests.daemon.running import eventually, make_due, phases, serving

UNHURRIED = {"lease": "40s", "isolation": "off"}
"""A lease that no busy machine outlasts."""

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def test_what_is_due_is_rotated_and_what_is_new_adopted(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=(NAME, "new"))
    scene.say("adopt", NAME)
    make_due(scene, NAME)
    old = scene.alive
    with serving(scene) as daemon:
        daemon.until("adopt", next(iter(keyserver.live("new"))).id)
        eventually(lambda: phases(scene) == [Phase.DONE])
        assert daemon.end(signal.SIGTERM) == 0
    assert scene.alive.isdisjoint(old)
    assert len(scene.alive) == 1
    assert phases(scene, "new") == []


def test_a_terminated_daemon_gives_back_what_it_had_in_hand_and_the_next_one_ends_it(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    scene = make(tmp_path, keyserver)
    scene.say("adopt", NAME)
    make_due(scene, NAME)
    scene.rewrite(defaults=UNHURRIED)
    keyserver.tell(latency=2)
    with serving(scene) as daemon:
        eventually(lambda: scene.mints > 0)
        assert daemon.end(signal.SIGTERM) == 0
    journal = scene.journal()
    row = journal.open_rotation(NAME)
    journal.close()
    assert row is not None
    assert (row.owner, row.clean) == (None, True)
    keyserver.tell(latency=0)
    with serving(scene):
        eventually(lambda: phases(scene) == [Phase.DONE])
    assert scene.mints == 1
    assert len(scene.alive) == 1


def test_while_the_config_is_read_rotations_go_on_and_a_stop_does_not_wait_for_it(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    """With 100,000 credentials reading takes half a minute, and nobody knows how long a disk or a store takes."""
    scene = make(tmp_path, keyserver)
    scene.say("adopt", NAME)
    with closing(scene.journal()) as journal, serving(scene) as daemon:
        _hang_readers(scene)
        scene.rewrite(defaults={"parallel": 3})
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(readers(daemon.process.pid)) == 1)
        (reader,) = readers(daemon.process.pid)
        eventually(lambda: _is_first_to_end(reader))
        now = datetime.now(UTC)
        journal.save(replace(journal.credential(NAME), next_due=now), now, Change())
        eventually(lambda: [row.phase for row in journal.rotations(NAME)] == [Phase.DONE])
        assert readers(daemon.process.pid) == [reader]
        assert daemon.end(signal.SIGTERM) == 0
        assert not Path(f"/proc/{reader}").exists()


def test_a_stop_does_not_wait_for_the_first_reading(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver)
    _hang_readers(scene)
    command = [str(SCRIPTS / "rotator"), *scene.with_config(["daemon"])]
    daemon = subprocess.Popen(command, cwd=scene.folder, env=scene.environment(), stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: len(readers(daemon.pid)) == 1)
        (reader,) = readers(daemon.pid)
        eventually(lambda: _is_first_to_end(reader))
        daemon.terminate()
        assert daemon.wait(30) == 0
        assert not Path(f"/proc/{reader}").exists()
    finally:
        daemon.kill()
        daemon.wait()


def test_a_process_that_reads_the_config_ends_with_a_daemon_that_is_killed(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    scene = make(tmp_path, keyserver)
    scene.say("adopt", NAME)
    with serving(scene) as daemon:
        _hang_readers(scene)
        scene.rewrite(defaults={"parallel": 3})
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(readers(daemon.process.pid)) == 1)
        (reader,) = readers(daemon.process.pid)
        eventually(lambda: _is_first_to_end(reader))
        daemon.end(signal.SIGKILL)
        eventually(lambda: not Path(f"/proc/{reader}").exists())


def _hang_readers(scene: Scene) -> None:
    """Whoever reads the installation's key waits for ever."""
    key = scene.folder / "installation.key"
    key.unlink()
    os.mkfifo(key, 0o600)


def _is_first_to_end(process: int) -> bool:
    """Where memory ends."""
    return Path(f"/proc/{process}/oom_score_adj").read_text().split() == ["1000"]


def readers(daemon: int) -> list[int]:
    """The processes of a daemon that read its config."""
    found: list[int] = []
    for tasks in Path(f"/proc/{daemon}/task").glob("*/children"):
        with suppress(OSError):  # a thread, or a process, may end while it is looked at
            children = [int(each) for each in tasks.read_text().split()]
            found += [each for each in children if b"reloading_apart" in Path(f"/proc/{each}/cmdline").read_bytes()]
    return found


def test_a_killed_daemon_loses_nothing(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver)
    scene.lease(SHORT)  # of the one that is killed it has to be over
    scene.say("adopt", NAME)
    make_due(scene, NAME)
    keyserver.tell(latency=0.2)
    with serving(scene) as daemon:
        eventually(lambda: scene.mints > 0)
        daemon.end(signal.SIGKILL)
    keyserver.tell(latency=0)
    with serving(scene):
        eventually(lambda: phases(scene) == [Phase.DONE])
    assert len(scene.alive) == 1


def test_a_second_daemon_is_refused_and_a_command_beside_it_is_not(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver)
    with serving(scene) as daemon:
        daemon.until("adopt")
        second = scene.run("daemon")
        assert second.code == 2
        assert second.lines[0].startswith("rotator: a daemon has this journal, process")
        assert scene.run("rotate", NAME).code == 0
        eventually(lambda: phases(scene) == [Phase.DONE])


def test_while_all_is_paused_nothing_begins_and_an_emergency_goes_on(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=(NAME, "stolen"))
    scene.lease(SHORT)
    scene.say("adopt", NAME)
    scene.say("adopt", "stolen")
    said = scene.say("pause", "--for", "14d", "--reason", "holidays")
    assert said.code == 0
    assert "emergencies" in said.out
    assert "(holidays): no scheduled rotation begins" in scene.say("status").out.splitlines()[0]
    assert "all that is new is paused until" in scene.say("why", NAME).out
    make_due(scene, NAME)
    with serving(scene) as daemon:
        emergency = scene.say("rotate", "stolen", "--assume-compromise", "--contained", "--yes")
        assert emergency.code == 0
        assert phases(scene) == []
        scene.say("pause", "--end")
        eventually(lambda: phases(scene) == [Phase.DONE])
        assert daemon.end(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--until", "tomorrow"), "--until: 'tomorrow' is not a time"),
        (("--for", "2"), "--for: '2' is not a duration"),
        (("--until", "2020-01-01T00:00:00Z"), "the end of the pause lies in the past"),
        (("--end", "--for", "2h"), "--end takes no time"),
        (("--until", "2099-01-01T00:00:00Z", "--for", "2h"), "--until and --for both say when it ends"),
    ],
)
def test_a_pause_that_nobody_understands_is_none(
    tmp_path: Path, keyserver: Keyserver, words: tuple[str, ...], said: str
) -> None:
    scene = make(tmp_path, keyserver)
    answer = scene.say("pause", *words)
    assert answer.code == 2
    assert said in answer.lines[0]
    assert scene.say("pause", "--end").out == "nothing was paused\n"


def test_a_service_manager_hears_when_work_begins_goes_on_and_ends(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        with serving(scene, NOTIFY_SOCKET=str(tmp_path / "notify")) as daemon:
            heard = [manager.recv(4096).decode() for _ in range(2)]
            daemon.end(signal.SIGTERM)
            while not heard[-1].startswith("STOPPING"):
                heard.append(manager.recv(4096).decode())
    assert heard[0] == "READY=1\nSTATUS=1 credentials"
    assert heard[1].startswith("WATCHDOG=1\n")


def test_a_driver_that_would_not_start_is_said_in_daylight(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, isolation="process")
    scene.say("adopt", NAME)
    assert scene.say("plugins", "pin").code == 0
    with serving(scene) as daemon:
        eventually(lambda: scene.say("status").code == 0)
        assert daemon.end(signal.SIGTERM) == 0
        daemon.rest()
        assert "driver would not start" not in {line.get("action") for line in daemon.lines}
    pins = tmp_path / "rotator.pins.json"
    pins.write_text(re.sub("sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, pins.read_text()))
    with serving(scene) as daemon:
        said = daemon.until("driver would not start", "ks")
    assert "`rotator plugins pin" in said["message"]
    with closing(scene.journal()) as journal:  # for the dashboard
        assert [each.subject for each in standing.recall(journal, "driver would not start")] == ["ks"]


def test_a_key_that_is_held_beyond_its_age_is_said_with_what_helps(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=(NAME, "held"))
    scene.say("adopt", NAME)
    scene.say("adopt", "held")
    journal = scene.journal()
    for name, days in ((NAME, 32), ("held", 31)):
        row = journal.credential(name)
        now = datetime.now(UTC)
        old = replace(row, current_since=now - timedelta(days=days), held=True, held_why="audit")
        journal.save(old, now, Change())
    journal.close()
    with serving(scene) as daemon:
        warned = daemon.until("about to be too old")
        missed = daemon.until("too old")
    assert warned["subject"] == "held"
    assert "it is on hold (audit) — `rotator release held`" in warned["message"]
    assert missed["subject"] == NAME


def test_what_fails_since_a_day_and_is_not_given_up_is_said(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=(NAME, "given-up"))
    now = datetime.now(UTC)
    with closing(scene.journal()) as journal:
        for name, phase in ((NAME, Phase.LIVE), ("given-up", Phase.STAGING)):
            scene.say("adopt", name)
            row = Rotation(
                id=f"r-{name}",
                credential=name,
                mode=Mode.SCHEDULED,
                reason="",
                started_at=now,
                next_at=now + timedelta(hours=1),
                since=now,
                phase=phase,
                failing_since=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
                problem=Problem(message="the store is sealed"),
            )
            assert journal.begin(row, Change())
    with serving(scene) as daemon:
        said = daemon.until("does not get on")
        assert daemon.end(signal.SIGTERM) == 0
        daemon.rest()
    assert said["subject"] == NAME
    assert said["message"] == "the store is sealed, since 2026-01-02T03:04:05Z; it goes on trying"
    assert sum(line.get("action") == "does not get on" for line in daemon.lines) == 1


def test_a_full_disk_stops_nothing_but_what_would_be_written_and_work_goes_on(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    """The largest size of a file stands for a full disk: the database can grow no further."""
    scene = make(tmp_path, keyserver)
    scene.rewrite(defaults=UNHURRIED)
    scene.say("adopt", NAME)
    with serving(scene) as daemon:
        daemon.until("checkpoint")
        _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (4096, hard))
        make_due(scene, NAME)
        daemon.until("journal away")
        assert daemon.process.poll() is None
        assert scene.mints == 0
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        daemon.until("journal back")
        eventually(lambda: phases(scene) == [Phase.DONE])
        assert sum(line.get("action") == "journal away" for line in daemon.lines) == 1
    assert len(scene.alive) == 1
