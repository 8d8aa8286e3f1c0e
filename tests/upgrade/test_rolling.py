"""Old and new at the same time, the way back, and what a person is told on it."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from rotator.adapters.journal.version import HEAD
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import Answer
from tests.daemon.running import Running, eventually
from tests.servers.postgres import Database
from tests.upgrade.conftest import Making
from tests.upgrade.scene import QUICK, Upgraded, on_postgres, on_sqlite
from tests.upgrade.wheels import COMING_SCHEMA, OLDER_SCHEMA, Installed

pytestmark = pytest.mark.stand_in("API provider: keyserver")
NAMES = tuple(f"key-{number:02}" for number in range(8))
LATENCY = 0.05
"""Seconds that each call takes, so that neither wheel has done all before the other one looks."""
DUE = "update credential set next_due = 1 where next_due is not null"


def test_on_postgresql_both_work_at_the_same_time_until_the_older_one_is_stopped(
    newer_wheel: Installed, coming_wheel: Installed, tmp_path: Path, keyserver: Keyserver, postgres_database: Database
) -> None:
    installation = on_postgres(tmp_path, keyserver, NAMES, postgres_database)
    installation.scene.rewrite(policies={"quick": QUICK}, defaults={"lease": "20s", "isolation": "off", "parallel": 2})
    keyserver.tell(latency=LATENCY)
    with installation.serving(newer_wheel) as older:
        eventually(lambda: installation.ask("select count(*) from credential where current is not null") == len(NAMES))
        _until_at_work(installation, postgres_database, older)
        assert installation.schema == HEAD
        with installation.serving(coming_wheel) as newer:
            assert installation.schema == COMING_SCHEMA
            _until_at_work(installation, postgres_database, older, newer)
            assert older.end(signal.SIGTERM) == 0
            _until_at_work(installation, postgres_database, newer)
            eventually(lambda: installation.open == 0)
            assert newer.end(signal.SIGTERM) == 0
        for daemon in (older, newer):
            daemon.rest()
            assert not [line for line in daemon.lines if line.get("action") in ("journal away", "defect")]
    _nothing_is_lost(installation, coming_wheel)
    assert set(keyserver.log.mint_requests().values()) == {1}


def _until_at_work(installation: Upgraded, database: Database, *daemons: Running) -> None:
    """Until each of them had a rotation in hand, and more is due again and again until then."""
    waited, deadline = {f"-{each.process.pid}-" for each in daemons}, time.monotonic() + 120
    while waited:
        database.execute(DUE)
        owners = str(installation.ask("select string_agg(owner, ' ') from rotation where owner is not null"))
        waited = {each for each in waited if each not in owners}
        assert time.monotonic() < deadline, f"not at work: {waited}"
        time.sleep(0.05)


def _nothing_is_lost(installation: Upgraded, by: Installed) -> None:
    for name in NAMES:
        assert installation.works(name)
        assert len(installation.alive(name)) == 1
    assert installation.run(by, "log", "verify").code == 0


def test_the_older_one_does_not_start_on_what_the_newer_one_migrated(
    older_wheel: Installed, newer_wheel: Installed, upgraded: Making
) -> None:
    installation = upgraded("key-00")
    assert installation.run(older_wheel, "key-00", script="rotate").code == 0
    assert installation.run(newer_wheel, "check").code == 0
    assert installation.schema == HEAD
    refused = f"a newer rotator wrote this journal (schema '{HEAD}', this one knows {OLDER_SCHEMA})"
    for words in (["rotate", "--due"], ["status"], ["log", "verify"]):
        assert _two_lines(installation.run(older_wheel, *words)) == refused, words
    assert installation.run(newer_wheel, "key-00", script="rotate").code == 0
    assert installation.works("key-00")


def test_on_sqlite_the_newer_one_waits_for_nobody_and_migrates_nothing_under_a_daemon(
    newer_wheel: Installed, coming_wheel: Installed, tmp_path: Path, keyserver: Keyserver
) -> None:
    installation = on_sqlite(tmp_path, keyserver, ("key-00",))
    with installation.serving(newer_wheel) as older:
        for words in (["daemon"], ["rotate", "--due"]):
            said = _two_lines(installation.run(coming_wheel, *words))
            assert said == f"a daemon has this journal, process {older.process.pid}", words
        assert installation.schema == HEAD
        assert older.end(signal.SIGTERM) == 0
    with installation.serving(coming_wheel) as newer:
        assert installation.schema == COMING_SCHEMA
        assert not [line for line in newer.lines if line.get("action") in ("config approved", "config waits")]
        assert newer.end(signal.SIGTERM) == 0
    assert installation.run(coming_wheel, "config", "diff").code == 0


def test_pins_of_the_older_wheel_stop_the_drivers_of_the_newer_one_until_somebody_pins_them(
    older_wheel: Installed, newer_wheel: Installed, tmp_path: Path, keyserver: Keyserver
) -> None:
    installation = on_sqlite(tmp_path, keyserver, ("key-00",), isolation="process")
    assert installation.run(older_wheel, "key-00", script="rotate").code == 0
    assert installation.run(older_wheel, "plugins", "pin").code == 0
    before = installation.alive("key-00")
    said = _two_lines(installation.run(newer_wheel, "key-00", script="rotate"))
    assert said.endswith("the provider keyserver is not what was pinned: rotator 0.1.0 was changed in place")
    assert installation.alive("key-00") == before
    assert installation.run(newer_wheel, "plugins", "pin").code == 0
    assert installation.run(newer_wheel, "key-00", script="rotate").code == 0
    assert installation.works("key-00")
    assert json.loads((tmp_path / "rotator.pins.json").read_text())


def _two_lines(answer: Answer) -> str:
    """What was refused; exit 2."""
    assert answer.code == 2, answer
    message, hint = answer.err.splitlines()[-2:]
    assert hint.startswith("hint: ")
    return message.partition(": ")[2]
