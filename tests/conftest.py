"""Fixtures for real servers, one of each kind per test process, started when the first test asks."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeVar

import hypothesis
import pytest

from tests.servers import Unavailable, aws, kubernetes, mariadb, openbao, postgres, rabbitmq, redis
from tests.servers.aws import AwsServer
from tests.servers.chromium import Chromium
from tests.servers.chromium import start as start_chromium
from tests.servers.kubernetes import KubernetesServer
from tests.servers.kubernetes.kubectl import Kubectl, unpack
from tests.servers.mariadb import MariadbServer
from tests.servers.openbao import OpenBaoServer, Pair
from tests.servers.postgres import Database, PostgresServer
from tests.servers.proxy import FaultProxy
from tests.servers.rabbitmq import RabbitmqServer
from tests.servers.redis import RedisServer
from tests.stores.making import Making, in_process

pytest_plugins = ["tests.reality"]

Server = TypeVar("Server")

# No deadline for one example: a busy machine is not a defect. Where it is decided what lands, the examples are the same
# every time; everywhere else each run tries new ones.
hypothesis.settings.register_profile("rotator", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("rotator")


LAST_SECONDS = 90
"""Of a day, in UTC."""


def pytest_runtest_setup() -> None:
    """No test begins just before midnight: what is said twice on one day is one incident, and on two days it is two."""
    left = 86_400 - time.time() % 86_400
    if left < LAST_SECONDS:
        time.sleep(left + 0.1)


@pytest.fixture(scope="session", autouse=True)
def _caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Copies of drivers, 90 MB of them, go with the test process and not into the home of whoever runs it."""
    folder = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The cluster of this test process; skips where there are no binaries. Most tests want `postgres_database`."""
    with ExitStack() as ending:
        server = _start(postgres.start)
        ending.callback(server.stop)
        yield server


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[Database]:
    """A fresh database; it and all roles that the test makes are gone afterwards. Takes 50 ms."""
    with postgres_server.database() as database:
        yield database


# Where the machine's own PostgreSQL is older than 16, `CREATEROLE` means two things on the two.
@pytest.fixture(scope="session", params=("first", "second") if postgres.second_binaries() else ("first",))
def each_postgres_server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """`postgres_server`, and where there are binaries of another version a server of that, one after the other."""
    if request.param == "first":
        yield request.getfixturevalue("postgres_server")
        return
    with ExitStack() as ending:
        server = postgres.start(binaries=postgres.second_binaries())
        ending.callback(server.stop)
        yield server


@pytest.fixture(scope="session")
def openbao_server() -> Iterator[OpenBaoServer]:
    """The unsealed server of this test process, in memory; skips where there is no binary."""
    with ExitStack() as ending:
        server = _start(openbao.start)
        ending.callback(server.stop)
        yield server


@pytest.fixture
def openbao_mount(openbao_server: OpenBaoServer) -> Iterator[str]:
    """The path of a fresh KV version 2 engine on `openbao_server`."""
    with openbao_server.kv_mount() as mount:
        yield mount


@pytest.fixture
def openbao_on_disk() -> Iterator[OpenBaoServer]:
    """A server of the test's own that it may `seal` and `unseal`; nothing is mounted. Takes 2 s."""
    with ExitStack() as ending:
        server = _start(openbao.start_on_disk)
        ending.callback(server.stop)
        yield server


@pytest.fixture(scope="session")
def _mariadb_server() -> Iterator[MariadbServer]:
    with ExitStack() as ending:
        server = _start(mariadb.start)
        ending.callback(server.stop)
        yield server


@pytest.fixture
def mariadb_server(_mariadb_server: MariadbServer) -> MariadbServer:
    """The server of this test process, without users and databases; skips where there is no program."""
    _mariadb_server.empty()
    return _mariadb_server


@pytest.fixture(scope="session")
def _rabbitmq_server() -> Iterator[RabbitmqServer]:
    with ExitStack() as ending:
        server = _start(rabbitmq.start)
        ending.callback(server.stop)
        yield server


@pytest.fixture
def rabbitmq_server(_rabbitmq_server: RabbitmqServer) -> RabbitmqServer:
    """The server of this test process, without users and virtual hosts; skips where there is no program."""
    _rabbitmq_server.empty()
    return _rabbitmq_server


@pytest.fixture(scope="session")
def _redis_server() -> Iterator[RedisServer]:
    with ExitStack() as ending:
        server = _start(redis.start)
        ending.callback(server.stop)
        yield server


@pytest.fixture
def redis_server(_redis_server: RedisServer) -> RedisServer:
    """The server of this test process, without users and keys; skips where there is no program."""
    _redis_server.empty()
    return _redis_server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The browser of this test process; skips where there is no program."""
    with ExitStack() as ending:
        browser = _start(start_chromium)
        ending.callback(browser.stop)
        yield browser


@pytest.fixture(scope="session")
def _aws_server() -> Iterator[AwsServer]:
    with ExitStack() as ending:
        server = _start(aws.start)
        ending.callback(server.stop)
        yield server


@pytest.fixture
def aws_server(_aws_server: AwsServer) -> AwsServer:
    """What stands in for AWS in this test process, emptied."""
    _aws_server.reset()
    return _aws_server


@pytest.fixture
def kubernetes_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesServer]:
    """A stand-in of the test's own, with the namespaces `default`, `team` and `rotator`."""
    with kubernetes.running(tmp_path_factory.mktemp("kubernetes")) as server:
        for name in ("team", "rotator"):
            server.make_namespace(name)
        yield server


@pytest.fixture(scope="session")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """The real program; skips where there is none."""
    folder = tmp_path_factory.mktemp("kubectl")
    try:
        yield _start(lambda: unpack(folder))
    finally:
        shutil.rmtree(folder)  # 60 MB, and pytest keeps what three runs leave behind


@pytest.fixture(scope="module")
def openbao_pair() -> Iterator[Pair]:
    """Two servers of one cluster for the tests of a file; nothing is mounted. Takes 4 s."""
    with ExitStack() as ending:
        pair = _start(openbao.start_pair)
        ending.callback(pair.stop)
        yield pair


@pytest.fixture
def making() -> Making:
    """How the store under test is made."""
    return in_process


@pytest.fixture
def fault_proxy() -> Iterator[Callable[[str, int], FaultProxy]]:
    """Make a proxy in front of `(host, port)`; all of them are closed afterwards."""
    with ExitStack() as ending:
        yield lambda host, port: ending.enter_context(FaultProxy(host, port))


def _start(start: Callable[[], Server]) -> Server:
    try:
        return start()
    except Unavailable as missing:
        pytest.skip(str(missing))
