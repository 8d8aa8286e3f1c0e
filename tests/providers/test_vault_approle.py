"""Secret ids of AppRoles on a real OpenBao: the contract, uses, policies, and what goes wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from rotator_vault_approle import AppRole

from rotator.domain.credential import Principal
from rotator.domain.failures import Denied, Permanent, Transient
from rotator.domain.keys import OVERLAP, KeyState, MintRequest, Verdict
from rotator.domain.secret import Secret
from rotator.ports import Provider
from rotator.sdk import SettingsError
from rotator.testing.provider_contract import LoseAnswer, ProviderContract
from tests.providers.bad_input import BadInput, Subject
from tests.servers.openbao import OpenBaoServer
from tests.servers.ordering import Ordered, OrderingFront
from tests.servers.proxy import Fault, FaultProxy, Kind

TIMEOUT = timedelta(seconds=60)
NOW: dict[str, Any] = dict.fromkeys(("propagation", "death_window", "list_lag"), "0s")
ROLE = "batch"
LINES = {
    "mint": f"POST /v1/auth/{{}}/role/{ROLE}/secret-id",
    "list": f"GET /v1/auth/{{}}/role/{ROLE}/secret-id",
    "delete": f"POST /v1/auth/{{}}/role/{ROLE}/secret-id-accessor/destroy",
    "verify": "POST /v1/auth/{}/login",
}


@pytest.fixture
def mount(openbao_server: OpenBaoServer) -> Iterator[str]:
    """The path of a fresh AppRole method, with one role."""
    name = f"approle-{uuid4().hex[:8]}"
    openbao_server.request("POST", f"sys/auth/{name}", {"type": "approle"})
    openbao_server.request("POST", f"auth/{name}/role/{ROLE}", {"token_ttl": "60s"})
    yield name
    openbao_server.request("DELETE", f"sys/auth/{name}")


@pytest.fixture
def principal(mount: str) -> Principal:
    return Principal(name="batch", settings={"role": ROLE, "mount": mount}, exclusive=True)


def driver(port: int, token: str, timeout: timedelta = TIMEOUT, **settings: Any) -> AppRole:
    return AppRole.from_settings("vault", {"base_url": f"http://127.0.0.1:{port}", **NOW, **settings}, token, timeout)


@pytest.fixture
def asking(openbao_server: OpenBaoServer) -> AppRole:
    return driver(openbao_server.port, openbao_server.token)


class TestContract(ProviderContract):
    @pytest.fixture
    def proxy(self, openbao_server: OpenBaoServer, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
        return fault_proxy(openbao_server.host, openbao_server.port)

    @pytest.fixture
    def provider(self, openbao_server: OpenBaoServer, proxy: FaultProxy) -> Provider:
        return driver(proxy.port, openbao_server.token)

    @pytest.fixture
    def principal(self, mount: str) -> Principal:
        return Principal(name="batch", settings={"role": ROLE, "mount": mount}, exclusive=True)

    @pytest.fixture
    def wrong_admin(self, openbao_server: OpenBaoServer) -> Provider:
        return driver(openbao_server.port, "s.wrongtoken0123456789")

    @pytest.fixture
    def admin_secrets(self, openbao_server: OpenBaoServer) -> Collection[str]:
        return (openbao_server.token, "s.wrongtoken0123456789")

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def losing() -> Iterator[None]:
            before = proxy.fired
            # What a mint and a deletion look at beforehand is a read, and asked again.
            effects = (b"metadata", b"accessor/destroy", b"list=true", b"/login", b"capabilities-self")
            proxy.inject(*(Fault(kind=Kind.DROP_RESPONSE, request=each) for each in effects))
            yield
            proxy.inject()
            assert proxy.fired > before, "no answer was lost"

        return losing


class TestBadInput(BadInput):
    @pytest.fixture
    def subject(self, openbao_server: OpenBaoServer, mount: str, principal: Principal) -> Iterator[Subject]:
        with OrderingFront(openbao_server.port) as front:
            lines = {call: line.format(mount) for call, line in LINES.items()}

            def order(call: str, ordered: Ordered) -> None:
                front.order(lines[call], ordered)

            made = {"secret_id": "two\nlines", "secret_id_accessor": "accessor"}
            yield Subject(
                drive=lambda port, timeout: driver(port, openbao_server.token, timeout),
                port=front.port,
                principal=principal,
                order=order,
                mints=lambda: front.lines().count(lines["mint"]),
                mint_of=b'"metadata"',
                refusal=lambda status, text: Ordered(status=status, body=json.dumps({"errors": [text]}).encode()),
                unusable=Ordered(status=200, body=json.dumps({"data": made}).encode()),
                secrets=(openbao_server.token,),
            )


# -- what it says of itself --------------------------------------------------------------------------------------------


def test_it_offers_what_an_approle_has(asking: AppRole, principal: Principal) -> None:
    offers = asking.capabilities(principal)
    assert (offers.strategy, offers.cap, offers.parts) == (OVERLAP, None, ("role_id", "secret_id"))
    assert (offers.expiry, offers.usage, offers.identifies, offers.probe) == (True, False, True, None)


def test_the_least_policy_suffices_for_this_role_and_for_no_other(
    openbao_server: OpenBaoServer, mount: str, principal: Principal
) -> None:
    asking = driver(openbao_server.port, token_with(openbao_server, policy_of(openbao_server, principal)))
    asking.check_admin(principal)
    minted = asking.mint(principal, MintRequest(mark="m"))
    assert asking.identify(principal, minted.value) == minted.key_id
    assert asking.verify(principal, minted.value) is Verdict.WORKS
    asking.set_state(principal, minted.key_id, KeyState.DELETED)
    assert asking.keys(principal) == ()
    with pytest.raises(Denied):
        asking.keys(Principal(name="x", settings={"role": "other", "mount": mount}))


@pytest.mark.parametrize(
    "missing",
    ["secret-id", "secret-id-accessor/lookup", "secret-id-accessor/destroy", "secret-id/lookup", "role-id", ""],
)
def test_a_token_that_lacks_a_permission_is_told_which(
    openbao_server: OpenBaoServer, mount: str, principal: Principal, missing: str
) -> None:
    where = f"auth/{mount}/role/{ROLE}/{missing}".rstrip("/")
    rules = [each for each in policy_of(openbao_server, principal).splitlines() if f'"{where}"' not in each]
    assert len(rules) == 5
    with pytest.raises(Denied) as caught:
        driver(openbao_server.port, token_with(openbao_server, "\n".join(rules))).check_admin(principal)
    assert where in caught.value.permission


def policy_of(server: OpenBaoServer, principal: Principal) -> str:
    return driver(server.port, server.token).capabilities(principal).least_permission


def token_with(server: OpenBaoServer, policy: str) -> str:
    name = f"p-{uuid4().hex[:8]}"
    server.request("POST", f"sys/policies/acl/{name}", {"policy": policy})
    return str(server.request("POST", "auth/token/create", {"policies": [name]})["auth"]["client_token"])


@pytest.mark.parametrize(
    ("settings", "admin", "word"),
    [
        ({"base_url": None}, "s.token", "base_url"),
        ({"base_url": "http://vault.example.com"}, "s.token", "encryption"),
        ({"death_window": "soon"}, "s.token", "death_window"),
        ({"token": "s.token"}, "s.token", "token"),
        ({}, "s.token\n", "admin"),
        ({}, "", "admin"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], admin: str, word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        AppRole.from_settings("vault", {"base_url": "http://127.0.0.1:9", **settings}, admin, TIMEOUT)
    assert word in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "settings",
    [
        {"role": ""},
        {"role": ".."},
        {"role": ("a", "b")},
        {"role": "a", "mount": ".."},
        {"role": ROLE, "namespace": "team"},
        {"rolle": ROLE},
    ],
)
def test_a_principal_that_would_lead_elsewhere_is_refused(asking: AppRole, settings: dict[str, Any]) -> None:
    with pytest.raises(Permanent):
        asking.keys(Principal(name="batch", settings=settings))


# -- uses, lifetimes, logins -------------------------------------------------------------------------------------------


def test_a_role_whose_secret_ids_wear_out_is_refused_before_anything_is_made(
    openbao_server: OpenBaoServer, mount: str, asking: AppRole, principal: Principal
) -> None:
    openbao_server.request("POST", f"auth/{mount}/role/{ROLE}", {"secret_id_num_uses": 3})
    with pytest.raises(Permanent, match="3 times"):
        asking.mint(principal, MintRequest(mark="m"))
    assert asking.keys(principal) == ()


def test_a_verification_uses_one_and_the_hint_says_how_many_are_left(
    openbao_server: OpenBaoServer, mount: str, asking: AppRole, principal: Principal
) -> None:
    openbao_server.request("POST", f"auth/{mount}/role/{ROLE}", {"secret_id_num_uses": 1000})
    minted = asking.mint(principal, MintRequest(mark="m"))
    asking.verify(principal, minted.value)
    (key,) = asking.keys(principal)
    assert key.hint == "999 uses left"
    asking.identify(principal, minted.value)
    assert asking.keys(principal)[0].hint == "999 uses left"


def test_a_lifetime_is_the_servers_own(asking: AppRole, principal: Principal) -> None:
    asking.mint(principal, MintRequest(mark="m", lifetime=timedelta(hours=1)))
    (key,) = asking.keys(principal)
    assert key.created_at is not None
    assert key.expires_at is not None
    assert timedelta(minutes=59) < key.expires_at - key.created_at <= timedelta(hours=1)
    asking.mint(principal, MintRequest(mark="n"))
    assert Counter(key.expires_at is None for key in asking.keys(principal)) == {True: 1, False: 1}


def test_a_login_of_a_verification_leaves_no_token(
    openbao_server: OpenBaoServer, asking: AppRole, principal: Principal
) -> None:
    minted = asking.mint(principal, MintRequest(mark="m"))
    before = openbao_server.request("GET", "auth/token/accessors?list=true")["data"]["keys"]
    assert asking.verify(principal, minted.value) is Verdict.WORKS
    after = openbao_server.request("GET", "auth/token/accessors?list=true")["data"]["keys"]
    assert set(after) <= set(before)  # tokens of other tests end meanwhile


def test_tokens_of_a_destroyed_secret_id_live_on_as_the_page_says(
    openbao_server: OpenBaoServer, mount: str, asking: AppRole, principal: Principal
) -> None:
    minted = asking.mint(principal, MintRequest(mark="m"))
    login = openbao_server.request("POST", f"auth/{mount}/login", dict(minted.value.parts()))
    asking.set_state(principal, minted.key_id, KeyState.DELETED)
    assert asking.verify(principal, minted.value) is Verdict.INVALID
    session = openbao_server.as_holder_of(str(login["auth"]["client_token"]))
    assert session.request("GET", "auth/token/lookup-self")["data"]["meta"]["rotator"] == "m"


def test_a_secret_id_from_elsewhere_is_authentic_but_forbidden(
    openbao_server: OpenBaoServer, mount: str, asking: AppRole, principal: Principal
) -> None:
    minted = asking.mint(principal, MintRequest(mark="m"))
    bound = openbao_server.request("POST", f"auth/{mount}/role/{ROLE}/secret-id", {"cidr_list": "10.9.9.0/24"})["data"]
    value = Secret({**minted.value.parts(), "secret_id": str(bound["secret_id"])})
    assert asking.verify(principal, value) is Verdict.FORBIDDEN


def test_a_role_that_is_locked_proves_nothing(openbao_server: OpenBaoServer, mount: str, principal: Principal) -> None:
    with OrderingFront(openbao_server.port) as front:
        asking = driver(front.port, openbao_server.token)
        minted = asking.mint(principal, MintRequest(mark="m"))
        refusal = Ordered(status=403, body=b'{"errors": ["permission denied"]}')
        front.order(LINES["verify"].format(mount), refusal)
        with pytest.raises(Transient):
            asking.verify(principal, minted.value)


def test_a_foreign_secret_id_is_listed_without_a_mark(
    openbao_server: OpenBaoServer, mount: str, asking: AppRole, principal: Principal
) -> None:
    openbao_server.request("POST", f"auth/{mount}/role/{ROLE}/secret-id", {"metadata": '{"owner": "a person"}'})
    (key,) = asking.keys(principal)
    assert (key.mark, key.state) == (None, KeyState.ENABLED)


def test_where_no_approle_method_is_mounted_there_is_not_nothing_but_a_wrong_principal(asking: AppRole) -> None:
    elsewhere = Principal(name="x", settings={"role": ROLE, "mount": "not-mounted"})
    value = Secret({"role_id": "r", "secret_id": "s"})
    calls: list[Callable[[], object]] = [
        lambda: asking.keys(elsewhere),
        lambda: asking.identify(elsewhere, value),
        lambda: asking.set_state(elsewhere, "an-accessor", KeyState.DELETED),
        lambda: asking.mint(elsewhere, MintRequest(mark="m")),
    ]
    for call in calls:
        with pytest.raises(Permanent, match="no AppRole method is mounted there") as caught:
            call()
        assert caught.value.hint == "look at mount: of the principal"
    with pytest.raises(Transient):
        asking.verify(elsewhere, value)


def test_a_role_that_is_not_there_is_permanent(asking: AppRole, mount: str) -> None:
    nobody = Principal(name="x", settings={"role": "nobody", "mount": mount})
    with pytest.raises(Permanent):
        asking.mint(nobody, MintRequest(mark="m"))
    with pytest.raises(Permanent):
        asking.keys(nobody)
    asking.set_state(nobody, "no-accessor", KeyState.DELETED)
