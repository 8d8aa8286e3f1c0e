"""The least roles for publishing to Secrets, as manifests of Kubernetes.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection

from rotator.adapters.clients.kubernetes.client import MANAGER
from rotator.adapters.stores.kubernetes.documents import Spot

_HEAD = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: {name}, namespace: "{namespace}"}}
rules:
"""
_RULE = '- {{apiGroups: [""], resources: [secrets], {names}verbs: [{verbs}]}}\n'
_MAKING = """\
# Only where the rotator is to make these Secrets itself; where they exist, leave both rules out. A rule for `create`
# cannot name Secrets, and who may create any can have a token of every service account of the namespace.
"""


def least_roles(spots: Collection[Spot], private: str) -> str:
    """A role for each namespace; bind them to the rotator's service account."""
    names: dict[str, list[str]] = defaultdict(list)
    for spot in sorted(set(spots), key=str):
        names[spot.namespace].append(spot.name)
    roles = [_role(namespace, found) for namespace, found in sorted(names.items())]
    own = _HEAD.format(name=f"{MANAGER}-private", namespace=private)
    roles.append(own + _RULE.format(names="", verbs="create, delete, get, list, patch"))
    return "---\n".join(roles)


def _role(namespace: str, names: list[str]) -> str:
    # In quotes, because a Secret may be called 8080 or no.
    only = f"resourceNames: {json.dumps(names)}, "
    return (
        _HEAD.format(name=MANAGER, namespace=namespace)
        + _RULE.format(names=only, verbs="get, patch")
        + _MAKING
        + _RULE.format(names=only, verbs="delete")
        + _RULE.format(names="", verbs="create")
    )
