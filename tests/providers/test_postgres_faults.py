"""What the driver of PostgreSQL does when the network, the server, another driver or its own process lets it down."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from rotator_postgres import Postgres

from rotator.sdk import Ambiguous, Conflict, Failure, Key, KeyState, Minted, MintRequest, Transient, Verdict
from tests.providers.logins import until
from tests.providers.postgres_setup import ADMIN_PASSWORD, TIMEOUT, Arena, alive, arena, mint, request
from tests.servers.postgres import PostgresServer
from tests.servers.process import reserved_port
from tests.servers.proxy import LOSES_THE_REQUEST, Fault, FaultProxy, Kind, met

ROOT = Path(__file__).parents[2]
SHORT = timedelta(seconds=1)
SET_PASSWORD = b"LOGIN PASSWORD"


@pytest.fixture
def pg(postgres_server: PostgresServer) -> Iterator[Arena]:
    with arena(postgres_server) as made:
        yield made


@pytest.fixture
def proxy(pg: Arena, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
    return fault_proxy(pg.database.host, pg.database.port)


def held(pg: Arena, slot: str = "app_a") -> Key:
    [key] = [key for key in pg.driver().keys(pg.principal) if key.slot == slot]
    return key


def every_call(driver: Postgres, pg: Arena, wanted: MintRequest, minted: Minted) -> list[Callable[[], object]]:
    return [
        lambda: driver.check_admin(pg.principal),
        lambda: driver.keys(pg.principal),
        lambda: driver.mint(pg.principal, wanted),
        lambda: driver.verify(pg.principal, minted.value),
        lambda: driver.identify(pg.principal, minted.value),
        lambda: driver.set_state(pg.principal, minted.key_id, KeyState.DELETED),
    ]


# -- nobody, or somebody else, answers ---------------------------------------------------------------------------------


def test_a_server_that_is_down_is_transient_to_every_call(pg: Arena) -> None:
    minted, wanted = mint(pg.driver(), pg.principal), request(held(pg, "app_b").id)
    with reserved_port() as port:
        for call in every_call(pg.driver(port=port), pg, wanted, minted):
            with pytest.raises(Transient, match="nobody listens"):
                call()


@contextmanager
def listening(answer: bytes) -> Iterator[int]:
    """Something that is not PostgreSQL: says this to whoever comes, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        guests: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    guest, _ = listener.accept()
                except OSError:
                    return
                guests.append(guest)
                with suppress(OSError):  # who has left again
                    guest.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for guest in guests:
                guest.close()


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"R\0\0\0\x08\0\0\0", b"\0" * 64, b"E\0\0\0\x05\0", b"SSH-2.0\r\n"],
)
def test_whatever_else_answers_is_transient_in_time(pg: Arena, answer: bytes) -> None:
    minted, wanted = mint(pg.driver(), pg.principal), request(held(pg, "app_b").id)
    with listening(answer) as port:
        for call in every_call(pg.driver(port=port, timeout=SHORT / 3), pg, wanted, minted):
            started = time.monotonic()
            with pytest.raises(Transient):
                call()
            assert time.monotonic() - started < TIMEOUT.total_seconds()
    assert held(pg).id == minted.key_id


# -- lost requests and lost answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.DROP_RESPONSE])
def test_a_mint_that_breaks_before_its_commit_made_nothing_and_is_transient(
    pg: Arena, proxy: FaultProxy, kind: Kind
) -> None:
    empty = held(pg)
    proxy.inject(Fault(kind=kind, request=SET_PASSWORD))
    with pytest.raises(Transient):
        pg.driver(port=proxy.port).mint(pg.principal, request(empty.id))
    assert proxy.fired == 1
    until(lambda: pg.sessions("rotator") == 0)
    assert held(pg) == empty
    assert pg.driver().mint(pg.principal, request(empty.id)).key_id == held(pg).id


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.BLACKHOLE, Kind.DROP_RESPONSE, Kind.HANG_RESPONSE])
def test_a_mint_whose_commit_has_no_answer_is_ambiguous_and_the_mark_tells_what_happened(pg: Arena, kind: Kind) -> None:
    landed = kind not in LOSES_THE_REQUEST
    fault = Fault(kind=kind, request=b"COMMIT", response=b"COMMIT" if landed else b"")

    def attempt(proxy: FaultProxy, timeout: timedelta) -> tuple[Failure, MintRequest]:
        wanted = request(held(pg).id)
        with pytest.raises(Failure) as failed:
            pg.driver(port=proxy.port, timeout=timeout).mint(pg.principal, wanted)
        return failed.value, wanted

    failure, wanted = met(pg.database.host, pg.database.port, fault, attempt)
    assert type(failure) is Ambiguous
    assert held(pg).mark == (wanted.mark if landed else None)
    assert held(pg).live is landed


