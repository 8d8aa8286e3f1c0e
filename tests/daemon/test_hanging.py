"""What hangs is not called alive; what merely takes long is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.app.alive import is_alive
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.housekeeping import begin_due
from rotator.app.reloading_apart import ReloadingApart
from rotator.daemon import duties as duties_module
from rotator.daemon import works as works_module
from rotator.daemon.duties import STILL, Clockwork, Duty
from rotator.daemon.reminders import Reminders
from rotator.daemon.service import Daemon
from rotator.daemon.works import Works
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import NAME, Scene, make
from tests.daemon.running import eventually, make_due, phases

pytestmark = pytest.mark.stand_in("API provider: keyserver")


class Hands:
    """A clock that somebody moves, in place of the module `time`: no machine is so slow that anything hangs by it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        """As it stands."""
        return self.seconds

    time = monotonic


class Heard:
    """Keeps alerts."""

    def __init__(self) -> None:
        self.alerts: list[tuple[str, str, str]] = []

    def committed(self, row: Any, events: Any) -> None:
        """Nothing."""

    def alert(self, action: str, subject: str, message: str) -> None:
        """Keep it."""
        self.alerts.append((action, subject, message))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    """What duties and rotations have moved by is seen by this clock."""
    hands = Hands()
    for each in (duties_module, works_module):
        monkeypatch.setattr(each, "time", hands)
    return hands


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver) -> Scene:
    return make(tmp_path, keyserver)


@pytest.fixture
def assembly(scene: Scene, heard: Heard) -> Iterator[Assembly]:
    made = Assembly(config=load_config(scene.config), observer=heard)
    try:
        yield made
    finally:
        made.close()


def clockwork(assembly: Assembly, do: Callable[[Callable[[], bool]], None]) -> Clockwork:
    """With one duty, which has begun."""
    begun = threading.Event()

    def duty(assembly: Assembly, reminders: Reminders, stop: Callable[[], bool]) -> None:
        begun.set()
        do(stop)

    reminders = Reminders(lambda: assembly.told, assembly.clock.now)
    made = Clockwork(assembly, reminders, [Duty("the pass", timedelta(hours=1), duty)])
    made.start()
    assert begun.wait(60)
    return made


def said_alive(scene: Scene, works: Works, duties: Clockwork, assembly: Assembly) -> bool:
    """Whether a turn of the service is a heartbeat."""
    daemon = Daemon(ReloadingApart(scene.config, state=None), owner="a test", adjusted=lambda config: config)
    (scene.folder / "daemon.alive").unlink(missing_ok=True)
    daemon._say_alive(works, duties, assembly)
    return is_alive(scene.folder)


def test_a_duty_that_does_not_move_is_told_and_ends_the_heartbeat(
    scene: Scene, assembly: Assembly, heard: Heard, hands: Hands
) -> None:
    let_go = threading.Event()

    def hang(stop: Callable[[], bool]) -> None:
        let_go.wait(60)

    duties = clockwork(assembly, hang)
    works = Works(assembly, "a test")
    works._run.turns = 1
    assert said_alive(scene, works, duties, assembly)
    hands.seconds += STILL + 1
    assert duties.hangs
    duties.look()
    assert [each[:2] for each in heard.alerts] == [("duty failed", "the pass")]
    assert not said_alive(scene, works, duties, assembly)
    let_go.set()
    eventually(lambda: said_alive(scene, works, duties, assembly))
    duties.stop()
    assert duties.wait(60)


def test_a_duty_that_takes_long_and_moves_is_left_alone(assembly: Assembly, heard: Heard, hands: Hands) -> None:
    moved, more = threading.Event(), threading.Semaphore(0)

    def slowly(stop: Callable[[], bool]) -> None:
        while not stop():
            moved.set()
            more.acquire()

    duties = clockwork(assembly, slowly)
    for _ in range(9):
        assert moved.wait(60)
        hands.seconds += STILL / 3
        duties.look()
        assert not duties.hangs
        moved.clear()
        more.release()
    assert heard.alerts == []
    duties.stop()
    more.release()
    assert duties.wait(60)


def test_threads_that_let_go_of_nothing_end_the_heartbeat_and_waiting_for_work_does_not(
    scene: Scene, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.rewrite(defaults={"lease": "60s", "isolation": "off", "parallel": 1})
    assert scene.say("adopt", NAME).code == 0
    one = Assembly(config=load_config(scene.config))
    real, let_go = one.world_of, threading.Event()

    def world_of(spec: Any) -> Any:
        if threading.current_thread().name.startswith("rotation"):
            let_go.wait(60)
        return real(spec)

    monkeypatch.setattr(one, "world_of", world_of)
    duties = clockwork(one, lambda stop: None)
    works = Works(one, "a test")
    works.start()
    try:
        hands.seconds += 2 * STILL
        assert not works.hangs, "there is nothing to do"
        make_due(scene, NAME)
        begin_due(one, 1)
        eventually(lambda: not works.room)
        hands.seconds += STILL + 1
        eventually(lambda: works.hangs)
        assert not said_alive(scene, works, duties, one)
        let_go.set()
        eventually(lambda: not works.hangs)
        eventually(lambda: phases(scene) != ["planned"])
    finally:
        let_go.set()
        works.stop()
        duties.stop()
        assert works.wait(60)
        one.close()
