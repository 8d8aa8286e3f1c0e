"""The scene as a fixture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.providers.postgres_setup import arena
from tests.real.scene import Real, make
from tests.servers.openbao import OpenBaoServer
from tests.servers.postgres import PostgresServer


@pytest.fixture
def real(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres_server: PostgresServer,
    openbao_server: OpenBaoServer,
    openbao_mount: str,
) -> Iterator[Real]:
    """PostgreSQL and OpenBao, with one credential. A parameter is the level of isolation, the default is the product's.

    Where effects are counted it is `off`: a cold start within a lease of two seconds may cost a turn.
    """
    with arena(postgres_server) as database:
        isolation = getattr(request, "param", None)
        yield make(tmp_path, database, openbao_server, openbao_mount, isolation=isolation)