def test_a_deletion_whose_answer_is_lost_has_its_sessions_ended_by_the_second_call(
    pg: Arena, proxy: FaultProxy
) -> None:
    minted = mint(pg.driver(), pg.principal)
    session = pg.database.connect("app_a", minted.value.reveal("password"))
    proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"COMMIT", response=b"COMMIT"))
    with pytest.raises(Transient):
        pg.driver(port=proxy.port).set_state(pg.principal, minted.key_id, KeyState.DELETED)
    emptied = held(pg)
    assert emptied.state is KeyState.DELETED
    assert alive(session)
    pg.driver(port=proxy.port).set_state(pg.principal, minted.key_id, KeyState.DELETED)
    assert not alive(session)
    assert held(pg).id == emptied.id


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.DROP_RESPONSE, Kind.BLACKHOLE])
def test_a_login_that_is_lost_says_nothing_of_the_key(pg: Arena, kind: Kind) -> None:
    minted = mint(pg.driver(), pg.principal)
    looks: list[Callable[[Postgres], object]] = [
        lambda driver: driver.verify(pg.principal, minted.value),
        lambda driver: driver.identify(pg.principal, minted.value),
        lambda driver: driver.keys(pg.principal),
        lambda driver: driver.check_admin(pg.principal),
    ]
    for look in looks:

        def lose(proxy: FaultProxy, timeout: timedelta, look: Callable[[Postgres], object] = look) -> None:
            with pytest.raises(Transient):
                look(pg.driver(port=proxy.port, timeout=timeout))
            if proxy.fired:
                look(pg.driver(port=proxy.port))

        met(pg.database.host, pg.database.port, Fault(kind=kind, request=b"client_encoding"), lose)


# -- others at the same role -------------------------------------------------------------------------------------------


def test_a_stalled_transaction_holds_nobody_longer_than_a_call_may_take(pg: Arena) -> None:
    minted, driver = mint(pg.driver(), pg.principal), pg.driver()
    with closing(pg.database.connect()) as stalled, closing(stalled.cursor()) as cursor:
        stalled.autocommit = False
        cursor.execute("alter role app_a nologin")
        changes: list[Callable[[Postgres], object]] = [
            lambda hasty: hasty.mint(pg.principal, request(minted.key_id)),
            lambda hasty: hasty.set_state(pg.principal, minted.key_id, KeyState.DELETED),
        ]
        for change in changes:
            said: list[str] = []
            for seconds in (1, 4, 16):  # half of it for the lock, and the rest to come so far
                started = time.monotonic()
                with pytest.raises(Transient) as failed:
                    change(pg.driver(timeout=timedelta(seconds=seconds)))
                assert time.monotonic() - started < TIMEOUT.total_seconds()
                said.append(failed.value.message)
                if "lock" in said[-1]:
                    break
            assert "lock" in said[-1]
        assert [key.id for key in driver.keys(pg.principal) if key.live] == [minted.key_id]
        assert driver.verify(pg.principal, minted.value) is Verdict.WORKS
        stalled.rollback()
    driver.set_state(pg.principal, minted.key_id, KeyState.DELETED)
    assert driver.verify(pg.principal, minted.value) is Verdict.INVALID


