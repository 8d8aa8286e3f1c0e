"""A database that is away for a while, on a real server behind a proxy: nothing is claimed, and then work goes on."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.journals import close_journal
from rotator.domain.rotation import Phase
from rotator.ports import Change
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import NAME, Scene, make
from tests.daemon.running import eventually, serving
from tests.journal.on_postgres import url_of
from tests.servers.postgres import Database
from tests.servers.proxy import Fault, FaultProxy, Kind

pytestmark = pytest.mark.stand_in("API provider: keyserver")


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.BLACKHOLE])
def test_a_database_that_was_away_is_said_once_and_work_goes_on(
    tmp_path: Path, keyserver: Keyserver, postgres_database: Database, kind: Kind
) -> None:
    with _on(tmp_path, keyserver, postgres_database) as (scene, proxy):
        with serving(scene) as daemon:
            proxy.inject(Fault(kind=kind, times=None))
            daemon.until("journal away")
            proxy.inject()
            daemon.until("journal back")
            _due(scene)
            eventually(lambda: _phases(scene) == [Phase.DONE])
        assert sum(line.get("action") == "journal away" for line in daemon.lines) == 1
        assert len(scene.alive) == 1


def test_a_database_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, keyserver: Keyserver, postgres_database: Database
) -> None:
    with _on(tmp_path, keyserver, postgres_database) as (scene, proxy):
        proxy.inject(Fault(kind=Kind.RESET, times=None))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(tmp_path / "notify"))
            manager.settimeout(60)
            with serving(scene, first="journal away", NOTIFY_SOCKET=str(tmp_path / "notify")) as daemon:
                heard = [manager.recv(4096).decode() for _ in range(2)]
                assert scene.say("alive").code == 0
                proxy.inject()
                daemon.until("serving")
        assert sum(line.get("action") == "journal away" for line in daemon.lines) == 1
        for each in heard:
            assert "EXTEND_TIMEOUT_USEC=" in each
            assert "STATUS=waits for the journal: " in each


def test_one_that_waits_for_its_database_and_is_stopped_leaves_no_sign_of_life(
    tmp_path: Path, keyserver: Keyserver, postgres_database: Database
) -> None:
    with _on(tmp_path, keyserver, postgres_database) as (scene, proxy):
        proxy.inject(Fault(kind=Kind.RESET, times=None))
        with serving(scene, first="journal away") as daemon:
            eventually(lambda: scene.say("alive").code == 0)
            assert daemon.end(signal.SIGTERM) == 0
        assert scene.say("alive").code == 1


@contextmanager
def _on(folder: Path, keyserver: Keyserver, database: Database) -> Iterator[tuple[Scene, FaultProxy]]:
    """A credential whose journal is on a database behind a proxy."""
    scene = make(folder, keyserver)
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text(database.password)
    with FaultProxy(database.host, database.port) as proxy:
        scene.rewrite(state={"url": url_of(database, port=proxy.port), "password": "file:password"})
        assert scene.say("adopt", NAME).code == 0
        yield scene, proxy


def _due(scene: Scene) -> None:
    assembly = Assembly(config=load_config(scene.config))
    now = datetime.now(UTC)
    row = assembly.journal.credential(NAME)
    assembly.journal.save(replace(row, next_due=now - timedelta(minutes=1)), now, Change())
    close_journal(assembly)


def _phases(scene: Scene) -> list[Phase]:
    assembly = Assembly(config=load_config(scene.config))
    phases = [row.phase for row in assembly.journal.rotations(NAME)]
    close_journal(assembly)
    return phases
