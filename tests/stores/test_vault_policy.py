"""The least policy of the vault store, on a real OpenBao: it suffices, each of its grants is needed, it is no wider."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from rotator.adapters.stores.vault.grants import ITSELF, least_policy
from rotator.domain.credential import Publication
from rotator.domain.failures import Denied
from rotator.ports import ABSENT, TellsLeastPolicy, TellsWorthKnowing
from tests.servers.openbao import OpenBaoServer, Refused
from tests.stores.vault_access import CURRENT, HIDDEN, PENDING, PUBLISHED, Vault, approle, use_everything

Grants = dict[str, list[str]]


def grants(policy: str) -> Grants:
    """Capabilities by path."""
    found = re.findall(r'^path ("[^"]+") { capabilities = (\[.*\]) }$', policy, re.MULTILINE)
    return {json.loads(path): json.loads(capabilities) for path, capabilities in found}


def policy(granted: Grants) -> str:
    lines = [f"path {json.dumps(path)} {{ capabilities = {json.dumps(each)} }}" for path, each in granted.items()]
    return "\n".join(lines)


NEEDED = [
    (path, capability)
    for path, capabilities in grants(least_policy("MOUNT", "rotator", [PUBLISHED.ref])).items()
    for capability in capabilities
    if path not in ITSELF
]


@pytest.fixture
def vault(openbao_server: OpenBaoServer, openbao_mount: str) -> Vault:
    """A fresh engine."""
    return Vault(openbao_server, openbao_mount)


def least(vault: Vault) -> str:
    return vault.store().least_policy([PUBLISHED.ref])


def alone(vault: Vault, granted: str, **settings: object) -> str:
    """A token that may this and nothing else, not even what the policy `default` grants."""
    return vault.token(granted, no_default_policy=True, **settings)


# -- it suffices -------------------------------------------------------------------------------------------------------


def test_the_store_offers_what_check_asks_for(vault: Vault) -> None:
    assert isinstance(vault.store(), TellsLeastPolicy)
    assert isinstance(vault.store(), TellsWorthKnowing)


def test_the_least_policy_suffices_without_the_default_one(vault: Vault) -> None:
    use_everything(vault.store(alone(vault, least(vault))))


def test_it_suffices_for_references_that_lie_within_each_other(vault: Vault) -> None:
    outer = Publication(store="vault", ref="ai", fields={"api_key": "{secret}"})
    store = vault.store(alone(vault, vault.store().least_policy([outer.ref, PUBLISHED.ref])))
    store.write(outer.place, {"api_key": "one"}, ABSENT)
    within = outer.pending("openai")  # lies where the places of ai/openai are listed
    version = store.write(within, {"value.secret": HIDDEN}, ABSENT)
    use_everything(store)
    assert store.places("ai") == (within,)
    store.remove(within, version)
    assert store.places("ai") == ()


def test_a_token_of_the_least_policy_is_renewed(vault: Vault, put_forward: Callable[[float], None]) -> None:
    token = alone(vault, least(vault), ttl="60s")
    store = vault.store(token)
    for renewed in (False, True):
        assert store.read(CURRENT).version == ABSENT
        assert vault.was_renewed(token) is renewed
        put_forward(41)


# -- all of it is needed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "capability"), NEEDED)
def test_without_any_one_of_its_grants_something_fails_and_the_missing_one_is_named(
    vault: Vault, path: str, capability: str
) -> None:
    path = path.replace("MOUNT", vault.mount)
    granted = grants(least(vault))
    granted[path] = [each for each in granted[path] if each != capability] or ["deny"]
    with pytest.raises(Denied) as denied:
        use_everything(vault.store(alone(vault, policy(granted))))
    named, _, where = denied.value.permission.partition(" on ")
    assert named == capability
    assert re.fullmatch(re.escape(path).replace(r"\+", "[^/]+"), where)
    assert denied.value.permission in denied.value.message
    assert denied.value.permission in denied.value.hint


def test_without_looking_at_itself_a_token_is_called_invalid_when_only_a_grant_is_missing(vault: Vault) -> None:
    granted = grants(least(vault))
    del granted[f"{vault.mount}/data/ai/openai"]
    with pytest.raises(Denied, match="does not let us read"):
        vault.store(alone(vault, policy(granted))).read(CURRENT)
    del granted["auth/token/lookup-self"]
    with pytest.raises(Denied, match="refuses our token"):
        vault.store(alone(vault, policy(granted))).read(CURRENT)


def test_without_renewing_itself_a_token_dies_in_use(vault: Vault, put_forward: Callable[[float], None]) -> None:
    granted = grants(least(vault))
    del granted["auth/token/renew-self"]
    token = alone(vault, policy(granted), ttl="60s")
    store = vault.store(token)
    for _ in range(2):
        assert store.read(CURRENT).version == ABSENT
        assert not vault.was_renewed(token)
        put_forward(41)
    vault.revoke(token)
    with pytest.raises(Denied, match="refuses our token"):
        store.read(CURRENT)


# -- it is no wider ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "{kv}/data/ai/other"),
        ("GET", "{kv}/data/ai/openai/deeper"),
        ("GET", "{kv}/data/ai/openai2"),
        ("POST", "{kv}/data/ai"),
        ("GET", "{kv}/data/rotator/pending/ai/other/r1"),
        ("GET", "{kv}/data/rotator/previous/ai/other/key"),
        ("GET", "{kv}/data/rotator/pending/ai/openai/deeper/r1"),
        ("GET", "{kv}/data/rotator/pending/ai/openai"),
        ("GET", "{kv}/data/rotator/elsewhere"),
        ("DELETE", "{kv}/data/ai/openai"),
        ("GET", "{kv}/metadata/ai/openai"),
        ("DELETE", "{kv}/metadata/ai/openai"),
        ("POST", "{kv}/metadata/ai/openai"),
        ("GET", "{kv}/metadata/rotator/pending/ai/openai/r1"),
        ("LIST", "{kv}/metadata"),
        ("LIST", "{kv}/metadata/ai"),
        ("LIST", "{kv}/metadata/rotator"),
        ("LIST", "{kv}/metadata/rotator/pending"),
        ("LIST", "{kv}/metadata/rotator/pending/ai"),
        ("LIST", "{kv}/metadata/rotator/pending/ai/openai/deeper"),
        ("POST", "{kv}/destroy/ai/openai"),
        ("POST", "{kv}/undelete/ai/openai"),
        ("POST", "{kv}/delete/ai/other"),
        ("POST", "{kv}/delete/rotator/pending/ai/openai/r1"),
        ("GET", "{kv}/config"),
        ("GET", "secret/data/ai/openai"),
        ("GET", "cubbyhole/x"),
        ("GET", "sys/mounts"),
        ("GET", "sys/policies/acl"),
        ("GET", "sys/policies/acl/{kv}"),
        ("GET", "sys/auth"),
        ("POST", "sys/seal"),
        ("POST", "sys/wrapping/wrap"),
        ("POST", "auth/token/create"),
        ("POST", "auth/token/lookup"),
        ("LIST", "auth/token/accessors"),
        ("GET", "identity/entity/id"),
    ],
)
def test_nothing_else_is_allowed(vault: Vault, method: str, path: str) -> None:
    store = vault.store()
    store.write(CURRENT, {"api_key": "one"}, ABSENT)
    store.write(PENDING, {"value.secret": "one"}, ABSENT)
    somebody = Vault(vault.server.as_holder_of(alone(vault, least(vault))), vault.mount)
    assert somebody.document("ai/openai")["data"] == {"api_key": "one"}
    with pytest.raises(Refused, match=r"^403 "):
        somebody.server.request(method, path.format(kv=vault.mount), {"x": "y"} if method == "POST" else None)


@pytest.mark.parametrize("ref", ["team*", "+/openai", "ai/+", "ai/+/x"])
def test_a_reference_that_reads_as_a_pattern_is_granted_nothing_and_named(vault: Vault, ref: str) -> None:
    told = vault.store().least_policy([ref])
    assert set(grants(told)) == set(ITSELF)
    assert f'# "{ref}" cannot be granted alone' in told
    alone(vault, told)  # Vault takes it as a policy


def test_a_plus_within_a_name_is_no_pattern(vault: Vault) -> None:
    place = Publication(store="vault", ref="ai/a+b", fields={"api_key": "{secret}"})
    holder = vault.server.as_holder_of(alone(vault, vault.store().least_policy([place.ref])))
    vault.store(holder.token).write(place.place, {"api_key": "one"}, ABSENT)
    for other in ("ai/axb", "ai/a+bc"):
        with pytest.raises(Refused, match=r"^403 "):
            holder.request("GET", f"{vault.mount}/data/{other}")


def test_a_role_with_the_least_policy_alone_can_do_everything(vault: Vault) -> None:
    with approle(vault, least(vault), token_no_default_policy=True) as role:
        use_everything(role.store(vault))
