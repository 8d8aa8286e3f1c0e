"""What kubectl asks before anything else: which groups, versions and resources there are."""

from __future__ import annotations

from tests.servers.kubernetes.objects import RESOURCES, Object, Resource

VERSION = "v1.34.0"
_VERBS = ["create", "delete", "get", "list", "patch", "update"]


def answer(path: str) -> Object | None:
    """What is at a path of discovery; None where nothing is."""
    if path == "/version":
        return {"major": "1", "minor": "34", "gitVersion": VERSION}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": list({each.group: _group(each) for each in RESOURCES if each.group}.values()),
        }
    way = path.removeprefix("/apis/").removeprefix("/api/")
    rows = [each for each in RESOURCES if each.api_version == way]
    if not rows:
        return None
    listed = [_row(each) for each in rows]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": way, "resources": listed}


def _group(resource: Resource) -> Object:
    version = {"groupVersion": resource.api_version, "version": resource.version}
    return {"name": resource.group, "versions": [version], "preferredVersion": version}


def _row(resource: Resource) -> Object:
    return {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "kind": resource.kind,
        "namespaced": resource.namespaced,
        "verbs": _VERBS,
        "shortNames": [resource.short] if resource.short else [],
    }
