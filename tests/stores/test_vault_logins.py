"""Logging in to a real OpenBao: wrapped secret ids, addresses that are bound, JSON web tokens, namespaces."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rotator.adapters.stores.vault import VaultStore
from rotator.domain.failures import Denied, Failure, Permanent, Transient
from rotator.domain.settings import SettingsError
from rotator.ports import ABSENT
from rotator.testing.store_contract import at_once, secret_free
from tests.servers.openbao import OpenBaoServer
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.vault_access import CURRENT, PUBLISHED, TIMEOUT, Vault, approle, held, use_everything

MakeProxy = Callable[[str, int], FaultProxy]


@pytest.fixture
def vault(openbao_server: OpenBaoServer, openbao_mount: str) -> Vault:
    """A fresh engine."""
    return Vault(openbao_server, openbao_mount)


def least(vault: Vault) -> str:
    return vault.store().least_policy([PUBLISHED.ref])


def denial(vault: Vault, act: Callable[[], object]) -> Denied:
    """How `act` is denied, without a secret."""
    with pytest.raises(Denied) as denied:
        act()
    assert [secret for secret in vault.secrets if not secret_free(denied.value, secret)] == []
    assert [secret for secret in vault.secrets if secret in denied.value.hint] == []
    return denied.value


# -- wrapped secret ids ------------------------------------------------------------------------------------------------


def test_a_wrapped_secret_id_is_unwrapped_once_and_serves_many_logins(
    vault: Vault, put_forward: Callable[[float], None]
) -> None:
    with approle(vault, least(vault), token_ttl="60s", token_max_ttl="60s") as role:
        store = role.store_with(vault, role.wrapped_secret_id(), wrapped=True)
        assert set(at_once(8, lambda _: store.read(CURRENT).version).values()) == {ABSENT}
        put_forward(61)
        use_everything(store)


def test_a_wrapped_secret_id_that_somebody_else_unwrapped_is_said_loudly(vault: Vault) -> None:
    with approle(vault, least(vault)) as role:
        token = role.wrapped_secret_id()
        vault.secrets.add(token)
        vault.server.as_holder_of(token).request("POST", "sys/wrapping/unwrap")
        for _ in range(2):
            denied = denial(vault, lambda: role.store_with(vault, token, wrapped=True).read(CURRENT))
            assert "env:SECRET_ID was unwrapped before" in denied.message
            assert "SOMEBODY ELSE MAY HAVE INTERCEPTED IT" in denied.message
            assert "destroy the role's secret ids" in denied.hint


def test_what_was_wrapped_by_somebody_else_is_never_used(vault: Vault) -> None:
    with approle(vault, least(vault)) as role:
        forged = vault.server.request("POST", "sys/wrapping/wrap", {"secret_id": role.secret_id()}, wrap_ttl="1m")
        token = forged["wrap_info"]["token"]
        denied = denial(vault, lambda: role.store_with(vault, token, wrapped=True).read(CURRENT))
        assert "was wrapped by 'sys/wrapping/wrap'" in denied.message
        assert "INTERCEPTED" in denied.message
        assert vault.server.as_holder_of(token).request("POST", "sys/wrapping/unwrap")["data"]["secret_id"]


def test_a_secret_id_of_another_engine_is_never_used(vault: Vault) -> None:
    with approle(vault, least(vault)) as role:
        vault.server.request("POST", f"sys/auth/other-{vault.mount}", {"type": "approle"})
        try:
            vault.server.request("POST", f"auth/other-{vault.mount}/role/x", {"token_policies": "default"})
            path = f"auth/other-{vault.mount}/role/x/secret-id"
            token = vault.server.request("POST", path, wrap_ttl="1m")["wrap_info"]["token"]
            assert (
                "not by our AppRole"
                in denial(vault, lambda: role.store_with(vault, token, wrapped=True).read(CURRENT)).message
            )
        finally:
            vault.server.request("DELETE", f"sys/auth/other-{vault.mount}")


def test_a_wrapped_secret_id_that_is_too_old_is_denied(vault: Vault) -> None:
    with approle(vault, least(vault)) as role:
        token = role.wrapped_secret_id("1s")
        time.sleep(1.5)
        denied = denial(vault, lambda: role.store_with(vault, token, wrapped=True).read(CURRENT))
        assert "or is too old" in denied.message


def test_an_unwrapping_whose_answer_was_lost_is_told_from_an_interception(vault: Vault, fault_proxy: MakeProxy) -> None:
    proxy = fault_proxy(vault.server.host, vault.server.port)
    with approle(vault, least(vault)) as role:
        tokens = [role.wrapped_secret_id()]
        address = f"http://127.0.0.1:{proxy.port}"
        store = role.store_with(vault, lambda: tokens[-1], wrapped=True, address=address)
        proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"POST /v1/sys/wrapping/unwrap"))
        with pytest.raises(Transient):
            store.read(CURRENT)
        denied = denial(vault, lambda: store.read(CURRENT))
        assert "never answered when we unwrapped" in denied.message
        assert "INTERCEPTED" not in denied.message
        tokens.append(role.wrapped_secret_id())
        assert store.read(CURRENT).version == ABSENT


def test_a_new_wrapped_secret_id_is_taken_up_when_the_old_one_is_used_up(vault: Vault) -> None:
    with approle(vault, least(vault), secret_id_num_uses=1) as role:
        tokens = [role.wrapped_secret_id()]
        store = role.store_with(vault, lambda: tokens[-1], wrapped=True)
        assert store.read(CURRENT).version == ABSENT
        vault.revoke(held(store))
        assert "put a new wrapped secret id" in denial(vault, lambda: store.read(CURRENT)).hint
        tokens.append(role.wrapped_secret_id())
        assert store.read(CURRENT).version == ABSENT


# -- bound addresses ---------------------------------------------------------------------------------------------------


def test_a_login_from_an_address_that_is_not_allowed_says_so(vault: Vault) -> None:
    with approle(vault, least(vault), secret_id_bound_cidrs="192.0.2.0/24") as role:
        denied = denial(vault, lambda: role.store(vault).read(CURRENT))
        assert "from this address" in denied.message
        assert "secret_id_bound_cidrs" in denied.hint
        assert denied.permission == f"update on auth/{role.mount}/login"


def test_a_token_that_is_bound_to_another_address_says_so(vault: Vault) -> None:
    with approle(vault, least(vault), token_bound_cidrs="192.0.2.0/24") as role:
        denied = denial(vault, lambda: role.store(vault).read(CURRENT))
        assert "lets AppRole log in, and refuses its token" in denied.message
        assert "token_bound_cidrs" in denied.hint


# -- JSON web tokens ---------------------------------------------------------------------------------------------------


@dataclass
class Issuer:
    """Somebody who issues JWTs, with an auth engine that trusts the key."""

    server: OpenBaoServer
    mount: str
    key: ec.EllipticCurvePrivateKey

    def jwt(self, **claims: object) -> str:
        """A token of `spiffe://rotator` for vault, good for a minute."""
        now = int(time.time())
        usual = {"iss": "https://issuer", "sub": "spiffe://rotator", "aud": "vault", "iat": now, "exp": now + 60}
        head, body = ({"alg": "ES256", "typ": "JWT"}, {**usual, **claims})
        signed = ".".join(encoded(json.dumps(each).encode()) for each in (head, body))
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{encoded(r.to_bytes(32) + s.to_bytes(32))}"

    def store(self, vault: Vault, jwt: Callable[[], str], method: str = "jwt") -> VaultStore:
        """A store that logs in with a JWT."""

        def resolve(_: str) -> str:
            text = jwt()
            vault.secrets.add(text)
            return text

        auth = {"method": method, "role": "rotator", "jwt": "file:/run/jwt", "mount": self.mount}
        given = {"address": vault.server.address, "mount": vault.mount, "auth": auth}
        return VaultStore.from_settings("vault", given, resolve, TIMEOUT)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def issuer(vault: Vault, **role: object) -> Iterator[Issuer]:
    server, mount, key = vault.server, f"jwt-{vault.mount}", ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    server.request("PUT", f"sys/policies/acl/{mount}", {"policy": least(vault)})
    server.request("POST", f"sys/auth/{mount}", {"type": "jwt"})
    try:
        server.request("POST", f"auth/{mount}/config", {"jwt_validation_pubkeys": [public]})
        settings = {
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_audiences": ["vault"],
            "bound_subject": "spiffe://rotator",
            "token_policies": [mount],
        }
        server.request("POST", f"auth/{mount}/role/rotator", {**settings, **role})
        yield Issuer(server, mount, key)
    finally:
        server.request("DELETE", f"sys/auth/{mount}")
        server.request("DELETE", f"sys/policies/acl/{mount}")


@pytest.mark.parametrize("method", ["jwt", "kubernetes"])  # the same request, to another kind of engine
def test_a_jwt_logs_in_and_is_read_anew_for_each_login(vault: Vault, method: str) -> None:
    with issuer(vault) as somebody:
        issued: list[str] = []

        def projected() -> str:
            issued.append(somebody.jwt(jti=secrets.token_hex(4)))
            return issued[-1]

        store = somebody.store(vault, projected, method)
        use_everything(store)
        vault.revoke(held(store))
        assert store.read(CURRENT).fields is None
        assert len(set(issued)) == 2


@pytest.mark.parametrize(
    "claims", [{"sub": "spiffe://else"}, {"aud": "nobody"}, {"exp": 1_000_000, "iat": 999_000}], ids=str
)
def test_a_jwt_that_is_not_ours_or_too_old_is_denied(vault: Vault, claims: Mapping[str, object]) -> None:
    with issuer(vault) as somebody:
        denied = denial(vault, lambda: somebody.store(vault, lambda: somebody.jwt(**claims)).read(CURRENT))
        assert "refuses our login as role rotator" in denied.message
        assert "file:/run/jwt" in denied.hint
        assert denied.permission == f"update on auth/{somebody.mount}/login"


# -- namespaces --------------------------------------------------------------------------------------------------------


def given(vault: Vault, auth: Mapping[str, Any], **settings: Any) -> VaultStore:
    settings = {"address": vault.server.address, "mount": vault.mount, "auth": auth, **settings}
    return VaultStore.from_settings("vault", settings, lambda _: vault.server.token, TIMEOUT)


TOKEN = {"method": "token", "token": "env:TOKEN"}


def test_a_namespace_that_does_not_exist_is_named(vault: Vault) -> None:
    for act in (
        lambda: given(vault, TOKEN, namespace="no/such").read(CURRENT),
        lambda: given(vault, TOKEN, namespace="no/such").write(CURRENT, {"api_key": "x"}, ABSENT),
    ):
        with pytest.raises(Permanent) as permanent:
            act()
        assert "namespace no/such, has no such namespace" in permanent.value.message
        assert "`namespace`" in permanent.value.hint


def test_a_role_of_the_root_namespace_may_publish_into_another(vault: Vault) -> None:
    with vault.server.namespace() as name, vault.server.within(name).kv_mount() as mount:
        inside = vault.store(mount=mount).least_policy([PUBLISHED.ref])
        policy = inside.replace(f'path "{mount}/', f'path "{name}/{mount}/')
        with approle(vault, policy) as role:
            auth = {"method": "approle", "role_id": role.role_id(), "secret_id": "env:S", "mount": role.mount}
            settings = {"address": vault.server.address, "mount": mount, "namespace": name}
            secret_id = role.secret_id()
            for auth_namespace, kind in ((None, Failure), ("/", None)):
                where = {} if auth_namespace is None else {"namespace": auth_namespace}
                store = VaultStore.from_settings(
                    "vault", {**settings, "auth": {**auth, **where}}, lambda _: secret_id, TIMEOUT
                )
                if kind is not None:
                    with pytest.raises(kind, match=f"namespace {name}, refuses our AppRole login"):
                        store.read(CURRENT)
                else:
                    use_everything(store)


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "part"),
    [
        (
            {"method": "approle", "role_id": "r", "secret_id": {"wrapped": "s.secret"}},
            "auth.secret_id.wrapped is not a reference",
        ),
        ({"method": "approle", "role_id": "r", "secret_id": {"unwrapped": "file:x"}}, "'unwrapped' is not known"),
        ({"method": "approle", "role_id": "r", "secret_id": "s.secret"}, "auth.secret_id is not a reference"),
        ({"method": "token_file", "path": "run/token"}, "auth.path is not an absolute path"),
        ({"method": "token_file", "path": "/run/token", "role": "x"}, "auth.role does not belong here"),
        ({"method": "jwt", "role": "x"}, "auth.jwt is missing"),
        ({"method": "jwt", "jwt": "file:/x"}, "auth.role is missing"),
        ({"method": "kubernetes"}, "auth.role is missing"),
        ({"method": "token", "token": "file:/x", "mount": "m"}, "auth.mount does not belong here"),
        ({"method": "tokn", "token": "file:/x"}, "auth.method is none of the known ones"),
        ({"method": "token", "token": "file:/x", "namespace": "a//b"}, "namespace is not a path"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_without_their_values(auth: Mapping[str, Any], part: str) -> None:
    settings = {"address": "https://vault", "mount": "kv", "auth": auth}
    with pytest.raises(SettingsError) as refusal:
        VaultStore.from_settings("vault", settings, str, TIMEOUT)
    assert part in refusal.value.message
    assert "s.secret" not in refusal.value.message + refusal.value.hint


def test_in_kubernetes_the_pods_own_token_is_used() -> None:
    asked: list[str] = []

    def resolve(reference: str) -> str:
        asked.append(reference)
        raise LookupError

    auth = {"method": "kubernetes", "role": "rotator"}
    settings = {"address": "http://127.0.0.1:1", "mount": "kv", "auth": auth}
    with pytest.raises(Denied):
        VaultStore.from_settings("vault", settings, resolve, TIMEOUT).read(CURRENT)
    assert asked == ["file:/var/run/secrets/kubernetes.io/serviceaccount/token"]
