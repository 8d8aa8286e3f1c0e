"""Kinds of objects as the API names them, and what objects and namespaces may be called.

https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris and
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Objects in namespaces. `group`: empty for the core's; `plural`: in paths and roles; `kind`: in objects."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def root(self) -> str:
        """What paths to it begin with."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def full_name(self) -> str:
        """As kubectl takes it where two groups have one of that name."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


SECRETS = Resource(group="", version="v1", plural="secrets", kind="Secret")


def is_namespace(text: str) -> bool:
    """Whether a namespace can have this name."""
    return _LABEL.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether an object can have this name: a path needs no quoting then, and leads nowhere else."""
    return _NAME.fullmatch(text) is not None and ".." not in text
