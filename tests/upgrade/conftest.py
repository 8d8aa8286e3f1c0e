"""The wheels, each built once per test process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.servers import Unavailable
from tests.upgrade import wheels
from tests.upgrade.scene import Upgraded, on_postgres, on_sqlite
from tests.upgrade.wheels import Installed

Making = Callable[..., Upgraded]


@pytest.fixture(scope="session")
def older_wheel(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The older wheel; skips where there is no history."""
    try:
        return wheels.older(tmp_path_factory.mktemp("older"))
    except Unavailable as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def newer_wheel(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel of this tree."""
    return wheels.newer(tmp_path_factory.mktemp("newer"))


@pytest.fixture(scope="session")
def coming_wheel(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel of a version that may come after this tree's."""
    return wheels.coming(tmp_path_factory.mktemp("coming"))


@pytest.fixture
def keyserver() -> Iterator[Keyserver]:
    with Keyserver(Behaviour()) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real("PostgreSQL"))])
def upgraded(request: pytest.FixtureRequest, tmp_path: Path, keyserver: Keyserver) -> Making:
    """Makes the installation, on either database."""

    def made(*names: str) -> Upgraded:
        if request.param == "sqlite":
            return on_sqlite(tmp_path, keyserver, names)
        database: Any = request.getfixturevalue("postgres_database")
        return on_postgres(tmp_path, keyserver, names, database)

    return made
