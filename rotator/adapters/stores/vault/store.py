"""The `vault` store: KV version 2 of HashiCorp Vault or OpenBao, through hvac.

    stores:
      vault:
        driver: vault
        address: https://vault.internal:8200  # the active node or the load balancer; a redirect is refused
        mount: kv                             # a KV version 2 engine
        namespace: team/a                     # where the server has namespaces
        auth: {method: approle, role_id: …, secret_id: file:/run/secrets/vault-secret-id}
        private: rotator                      # where pending and previous values lie in the same engine
        ca: /etc/ssl/vault-ca.pem

    auth: {method: approle, role_id: …, secret_id: {wrapped: file:/run/vault/wrapped}}  # each process unwraps it once
    auth: {method: kubernetes, role: rotator}            # jwt: file:… if not the pod's own; mount: kubernetes
    auth: {method: jwt, role: rotator, jwt: file:/run/spiffe/jwt}
    auth: {method: token_file, path: /run/vault/token}   # an agent's, which renews it
    auth: {method: token, token: file:/run/secrets/vault-token}
    # each with `namespace`, where the engine that logs us in is in another one than the store; / is the root

Compare-and-set is the server's own: every write carries `cas`. Consumers need `read` on the documents they use and
nothing beneath `private`. KV keeps older versions of a document (`max_versions`), so a dead key's value stays readable
there for those who may; a pending or previous document is removed with all its versions, so one that is made again
counts from one (the engine makes none again).

Everything here ran on OpenBao 2.7.2, alone and through the standby of a pair. No binary of HashiCorp's Vault could be
had, so what follows of it is its documentation's word. For the calls made here the two differ in this:

- who reads by itself and lags: with OpenBao from 2.5 on every standby (https://openbao.org/docs/concepts/consistency/),
  with Vault an Enterprise's performance standby alone; both take `X-Vault-Index`, see `indexes`.
- namespaces: of every OpenBao from 2.3 on (https://openbao.org/docs/concepts/namespaces/), of Vault Enterprise
  (https://developer.hashicorp.com/vault/docs/enterprise/namespaces).
- a token that is no good: both say 403 "permission denied", newer Vaults also "invalid token"; neither text is relied
  on: the token is asked to look itself up.
- numbers that others keep in a document: OpenBao keeps them as floats, Vault with every digit; one that does not
  survive being written back is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.names import LARGEST_VALUES, check_values, components, name_of, text_of
from rotator.adapters.stores.vault.address import KNOWN, path_from, server_from
from rotator.adapters.stores.vault.answers import Answer, Need
from rotator.adapters.stores.vault.auth import auth_from, paths_of
from rotator.adapters.stores.vault.client import VaultClient
from rotator.adapters.stores.vault.engine import Engine, without_versions
from rotator.adapters.stores.vault.grants import least_policy, of_token
from rotator.domain.credential import Place, PlaceKind, Publication
from rotator.domain.failures import Conflict, Permanent, Transient
from rotator.domain.reach import Reach, host_of
from rotator.domain.settings import Settings, SettingsError
from rotator.domain.times import quoted
from rotator.ports import ABSENT, StoreCapabilities, Stored


class VaultStore:
    """Documents of one KV version 2 engine. Safe for many threads."""

    def __init__(self, client: VaultClient, mount: str, private: str, timeout: timedelta) -> None:
        """`timeout`: for one call of the port, all its requests together."""
        self._client = client
        self._engine = Engine(client, mount)
        self._mount = mount
        self._private = private
        self._timeout = timeout

    @classmethod
    def from_settings(
        cls, name: str, settings: Mapping[str, object], resolve: Callable[[str], str], timeout: timedelta
    ) -> VaultStore:
        """A store as configured. No request, and no reference is resolved yet. Raises `SettingsError`."""
        given = Settings(settings, KNOWN)
        if find_spec("hvac") is None:
            raise SettingsError("hvac is not installed", "pip install 'rotator[vault]'")
        client = VaultClient(server_from(given), auth_from(given, resolve))
        return cls(client, path_from(given, "mount", None), path_from(given, "private", "rotator"), timeout)

    @classmethod
    def reach(cls, settings: Mapping[str, object]) -> Reach:
        """One server: a standby that sends us to the active node is refused. Raises `SettingsError`."""
        given = Settings(settings, KNOWN)
        server = server_from(given)
        ca = (str(server.ca),) if server.ca is not None else ()
        return Reach(hosts=host_of(server.address), paths=(*ca, *paths_of(given)))

    def capabilities(self) -> StoreCapabilities:
        """As the port says. No history: the engine keeps values as `previous`, because versions may be few and open."""
        return StoreCapabilities(exact=True, max_bytes=LARGEST_VALUES)

    def read(self, place: Place) -> Stored:
        """As the port says. A document whose newest version was deleted is there, without fields."""
        version, document = self._read(place, self._deadline())
        if document is None or place.kind is not PlaceKind.CURRENT:
            fields = _texts(document) if document is not None else None
        else:
            fields = _texts({name: document[name] for name in place.fields if name in document}) or None
        check_values(fields or {})
        return Stored(version=version, fields=fields)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        """As the port says. Two requests where others may have fields, else one."""
        check_values(fields)
        deadline = self._deadline()
        others = self._others(place, expected, deadline, fields)
        return self._put(place, {**others, **fields}, expected, deadline)

    def remove(self, place: Place, expected: str) -> None:
        """As the port says. The document is emptied under `cas` first, so that a stalled write can no longer land.

        Where a crash comes in between, a pending or previous place reads as `{}` and can be removed again.
        """
        deadline = self._deadline()
        _, document = self._read(place, deadline)
        if document is None or (_shared(place) and not document.keys() & set(place.fields)):
            return
        others = _without(document, place.fields) if _shared(place) else {}
        emptied = self._put(place, others, expected, deadline)
        if not _shared(place):
            self._forget(place, deadline)
        elif not others:
            self._hide(place, emptied, deadline)

    def places(self, ref: str) -> tuple[Place, ...]:
        """As the port says."""
        components(ref, self._private)
        deadline = self._deadline()
        found: list[Place] = []
        for kind in (PlaceKind.PENDING, PlaceKind.PREVIOUS):
            names = self._names(ref, f"{self._private}/{kind.value}/{ref}", deadline)
            found += [Place(ref=ref, kind=kind, of=text_of(each)) for each in names if not each.endswith("/")]
        return tuple(found)

    def least_policy(self, refs: Collection[str]) -> str:
        """The policy, in HCL, that suffices for publishing to these references. No request."""
        return least_policy(self._mount, self._private, sorted(set(refs)))

    def worth_knowing(self, places: Sequence[Publication]) -> tuple[str, ...]:
        """What `rotator check` should tell of: a token that will die, values that Vault itself will delete.

        A request, and one for each place.
        """
        deadline = self._deadline()
        token = self._client.own_token(deadline)
        return (*of_token(token or {}), *filter(None, (self._expiring(each.place, deadline) for each in places)))

    def _expiring(self, place: Place, deadline: Deadline) -> str:
        metadata = self._data(place, deadline)[1].get("metadata") or {}
        when = metadata.get("deletion_time")
        if not when or metadata.get("destroyed"):
            return ""
        return f"{place.ref}: vault deletes its value at {quoted(when)}, of itself: see delete_version_after"

    # -- requests ------------------------------------------------------------------------------------------------

    def _data(self, place: Place, deadline: Deadline) -> tuple[Answer, Mapping[str, Any]]:
        path = self._path(place)

        def send(http: Any) -> Any:
            return _kv(http).read_secret_version(path, mount_point=self._mount, raise_on_deleted_version=False)

        need = Need("read", f"{self._mount}/data/{path}")
        answer = self._client.ask(need, deadline, send, place.ref)
        return answer, answer.body(_same_number).get("data") or {}

    def _read(self, place: Place, deadline: Deadline) -> tuple[str, Mapping[str, Any] | None]:
        """The newest version and what is in it; None where it was deleted, or there is none."""
        answer, data = self._data(place, deadline)
        version = (data.get("metadata") or {}).get("version")
        if not answer.ok:
            if not version:
                self._engine.must_have_versions(deadline)  # one without any answers the same
            # Of a private document that somebody deleted older versions may still hold the value: it is to be removed.
            return str(version or ABSENT), {} if version and not _shared(place) else None
        if not version:
            self._engine.must_have_versions(deadline)
            path = self._path(place)
            raise Transient(f"{self._client.where} gave no version of {path}", "look at what is in between")
        return str(version), data.get("data") or {}

    def _others(self, place: Place, expected: str, deadline: Deadline, ours: Collection[str]) -> dict[str, Any]:
        """What others keep in the document; if it is not the version that is expected, `cas` will say so."""
        if not _shared(place) or expected == ABSENT:
            return {}
        _, document = self._read(place, deadline)
        return _without(document or {}, ours)

    def _put(self, place: Place, document: Mapping[str, Any], expected: str, deadline: Deadline) -> str:
        if expected != ABSENT and not expected.isdecimal():
            raise Conflict(f"{quoted(place.ref)} is not what was read any more", "look again")
        path, cas = self._path(place), int(expected or 0)
        if not cas:
            self._engine.must_have_versions(deadline)  # one without any would take the value, and keep it
        need = Need("update" if cas else "create", f"{self._mount}/data/{path}")

        def send(http: Any) -> Any:
            return _kv(http).create_or_update_secret(path, document, cas, self._mount)

        answer = self._client.ask(need, deadline, send, place.ref)
        version = answer.data.get("version")
        if not version:
            raise without_versions(self._mount, self._client.where)
        return str(version)

    def _names(self, ref: str, path: str, deadline: Deadline) -> tuple[str, ...]:
        def send(http: Any) -> Any:
            return _kv(http).list_secrets(path, self._mount)

        answer = self._client.ask(Need("list", f"{self._mount}/metadata/{path}/"), deadline, send, ref)
        return tuple(answer.data.get("keys") or ()) if answer.ok else ()

    def _forget(self, place: Place, deadline: Deadline) -> None:
        """Remove a document with all its versions, so that no value stays behind."""
        path = self._path(place)

        def send(http: Any) -> Any:
            return _kv(http).delete_metadata_and_all_versions(path, self._mount)

        self._client.ask(Need("delete", f"{self._mount}/metadata/{path}"), deadline, send, place.ref)

    def _hide(self, place: Place, version: str, deadline: Deadline) -> None:
        """Let consumers find nothing, by deleting the empty version alone: one that somebody writes now is safe."""
        path = self._path(place)

        def send(http: Any) -> Any:
            return _kv(http).delete_secret_versions(path, [int(version)], self._mount)

        self._client.ask(Need("update", f"{self._mount}/delete/{path}"), deadline, send, place.ref)

    def _path(self, place: Place) -> str:
        components(place.ref, self._private)
        if _shared(place):
            return place.ref
        return f"{self._private}/{place.kind.value}/{place.ref}/{name_of(place.of)}"

    def _deadline(self) -> Deadline:
        import_module("hvac")  # before time runs: with a short lease the first call has none for an import
        return Deadline(self._timeout)

    def __repr__(self) -> str:
        return f"VaultStore({self._client.where!r}, mount={self._mount!r})"


def _shared(place: Place) -> bool:
    """Whether others may have fields in the place's document."""
    return place.kind is PlaceKind.CURRENT


def _without(document: Mapping[str, Any], ours: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ours}


def _texts(document: Mapping[str, Any]) -> dict[str, str]:
    """Fields as text; what somebody else wrote there as a number or a list is given as JSON."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()}


def _same_number(text: str) -> float:
    """A number of others, which we write back: refused when it does not survive that."""
    number = float(text)
    if Decimal(text) != Decimal(repr(number)):
        raise Permanent("the document holds a number that is too long to be kept", "write it as text, in quotes")
    return number


def _kv(http: Any) -> Any:
    from hvac.api.secrets_engines import KvV2

    return KvV2(http)
