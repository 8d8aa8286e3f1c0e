"""The contracts of all stores over drivers in sandboxes, on the servers of the contracts in process.

A class has one child for its store, and each test a reference or an emptied server. A lost answer has a child of its
own; what an answer does that never comes is in `test_store_faults`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import ClassVar

import pytest

from rotator.app.isolating import SANDBOX
from rotator.testing.store_contract import Colleague
from tests.isolation.stores_apart import Apart, apart, needs_sandbox
from tests.servers import described, github, gitlab, kubernetes, secret_manager
from tests.servers.described import CircleCiStandIn, VariablesStandIn
from tests.servers.github import GithubStandIn
from tests.servers.gitlab import GitlabStandIn
from tests.servers.kubernetes import KubernetesServer
from tests.servers.openbao import OpenBaoServer
from tests.servers.proxy import Kind
from tests.stores import test_aws_contract as on_aws
from tests.stores import test_gcp_contract as on_gcp
from tests.stores import test_github_actions_contract as on_github
from tests.stores import test_gitlab_ci_contract as on_gitlab
from tests.stores import test_kubernetes_contract as on_kubernetes
from tests.stores import test_rest_contract as on_rest
from tests.stores import test_vault_contract as on_vault
from tests.stores.gcp_access import Gcp, serving

pytestmark = needs_sandbox
_numbers = count()


@pytest.fixture(scope="module")
def making() -> Iterator[Apart]:
    with apart(SANDBOX) as making:
        yield making


class Apartments:
    """What differs from the contract in process."""

    @pytest.fixture
    def ref(self) -> str:
        return f"team{next(_numbers)}/service"

    @pytest.fixture
    def loss(self) -> Kind:
        return Kind.DROP_RESPONSE


class TestVault(Apartments, on_vault.TestVault):
    @pytest.fixture(scope="class")
    @classmethod
    def openbao_mount(cls, openbao_server: OpenBaoServer) -> Iterator[str]:
        with openbao_server.kv_mount() as mount:
            yield mount


@pytest.mark.stand_in("AWS Secrets Manager")
class TestAws(Apartments, on_aws.TestAws):
    pass


@pytest.mark.stand_in(secret_manager.NAME)
class TestGcp(Apartments, on_gcp.Contract):
    TRANSPORT: ClassVar[str] = "rest"

    @pytest.fixture(scope="class")
    @classmethod
    def gcp(cls) -> Iterator[Gcp]:
        with serving(cls.TRANSPORT) as gcp:
            yield gcp

    @pytest.fixture
    def colleague(self, gcp: Gcp) -> Colleague:
        return on_gcp.Somebody(gcp, "latest")

    @pytest.fixture
    def silence(self) -> float:
        return 0.0


@pytest.mark.stand_in(kubernetes.NAME)
class TestKubernetes(Apartments, on_kubernetes.TestKubernetes):
    @pytest.fixture(scope="class")
    @classmethod
    def kubernetes_server(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesServer]:
        with kubernetes.running(tmp_path_factory.mktemp("kubernetes")) as server:
            for name in ("team", "rotator"):
                server.make_namespace(name)
            yield server

    @pytest.fixture
    def ref(self) -> str:
        return f"team/service{next(_numbers)}"


class WriteOnly(Apartments):
    """A server for all tests of a class, emptied for each."""

    @pytest.fixture
    def ref(self) -> str:
        return "acme/api"


@pytest.mark.stand_in(github.NAME)
class TestGithubActions(WriteOnly, on_github.TestGithubActions):
    @pytest.fixture(scope="class")
    @classmethod
    def shared(cls) -> Iterator[GithubStandIn]:
        with GithubStandIn() as server:
            yield server

    @pytest.fixture
    def server(self, shared: GithubStandIn) -> GithubStandIn:
        shared.secrets.clear()
        return shared


@pytest.mark.stand_in(gitlab.NAME)
class TestGitlabCi(WriteOnly, on_gitlab.TestGitlabCi):
    @pytest.fixture(scope="class")
    @classmethod
    def shared(cls) -> Iterator[GitlabStandIn]:
        with GitlabStandIn() as server:
            yield server

    @pytest.fixture
    def server(self, shared: GitlabStandIn) -> GitlabStandIn:
        shared.variables.clear()
        return shared

    @pytest.fixture
    def ref(self) -> str:
        return "projects/acme/api"


@pytest.mark.stand_in(described.CIRCLECI)
class TestRest(on_rest.Described):
    api, kind, writes = "circleci", CircleCiStandIn, b"PUT /context/"

    @pytest.fixture(scope="class")
    @classmethod
    def shared(cls) -> Iterator[VariablesStandIn]:
        with cls.kind() as server:
            yield server

    @pytest.fixture
    def server(self, shared: VariablesStandIn) -> VariablesStandIn:
        for owner, name in list(shared.variables):
            if not name.startswith("OTHER_"):
                del shared.variables[owner, name]
        return shared
