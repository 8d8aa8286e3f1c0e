"""What tests of the aws store need: stores with one sort of access or another."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rotator.adapters.stores.aws import AwsStore
from rotator.domain.credential import Place, PlaceKind
from tests.servers.aws import REGION, AwsServer, Login

TIMEOUT = timedelta(seconds=10)
CURRENT = Place(ref="ai/openai", kind=PlaceKind.CURRENT, fields=("api_key",))
PENDING = Place(ref="ai/openai", kind=PlaceKind.PENDING, of="r1")
HIDDEN = "sk-hidden-0123456789"


@dataclass
class Aws:
    """A server; `secrets` is everything that nothing may show."""

    server: AwsServer
    secrets: set[str] = field(default_factory=lambda: {HIDDEN})

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
        return AwsStore.from_settings("aws", given, resolve, timeout)

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
