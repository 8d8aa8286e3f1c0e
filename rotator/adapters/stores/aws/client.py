"""Secrets Manager as this process talks to it: one client, one pool of connections, one set of keys.

Nothing is sent twice but a request that was refused because of keys that were not fresh: AWS has not acted on it.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.aws.access import Access, Source
from rotator.adapters.stores.aws.answers import EXPIRED, UNKNOWN_KEY, Answer, Need, failure_of
from rotator.adapters.stores.aws.wire import Wire
from rotator.domain.failures import Transient

PROOF = {"ListSecrets": "SecretList"}
"""What only a true success has; for all other operations it is the secret's ARN."""


class AwsClient:
    """Safe for many threads."""

    def __init__(self, wire: Wire, endpoint: str | None, source: Source) -> None:
        """`endpoint`: where Secrets Manager is, if not at its public address."""
        self.region = wire.region
        self.where = f"secrets manager at {endpoint}" if endpoint else f"secrets manager in {wire.region}"
        self._wire = wire
        self._endpoint = endpoint
        self._access = Access(source)
        self._lock = threading.Lock()
        self._client: Any = None

    def prepare(self) -> None:
        """Make the client, which takes some tenths of a second once."""
        with self._lock:
            if self._client is None:
                self._client = self._wire.client("secretsmanager", self._endpoint, self._access.signing())

    def ask(self, need: Need, parameters: dict[str, Any], deadline: Deadline, accept: Collection[str] = ()) -> Answer:
        """Send one request and return its answer: a success, or a refusal whose code is in `accept`.

        Raises Transient, Denied (naming `need`), Conflict and Permanent for every other answer.
        """
        keys, fresh = self._access.get(deadline)
        answer = self._send(need, parameters, deadline)
        if _of_the_keys(answer) and not fresh and self._access.another(keys, deadline):
            answer = self._send(need, parameters, deadline)
        if answer.ok:
            if PROOF.get(need.operation, "ARN") in answer.body:
                return answer
            raise Transient(f"something that is not AWS answered for {self.where}", "look at what is in between")
        if answer.code in accept:
            return answer
        if _of_the_keys(answer):
            raise self._access.source.refused(need, self.where)
        raise failure_of(answer, need, self.where)

    def _send(self, need: Need, parameters: dict[str, Any], deadline: Deadline) -> Answer:
        return self._wire.ask(self._client, need.operation, parameters, deadline, self.where)

    def __repr__(self) -> str:
        return f"AwsClient({self.where!r})"


def _of_the_keys(answer: Answer) -> bool:
    return answer.code in UNKNOWN_KEY | EXPIRED and not answer.skewed
