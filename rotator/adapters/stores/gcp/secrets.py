"""Secrets and their versions, one request a method: what comes back is what the store works with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.gcp.answers import EXISTS, NOT_FOUND, PRECONDITION, Need, Refusal, failure_of
from rotator.adapters.stores.gcp.checksum import crc32c
from rotator.adapters.stores.gcp.client import GcpClient
from rotator.adapters.stores.gcp.marks import Marks
from rotator.adapters.stores.gcp.resources import number_of
from rotator.domain.failures import Conflict, Transient

PAGE = 250
LATEST = "latest"
STATES = (NOT_FOUND, PRECONDITION)
"""What a request is refused with because of the state of what it is about."""


class State(Enum):
    """What can be done with a version."""

    ENABLED = auto()
    DISABLED = auto()
    """It may be enabled again; one that is scheduled for destruction is this, too."""
    DESTROYED = auto()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A version that cannot be accessed, because it is disabled or destroyed."""

    number: int
    state: State


@dataclass(frozen=True, slots=True, repr=False)
class Payload:
    """What a version holds, its checksum verified."""

    number: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version as listed."""

    number: int
    state: State
    made: datetime
    doomed: bool  # scheduled for destruction


class Secrets:
    """Requests to one Secret Manager, with one alias that is ours. Safe for many threads."""

    def __init__(self, client: GcpClient, alias: str) -> None:
        self._client = client
        self._alias = alias

    @property
    def endpoint(self) -> str:
        """Whom the requests go to."""
        return self._client.endpoint

    def access(self, secret: str, version: int | str, deadline: Deadline) -> Payload | Unreadable | None:
        """The payload of a version by its number or of `latest`; None where there is none.

        Raises Transient where it is not what its checksum says.
        """
        name = f"{secret}/versions/{version}"
        answer = self._client.ask_expecting(STATES, "access_secret_version", {"name": name}, deadline)
        if isinstance(answer, Refusal):
            return None if answer.code == NOT_FOUND else self._unreadable(name, answer, deadline)
        payload = answer.payload
        if "data_crc32c" in payload and payload.data_crc32c != crc32c(payload.data):
            raise Transient(f"{name} arrived damaged: its checksum differs", "it is read again")
        return Payload(number_of(answer.name), payload.data)

    def _unreadable(self, name: str, refusal: Refusal, deadline: Deadline) -> Unreadable:
        """Which state keeps a version from being accessed; its text is for people, so the version is looked at."""
        answer = self._client.ask("get_secret_version", {"name": name}, deadline)
        state = _state(answer)
        if state is State.ENABLED:
            raise failure_of(refusal, Need("secretmanager.versions.access", name), self.endpoint)
        return Unreadable(number_of(answer.name), state)

    def marks(self, secret: str, deadline: Deadline) -> Marks | None:
        """The secret itself; None where there is none."""
        answer = self._client.ask_expecting((NOT_FOUND,), "get_secret", {"name": secret}, deadline)
        return None if isinstance(answer, Refusal) else self._marks(answer)

    def create(
        self, secret: str, annotations: Mapping[str, str], labels: Mapping[str, str], deadline: Deadline
    ) -> Marks:
        """A new secret without a version. Twice: Conflict."""
        parent, _, ident = secret.rpartition("/secrets/")
        body: dict[str, Any] = {"annotations": dict(annotations), "labels": dict(labels)}
        if "/locations/" not in parent:
            body["replication"] = {"automatic": {}}
        request = {"parent": parent, "secret_id": ident, "secret": body}
        answer = self._client.ask_expecting((EXISTS,), "create_secret", request, deadline)
        if isinstance(answer, Refusal):
            raise _changed(secret)
        return self._marks(answer)

    def update(self, secret: str, marks: Marks, deadline: Deadline) -> Marks:
        """Write annotations and aliases if the etag is still theirs; as they are then.

        Raises Conflict when it is not. Twice: Conflict.
        """
        body = {
            "name": secret,
            "etag": marks.etag,
            "annotations": dict(marks.annotations),
            "version_aliases": dict(marks.aliases),
        }
        request = {"secret": body, "update_mask": {"paths": ["annotations", "version_aliases"]}}
        answer = self._client.ask_expecting(STATES, "update_secret", request, deadline)
        if not isinstance(answer, Refusal):
            return self._marks(answer)
        if answer.code == PRECONDITION:
            # An organisation's policy refuses in the same words, and that never goes away by looking again.
            now = self.marks(secret, deadline)
            if now is not None and now.etag == marks.etag:
                raise failure_of(answer, Need("secretmanager.secrets.update", secret), self.endpoint)
        raise _changed(secret)

    def add(self, secret: str, data: bytes, deadline: Deadline) -> int:
        """Add a version and return its number. It is `latest` at once, whatever was there. Twice: two versions."""
        request = {"parent": secret, "payload": {"data": data, "data_crc32c": crc32c(data)}}
        answer = self._client.ask_expecting((NOT_FOUND,), "add_secret_version", request, deadline)
        if isinstance(answer, Refusal):
            raise _changed(secret)
        if not answer.client_specified_payload_checksum:
            raise Transient(f"{secret} took a version without its checksum", "look at what is in between")
        return number_of(answer.name)

    def delete(self, secret: str, etag: str, deadline: Deadline) -> None:
        """Delete the secret with all its versions if the etag is still its own. Twice: nothing."""
        request = {"name": secret, "etag": etag}
        answer = self._client.ask_expecting(STATES, "delete_secret", request, deadline)
        if isinstance(answer, Refusal) and answer.code == PRECONDITION:
            raise _changed(secret)

    def disable(self, secret: str, number: int, deadline: Deadline) -> None:
        """Let a version not be accessed any more. Twice: nothing."""
        name = f"{secret}/versions/{number}"
        self._client.ask_expecting(STATES, "disable_secret_version", {"name": name}, deadline)

    def destroy(self, secret: str, number: int, deadline: Deadline) -> None:
        """Discard what a version holds, at once or after the secret's `version_destroy_ttl`. Twice: nothing."""
        name = f"{secret}/versions/{number}"
        self._client.ask_expecting(STATES, "destroy_secret_version", {"name": name}, deadline)

    def versions(self, secret: str, deadline: Deadline) -> tuple[Version, ...]:
        """The newest versions, one page of them, newest first."""
        answer = self._client.ask("list_secret_versions", {"parent": secret, "page_size": PAGE}, deadline)
        return tuple(
            Version(
                number=number_of(each.name),
                state=_state(each),
                made=each.create_time,
                doomed="scheduled_destroy_time" in each,
            )
            for each in answer.versions
        )

    def annotations(self, parent: str, prefix: str, deadline: Deadline) -> Iterator[Mapping[str, str]]:
        """Annotations of the secrets whose ids begin so, over all pages."""
        token = ""
        while True:
            request = {"parent": parent, "filter": f"name:{prefix}", "page_size": PAGE, "page_token": token}
            answer = self._client.ask("list_secrets", request, deadline)
            for each in answer.secrets:
                if each.name.rpartition("/")[2].startswith(prefix):  # the filter finds it anywhere in a name
                    yield dict(each.annotations)
            token = answer.next_page_token
            if not token:
                return

    def _marks(self, answer: Any) -> Marks:
        return Marks(
            etag=answer.etag,
            aliases=dict(answer.version_aliases),
            annotations=dict(answer.annotations),
            alias=self._alias,
        )


def _state(version: Any) -> State:
    return State.__members__.get(version.state.name, State.DISABLED)


def _changed(secret: str) -> Conflict:
    return Conflict(f"{secret} is not what was read any more", "look again")
