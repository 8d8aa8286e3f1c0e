"""How long a token of the vault store lives, on a real OpenBao: renewed, replaced in time, lost while in use."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rotator.adapters.stores.vault import VaultStore
from rotator.domain.failures import Denied, Failure, Transient
from rotator.ports import ABSENT
from rotator.testing.store_contract import at_once
from tests.servers.openbao import OpenBaoServer
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.vault_access import CURRENT, HIDDEN, PENDING, PUBLISHED, TIMEOUT, AppRole, Vault, approle

MakeProxy = Callable[[str, int], FaultProxy]


@pytest.fixture
def vault(openbao_server: OpenBaoServer, openbao_mount: str) -> Vault:
    """A fresh engine."""
    return Vault(openbao_server, openbao_mount)


@pytest.fixture
def short(vault: Vault) -> Iterator[AppRole]:
    """A role whose tokens live two seconds, and with renewal six."""
    with approle(vault, least(vault), token_ttl="2s", token_max_ttl="6s") as role:
        yield role


def least(vault: Vault) -> str:
    return vault.store().least_policy([PUBLISHED.ref])


def logins(role: AppRole) -> int:
    """How many tokens of the role live."""
    accessors = role.server.request("LIST", "auth/token/accessors")["data"]["keys"]
    found = 0
    for accessor in accessors:
        try:
            data = role.server.request("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]
        except Exception:  # noqa: BLE001, S112 - it died since it was listed
            continue
        found += data["path"] == f"auth/{role.mount}/login"
    return found


def held(store: VaultStore) -> str:
    """The token in use."""
    lease = store._client._token._lease
    assert lease is not None
    return lease.token


# -- renewed -----------------------------------------------------------------------------------------------------------


def test_a_token_in_use_is_renewed_and_no_second_login_is_made(vault: Vault, short: AppRole) -> None:
    store = short.store(vault, num_uses=1)
    first = None
    for _ in range(9):
        assert store.read(CURRENT).version == ABSENT
        first = first or held(store)
        assert held(store) == first
        time.sleep(0.5)


def test_at_its_maximum_a_token_is_replaced_before_it_dies(vault: Vault, short: AppRole) -> None:
    store = short.store(vault)
    tokens = set()
    began = time.monotonic()
    while time.monotonic() - began < 8:
        assert store.read(CURRENT).version == ABSENT
        tokens.add(held(store))
        time.sleep(0.2)
    assert 2 <= len(tokens) <= 3


def test_a_token_that_cannot_be_renewed_is_replaced_in_time(vault: Vault) -> None:
    with approle(vault, least(vault), token_ttl="3s", token_type="batch") as role:
        store = role.store(vault)
        tokens = set()
        for _ in range(20):
            assert store.read(CURRENT).version == ABSENT
            tokens.add(held(store))
            time.sleep(0.2)
        assert 2 <= len(tokens) <= 3


def test_a_token_that_is_given_and_cannot_be_renewed_is_followed_by_the_one_that_replaces_it(vault: Vault) -> None:
    tokens = [vault.token(least(vault), ttl="3s", renewable=False)]
    store = vault.store(lambda: tokens[-1])
    assert store.read(CURRENT).version == ABSENT
    tokens.append(vault.token(least(vault), ttl="1h"))
    time.sleep(2.2)
    assert store.read(CURRENT).version == ABSENT
    assert held(store) == tokens[1]


def test_many_threads_renew_and_log_in_one_at_a_time(vault: Vault, short: AppRole) -> None:
    store = short.store(vault, num_uses=2)
    outcomes = at_once(16, lambda _: store.read(CURRENT).version)
    assert set(outcomes.values()) == {ABSENT}
    assert logins(short) == 1
    time.sleep(2.5)  # longer than it lives: nobody renewed it
    outcomes = at_once(16, lambda _: store.read(CURRENT).version)
    assert set(outcomes.values()) == {ABSENT}
    assert logins(short) == 1


# -- lost --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["look", "promotion", "read back"])
def test_a_token_that_is_lost_in_mid_promotion_tears_nothing(vault: Vault, before: str) -> None:
    with approle(vault, least(vault)) as role:
        store = role.store(vault)
        version = store.write(CURRENT, {"api_key": "old"}, ABSENT)
        vault.server.request("POST", f"{vault.mount}/data/ai/openai", {"data": {"api_key": "old", "other": "theirs"}})

        def lose(moment: str) -> None:
            if moment == before:
                vault.server.request("POST", "auth/token/revoke", {"token": held(store)})

        lose("look")
        version = store.read(CURRENT).version
        lose("promotion")
        promoted = store.write(CURRENT, {"api_key": "new"}, version)
        lose("read back")
        stored = store.read(CURRENT)
        assert (stored.version, stored.fields) == (promoted, {"api_key": "new"})
        document = vault.document("ai/openai")
        assert document["data"] == {"api_key": "new", "other": "theirs"}
        assert document["metadata"]["version"] == int(version) + 1


def test_a_denial_costs_no_login_each_time(vault: Vault) -> None:
    with approle(vault, 'path "nothing/*" { capabilities = ["read"] }') as role:
        store = role.store(vault, num_uses=1)
        for _ in range(5):
            with pytest.raises(Denied, match="does not let us read"):
                store.read(CURRENT)
        assert logins(role) == 1


def test_while_the_login_fails_a_token_that_lives_is_used_on(vault: Vault, short: AppRole) -> None:
    store = short.store(vault, num_uses=1)
    began = time.monotonic()
    while time.monotonic() - began < 5:  # its maximum is near, and no other is to be had
        assert store.read(CURRENT).version == ABSENT
        time.sleep(0.1)
    time.sleep(2)
    with pytest.raises(Denied, match="refuses our AppRole login"):
        store.read(CURRENT)


def test_a_renewal_that_hangs_costs_one_call_and_the_next_one_goes_on(
    vault: Vault, short: AppRole, fault_proxy: MakeProxy
) -> None:
    proxy = fault_proxy(vault.server.host, vault.server.port)
    store = short.store(vault, address=f"http://127.0.0.1:{proxy.port}")
    store.read(CURRENT)
    time.sleep(1.4)
    proxy.inject(Fault(kind=Kind.RESET, request=b"POST /v1/auth/token/renew-self"))
    assert store.read(CURRENT).version == ABSENT
    assert proxy.fired == 1
    time.sleep(1)
    assert store.read(CURRENT).version == ABSENT


def test_a_thread_does_not_wait_for_anothers_login_longer_than_its_own_call_may_take(
    vault: Vault, fault_proxy: MakeProxy
) -> None:
    proxy = fault_proxy(vault.server.host, vault.server.port)
    store = vault.store(address=f"http://127.0.0.1:{proxy.port}", timeout=TIMEOUT / 20)
    proxy.inject(Fault(kind=Kind.HANG_RESPONSE, times=None))
    began = time.monotonic()
    outcomes = at_once(6, lambda _: store.read(CURRENT).version)
    assert all(isinstance(each, Transient) for each in outcomes.values())
    assert time.monotonic() - began < 5


# -- an agent's file ---------------------------------------------------------------------------------------------------


def from_file(vault: Vault, path: Path) -> VaultStore:
    def resolve(reference: str) -> str:
        assert reference == f"file:{path}"
        return path.read_text()

    settings = {
        "address": vault.server.address,
        "mount": vault.mount,
        "auth": {"method": "token_file", "path": str(path)},
    }
    return VaultStore.from_settings("vault", settings, resolve, TIMEOUT)


def test_an_agents_file_is_read_again_when_it_changed_and_only_then(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "token"
    first, second = (vault.token(least(vault)) for _ in range(2))
    path.write_text(first)
    store = from_file(vault, path)
    assert store.read(CURRENT).version == ABSENT
    new = tmp_path / "new"
    new.write_text(f"{second}\n")
    new.replace(path)
    assert store.read(CURRENT).version == ABSENT
    assert held(store) == second
    vault.server.request("POST", "auth/token/revoke", {"token": first})
    third = vault.token(least(vault))
    path.write_text("")  # an agent that does not replace the file but writes into it
    assert store.read(CURRENT).version == ABSENT
    assert held(store) == second
    path.write_text(third)
    assert store.read(CURRENT).version == ABSENT
    assert held(store) == third
    path.unlink()
    assert store.read(CURRENT).version == ABSENT


def test_an_agents_file_with_a_dead_token_or_none_is_denied_and_named(vault: Vault, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("s.dead")
    with pytest.raises(Denied, match=f"refuses the token in {path}") as denied:
        from_file(vault, path).read(CURRENT)
    assert "agent" in denied.value.hint
    path.write_text('{"token": "s.wrapped", "ttl": 60}')
    with pytest.raises(Denied, match="holds no bare token") as denied:
        from_file(vault, path).read(CURRENT)
    assert "s.wrapped" not in denied.value.message + denied.value.hint
    path.unlink()
    with pytest.raises(Denied, match="cannot be read"):
        from_file(vault, path).read(CURRENT)


# -- what check tells --------------------------------------------------------------------------------------------------


def test_check_tells_of_a_token_that_will_die_and_how_long_it_has(vault: Vault) -> None:
    dying = vault.store(vault.token(least(vault), ttl="30h", renewable=False))
    (told,) = dying.worth_knowing([PUBLISHED])
    assert "cannot be renewed" in told
    assert re.search("1d [56]h", told)  # in the very second in which it was made it has all 30
    assert vault.store(vault.token(least(vault), ttl="30h")).worth_knowing([PUBLISHED]) == ()
    (root,) = vault.store().worth_knowing([PUBLISHED])
    assert "may do everything" in root


def test_check_tells_nothing_of_a_token_that_we_logged_in_for(vault: Vault) -> None:
    with approle(vault, least(vault), token_ttl="1m", token_type="batch") as role:
        assert role.store(vault).worth_knowing([PUBLISHED]) == ()


def test_check_tells_of_values_that_vault_will_delete(vault: Vault) -> None:
    store = vault.store(vault.token(least(vault)))
    vault.server.request("POST", f"{vault.mount}/config", {"delete_version_after": "1h"})
    version = store.write(CURRENT, {"api_key": HIDDEN}, ABSENT)
    (told,) = store.worth_knowing([PUBLISHED])
    assert told.startswith("ai/openai: vault deletes its value at ")
    assert "delete_version_after" in told
    store.write(PENDING, {"value.secret": HIDDEN}, ABSENT)
    vault.server.request("POST", f"{vault.mount}/config", {"delete_version_after": "0s"})
    store.write(CURRENT, {"api_key": HIDDEN}, version)
    assert store.worth_knowing([PUBLISHED]) == ()


def test_what_check_asks_fails_like_any_other_call(vault: Vault) -> None:
    with pytest.raises(Failure):
        vault.store("s.wrong").worth_knowing([PUBLISHED])