def test_of_two_drivers_on_different_databases_one_mints_into_the_slot(pg: Arena) -> None:
    drivers = [pg.driver(), pg.driver(database="postgres")]
    for _ in range(8):
        expects = held(pg).id
        start = threading.Barrier(len(drivers))

        def attempt(driver: Postgres, wanted: MintRequest, start: threading.Barrier = start) -> Minted | Failure:
            start.wait()
            try:
                return driver.mint(pg.principal, wanted)
            except Failure as failure:
                return failure

        with ThreadPoolExecutor(len(drivers)) as threads:
            results = list(threads.map(attempt, drivers, [request(expects), request(expects)]))
        [won] = [each for each in results if isinstance(each, Minted)]
        [lost] = [each for each in results if not isinstance(each, Minted)]
        assert isinstance(lost, Conflict)
        assert held(pg).id == won.key_id
        assert drivers[0].verify(pg.principal, won.value) is Verdict.WORKS


def test_a_person_who_changes_the_role_meanwhile_makes_a_conflict(pg: Arena) -> None:
    minted = mint(pg.driver(), pg.principal)
    with closing(pg.database.connect()) as person, closing(person.cursor()) as cursor, ThreadPoolExecutor(1) as threads:
        person.autocommit = False
        cursor.execute("alter role app_a password 'ByHand4711'")
        lost = threads.submit(pg.driver().mint, pg.principal, request(minted.key_id))
        until(lambda: pg.execute("select count(*) from pg_stat_activity where wait_event_type = 'Lock'") == [[1]])
        person.commit()
        with pytest.raises(Conflict):
            lost.result()
    assert (
        pg.driver().verify(pg.principal, type(minted.value)({"user": "app_a", "password": "ByHand4711"}))
        is Verdict.WORKS
    )


# -- a process that stops ----------------------------------------------------------------------------------------------

STALLING = """
import sys
from datetime import timedelta
from rotator_postgres import Postgres
from rotator.sdk import Failure, MintRequest, Principal, Secret
host, port, database, admin, mark, fingerprint, password, expects = sys.stdin.read().split()
settings = {"host": host, "port": int(port), "database": database, "user": "rotator", "tls": "off"}
driver = Postgres.from_settings("pg", settings, admin, timedelta(seconds=5))
principal = Principal(name="app", settings={"roles": ("app_a", "app_b"), "owner_role": "app"})
chosen = Secret({"password": password})
wanted = MintRequest(mark=mark, fingerprint=fingerprint, chosen=chosen, slot="app_a", expects=expects)
try:
    driver.mint(principal, wanted)
except Failure as failure:
    print(type(failure).__name__)
else:
    print("minted")
"""


def test_a_process_stopped_in_the_middle_of_its_mint_loses_the_slot_to_the_next(pg: Arena, proxy: FaultProxy) -> None:
    empty = held(pg)
    late = request(empty.id)
    assert late.chosen is not None
    # The proxy keeps the COMMIT back, so that the transaction is open for sure when the process is stopped.
    proxy.inject(Fault(kind=Kind.BLACKHOLE, request=b"COMMIT"))
    words = [pg.database.host, str(proxy.port), pg.database.name, ADMIN_PASSWORD]
    words += [late.mark, str(late.fingerprint), late.chosen.reveal("password"), empty.id]
    with subprocess.Popen(
        [sys.executable, "-c", STALLING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(" ".join(words))
        process.stdin.close()
        until(lambda: proxy.fired == 1)
        os.kill(process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(Transient):
                pg.driver(timeout=timedelta(seconds=0.4)).set_state(pg.principal, empty.id, KeyState.DELETED)
            until(lambda: pg.sessions("rotator") == 0)
            winner = pg.driver().mint(pg.principal, request(empty.id))
        finally:
            os.kill(process.pid, signal.SIGCONT)
        assert process.stdout.read().strip() == "Ambiguous"
    assert held(pg).id == winner.key_id
    assert pg.driver().verify(pg.principal, winner.value) is Verdict.WORKS
