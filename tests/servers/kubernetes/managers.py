"""Field managers and server-side apply, simplified: https://kubernetes.io/docs/reference/using-api/server-side-apply/."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from tests.servers.kubernetes.objects import Object, Refusal, Resource, about

Path = tuple[str, ...]
Owners = dict[tuple[str, str], set[Path]]
"""The fields of each (manager, operation)."""

_OF_THE_SERVER = frozenset(
    (
        "managedFields",
        "resourceVersion",
        "uid",
        "creationTimestamp",
        "generation",
        "name",
        "namespace",
        "deletionTimestamp",
    )
)


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every field that is no table; lists are taken as a whole."""
    if isinstance(value, dict):
        for key, each in value.items():
            if at in ((), ("metadata",)) and key in (_OF_THE_SERVER if at else ("apiVersion", "kind")):
                continue
            yield from paths(each, (*at, key))
    elif at:
        yield at


def owners_of(stored: Object) -> Owners:
    """Who owns what, as the object says."""
    found: Owners = {}
    for entry in stored["metadata"].get("managedFields", ()):
        found[entry["manager"], entry["operation"]] = set(_decoded(entry["fieldsV1"]))
    return found


def record(owners: Owners, after: Object) -> None:
    """Write them into the object."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    after["metadata"]["managedFields"] = [
        {
            "manager": manager,
            "operation": operation,
            "apiVersion": after["apiVersion"],
            "time": now,
            "fieldsType": "FieldsV1",
            "fieldsV1": _encoded(owned),
        }
        for (manager, operation), owned in owners.items()
        if owned
    ]


def update(before: Object | None, after: Object, manager: str) -> None:
    """Let the manager own what it changed, and nobody what is gone."""
    owners = owners_of(before) if before is not None else {}
    there = set(paths(after))
    changed = {path for path in there if before is None or _at(before, path) != _at(after, path)}
    for owned in owners.values():
        owned.intersection_update(there - changed)
    owners.setdefault((manager, "Update"), set()).update(changed)
    record(owners, after)


def apply(resource: Resource, before: Object | None, wanted: Object, manager: str, *, force: bool) -> Object:
    """The object as the manager wants it; what it applied before and wants no more goes. Raises `Refusal`."""
    owners = owners_of(before) if before is not None else {}
    mine = owners.setdefault((manager, "Apply"), set())
    after = copy.deepcopy(before) if before is not None else {"metadata": {}}
    desired = set(paths(wanted))
    for path in sorted(desired):
        others = [who for who, owned in owners.items() if path in owned and who != (manager, "Apply")]
        if others and before is not None and _at(before, path) != _at(wanted, path):
            if not force:
                raise _contested(resource, wanted["metadata"]["name"], others[0][0], path)
            for who in others:
                owners[who].discard(path)
        _put(after, path, _at(wanted, path))
    for path in mine - desired:
        if not any(path in owned for who, owned in owners.items() if who != (manager, "Apply")):
            _drop(after, path)
    owners[manager, "Apply"] = desired
    after["apiVersion"], after["kind"] = wanted["apiVersion"], wanted["kind"]
    after["metadata"] |= {
        key: wanted["metadata"][key] for key in ("name", "resourceVersion") if key in wanted["metadata"]
    }
    record(owners, after)
    return after


def _contested(resource: Resource, name: str, other: str, path: Path) -> Refusal:
    shown = "." + ".".join(path)
    causes = [{"reason": "FieldManagerConflict", "message": f'conflict with "{other}"', "field": shown}]
    message = f'Apply failed with 1 conflict: conflict with "{other}": {shown}'
    return Refusal(409, "Conflict", message, {**about(resource, name), "causes": causes})


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _put(target: Object, path: Path, value: Any) -> None:
    for part in path[:-1]:
        target = target.setdefault(part, {})
    target[path[-1]] = copy.deepcopy(value)


def _drop(target: Object, path: Path) -> None:
    for part in path[:-1]:
        target = target.get(part) or {}
    target.pop(path[-1], None)


def _encoded(owned: Iterable[Path]) -> Object:
    result: Object = {}
    for path in sorted(owned):
        table = result
        for part in path:
            table = table.setdefault(f"f:{part}", {})
    return result


def _decoded(fields: Object, at: Path = ()) -> Iterator[Path]:
    for key, below in fields.items():
        path = (*at, key.removeprefix("f:"))
        if below:
            yield from _decoded(below, path)
        else:
            yield path
