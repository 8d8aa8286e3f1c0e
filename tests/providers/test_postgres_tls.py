"""Whom the driver of PostgreSQL trusts: a server of its own, with a certificate for 127.0.0.1."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.sdk import Denied, Verdict
from tests.providers.postgres_setup import Arena, arena, mint, pg_hba
from tests.servers import postgres
from tests.servers.certificate import self_signed
from tests.servers.postgres import PostgresServer
from tests.servers.process import new_directory, unprivileged

pytestmark = pytest.mark.real("PostgreSQL")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where the server can read what belongs to it."""
    made = new_directory("tls", unprivileged())
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Path:
    public, private = self_signed(folder, "server", "127.0.0.1")
    if (identity := unprivileged()) is not None:
        os.chown(private, identity.uid, identity.gid)
    return public


@pytest.fixture(scope="module")
def server(certificate: Path) -> Iterator[PostgresServer]:
    files = ("-c", f"ssl_cert_file={certificate}", "-c", f"ssl_key_file={certificate.with_suffix('.key')}")
    with ExitStack() as ending:
        started = postgres.start(options=("-c", "ssl=on", "-c", "log_connections=on", *files))
        ending.callback(started.stop)
        yield started


@pytest.fixture
def pg(server: PostgresServer) -> Iterator[Arena]:
    with arena(server) as made:
        yield made


@pytest.mark.parametrize("said", [True, False])
def test_a_server_with_a_certificate_of_the_authority_is_believed(pg: Arena, certificate: Path, said: bool) -> None:
    driver = pg.driver(ca=str(certificate), tls="verify-full") if said else pg.driver(ca=str(certificate))
    minted = mint(driver, pg.principal)
    assert driver.verify(pg.principal, minted.value) is Verdict.WORKS
    assert driver.identify(pg.principal, minted.value) == minted.key_id
    logins = [line for line in pg.log().splitlines() if f"authorized: user=app_a database={pg.database.name}" in line]
    assert logins
    assert all("SSL enabled" in line for line in logins)


def test_a_certificate_of_another_authority_is_refused(pg: Arena, folder: Path) -> None:
    other, _ = self_signed(folder, "other", "127.0.0.1")
    with pytest.raises(Denied, match="not trusted") as refused:
        pg.driver(ca=str(other), tls="verify-full").keys(pg.principal)
    assert "ca" in refused.value.hint


def test_a_certificate_for_another_host_is_refused(pg: Arena, certificate: Path) -> None:
    settings = {"host": "localhost", "port": pg.database.port, "user": "rotator", "ca": str(certificate)}
    driver = type(pg.driver()).from_settings("pg", settings, "unused", timedelta(seconds=5))
    with pytest.raises(Denied, match="not trusted"):
        driver.keys(pg.principal)


def test_require_encrypts_and_asks_for_no_authority(pg: Arena) -> None:
    driver = pg.driver(tls="require")
    minted = mint(driver, pg.principal)
    assert driver.verify(pg.principal, minted.value) is Verdict.WORKS
    logins = [line for line in pg.log().splitlines() if f"authorized: user=app_a database={pg.database.name}" in line]
    assert all("SSL enabled" in line for line in logins)


def test_a_password_in_clear_text_goes_to_the_proven_server_alone(pg: Arena, certificate: Path) -> None:
    minted = mint(pg.driver(), pg.principal)
    with pg_hba(pg, "host all app_a 127.0.0.1/32 password"):
        proven = pg.driver(ca=str(certificate), tls="verify-full")
        assert proven.verify(pg.principal, minted.value) is Verdict.WORKS
        assert proven.identify(pg.principal, minted.value) == minted.key_id
        with pytest.raises(Denied, match="clear text"):
            pg.driver(tls="require").verify(pg.principal, minted.value)


def test_a_server_without_tls_gets_no_password(postgres_server: PostgresServer) -> None:
    with arena(postgres_server) as pg:
        for tls in ("verify-full", "require"):
            with pytest.raises(Denied, match="does not offer TLS"):
                pg.driver(tls=tls).keys(pg.principal)
