"""Three of the four kinds of patch; the fourth, apply, is in `managers`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from tests.servers.kubernetes.objects import Object, Refusal, bad_request


def merge(target: Any, patch: Any) -> Any:
    """JSON Merge Patch, RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def strategic(target: Any, patch: Any) -> Any:
    """The same, but for lists of named things (containers), which are merged by name."""
    if isinstance(patch, dict):
        return _strategic_table(target if isinstance(target, dict) else {}, patch)
    if isinstance(patch, list) and patch and all(isinstance(each, dict) and "name" in each for each in patch):
        return _strategic_list(target if isinstance(target, list) else [], patch)
    return copy.deepcopy(patch)


def _strategic_table(target: Object, patch: Object) -> Object:
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    result = dict(target)
    for key, value in patch.items():
        if key.startswith("$"):  # directives about the order of lists, and what is kept of unions
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = strategic(result.get(key), value)
    return result


def _strategic_list(target: list[Any], patch: list[Any]) -> list[Any]:
    result = {each["name"]: each for each in target}
    for each in patch:
        if each.get("$patch") == "delete":
            result.pop(each["name"], None)
        else:
            result[each["name"]] = strategic(result.get(each["name"], {}), each)
    return list(result.values())


def by_operations(target: Object, patch: Any) -> Object:
    """JSON Patch, RFC 6902, of tables: add, replace, remove and test. Raises `Refusal`."""
    result = copy.deepcopy(target)
    for each in patch:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in each["path"].split("/")[1:]]
        table: Any = result
        for part in way:
            table = table.get(part) if isinstance(table, dict) else None
        if not isinstance(table, dict) or (each["op"] in ("replace", "remove", "test") and last not in table):
            raise Refusal(422, "Invalid", "the server rejected our request due to an error in our request")
        if each["op"] == "test" and table[last] != each["value"]:
            raise Refusal(422, "Invalid", "the server rejected our request due to an error in our request")
        if each["op"] == "remove":
            del table[last]
        elif each["op"] in ("add", "replace"):
            table[last] = each["value"]
        elif each["op"] != "test":
            raise bad_request(f"unsupported operation {each['op']}")
    return result


BY_TYPE: Mapping[str, Callable[[Any, Any], Any]] = {
    "application/merge-patch+json": merge,
    "application/strategic-merge-patch+json": strategic,
    "application/json-patch+json": by_operations,
}
