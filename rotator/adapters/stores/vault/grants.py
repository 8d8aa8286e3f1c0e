"""The least that the rotator's token must be allowed to do, and what is worth knowing of a token."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from rotator.domain.credential import PlaceKind
from rotator.domain.times import roughly

ITSELF = {"auth/token/lookup-self": ["read"], "auth/token/renew-self": ["update"]}
"""What the policy `default` grants, too; a role may be without that one."""


def least_policy(mount: str, private: str, refs: Sequence[str]) -> str:
    """A policy in HCL for these references and what the rotator keeps beside them, with one line for each path.

    `+` is one component of a path, so that `team/+` does not reach into `team/other/…`. A reference that itself reads
    as a pattern is granted nothing, and a comment says so.
    https://developer.hashicorp.com/vault/docs/concepts/policies#policy-syntax
    """
    lines = []
    for ref in refs:
        if _is_pattern(ref):
            lines.append(f"# {json.dumps(ref)} cannot be granted alone, because it reads as a pattern: rename it")
        else:
            lines += [_line(path, capabilities) for path, capabilities in _of(mount, private, ref)]
    lines += [_line(path, capabilities) for path, capabilities in ITSELF.items()]
    return "".join(f"{line}\n" for line in lines)


def _of(mount: str, private: str, ref: str) -> Iterator[tuple[str, list[str]]]:
    yield f"{mount}/data/{ref}", ["create", "read", "update"]
    yield f"{mount}/delete/{ref}", ["update"]  # takes back a first value
    for kind in (PlaceKind.PENDING.value, PlaceKind.PREVIOUS.value):
        yield f"{mount}/data/{private}/{kind}/{ref}/+", ["create", "read", "update"]
        yield f"{mount}/metadata/{private}/{kind}/{ref}/", ["list"]
        yield f"{mount}/metadata/{private}/{kind}/{ref}/+", ["delete"]


def _line(path: str, capabilities: Sequence[str]) -> str:
    return f"path {json.dumps(path)} {{ capabilities = {json.dumps(capabilities)} }}"


def _is_pattern(ref: str) -> bool:
    return ref.endswith("*") or "+" in ref.split("/")


def of_token(found: Mapping[str, Any]) -> Iterator[str]:
    """What to tell of a token that only a person can replace, from what Vault tells of it."""
    if "root" in (found.get("policies") or ()):
        yield "the token may do everything: use one with the policy that `rotator check --policy` prints"
    ttl = found.get("ttl")
    if found.get("expire_time") and isinstance(ttl, int) and not found.get("renewable"):
        left = roughly(timedelta(seconds=ttl))
        yield f"the token cannot be renewed and is good for {left} more: replace it by then, or use another auth method"
