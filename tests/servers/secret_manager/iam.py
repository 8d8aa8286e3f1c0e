"""Who asks, by bearer token, and what they may: IAM as far as Secret Manager's permissions need it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.auth import jwt

PERMISSIONS: Mapping[str, str] = {
    "AccessSecretVersion": "secretmanager.versions.access",
    "AddSecretVersion": "secretmanager.versions.add",
    "CreateSecret": "secretmanager.secrets.create",
    "DeleteSecret": "secretmanager.secrets.delete",
    "DestroySecretVersion": "secretmanager.versions.destroy",
    "DisableSecretVersion": "secretmanager.versions.disable",
    "EnableSecretVersion": "secretmanager.versions.enable",
    "GetSecret": "secretmanager.secrets.get",
    "GetSecretVersion": "secretmanager.versions.get",
    "ListSecretVersions": "secretmanager.versions.list",
    "ListSecrets": "secretmanager.secrets.list",
    "UpdateSecret": "secretmanager.secrets.update",
}
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True, slots=True)
class Binding:
    """Permissions on resources with these names or beginnings of names; without any, on everything."""

    permissions: frozenset[str]
    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def grants(self, permission: str, resource: str) -> bool:
        """Whether it does so."""
        everywhere = not self.names and not self.prefixes
        return permission in self.permissions and (
            everywhere or resource in self.names or resource.startswith(self.prefixes)
        )


OWNER = (Binding(frozenset(PERMISSIONS.values())),)


@dataclass(slots=True)
class Accounts:
    """Tokens that somebody was given, with their bindings, and public keys of service accounts by e-mail."""

    tokens: dict[str, tuple[Binding, ...]] = field(default_factory=dict)
    keys: dict[str, tuple[bytes, tuple[Binding, ...]]] = field(default_factory=dict)

    def bindings(self, authorization: str) -> tuple[Binding, ...] | None:
        """What the bearer may; None for nobody's token."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self.tokens.get(token) or self._signed(token)

    def _signed(self, token: str) -> tuple[Binding, ...] | None:
        """A token that a service account signed itself: https://google.aip.dev/auth/4111."""
        decode: Any = jwt.decode
        try:
            public, bindings = self.keys[decode(token, verify=False)["iss"]]
            claims = decode(token, certs=public)
        except (ValueError, KeyError):
            return None
        return bindings if claims["scope"] == SCOPE and claims["exp"] > time.time() else None
