"""What the stand-in keeps: objects with versions that grow over everything, changed one at a time."""

from __future__ import annotations

import base64
import copy
import json
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.servers.kubernetes import managers, selectors, validation
from tests.servers.kubernetes.objects import (
    NAMESPACES,
    SECRETS,
    Call,
    Object,
    Refusal,
    Resource,
    about,
    bad_request,
    conflict,
    invalid,
    not_found,
)

Hook = Callable[[Call, Object | None], None]
"""Admission: called with the object as it would be kept, None where one is deleted or read. May raise `Fault`."""

_KEPT = ("uid", "creationTimestamp", "name", "namespace", "generation", "deletionTimestamp")


class Storage:
    """All objects. Every method is one request and raises `Refusal`; what it returns is a copy."""

    def __init__(self) -> None:
        self.hooks: list[Hook] = []
        self._lock = threading.RLock()
        self._revision = 1000
        self._objects: dict[tuple[Resource, str, str], Object] = {}

    def get(self, call: Call) -> Object:
        """One object."""
        with self._lock:
            return copy.deepcopy(self._there(call))

    def find(self, call: Call) -> Object | None:
        """One object, if it is there."""
        with self._lock:
            return copy.deepcopy(self._objects.get(call.key))

    def keys(self) -> tuple[tuple[Resource, str, str], ...]:
        """Where objects are."""
        with self._lock:
            return tuple(self._objects)

    def listed(self, call: Call) -> Object:
        """A page of objects, by label selector and name."""
        with self._lock:
            found = [
                copy.deepcopy(each)
                for (resource, namespace, _), each in sorted(self._objects.items(), key=lambda item: item[0][1:])
                if resource == call.resource
                and call.namespace in ("", namespace)
                and selectors.chosen(each, call.query)
            ]
            return self._page(call, found)

    def create(self, call: Call, given: Object) -> Object:
        """Keep a new one."""
        with self._lock:
            self._check_namespace(call)
            if call.key in self._objects:
                message = f'{call.resource.full_name} "{call.name}" already exists'
                raise Refusal(409, "AlreadyExists", message, about(call.resource, call.name))
            if given["metadata"].get("resourceVersion"):
                raise bad_request("resourceVersion should not be set on objects to be created")
            after = copy.deepcopy(given)
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            after["metadata"] |= {"name": call.name, "uid": str(uuid.uuid4()), "creationTimestamp": now}
            if "spec" in after:
                after["metadata"]["generation"] = 1
            if call.resource.namespaced:
                after["metadata"]["namespace"] = call.namespace
            return self._keep(call, None, after)

    def change(self, call: Call, change: Callable[[Object], Object], *, put: bool = False) -> Object:
        """Replace one by what `change` makes of it, if its version and uid are still what the result says."""
        with self._lock:
            before = self._there(call)
            after = change(copy.deepcopy(before))
            self._check_expected(call, before, after, put=put)
            for key in _KEPT:
                if key in before["metadata"]:
                    after["metadata"][key] = before["metadata"][key]
            return self._keep(call, before, after)

    def delete(self, call: Call, preconditions: Mapping[str, Any]) -> Object:
        """Remove one, a namespace with all that is in it; one with finalizers is only marked."""
        with self._lock:
            before = self._there(call)
            for key in ("uid", "resourceVersion"):
                if preconditions.get(key) not in (None, before["metadata"][key]):
                    raise conflict(call.resource, call.name, f"Precondition failed: {key} in precondition")
            self._admit(call, None)
            if before["metadata"].get("finalizers"):
                marked = copy.deepcopy(before)
                marked["metadata"].setdefault("deletionTimestamp", datetime.now(UTC).isoformat())
                return self._write(call, marked)
            if not call.dry:
                self._forget(call)
            details = {**about(call.resource, call.name), "uid": before["metadata"]["uid"]}
            return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def terminate(self, namespace: str) -> None:
        """Let a namespace be on its way out: nothing can be made in it."""
        with self._lock:
            self._objects[NAMESPACES, "", namespace]["status"] = {"phase": "Terminating"}

    def _there(self, call: Call) -> Object:
        if call.key not in self._objects:
            raise not_found(call.resource, call.name)
        return self._objects[call.key]

    def _check_namespace(self, call: Call) -> None:
        if not call.resource.namespaced:
            return
        found = self._objects.get((NAMESPACES, "", call.namespace))
        if found is None:
            raise not_found(NAMESPACES, call.namespace)
        if found.get("status", {}).get("phase") == "Terminating":
            why = f"namespace {call.namespace} is being terminated"
            causes = [{"reason": "NamespaceTerminating", "message": why, "field": "metadata.namespace"}]
            message = f'{call.resource.full_name} "{call.name}" is forbidden: unable to create new content: {why}'
            raise Refusal(403, "Forbidden", message, {**about(call.resource, call.name), "causes": causes})

    @staticmethod
    def _check_expected(call: Call, before: Object, after: Object, *, put: bool) -> None:
        expected = after["metadata"].get("resourceVersion")
        if expected and not str(expected).isdecimal():
            raise invalid(call.resource, call.name, "metadata.resourceVersion", "Invalid value")
        if expected not in (None, "", before["metadata"]["resourceVersion"]):
            why = "the object has been modified; please apply your changes to the latest version and try again"
            raise conflict(call.resource, call.name, why)
        if after["metadata"].get("uid") not in (None, before["metadata"]["uid"]):
            if put:
                raise conflict(call.resource, call.name, "Precondition failed: UID in precondition")
            raise invalid(call.resource, call.name, "metadata.uid", "field is immutable")

    def _keep(self, call: Call, before: Object | None, after: Object) -> Object:
        after |= {"apiVersion": call.resource.api_version, "kind": call.resource.kind}
        if call.resource is SECRETS:
            validation.normalise(after)
        self._admit(call, after)
        if before is not None and after.get("spec") != before.get("spec"):
            after["metadata"]["generation"] = before["metadata"].get("generation", 0) + 1
        validation.check_metadata(call, after)
        if call.resource is SECRETS:
            validation.check_secret(call.name, before, after)
        if "applied" not in call.query:  # else who owns what is written already
            managers.update(before, after, call.query.get("fieldManager") or "unknown")
        if before is not None and _same(before, after):
            return copy.deepcopy(before)  # the store of a real one writes nothing either, so the version stays
        return self._write(call, after)

    def _admit(self, call: Call, after: Object | None) -> None:
        for hook in self.hooks:
            hook(call, after)

    def _write(self, call: Call, after: Object) -> Object:
        if not call.dry:
            self._revision += 1
            after["metadata"]["resourceVersion"] = str(self._revision)
            self._objects[call.key] = after
        return copy.deepcopy(after)

    def _forget(self, call: Call) -> None:
        self._revision += 1
        del self._objects[call.key]
        if call.resource is NAMESPACES:
            self._objects = {key: each for key, each in self._objects.items() if key[1] != call.name}

    def _page(self, call: Call, found: list[Object]) -> Object:
        limit, more = int(call.query.get("limit") or 0), call.query.get("continue")
        start = int(json.loads(base64.urlsafe_b64decode(more))["start"]) if more else 0
        end = start + limit if limit else len(found)
        metadata: Object = {"resourceVersion": str(self._revision)}
        if end < len(found):
            metadata["continue"] = base64.urlsafe_b64encode(json.dumps({"start": end}).encode()).decode()
            metadata["remainingItemCount"] = len(found) - end
        return {
            "kind": f"{call.resource.kind}List",
            "apiVersion": call.resource.api_version,
            "metadata": metadata,
            "items": found[start:end],
        }


def _same(before: Object, after: Object) -> bool:
    """Whether nothing changed but the times in `managedFields`."""
    return _timeless(before) == _timeless(after)


def _timeless(value: Object) -> Object:
    managed = [{**each, "time": ""} for each in value["metadata"].get("managedFields", ())]
    metadata = {**value["metadata"], "managedFields": managed, "resourceVersion": ""}
    return {**value, "metadata": metadata}
