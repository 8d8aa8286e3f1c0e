"""The store contract over the aws store and a moto with authentication on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import pytest

from rotator.ports import Store
from rotator.testing.store_contract import Colleague, LoseAnswer, StoreContract
from tests.servers.aws import AwsServer
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.aws_access import Aws
from tests.stores.losing import UntilLost
from tests.stores.making import Making

pytestmark = pytest.mark.stand_in("AWS Secrets Manager")


class Somebody:
    """Another client of the same account, with boto3."""

    def __init__(self, server: AwsServer) -> None:
        self._client = server.client()

    def edit(self, ref: str, field: str, text: str) -> None:
        document = json.dumps({**self.look(ref), field: text})
        try:
            self._client.put_secret_value(SecretId=ref, SecretString=document)
        except self._client.exceptions.ResourceNotFoundException:
            self._client.create_secret(Name=ref, SecretString=document)

    def look(self, ref: str) -> Mapping[str, str]:
        try:
            found: dict[str, str] = json.loads(self._client.get_secret_value(SecretId=ref)["SecretString"])
        except self._client.exceptions.ResourceNotFoundException:
            return {}
        return found


class TestAws(StoreContract):
    @pytest.fixture
    def store(self, aws_server: AwsServer, making: Making) -> Store:
        return Aws(aws_server, making=making).store()

    @pytest.fixture
    def colleague(self, aws_server: AwsServer) -> Colleague:
        return Somebody(aws_server)

    @pytest.fixture(params=[Kind.DROP_RESPONSE, Kind.HANG_RESPONSE])
    def loss(self, request: pytest.FixtureRequest) -> Kind:
        found: Kind = request.param
        return found

    @pytest.fixture
    def lose_answer(
        self, aws_server: AwsServer, fault_proxy: Callable[[str, int], FaultProxy], loss: Kind, making: Making
    ) -> LoseAnswer:
        proxy = fault_proxy(aws_server.host, aws_server.port)
        timeout = timedelta(seconds=0.6 if loss is Kind.HANG_RESPONSE else 10)
        lossy = Aws(aws_server, making=making).store(address=f"http://127.0.0.1:{proxy.port}", timeout=timeout)

        @contextmanager
        def losing() -> Iterator[Store]:
            # What changes what a reader sees: the first secret, or the label.
            changes = (b"secretsmanager.CreateSecret", b"secretsmanager.UpdateSecretVersionStage")
            proxy.inject(*(Fault(kind=loss, request=change) for change in changes))
            yield UntilLost(lossy, lambda: proxy.fired > 0)
            assert proxy.fired == 1

        return losing
