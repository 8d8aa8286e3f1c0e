"""Whom the drivers of Redis and MariaDB trust: servers of their own, with a certificate for 127.0.0.1."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from rotator.sdk import Denied, Principal, Provider, Transient, Verdict
from tests.providers import mysql_setup, redis_setup
from tests.providers.logins import SHORT, mint
from tests.servers import Unavailable, mariadb, redis
from tests.servers.certificate import self_signed
from tests.servers.mariadb import MariadbServer
from tests.servers.process import new_directory, reserved_port
from tests.servers.redis import RedisServer

Started = TypeVar("Started")


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server that speaks TLS at this port."""

    arena: mysql_setup.Arena | redis_setup.Arena
    port: int

    def driver(self, **settings: Any) -> Provider:
        return self.arena.driver(port=self.port, **settings)

    @property
    def principal(self) -> Principal:
        return self.arena.principal


def start_or_skip(start: Callable[[], Started]) -> Started:
    try:
        return start()
    except Unavailable as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where certificates are."""
    made = new_directory("tls")
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Path:
    return self_signed(folder, "server", "127.0.0.1")[0]


def guarded_redis(ending: ExitStack, certificate: Path) -> Guarded:
    port = ending.enter_context(reserved_port())
    files = (f"tls-cert-file {certificate}", f"tls-key-file {certificate.with_suffix('.key')}", "tls-auth-clients no")
    server = start_or_skip(lambda: redis.start(options=(f"tls-port {port}", *files)))
    ending.callback(server.stop)
    return Guarded(redis_setup.arena(server), port)


def guarded_mariadb(ending: ExitStack, certificate: Path) -> Guarded:
    files = (f"--ssl-cert={certificate}", f"--ssl-key={certificate.with_suffix('.key')}")
    server = start_or_skip(lambda: mariadb.start(options=files))
    ending.callback(server.stop)
    return Guarded(mysql_setup.arena(server), server.port)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(guarded_redis, marks=pytest.mark.real("Redis"), id="redis"),
        pytest.param(guarded_mariadb, marks=pytest.mark.real("MariaDB"), id="mariadb"),
    ],
)
def server(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Guarded]:
    with ExitStack() as ending:
        yield request.param(ending, certificate)


def test_a_server_with_a_certificate_of_the_authority_is_believed(server: Guarded, certificate: Path) -> None:
    driver = server.driver(tls="verify-full", ca=str(certificate))
    minted = mint(driver, server.principal)
    assert driver.verify(server.principal, minted.value) is Verdict.WORKS


def test_a_certificate_of_another_authority_is_refused(server: Guarded, folder: Path) -> None:
    other, _ = self_signed(folder, "other", "127.0.0.1")
    driver = server.driver(tls="verify-full", ca=str(other))
    with pytest.raises(Denied, match="not trusted") as refused:
        driver.keys(server.principal)
    assert "ca" in refused.value.hint


def test_a_certificate_for_another_host_is_refused(server: Guarded, certificate: Path) -> None:
    driver = server.driver(tls="verify-full", ca=str(certificate), host="localhost")
    with pytest.raises(Denied, match="not trusted"):
        driver.keys(server.principal)


def test_require_encrypts_and_asks_for_no_authority(server: Guarded) -> None:
    driver = server.driver(tls="require")
    minted = mint(driver, server.principal)
    assert driver.verify(server.principal, minted.value) is Verdict.WORKS


@pytest.mark.real("MariaDB")
def test_an_account_that_requires_tls_is_kept_out_without_it_and_is_not_dead(certificate: Path) -> None:
    with ExitStack() as ending:
        server = guarded_mariadb(ending, certificate)
        server.arena.server.run("alter user app_a@'%' require ssl account lock")
        encrypted, clear = server.driver(ca=str(certificate), tls="verify-full"), server.driver(tls="off")
        minted = mint(encrypted, server.principal)
        assert encrypted.verify(server.principal, minted.value) is Verdict.WORKS
        assert clear.verify(server.principal, minted.value) is Verdict.NOT_YET


@pytest.mark.real("MariaDB")
@pytest.mark.parametrize("tls", ["verify-full", "require"])
def test_a_mariadb_without_tls_gets_no_password(mariadb_server: MariadbServer, tls: str) -> None:
    arena = mysql_setup.arena(mariadb_server)
    before = (mariadb_server.directory / "statements").read_text().count("rotator@")
    with pytest.raises(Denied, match="TLS"):
        arena.driver(tls=tls).keys(arena.principal)
    assert (mariadb_server.directory / "statements").read_text().count("rotator@") == before


@pytest.mark.real("Redis")
@pytest.mark.parametrize("tls", ["verify-full", "require"])
def test_a_redis_without_tls_gets_no_password(redis_server: RedisServer, tls: str) -> None:
    arena = redis_setup.arena(redis_server)
    before = redis_server.info("commandstats")["cmdstat_auth"]["calls"]
    with pytest.raises(Transient):
        arena.driver(tls=tls, timeout=SHORT).keys(arena.principal)
    after = redis_server.info("commandstats")["cmdstat_auth"]["calls"]
    assert after == before + 1  # the one that asks
