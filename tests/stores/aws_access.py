"""What tests of the aws store need: stores with one sort of access or another."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from rotator.adapters.stores.aws import AwsStore
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Failure
from rotator.ports import ABSENT, Store
from rotator.testing.store_contract import secret_free
from tests.servers.aws import REGION, AwsServer, Login
from tests.stores.making import Making, in_process

TIMEOUT = timedelta(seconds=10)
CURRENT = Place(ref="ai/openai", kind=PlaceKind.CURRENT, fields=("api_key",))
PENDING = Place(ref="ai/openai", kind=PlaceKind.PENDING, of="r1")
HIDDEN = "sk-hidden-0123456789"
OURS = "arn:aws:secretsmanager:eu-west-1:*:secret:ai/openai-??????"


@dataclass
class Aws:
    """A server; `secrets` is everything that nothing may show."""

    server: AwsServer
    secrets: set[str] = field(default_factory=lambda: {HIDDEN})
    making: Making = in_process

    def store(
        self,
        login: Login | Callable[[], Login] | None = None,
        timeout: timedelta = TIMEOUT,
        address: str = "",
        **settings: Any,
    ) -> AwsStore:
        """A store with that access key, admin's if there is none."""

        def resolve(reference: str) -> str:
            given = login() if callable(login) else login or self.server.admin
            self.secrets.add(given.secret)
            return given.secret if reference.endswith("secret") else given.key_id

        auth = {"method": "static", "access_key_id": "env:KEY_ID", "secret_access_key": "file:/run/secret"}
        given = {"region": REGION, "endpoint_url": address or self.server.address, "auth": auth, **settings}
        return self.making(AwsStore, "aws", given, resolve, timeout)

    def document(self, ref: str) -> Mapping[str, Any]:
        """As a consumer reads it."""
        found: Mapping[str, Any] = json.loads(self.text(ref))
        return found

    def text(self, ref: str) -> str:
        """As a consumer reads it, byte for byte."""
        return str(self.server.client().get_secret_value(SecretId=ref)["SecretString"])

    def publish(self, ref: str, text: str) -> None:
        """What a colleague stores, for the first time."""
        self.server.client().create_secret(Name=ref, SecretString=text)


@contextmanager
def unlogged(aws: Aws, caplog: pytest.LogCaptureFixture) -> Iterator[Aws]:
    """For as long as a fixture lasts; in the end nothing that the test logged, at whatever level, shows a secret."""
    with caplog.at_level(logging.DEBUG):
        yield aws
    # The server lives in this process, and its log is not ours.
    ours = [each for each in caplog.get_records("call") if not each.name.startswith("moto")]
    logged = " ".join(record.getMessage() for record in ours)
    assert [secret for secret in aws.secrets if secret in logged] == []


def failing(aws: Aws, kind: type[Failure], act: Callable[[], object]) -> Failure:
    """The failure of exactly that kind that `act` raises, which shows no secret, nor brings one along."""
    with pytest.raises(kind) as raised:
        act()
    failure = raised.value
    assert type(failure) is kind
    assert failure.message
    assert failure.hint
    assert [secret for secret in aws.secrets if not secret_free(failure, secret)] == []
    return failure


def every_call(store: Store) -> list[Callable[[], object]]:
    """Whatever can be asked of a store."""
    return [
        lambda: store.read(CURRENT),
        lambda: store.write(CURRENT, {"api_key": HIDDEN}, ABSENT),
        lambda: store.write(CURRENT, {"api_key": HIDDEN}, "7"),
        lambda: store.remove(PENDING, "1"),
        lambda: store.places("ai/openai"),
    ]
