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
from tests.stores.vault_access import CURRENT, HIDDEN, PENDING, PUBLISHED, TIMEOUT, AppRole, Vault, approle, held

MakeProxy = Callable[[str, int], FaultProxy]
PutForward = Callable[[float], None]


@pytest.fixture
def vault(openbao_server: OpenBaoServer, openbao_mount: str) -> Vault:
    """A fresh engine."""
    return Vault(openbao_server, openbao_mount)


@pytest.fixture
def role(vault: Vault) -> Iterator[AppRole]:
    """A role whose tokens live a minute, and with renewal five."""
    with approle(vault, least(vault), token_ttl="60s", token_max_ttl="300s") as role:
        yield role


@pytest.fixture
def last(vault: Vault) -> Iterator[AppRole]:
    """A role whose tokens are at their maximum from the beginning."""
    with approle(vault, least(vault), token_ttl="60s", token_max_ttl="60s") as role:
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


# -- renewed -----------------------------------------------------------------------------------------------------------


def test_a_token_in_use_is_renewed_and_no_second_login_is_made(
    vault: Vault, role: AppRole, put_forward: PutForward
) -> None:
    store = role.store(vault, num_uses=1)
    assert store.read(CURRENT).version == ABSENT
    first = held(store)
    put_forward(39)
    assert store.read(CURRENT).version == ABSENT
    assert not vault.was_renewed(first), "two thirds of its life are not over"
    for seconds in (2, 41, 41, 41):
        put_forward(seconds)
        assert store.read(CURRENT).version == ABSENT
        assert held(store) == first
    assert vault.was_renewed(first)
    assert logins(role) == 1


def test_at_its_maximum_a_token_is_replaced_before_it_dies(
    vault: Vault, last: AppRole, put_forward: PutForward
) -> None:
    store = last.store(vault)
    store.read(CURRENT)
    first = held(store)
    time.sleep(2)  # so that no renewal gives it a whole minute again
    put_forward(39)
    assert store.read(CURRENT).version == ABSENT
    assert (held(store), vault.was_renewed(first)) == (first, True)
    put_forward(41)
    assert store.read(CURRENT).version == ABSENT
    assert held(store) != first
    assert logins(last) == 2, "the first one lives"


def test_a_token_that_cannot_be_renewed_is_replaced_in_time(vault: Vault, put_forward: PutForward) -> None:
    with approle(vault, least(vault), token_ttl="60s", token_type="batch") as role:
        store = role.store(vault)
        tokens = []
        for _ in range(3):
            assert store.read(CURRENT).version == ABSENT
            tokens.append(held(store))
            put_forward(41)
        assert len(set(tokens)) == 3
        for each in tokens:
            vault.server.as_holder_of(each).request("GET", "auth/token/lookup-self")


def test_a_token_that_is_given_and_cannot_be_renewed_is_followed_by_the_one_that_replaces_it(
    vault: Vault, put_forward: PutForward
) -> None:
    tokens = [vault.token(least(vault), ttl="60s", renewable=False)]
    store = vault.store(lambda: tokens[-1])
    assert store.read(CURRENT).version == ABSENT
    tokens.append(vault.token(least(vault), ttl="1h"))
    assert (store.read(CURRENT).version, held(store)) == (ABSENT, tokens[0])
    put_forward(41)
    assert (store.read(CURRENT).version, held(store)) == (ABSENT, tokens[1])


def test_many_threads_renew_and_log_in_one_at_a_time(vault: Vault, role: AppRole, put_forward: PutForward) -> None:
    store = role.store(vault, num_uses=2)
    for number in (1, 2):
        outcomes = at_once(16, lambda _: store.read(CURRENT).version)
        assert set(outcomes.values()) == {ABSENT}
        assert logins(role) == number
        put_forward(61)  # longer than it lives: nobody renewed it


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


def test_while_the_login_fails_a_token_that_lives_is_used_on(
    vault: Vault, last: AppRole, put_forward: PutForward
) -> None:
    store = last.store(vault, num_uses=1)
    store.read(CURRENT)
    first = held(store)
    time.sleep(2)  # so that no renewal gives it a whole minute again
    for seconds in (39, 40, 5):  # renewed once more; then its end is near, and no other is to be had
        put_forward(seconds)
        assert (store.read(CURRENT).version, held(store)) == (ABSENT, first)
    vault.revoke(first)
    with pytest.raises(Denied, match="refuses our AppRole login"):
        store.read(CURRENT)


def test_a_renewal_that_hangs_costs_one_call_and_the_next_one_goes_on(
    vault: Vault, role: AppRole, fault_proxy: MakeProxy, put_forward: PutForward
) -> None:
    proxy = fault_proxy(vault.server.host, vault.server.port)
    store = role.store(vault, address=f"http://127.0.0.1:{proxy.port}")
    store.read(CURRENT)
    first = held(store)
    put_forward(41)
    proxy.inject(Fault(kind=Kind.RESET, request=b"POST /v1/auth/token/renew-self"))
    assert store.read(CURRENT).version == ABSENT
    assert proxy.fired == 1
    assert (held(store), vault.was_renewed(first)) == (first, False)
    put_forward(10)
    assert store.read(CURRENT).version == ABSENT
    assert (held(store), vault.was_renewed(first)) == (first, True)


def test_a_thread_does_not_wait_for_anothers_login_longer_than_its_own_call_may_take(
    vault: Vault, fault_proxy: MakeProxy
) -> None:
    proxy = fault_proxy(vault.server.host, vault.server.port)
    store = vault.store(address=f"http://127.0.0.1:{proxy.port}", timeout=TIMEOUT / 20)
    proxy.inject(Fault(kind=Kind.HANG_RESPONSE, times=None))
    began = time.monotonic()
    outcomes = at_once(6, lambda _: store.read(CURRENT).version)
    assert all(isinstance(each, Transient) for each in outcomes.values())
    assert time.monotonic() - began < 20


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
