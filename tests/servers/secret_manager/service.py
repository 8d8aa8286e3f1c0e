"""What the service does: one core for both fronts."""

from __future__ import annotations

import copy
import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from google.cloud import secretmanager_v1 as api
from google.protobuf import empty_pb2

from rotator.adapters.stores.gcp.checksum import crc32c
from tests.servers.secret_manager.iam import PERMISSIONS, Accounts

State = api.SecretVersion.State
LARGEST = 65536
CHANGEABLE = frozenset(
    ("labels", "annotations", "version_aliases", "rotation", "topics", "expire_time", "ttl", "version_destroy_ttl")
)

Moment = Literal["before", "after"]
Hook = Callable[[Moment, str, Any], object]
"""Called with (moment, method, request) around each effect: it may wait, act, raise `RefusedError` or `LostError`."""


class RefusedError(Exception):
    """An answer that is no result."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.text = text


class LostError(Exception):
    """No answer at all."""


@dataclass(slots=True)
class Held:
    """A secret with its versions and payloads by number."""

    secret: Any
    versions: dict[int, Any] = field(default_factory=dict)
    payloads: dict[int, bytes] = field(default_factory=dict)


class SecretManager:
    """Safe for many threads. What is public may be set by tests."""

    def __init__(self) -> None:
        self.accounts = Accounts()
        self.hooks: list[Hook] = []
        self.calls: Counter[str] = Counter()
        self.keys_disabled: set[str] = set()
        """Secrets whose key of Cloud KMS cannot be used."""
        self.damaged = False
        """Payloads arrive with a checksum that is not theirs."""
        self.latest_lags = 0
        """By so many versions."""
        self.ahead = timedelta(0)
        """The server's clock before the machine's."""
        self._lock = threading.RLock()
        self._held: dict[str, Held] = {}
        self._etags = itertools.count(time.time_ns() // 1000)

    def undoing(self) -> Callable[[], None]:
        """How to have all secrets again as they are now."""
        with self._lock:
            before = copy.deepcopy(self._held)

        def undo() -> None:
            with self._lock:
                self._held = copy.deepcopy(before)

        return undo

    def call(self, method: str, request: Any, authorization: str) -> Any:
        """Do what a request asks. Raises `RefusedError`, `LostError`."""
        bindings = self.accounts.bindings(authorization)
        if bindings is None:
            raise RefusedError("UNAUTHENTICATED", "Request had invalid authentication credentials.")
        resource = _resource(method, request)
        permission = PERMISSIONS[method]
        if not any(each.grants(permission, resource) for each in bindings):
            text = f"Permission '{permission}' denied for resource '{resource}' (or it may not exist)."
            raise RefusedError("PERMISSION_DENIED", text)
        self.calls[method] += 1
        for hook in tuple(self.hooks):
            hook("before", method, request)
        with self._lock:
            answer = getattr(self, f"_{_snake(method)}")(request)
        for hook in tuple(self.hooks):
            hook("after", method, request)
        return answer

    def held(self, name: str) -> Held:
        """What is behind a secret's name. Raises `RefusedError`."""
        try:
            return self._held[name]
        except KeyError:
            raise RefusedError("NOT_FOUND", f"Secret [{name}] not found.") from None

    @property
    def names(self) -> tuple[str, ...]:
        """All secrets."""
        return tuple(sorted(self._held))

    def now(self) -> datetime:
        """The server's time."""
        return datetime.now(UTC) + self.ahead

    # -- secrets -------------------------------------------------------------------------------------------------------

    def _create_secret(self, request: Any) -> Any:
        name = f"{request.parent}/secrets/{request.secret_id}"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", request.secret_id):
            raise RefusedError("INVALID_ARGUMENT", "The provided Secret ID does not match the expected format.")
        if name in self._held:
            raise RefusedError("ALREADY_EXISTS", f"Secret [{name}] already exists.")
        if ("replication" in request.secret) == ("/locations/" in request.parent):
            raise RefusedError("INVALID_ARGUMENT", "Secret.replication is for global secrets, and required there.")
        secret = api.Secret(request.secret)
        secret.name, secret.create_time = name, self.now()
        self._held[name] = held = Held(secret)
        return self._changed(held.secret, checked=secret)

    def _get_secret(self, request: Any) -> Any:
        return api.Secret(self.held(request.name).secret)

    def _list_secrets(self, request: Any) -> Any:
        wanted = request.filter.removeprefix("name:")
        found = [
            held.secret
            for _, held in sorted(self._held.items())
            if held.secret.name.startswith(f"{request.parent}/secrets/")
        ]
        page, token = _page([each for each in found if wanted in each.name], request)
        return api.ListSecretsResponse(secrets=page, next_page_token=token)

    def _update_secret(self, request: Any) -> Any:
        held = self.held(request.secret.name)
        _check_etag(held.secret, request.secret.etag)
        for path in request.update_mask.paths:
            if path not in CHANGEABLE:
                raise RefusedError("INVALID_ARGUMENT", f"field {path} is immutable")
        if "version_aliases" in request.update_mask.paths:
            _check_aliases(held, dict(request.secret.version_aliases))
        for path in request.update_mask.paths:
            setattr(held.secret, path, getattr(request.secret, path))
        return self._changed(held.secret, checked=held.secret)

    def _delete_secret(self, request: Any) -> Any:
        _check_etag(self.held(request.name).secret, request.etag)
        del self._held[request.name]
        return empty_pb2.Empty()

    # -- versions ------------------------------------------------------------------------------------------------------

    def _add_secret_version(self, request: Any) -> Any:
        held, payload = self.held(request.parent), request.payload
        self._check_key(request.parent)
        if len(payload.data) > LARGEST:
            raise RefusedError("INVALID_ARGUMENT", "The payload is too large: at most 65536 bytes.")
        if "data_crc32c" in payload and payload.data_crc32c != crc32c(payload.data):
            raise RefusedError("INVALID_ARGUMENT", "The payload's checksum does not match.")
        number = max(held.versions, default=0) + 1
        version = api.SecretVersion(
            name=f"{request.parent}/versions/{number}",
            state=State.ENABLED,
            create_time=self.now(),
            client_specified_payload_checksum="data_crc32c" in payload,
        )
        held.versions[number], held.payloads[number] = version, bytes(payload.data)
        return self._changed(version)

    def _get_secret_version(self, request: Any) -> Any:
        return api.SecretVersion(self._version(request.name)[1])

    def _access_secret_version(self, request: Any) -> Any:
        held, version = self._version(request.name)
        if version.state is not State.ENABLED:
            state = version.state.name
            raise RefusedError("FAILED_PRECONDITION", f"Secret Version [{version.name}] is in {state} state.")
        self._check_key(held.secret.name)
        data = held.payloads[int(version.name.rpartition("/")[2])]
        payload = api.SecretPayload(data=data, data_crc32c=crc32c(data) ^ self.damaged)
        return api.AccessSecretVersionResponse(name=version.name, payload=payload)

    def _list_secret_versions(self, request: Any) -> Any:
        versions = sorted(self.held(request.parent).versions.items(), reverse=True)
        page, token = _page([version for _, version in versions], request)
        return api.ListSecretVersionsResponse(versions=page, next_page_token=token)

    def _enable_secret_version(self, request: Any) -> Any:
        return self._set_state(request, State.ENABLED)

    def _disable_secret_version(self, request: Any) -> Any:
        return self._set_state(request, State.DISABLED)

    def _destroy_secret_version(self, request: Any) -> Any:
        held, version = self._version(request.name)
        if held.secret.version_destroy_ttl:
            version.scheduled_destroy_time = self.now() + held.secret.version_destroy_ttl
            return self._set_state(request, State.DISABLED)
        destroyed = self._set_state(request, State.DESTROYED)
        held.payloads.pop(int(version.name.rpartition("/")[2]), None)
        return destroyed

    def _set_state(self, request: Any, state: Any) -> Any:
        _, version = self._version(request.name)
        _check_etag(version, request.etag)
        if version.state is State.DESTROYED:
            raise RefusedError("FAILED_PRECONDITION", f"Secret Version [{version.name}] is in DESTROYED state.")
        version.state = state
        return self._changed(version)

    def _version(self, name: str) -> tuple[Held, Any]:
        secret, _, wanted = name.rpartition("/versions/")
        held = self._held.get(secret)
        missing = RefusedError("NOT_FOUND", f"Secret [{secret}] not found or has no versions.")
        if held is None or not held.versions:
            raise missing
        aliases = dict(held.secret.version_aliases)
        number = max(max(held.versions) - self.latest_lags, 1) if wanted == "latest" else aliases.get(wanted, wanted)
        version = held.versions.get(int(number)) if str(number).isdecimal() else None
        if version is None:
            raise missing
        return held, version

    def _check_key(self, secret: str) -> None:
        if secret in self.keys_disabled:
            key = "projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
            raise RefusedError("FAILED_PRECONDITION", f"{key} is not enabled, current state is: DISABLED.")

    def _changed(self, message: Any, checked: Any = None) -> Any:
        """A copy of the message with an etag that it never had."""
        if checked is not None and sum(len(k) + len(v) for k, v in checked.annotations.items()) >= 16384:
            raise RefusedError("INVALID_ARGUMENT", "annotations are too large")
        message.etag = f'"{next(self._etags):x}"'
        return type(message)(message)


def _check_etag(message: Any, etag: str) -> None:
    if etag and etag != message.etag:
        raise RefusedError("FAILED_PRECONDITION", "The provided etag does not match the resource's current one.")


def _check_aliases(held: Held, aliases: dict[str, int]) -> None:
    for alias, number in aliases.items():
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,62}", alias) or alias in ("latest", "NEW") or len(aliases) > 50:
            raise RefusedError("INVALID_ARGUMENT", f"{alias} is no alias")
        if number not in held.versions:
            raise RefusedError("FAILED_PRECONDITION", f"there is no version {number} for the alias {alias}")


def _page(found: list[Any], request: Any) -> tuple[list[Any], str]:
    start, size = int(request.page_token or 0), request.page_size or 25_000
    return found[start : start + size], str(start + size) if start + size < len(found) else ""


def _resource(method: str, request: Any) -> str:
    return str(request.secret.name if method == "UpdateSecret" else getattr(request, "name", "") or request.parent)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
