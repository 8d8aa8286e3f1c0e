"""The `kubernetes` store: Secrets, through the API server and without a client package.

    stores:
      k8s:
        driver: kubernetes
        auth: {method: in-cluster}            # the rotator's own service account
        namespace: team-a                     # for references without one: `app-secrets` is `team-a/app-secrets`
        private_namespace: rotator            # where pending and previous values lie; nobody else may read there
      other:
        driver: kubernetes
        auth: {method: kubeconfig, file: /etc/rotator/kubeconfig, context: prod}
      third:
        driver: kubernetes
        address: https://kubernetes.internal:6443
        ca: /etc/rotator/cluster-ca.crt
        auth: {method: token, token: file:/run/secrets/cluster-token}

A reference is `namespace/name`, a field a key of the Secret's `data`. Compare-and-set is the server's own: every change
is a merge patch of our fields alone that carries the `resourceVersion` which was read, so keys, labels, owners and type
of others stay. A Secret's version is that of the whole: a colleague who edits another key costs one more attempt.

Pending and previous values are Secrets of `private_namespace`, named by hash; what they belong to stands in labels and
annotations. No pod mounts a Secret of another namespace, so consumers cannot read them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from importlib import import_module
from typing import Any

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.clients.kubernetes.answers import Need
from rotator.adapters.clients.kubernetes.client import MANAGER, MERGE_PATCH, KubernetesClient, Request
from rotator.adapters.clients.kubernetes.resources import is_namespace
from rotator.adapters.clients.kubernetes.settings import ACCESS, auth_of, reach_of
from rotator.adapters.stores.kubernetes.documents import (
    KIND,
    OF,
    REF,
    Document,
    Spot,
    check_names,
    encoded,
    fresh_annotations,
    label_of,
    new_secret,
    private_name,
    spot_of,
)
from rotator.adapters.stores.kubernetes.policy import least_roles
from rotator.adapters.stores.names import LARGEST_VALUES, check_values
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Transient
from rotator.domain.reach import Reach
from rotator.domain.settings import Settings, SettingsError
from rotator.domain.times import quoted
from rotator.ports import ABSENT, StoreCapabilities, Stored

KNOWN = (*ACCESS, "namespace", "private_namespace")
PAGE = 500
"""Entries of a list in one answer."""
_ONLY_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources"""


