"""`log export --follow`, as something that collects logs runs it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, SCRIPTS, Scene, make
from tests.journal.on_postgres import url_of
from tests.servers.postgres import Database
from tests.servers.proxy import Fault, FaultProxy, Kind

pytestmark = pytest.mark.stand_in("API provider: keyserver")


class Follower:
    """The command, and the lines that came."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self._out: IO[str] = process.stdout

    def next(self) -> dict[str, Any]:
        """The next line; waits for it, and fails where none comes."""
        limit = threading.Timer(200, self.process.kill)
        limit.start()
        try:
            return dict(json.loads(self._out.readline() or "{}"))
        finally:
            limit.cancel()

    def until(self, action: str) -> list[dict[str, Any]]:
        """Lines up to the first with this action."""
        lines = [self.next()]
        while lines[-1]["action"] != action:
            lines.append(self.next())
        return lines

    def end(self, sent: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        """Exit code, what was still written, and what was said beside it."""
        self.process.send_signal(sent)
        out, err = self.process.communicate(timeout=200)
        return self.process.returncode, out, err


@contextmanager
def following(scene: Scene, *words: str) -> Iterator[Follower]:
    process = subprocess.Popen(
        [
            *("/usr/bin/env", "--default-signal=INT", str(SCRIPTS / "rotator")),
            *scene.with_config(["log", "export", "--follow", *words]),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=scene.folder,
        env=scene.environment(),
    )
    try:
        yield Follower(process)
    finally:
        process.kill()
        process.communicate()


def exported(scene: Scene, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in scene.say("log", "export", *words).out.splitlines()]


def test_it_tells_what_was_and_what_comes_and_ends_with_0(scene: Scene) -> None:
    scene.say("adopt", NAME)
    with following(scene) as follower:
        assert follower.until("adopt")[0]["number"] == 1
        scene.say("hold", NAME)
        assert follower.until("hold")[-1]["subject"]
        assert follower.end() == (0, "", "")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_a_service_manager_ends_it_like_a_person(scene: Scene, sent: signal.Signals) -> None:
    scene.say("adopt", NAME)
    with following(scene) as follower:
        follower.until("adopt")
        assert follower.end(sent) == (0, "", "")


def test_behind_a_number_it_goes_on_without_a_gap_or_a_line_twice(scene: Scene) -> None:
    scene.policy(overlap="0s")
    scene.say("adopt", NAME)
    with following(scene) as follower:
        last = follower.until("adopt")[-1]["number"]
        follower.end()
    scene.say("rotate", NAME, "--wait")
    everything = exported(scene)
    assert [line["number"] for line in everything] == list(range(1, len(everything) + 1))
    assert exported(scene, "--after", str(last)) == everything[last:]
    assert exported(scene, "--after", str(len(everything))) == []
    with following(scene, "--after", str(last)) as follower:
        assert [follower.next() for _ in everything[last:]] == everything[last:]
        follower.end()


def test_what_lies_before_a_time_is_left_out(scene: Scene) -> None:
    scene.say("adopt", NAME)
    scene.say("hold", NAME)
    everything = exported(scene)
    assert exported(scene, "--since", "2000-01-01T00:00:00Z") == everything
    assert exported(scene, "--since", "2999-01-01T00:00:00Z") == []
    assert exported(scene, "--since", everything[-1]["at"])[-1] == everything[-1]


def test_who_stops_reading_ends_it_quietly(scene: Scene) -> None:
    scene.say("adopt", NAME)
    with following(scene) as follower:
        follower.until("adopt")
        assert follower.process.stdout is not None
        follower.process.stdout.close()
        assert follower.process.wait(timeout=200) == 0
        assert follower.process.stderr is not None
        assert follower.process.stderr.read() == ""


def cut_off(scene: Scene, keep: int) -> None:
    """The database as it was when there were so many events."""
    with sqlite3.connect(scene.folder / "rotator.db") as connection:
        for trigger in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger[0]}")
        connection.execute("DELETE FROM event WHERE number > ?", (keep,))
    connection.close()


def test_a_database_that_was_put_back_is_told_and_not_waited_out(scene: Scene) -> None:
    scene.say("adopt", NAME)
    scene.say("hold", NAME)
    number = exported(scene)[-1]["number"]
    with following(scene) as follower:
        follower.until("hold")
        cut_off(scene, number - 1)
        assert follower.process.wait(timeout=200) == 3
        assert follower.process.stderr is not None
        assert f"whose event {number} was read" in follower.process.stderr.read()
    answer = scene.say("log", "export", "--after", str(number))
    assert (answer.code, answer.out, len(answer.lines)) == (3, "", 2)


def test_one_that_grew_again_past_what_was_read_is_told_too(scene: Scene) -> None:
    scene.say("adopt", NAME)
    scene.say("hold", NAME)
    number = exported(scene)[-1]["number"]
    with following(scene) as follower:
        follower.until("hold")
        os.kill(follower.process.pid, signal.SIGSTOP)
        cut_off(scene, number - 1)
        scene.say("release", NAME)
        scene.say("hold", NAME, "--reason", "again")
        assert exported(scene)[-1]["number"] > number
        os.kill(follower.process.pid, signal.SIGCONT)
        assert follower.process.wait(timeout=200) == 3


def test_a_database_that_is_away_is_waited_for_and_said_once(tmp_path: Path, postgres_database: Database) -> None:
    with Keyserver(Behaviour()) as keyserver, FaultProxy(postgres_database.host, postgres_database.port) as proxy:
        scene = make(tmp_path, keyserver)
        password = tmp_path / "db-password"
        password.touch(mode=0o600)
        password.write_text(postgres_database.password)
        direct = {"url": url_of(postgres_database), "password": "file:db-password"}
        through = direct["url"].replace(f":{postgres_database.port}/", f":{proxy.port}/")
        scene.rewrite(state={**direct, "url": through}, defaults={"lease": "20s", "isolation": "off"})
        assert scene.say("adopt", NAME).code == 0
        with following(scene) as follower:
            last = follower.until("adopt")[-1]["number"]
            proxy.inject(Fault(kind=Kind.RESET, times=None))
            scene.rewrite(state=direct)
            assert scene.say("hold", NAME).code == 0
            assert follower.process.stderr is not None
            assert follower.process.stderr.readline().startswith("rotator: waiting for the journal: ")
            proxy.inject()
            assert follower.until("hold")[0]["number"] == last + 1
            assert follower.end() == (0, "", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("export", "--after", "-1"), "--after is no number of an event"),
        (("export", "--after", str(2**63)), "--after is no number of an event"),
        (("export", "--after", "x"), "--after: 'x' is not a whole number"),
        (("export", "--since", "yesterday"), "--since: 'yesterday' is not a time"),
        (("export", "--since", "2026-01-01T00:00:00"), "--since: '2026-01-01T00:00:00' names no time zone"),
        (("verify", "--follow"), "--follow is for export alone"),
        (("verify", "--after", "0"), "--after is for export alone"),
        (("verify", "--since", "2026-01-01T00:00:00Z"), "--since is for export alone"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(scene: Scene, words: tuple[str, ...], message: str) -> None:
    answer = scene.say("log", *words)
    assert (answer.code, answer.out, len(answer.lines)) == (2, "", 2)
    assert answer.lines[0].removeprefix("rotator: ") == message
