"""Two credentials and a colleague in one document, on every store that can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from rotator.adapters.stores.file import FileStore
from rotator.domain.credential import Place, PlaceKind
from rotator.ports import Store, Stored
from rotator.testing.shared_document_contract import SharedDocumentContract
from rotator.testing.store_contract import Colleague
from tests.servers import aws, kubernetes, secret_manager
from tests.servers.aws import AwsServer
from tests.servers.kubernetes import KubernetesServer
from tests.servers.openbao import OpenBaoServer
from tests.stores import test_aws_contract as on_aws
from tests.stores import test_file_contract as on_files
from tests.stores import test_gcp_contract as on_gcp
from tests.stores import test_kubernetes_contract as on_kubernetes
from tests.stores import test_vault_contract as on_vault
from tests.stores.aws_access import Aws
from tests.stores.gcp_access import Gcp, serving


class TestVault(SharedDocumentContract):
    @pytest.fixture
    def store(self, openbao_server: OpenBaoServer, openbao_mount: str) -> Store:
        return on_vault.made(openbao_server, openbao_mount)

    @pytest.fixture
    def colleague(self, openbao_server: OpenBaoServer, openbao_mount: str) -> Colleague:
        return on_vault.Somebody(openbao_server, openbao_mount)


@pytest.mark.stand_in(aws.NAME)
class TestAws(SharedDocumentContract):
    @pytest.fixture
    def store(self, aws_server: AwsServer) -> Store:
        return Aws(aws_server).store()

    @pytest.fixture
    def colleague(self, aws_server: AwsServer) -> Colleague:
        return on_aws.Somebody(aws_server)


class OnGcp(SharedDocumentContract):
    transport: ClassVar[str]
    reads: ClassVar[str]

    @pytest.fixture
    def gcp(self) -> Iterator[Gcp]:
        with serving(self.transport) as gcp:
            yield gcp

    @pytest.fixture
    def store(self, gcp: Gcp) -> Store:
        return gcp.store()

    @pytest.fixture
    def colleague(self, gcp: Gcp) -> Colleague:
        return on_gcp.Somebody(gcp, self.reads)


@pytest.mark.stand_in(secret_manager.NAME)
class TestGcpBesideReadersOfLatest(OnGcp):
    transport, reads = "rest", "latest"


@pytest.mark.stand_in(secret_manager.NAME)
class TestGcpBesideReadersOfTheAlias(OnGcp):
    transport, reads = "grpc", "current"


@pytest.mark.stand_in(kubernetes.NAME)
class TestKubernetes(SharedDocumentContract):
    @pytest.fixture
    def store(self, kubernetes_server: KubernetesServer) -> Store:
        return on_kubernetes.made(kubernetes_server)

    @pytest.fixture
    def colleague(self, kubernetes_server: KubernetesServer) -> Colleague:
        return on_kubernetes.Somebody(kubernetes_server)


class OnFiles(SharedDocumentContract):
    format: ClassVar[str]
    colleague_of: ClassVar[type[on_files.JsonColleague | on_files.DotenvColleague | on_files.FieldsColleague]]

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        root = tmp_path / "root"
        root.mkdir()
        return root

    @pytest.fixture
    def store(self, root: Path) -> Store:
        settings = {"root": str(root), "format": self.format}
        return FileStore.from_settings("local", settings, str, timedelta(seconds=10))

    @pytest.fixture
    def colleague(self, root: Path) -> Colleague:
        return self.colleague_of(root)


class TestJson(OnFiles):
    format, colleague_of = "json", on_files.JsonColleague


class TestDotenv(OnFiles):
    format, colleague_of = "dotenv", on_files.DotenvColleague


class TestFields(OnFiles):
    format, colleague_of = "fields", on_files.FieldsColleague


class Careless(FileStore):
    """A store that writes back the document as it was when it looked, as most people's tools do."""

    def read(self, place: Place) -> Stored:
        """Remember it."""
        stored = super().read(place)
        if place.kind is PlaceKind.CURRENT:
            path = Path(self._root) / place.ref
            self.seen = json.loads(path.read_bytes()) if path.exists() else {}
        return stored

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        """Put it back with our field."""
        if place.kind is not PlaceKind.CURRENT:
            return super().write(place, fields, expected)
        (Path(self._root) / place.ref).write_text(json.dumps({**self.seen, **fields}))
        return super().read(place).version


def test_a_store_that_writes_back_what_it_saw_is_caught(tmp_path: Path) -> None:
    settings = {"root": str(tmp_path), "format": "json"}
    store = Careless.from_settings("local", settings, str, timedelta(seconds=10))
    colleague = on_files.JsonColleague(tmp_path)
    colleague.edit("team/service", "OTHER", "edit 0")
    contract = TestJson()
    with pytest.raises(AssertionError, match="an edit of the colleague was lost"):
        contract.test_two_credentials_in_one_document_rotate_one_after_the_other_and_nobody_loses_anything(
            store, colleague, "team/service"
        )
