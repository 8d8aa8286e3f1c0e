"""A newer rotator migrates the journal under a daemon, or a command, that runs: it ends with two lines, and says 3."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rotator.adapters.journal.version import HEAD
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import NAME, SHORT, make
from tests.daemon.running import eventually, make_due, phases, serving

pytestmark = pytest.mark.stand_in("API provider: keyserver")
SAID = f"a newer rotator wrote this journal (schema '9999', this one knows {HEAD})"


def _migrate(journal: Path, version: str = "9999") -> None:
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute(f"create table schema_{version} (something text)")
        connection.execute("update alembic_version set version_num = ?", (version,))
        connection.execute("update rotation set next_at = 1")  # a turn with nothing to do only looks, and harms nothing
        connection.commit()


def test_a_daemon_ends_and_what_it_had_in_hand_is_gone_on_with(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, lease=SHORT)
    scene.policy(overlap="1h")
    with serving(scene) as daemon:
        daemon.until("adopt")
        make_due(scene, NAME)
        eventually(lambda: phases(scene)[:1] == ["live"])
        _migrate(tmp_path / "rotator.db")
        daemon.until("stopping")
        assert daemon.process.wait(60) == 3
        daemon.rest()
    assert daemon.said[-2:] == [
        f"rotator: {SAID}\n",
        "hint: this process ends; start the newer one, which goes on with what it had in hand\n",
    ]
    assert not (tmp_path / "daemon.alive").exists()
    _migrate(tmp_path / "rotator.db", HEAD)
    assert scene.say("rollback", NAME).code == 0
    scene.say("rotate", "--due", "--wait")
    assert phases(scene) == ["rolled_back"]
    assert len(scene.alive) == 1
