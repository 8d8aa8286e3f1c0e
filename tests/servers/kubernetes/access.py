"""Who asks, and what their roles grant: bearer tokens, client certificates, rules of Roles and ClusterRoles."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from tests.servers.kubernetes.objects import Call, Refusal, about

ACCOUNT = "system:serviceaccount:rotator:rotator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a role, and where it holds; None: in every namespace."""

    namespace: str | None
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...]
    verbs: tuple[str, ...]

    def allows(self, call: Call) -> bool:
        """Whether it grants this. Names never grant `create` or a list without a name: those have none to compare."""
        return (
            self.namespace in (None, call.namespace)
            and _matches(self.groups, call.resource.group)
            and _matches(self.resources, call.resource.plural)
            and _matches(self.verbs, call.verb)
            and (not self.names or (call.verb != "create" and call.name in self.names))
        )


def rules_of(manifests: str) -> Iterator[Rule]:
    """The rules of Roles and ClusterRoles, as they are printed for `kubectl apply`."""
    for role in yaml.safe_load_all(manifests):
        if role["kind"] not in ("Role", "ClusterRole"):
            raise ValueError(f"{role['kind']} is no role")
        for rule in role["rules"]:
            yield Rule(
                namespace=role["metadata"]["namespace"] if role["kind"] == "Role" else None,
                groups=tuple(rule["apiGroups"]),
                resources=tuple(rule["resources"]),
                names=tuple(rule.get("resourceNames", ())),
                verbs=tuple(rule["verbs"]),
            )


class Access:
    """Everybody who may ask anything."""

    def __init__(self) -> None:
        self._users: dict[str, tuple[Rule, ...]] = {}
        self._tokens: dict[str, str] = {}
        self.admin_token = self.token(
            "{kind: ClusterRole, rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]}", user="admin"
        )

    def grant(self, user: str, manifests: str) -> None:
        """Let a user have exactly these roles."""
        self._users[user] = tuple(rules_of(manifests))

    def token(self, manifests: str, user: str = ACCOUNT) -> str:
        """A new token of a user who has these roles from now on."""
        self.grant(user, manifests)
        token = f"token-{secrets.token_hex(16)}"
        self._tokens[token] = user
        return token

    def revoke(self, token: str) -> None:
        """Let a token be nobody's."""
        del self._tokens[token]

    def user_of(self, authorization: str, certificate: str | None) -> str:
        """Who asks, by token or by the name in a certificate that the server has verified. Raises `Refusal`."""
        user = self._tokens.get(authorization.removeprefix("Bearer ")) if authorization else certificate
        if user is None or user not in self._users:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        return user

    def check(self, call: Call) -> None:
        """Raises `Refusal` unless a rule of the user grants it."""
        if any(rule.allows(call) for rule in self._users[call.user]):
            return
        resource = call.resource
        subject = f'{resource.full_name} "{call.name}"' if call.name else resource.full_name
        where = f'in the namespace "{call.namespace}"' if call.namespace else "at the cluster scope"
        message = (
            f'{subject} is forbidden: User "{call.user}" cannot {call.verb} resource "{resource.plural}" '
            f'in API group "{resource.group}" {where}'
        )
        raise Refusal(403, "Forbidden", message, about(resource, call.name))


def _matches(granted: tuple[str, ...], wanted: str) -> bool:
    return "*" in granted or wanted in granted
