"""The vault store's access on a real OpenBao: tokens, AppRole, policies; what is missing is named, no secret shown."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from rotator.domain.failures import Denied, Failure, Permanent, Transient
from rotator.ports import ABSENT, Store
from rotator.testing.store_contract import at_once, secret_free
from tests.servers.openbao import OpenBaoServer, Refused
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.vault_access import CURRENT, HIDDEN, PENDING, PUBLISHED, Vault, approle, held, use_everything

MakeProxy = Callable[[str, int], FaultProxy]


@pytest.fixture
def vault(openbao_server: OpenBaoServer, openbao_mount: str, caplog: pytest.LogCaptureFixture) -> Iterator[Vault]:
    """A fresh engine; afterwards nothing that was logged, at whatever level, shows a secret."""
    vault = Vault(openbao_server, openbao_mount)
    with caplog.at_level(logging.DEBUG):
        yield vault
    # Not `caplog.text`, which is empty by now.
    logged = "".join(f"{each.getMessage()} {vars(each)}" for each in caplog.get_records("call"))
    assert [secret for secret in vault.secrets if secret in logged] == []


def failing(vault: Vault, kind: type[Failure], act: Callable[[], object]) -> Failure:
    """The failure of that kind that `act` raises, which shows no secret, nor brings one along."""
    with pytest.raises(kind) as raised:
        act()
    failure = raised.value
    assert failure.message
    assert failure.hint
    assert [secret for secret in vault.secrets if not secret_free(failure, secret)] == []
    return failure


def least(vault: Vault) -> str:
    return vault.store().least_policy([PUBLISHED.ref])


def every_call(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.read(CURRENT),
        lambda: store.write(CURRENT, {"api_key": HIDDEN}, ABSENT),
        lambda: store.remove(CURRENT, "1"),
        lambda: store.places("ai/openai"),
    ]


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_wrong_token_is_denied_and_its_reference_named(vault: Vault) -> None:
    for act in every_call(vault.store("s.wrong-token-012345")):
        denied = failing(vault, Denied, act)
        assert "refuses our token" in denied.message
        assert vault.server.address in denied.message
        assert denied.hint == "put a valid token at file:/run/token"
    with pytest.raises(Refused):
        vault.document("ai/openai")


def test_a_token_that_was_replaced_at_its_reference_is_picked_up(vault: Vault) -> None:
    policy = least(vault)
    tokens = [vault.token(policy)]
    store = vault.store(lambda: tokens[-1])
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    vault.server.request("POST", "auth/token/revoke", {"token": tokens[0]})
    failing(vault, Denied, lambda: store.read(CURRENT))
    tokens.append(vault.token(policy))
    assert store.write(CURRENT, {"api_key": "two"}, version) == "2"


class Unresolvable(Exception):
    """What a resolver raises that has errors of its own."""

    message, hint = "the environment variable TOKEN is not set", "export TOKEN"


def test_a_reference_that_cannot_be_read_is_denied_before_any_request(vault: Vault) -> None:
    def unresolvable() -> str:
        raise Unresolvable

    def broken() -> str:
        raise RuntimeError(HIDDEN)

    assert failing(vault, Denied, lambda: vault.store(unresolvable).read(CURRENT)).hint == "export TOKEN"
    assert "RuntimeError" in failing(vault, Denied, lambda: vault.store(broken).read(CURRENT)).message
    assert "is empty" in failing(vault, Denied, lambda: vault.store(lambda: "\n").read(CURRENT)).message


# -- AppRole -----------------------------------------------------------------------------------------------------------


def test_a_role_with_the_least_policy_can_do_everything(vault: Vault) -> None:
    with approle(vault, least(vault)) as role:
        use_everything(role.store(vault))


def test_an_expired_token_is_replaced_by_one_login_of_eight_threads(
    vault: Vault, put_forward: Callable[[float], None]
) -> None:
    with approle(vault, least(vault), token_ttl="60s", token_max_ttl="60s") as role:
        store = role.store(vault, num_uses=2)
        assert store.read(CURRENT).version == ABSENT
        put_forward(61)
        outcomes = at_once(8, lambda _: store.read(CURRENT).version)
        assert set(outcomes.values()) == {ABSENT}
        put_forward(61)
        denied = failing(vault, Denied, lambda: store.read(CURRENT))
        assert "refuses our AppRole login" in denied.message
        assert "new secret id" in denied.hint
        assert "env:SECRET_ID" in denied.hint


def test_a_write_with_an_expired_token_happens_once_after_a_new_login(vault: Vault) -> None:
    with approle(vault, least(vault)) as role:
        store = role.store(vault)
        version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
        vault.revoke(held(store))
        assert store.write(CURRENT, {"api_key": "two"}, version) == "2"
        assert vault.document("ai/openai")["metadata"]["version"] == 2


def test_a_wrong_secret_id_is_denied(vault: Vault) -> None:
    with approle(vault, least(vault)) as role:
        for act in every_call(role.store_with(vault, "wrong-secret-id-0123")):
            denied = failing(vault, Denied, act)
            assert isinstance(denied, Denied)
            assert denied.permission == f"update on auth/{role.mount}/login"


def test_a_role_without_a_grant_is_denied_after_one_login_and_not_logged_in_again(vault: Vault) -> None:
    with approle(vault, 'path "nothing/*" { capabilities = ["read"] }') as role:
        store = role.store(vault, num_uses=2)
        for _ in range(2):
            denied = failing(vault, Denied, lambda: store.read(CURRENT))
            assert isinstance(denied, Denied)
            assert denied.permission == f"read on {vault.mount}/data/ai/openai"


# -- the server is not there -------------------------------------------------------------------------------------------


def test_a_sealed_vault_is_transient_says_so_and_goes_on_when_it_is_unsealed(openbao_on_disk: OpenBaoServer) -> None:
    server = openbao_on_disk
    with server.kv_mount() as mount:
        vault = Vault(server, mount)
        store = vault.store()
        version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
        server.seal()
        for act in every_call(store):
            sealed = failing(vault, Transient, act)
            assert sealed.message == f"vault at {server.address} is sealed"
            assert "unseal it" in sealed.hint
        server.unseal()
        assert store.write(CURRENT, {"api_key": "two"}, version) == "2"
        theirs = "x" * 1_000_000
        server.request("POST", f"{mount}/data/ai/openai", {"data": {"theirs": theirs}, "options": {"cas": 2}})
        large = failing(vault, Permanent, lambda: store.write(CURRENT, {"api_key": "k" * 100_000}, "3"))
        assert "too large" in large.message
        assert store.read(CURRENT).version == "3"


def test_a_vault_that_cannot_be_reached_is_transient_and_its_address_named(
    vault: Vault, fault_proxy: MakeProxy
) -> None:
    proxy = fault_proxy(vault.server.host, vault.server.port)
    store = vault.store(address=f"http://127.0.0.1:{proxy.port}")
    store.read(CURRENT)
    proxy.close()
    for act in every_call(store):
        gone = failing(vault, Transient, act)
        assert "cannot be reached" in gone.message
        assert f"http://127.0.0.1:{proxy.port}" in gone.message
        assert f"http://127.0.0.1:{proxy.port}" in gone.hint


@pytest.mark.parametrize("kind", [Kind.BLACKHOLE, Kind.HANG_RESPONSE])
def test_a_vault_that_says_nothing_costs_one_timeout(vault: Vault, fault_proxy: MakeProxy, kind: Kind) -> None:
    proxy = fault_proxy(vault.server.host, vault.server.port)
    store = vault.store(address=f"http://127.0.0.1:{proxy.port}", timeout=timedelta(seconds=0.4))
    proxy.inject(Fault(kind=kind, times=None))
    for act in every_call(store):
        began = time.monotonic()
        assert re.search("in time|too long", failing(vault, Transient, act).message)
        assert 0.3 < time.monotonic() - began < 20


def test_a_request_that_was_lost_has_not_happened(vault: Vault, fault_proxy: MakeProxy) -> None:
    proxy = fault_proxy(vault.server.host, vault.server.port)
    store = vault.store(address=f"http://127.0.0.1:{proxy.port}")
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    for act in (
        lambda: store.write(CURRENT, {"api_key": "two"}, version),
        lambda: store.remove(CURRENT, version),
    ):
        proxy.inject(Fault(kind=Kind.RESET, request=b"POST "))
        failing(vault, Transient, act)
        assert store.read(CURRENT).version == version
    assert proxy.fired == 2


@pytest.mark.parametrize("moment", [b"POST ", b"DELETE "])
def test_a_removal_that_is_interrupted_anywhere_is_finished_by_looking_again(
    vault: Vault, fault_proxy: MakeProxy, moment: bytes
) -> None:
    proxy = fault_proxy(vault.server.host, vault.server.port)
    store = vault.store(address=f"http://127.0.0.1:{proxy.port}")
    version = store.write(PENDING, {"value.secret": HIDDEN}, ABSENT)
    for kind in (Kind.RESET, Kind.DROP_RESPONSE):
        proxy.inject(Fault(kind=kind, request=moment))
        failing(vault, Transient, lambda: store.remove(PENDING, store.read(PENDING).version))
        if store.read(PENDING).fields is None:
            break
    stored = store.read(PENDING)
    if stored.fields is not None:
        store.remove(PENDING, stored.version)
    assert store.places("ai/openai") == ()
    with pytest.raises(Refused):
        vault.server.request("GET", f"{vault.mount}/metadata/rotator/pending/ai/openai/r1")
    with pytest.raises(Failure):
        store.write(PENDING, {"value.secret": "stalled"}, version)


# -- what is imported, and when ----------------------------------------------------------------------------------------


def test_a_store_that_is_not_used_imports_no_client() -> None:
    lines = (
        "import sys",
        "from datetime import timedelta",
        "from rotator.adapters.stores.vault import VaultStore",
        "auth = {'method': 'token', 'token': 'env:T'}",
        "settings = {'address': 'https://vault', 'mount': 'kv', 'auth': auth}",
        "VaultStore.from_settings('v', settings, str, timedelta(seconds=1)).capabilities()",
        "print([name for name in ('hvac', 'requests', 'urllib3') if name in sys.modules])",
    )
    found = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_no_thread_is_left_behind(vault: Vault) -> None:
    before = set(threading.enumerate())
    vault.store().read(CURRENT)
    assert set(threading.enumerate()) <= before
