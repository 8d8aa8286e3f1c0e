"""Several processes on one PostgreSQL: killed, stopped beyond a lease, cut off, with wrong clocks; one rate for all.

Nothing is lost, nothing is done twice: every due credential has one rotation that is done, one living key, and that is
the one that consumers read. No fence mints twice; what a process that died had minted is dead.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rotator.adapters.journal.verifying import Broken, verify_log
from rotator.domain.rotation import Phase
from rotator.testing.keyserver import Behaviour, FaultKind, KeyserverProcess, Operation
from tests.providers.logins import until
from tests.replicas.scene import Scene, make
from tests.servers.postgres import Database
from tests.servers.proxy import Fault, FaultProxy, Kind

LEASE, STOPPED = 4, 7
"""Seconds: a stopped process is away for longer than its lease, and so is one that is cut off."""
PARALLEL = 8

pytestmark = pytest.mark.stand_in("API provider: keyserver")


@pytest.fixture
def keyserver() -> Iterator[KeyserverProcess]:
    with KeyserverProcess(Behaviour()) as server:
        yield server


def _all_is_done_once(scene: Scene, victims: int) -> None:
    """`victims`: processes that something befell; each had no more in hand than it has threads."""
    with scene.assembly() as assembly:
        rows = assembly.journal.rotations(limit=2 * scene.count)
        assert Counter(row.phase for row in rows) == {Phase.DONE: scene.count}
        assert {row.credential for row in rows} == set(scene.names)
        current = {row.name: row.current for row in assembly.journal.credentials()}
        assembly.journal.checkpoint(assembly.clock.now())
        verified = verify_log(assembly.journal, assembly.installation.public())
        assert not isinstance(verified, Broken), verified.problems
        events = assembly.journal.events(limit=10)
        assert events
    for name in scene.names:
        assert list(scene.keyserver.live(name)) == [current[name]]
    log = scene.keyserver.log
    assert set(log.mint_requests().values()) == {1}
    made = log.of(Operation.MINT)
    assert scene.count <= len(made) <= scene.count + victims * PARALLEL
    _consumers_read_what_works(scene)


def _consumers_read_what_works(scene: Scene) -> None:
    import urllib3

    pool = urllib3.PoolManager(retries=False)
    for name in scene.names:
        headers = {"Authorization": f"Bearer {scene.document(name)}"}
        assert pool.request("GET", f"{scene.keyserver.url}/resource", headers=headers).status == 200


@pytest.mark.parametrize("count", [300, pytest.param(5000, marks=pytest.mark.slow)])
def test_killed_stopped_and_cut_off_replicas_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, postgres_database: Database, keyserver: KeyserverProcess, count: int
) -> None:
    scene = make(tmp_path, postgres_database, keyserver, count, lease=f"{LEASE}s")
    with ExitStack() as ending:
        proxy = ending.enter_context(FaultProxy(postgres_database.host, postgres_database.port))
        killed = ending.enter_context(scene.replica())
        stopped = ending.enter_context(scene.replica())
        cut_off = ending.enter_context(scene.replica(port=proxy.port))
        whole = ending.enter_context(scene.replica())
        scene.begin(killed, stopped, cut_off, whole)
        scene.wait_for_mints(count // 6)
        killed.kill()
        scene.wait_for_mints(count // 4)
        # From here nobody begins until both have happened: whoever is quick would leave the others nothing to do.
        keyserver.fail(Operation.LIST, FaultKind.HELD, calls=None)
        stopped.send_signal(signal.SIGSTOP)
        proxy.inject(Fault(kind=Kind.BLACKHOLE, times=None))
        until(lambda: proxy.fired > 0)
        keyserver.tell(faults=())
        time.sleep(STOPPED)
        proxy.inject()
        stopped.send_signal(signal.SIGCONT)
        for process in (stopped, cut_off, whole):
            out, _ = process.communicate(timeout=900)
            assert out.endswith("finished\n"), out
            assert process.returncode == 0
            if process is cut_off:
                assert "the connection to the database was lost" in out
    _all_is_done_once(scene, victims=3)


def test_replicas_whose_clocks_are_hours_apart_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, postgres_database: Database, keyserver: KeyserverProcess
) -> None:
    scene = make(tmp_path, postgres_database, keyserver, 40, lease="25s")  # which no call outlasts
    with ExitStack() as ending:
        replicas = [ending.enter_context(scene.replica("--ahead", ahead)) for ahead in ("3600", "-3600", "0")]
        scene.begin(*replicas)
        for process in replicas:
            out, _ = process.communicate(timeout=300)
            assert out.endswith("finished\n"), out
    _all_is_done_once(scene, victims=0)
    with scene.assembly() as assembly:
        assert all(row.clean and row.fence < 9 for row in assembly.journal.rotations(limit=100))


def test_two_replicas_together_stay_under_the_rate_of_the_account(
    tmp_path: Path, postgres_database: Database, keyserver: KeyserverProcess
) -> None:
    rate, count, window, parallel = 15, 10, 2, 2
    scene = make(tmp_path, postgres_database, keyserver, count, lease="20s", rate=f"{rate}/s")
    before = len(keyserver.log)
    with ExitStack() as ending:
        replicas = [ending.enter_context(scene.replica("--parallel", str(parallel))) for _ in range(2)]
        scene.begin(*replicas)
        for process in replicas:
            out, _ = process.communicate(timeout=300)
            assert out.endswith("finished\n"), out
    calls = sorted(each.received_at for each in list(keyserver.log)[before:])
    assert len(calls) > 8 * count
    for index, at in enumerate(calls):
        within = sum(1 for other in calls[index:] if other < at + window)
        # Those that were let go of already come together where the machine kept them waiting.
        assert within <= rate * window * 1.2 + 1 + 2 * parallel, f"{within} calls within {window} seconds"
    _all_is_done_once(scene, victims=0)