class KubernetesStore:
    """Secrets of one cluster. Safe for many threads."""

    def __init__(self, client: KubernetesClient, namespace: str | None, private: str, timeout: timedelta) -> None:
        """`timeout`: for one call of the port, all its requests together."""
        self._client = client
        self._namespace = namespace
        self._private = private
        self._timeout = timeout

    @classmethod
    def from_settings(
        cls, name: str, settings: Mapping[str, object], resolve: Callable[[str], str], timeout: timedelta
    ) -> KubernetesStore:
        """A store as configured. No request, and no reference is resolved yet. Raises `SettingsError`."""
        given = Settings(settings, KNOWN)
        namespace = _namespace(given, "namespace", None) if given.has("namespace") else None
        private = _namespace(given, "private_namespace", MANAGER)
        if namespace == private:
            message = "namespace and private_namespace are the same"
            raise SettingsError(message, "keep pending and previous values where no consumer reads")
        return cls(KubernetesClient(auth_of(given, resolve)), namespace, private, timeout)

    @classmethod
    def reach(cls, settings: Mapping[str, object]) -> Reach:
        """The API server, and what says where it is and who we are. Raises `SettingsError`."""
        return reach_of(Settings(settings, KNOWN))

    def capabilities(self) -> StoreCapabilities:
        """As the port says. A Secret has no older versions."""
        return StoreCapabilities(exact=True, max_bytes=LARGEST_VALUES)

    def read(self, place: Place) -> Stored:
        """As the port says. Raises Permanent for a field of ours that holds no text."""
        document = self._get(self._spot(place), self._deadline())
        if document is None:
            return Stored(version=ABSENT)
        shared = _shared(place)
        fields = document.texts(place.fields if shared else tuple(document.data))
        check_values(fields)
        return Stored(version=document.version, fields=None if shared and not fields else fields)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        """As the port says. One request where the place is new, else two."""
        check_values(fields)
        check_names(fields)
        spot, deadline = self._spot(place), self._deadline()
        if expected == ABSENT:
            return self._create(spot, place, fields, deadline)
        document = self._expected(spot, expected, deadline)
        document.check_takes(fields)
        gone = {} if _shared(place) else dict.fromkeys(document.data)
        return self._patch(document, {**gone, **encoded(fields)}, deadline)

    def remove(self, place: Place, expected: str) -> None:
        """As the port says. A Secret that somebody else made stays, even if it is empty now."""
        spot, deadline = self._spot(place), self._deadline()
        document = self._get(spot, deadline)
        if document is None:
            return
        ours = document.data.keys() & set(place.fields) if _shared(place) else document.data.keys()
        if _shared(place) and not ours:
            return
        if document.version != expected:
            raise _stale(spot)
        if not _shared(place) or (document.made_by_us and document.data.keys() == ours):
            self._delete(document, deadline)
        else:
            document.check_takes({})
            self._patch(document, dict.fromkeys(ours), deadline)

    def places(self, ref: str) -> tuple[Place, ...]:
        """As the port says. Values do not travel: the server is asked for metadata alone."""
        spot, deadline = spot_of(ref, self._namespace, self._private), self._deadline()
        found: list[Place] = []
        for metadata in self._listed(f"{REF}={label_of(spot)}", deadline):
            place = _place(ref, metadata)
            # Somebody's copy of one of ours under another name is no place.
            if place is not None and metadata.get("name") == private_name(spot, place.kind, place.of):
                found.append(place)
        return tuple(sorted(found, key=lambda place: (place.kind, place.of)))

    def least_policy(self, refs: Collection[str]) -> str:
        """The roles, as manifests, that suffice for publishing to these references."""
        return least_roles([spot_of(ref, self._namespace, self._private) for ref in refs], self._private)

    # -- requests ------------------------------------------------------------------------------------------------

    def _get(self, spot: Spot, deadline: Deadline) -> Document | None:
        answer = self._client.ask(Request(need=_need("get", spot), method="GET"), deadline)
        return _document(spot, answer.document) if answer.ok else None

    def _expected(self, spot: Spot, expected: str, deadline: Deadline) -> Document:
        """The Secret whose version is that one. Raises Conflict."""
        document = self._get(spot, deadline)
        if document is None or document.version != expected:
            raise _stale(spot)
        return document

    def _create(self, spot: Spot, place: Place, fields: Mapping[str, str], deadline: Deadline) -> str:
        request = Request(
            need=Need("create", spot.namespace),
            method="POST",
            query={"fieldManager": MANAGER},
            body=new_secret(spot, place, spot_of(place.ref, self._namespace, self._private), fields),
        )
        answer = self._client.ask(request, deadline)
        if not answer.ok:
            raise _stale(spot)
        return _document(spot, answer.document).version

    def _patch(self, document: Document, data: Mapping[str, str | None], deadline: Deadline) -> str:
        """Change these fields, None removing one, if the version is still the document's."""
        metadata = {"resourceVersion": document.version, "annotations": fresh_annotations()}
        request = Request(
            need=_need("patch", document.spot),
            method="PATCH",
            query={"fieldManager": MANAGER},
            body={"metadata": metadata, "data": data},
            sends=MERGE_PATCH,
        )
        answer = self._client.ask(request, deadline)
        if not answer.ok:
            raise _stale(document.spot)
        return _document(document.spot, answer.document).version

    def _delete(self, document: Document, deadline: Deadline) -> None:
        preconditions = {"uid": document.uid, "resourceVersion": document.version}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        self._client.ask(Request(need=_need("delete", document.spot), method="DELETE", body=body), deadline)

    def _listed(self, selector: str, deadline: Deadline) -> Iterator[Mapping[str, Any]]:
        """The metadata of our own Secrets with these labels, over all pages."""
        more = ""
        while True:
            query = {"labelSelector": selector, "limit": str(PAGE)} | ({"continue": more} if more else {})
            need = Need("list", self._private)
            answer = self._client.ask(Request(need=need, method="GET", query=query, accepts=_ONLY_METADATA), deadline)
            items = answer.document.get("items")
            for each in items if isinstance(items, list) else []:
                yield each.get("metadata") or {}
            more = (answer.document.get("metadata") or {}).get("continue") or ""
            if not more:
                return

    def _spot(self, place: Place) -> Spot:
        spot = spot_of(place.ref, self._namespace, self._private)
        if _shared(place):
            check_names(place.fields)
            return spot
        return Spot(namespace=self._private, name=private_name(spot, place.kind, place.of))

    def _deadline(self) -> Deadline:
        import_module("urllib3")  # before time runs: with a short lease the first call has none for an import
        return Deadline(self._timeout)

    def __repr__(self) -> str:
        return f"KubernetesStore({self._client!r})"


def _shared(place: Place) -> bool:
    """Whether others may have fields in the place's document."""
    return place.kind is PlaceKind.CURRENT


def _need(verb: str, spot: Spot) -> Need:
    return Need(verb, spot.namespace, spot.name)


def _stale(spot: Spot) -> Conflict:
    return Conflict(f"{quoted(str(spot))} is not what was read any more", "look again")


def _document(spot: Spot, found: Mapping[str, Any]) -> Document:
    document = Document(spot, found)
    if found.get("kind") != "Secret" or not document.version or not document.uid:
        raise Transient(f"something that is not kubernetes answered for {spot}", "look at what is in between")
    return document


def _place(ref: str, metadata: Mapping[str, Any]) -> Place | None:
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    kind, of = labels.get(KIND), annotations.get(OF)
    if kind not in (PlaceKind.PENDING, PlaceKind.PREVIOUS) or not isinstance(of, str) or not of:
        return None
    return Place(ref=ref, kind=PlaceKind(kind), of=of)


def _namespace(given: Settings, key: str, default: str | None) -> str:
    namespace = given.text(key, default)
    if not is_namespace(namespace):
        raise SettingsError(f"{key} is no name of a namespace", "write lower-case letters, digits and dashes")
    return namespace
