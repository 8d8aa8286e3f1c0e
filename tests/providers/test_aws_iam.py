"""Access keys of IAM on moto: the contract, lost answers, clocks, and what AWS refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from rotator_aws import AccessKeys

from rotator.domain.credential import Principal
from rotator.domain.failures import CapFull, Denied, Permanent, Transient
from rotator.domain.keys import UNMARKED, KeyState, MintRequest, Verdict
from rotator.domain.secret import Secret
from rotator.ports import Provider
from rotator.sdk import SettingsError
from rotator.testing.provider_contract import LoseAnswer, ProviderContract
from tests.providers.bad_input import BadInput, Subject
from tests.servers import aws
from tests.servers.aws import AwsServer, Login
from tests.servers.ordering import Ordered
from tests.servers.proxy import Fault, FaultProxy, Kind

pytestmark = pytest.mark.stand_in(aws.IAM)

TIMEOUT = timedelta(seconds=60)
USER = Principal(name="app", settings={"user": "team/app"}, exclusive=True)
NOW: dict[str, Any] = dict.fromkeys(("propagation", "death_window", "list_lag"), "0s")
OPERATIONS = {
    "mint": "CreateAccessKey",
    "list": "ListAccessKeys",
    "delete": "DeleteAccessKey",
    "verify": "GetCallerIdentity",
}
WRONG = "AKIAWRONGWRONGWRONGW:wrong/secret+0123456789012345678901234567"


@pytest.fixture
def server(aws_server: AwsServer) -> AwsServer:
    aws_server.bare_user("app", "/team/")
    return aws_server


def driver(port: int, admin: Login | str, timeout: timedelta = TIMEOUT, **settings: Any) -> AccessKeys:
    given = {"base_url": f"http://127.0.0.1:{port}", "region": aws.REGION, **NOW, **settings}
    text = admin if isinstance(admin, str) else f"{admin.key_id}:{admin.secret}"
    return AccessKeys.from_settings("aws", given, text, timeout)


def of(server: AwsServer, admin: Login | None = None, **settings: Any) -> AccessKeys:
    return driver(server.port, admin or server.admin, **settings)


class TestContract(ProviderContract):
    @pytest.fixture
    def proxy(self, server: AwsServer, fault_proxy: Callable[[str, int], FaultProxy]) -> FaultProxy:
        return fault_proxy(server.host, server.port)

    @pytest.fixture
    def provider(self, server: AwsServer, proxy: FaultProxy) -> Provider:
        return driver(proxy.port, server.admin)

    @pytest.fixture
    def principal(self) -> Principal:
        return USER

    @pytest.fixture
    def wrong_admin(self, server: AwsServer) -> Provider:
        return driver(server.port, WRONG)

    @pytest.fixture
    def admin_secrets(self, server: AwsServer) -> Collection[str]:
        return (server.admin.secret, WRONG.partition(":")[2])

    @pytest.fixture
    def lose_answer(self, proxy: FaultProxy) -> LoseAnswer:
        @contextmanager
        def losing() -> Iterator[None]:
            before = proxy.fired
            proxy.inject(Fault(kind=Kind.DROP_RESPONSE))
            yield
            assert proxy.fired == before + 1, "no answer was lost"

        return losing


class TestBadInput(BadInput):
    @pytest.fixture
    def subject(self, server: AwsServer) -> Subject:
        def order(call: str, ordered: Ordered) -> None:
            server.refuse(
                OPERATIONS[call],
                "",
                status=ordered.status,
                headers=ordered.headers,
                body=ordered.body,
                acted=ordered.acted,
                times=9,
            )

        def refusal(status: int, text: str) -> Ordered:
            code = {400: "ValidationError", 403: "AccessDenied", 500: "ServiceFailure"}[status]
            return Ordered(status=status, body=aws.Refusal("", code, printable(text)).content("")[1])

        made = "<AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>two&#10;lines</SecretAccessKey>"
        result = f"<CreateAccessKeyResult><AccessKey>{made}</AccessKey></CreateAccessKeyResult>"
        return Subject(
            drive=lambda port, timeout: driver(port, server.admin, timeout),
            port=server.port,
            principal=USER,
            order=order,
            mints=lambda: server.requests.count("CreateAccessKey"),
            mint_of=b"Action=CreateAccessKey",
            refusal=refusal,
            unusable=Ordered(
                status=200,
                body=f'<CreateAccessKeyResponse xmlns="urn:aws">{result}</CreateAccessKeyResponse>'.encode(),
            ),
            secrets=(server.admin.secret,),
        )


def printable(text: str) -> str:
    """XML 1.0 has no way to write the other control characters."""
    return "".join(each for each in text if each >= " " or each in "\r\n\t")


# -- what it says of itself --------------------------------------------------------------------------------------------


def test_it_offers_what_iam_has() -> None:
    offers = AccessKeys.from_settings("aws", {}, WRONG, TIMEOUT).capabilities(USER)
    assert (offers.strategy, offers.cap, offers.parts) == (UNMARKED, 2, ("access_key_id", "secret_access_key"))
    assert (offers.usage, offers.identifies, offers.expiry, offers.scopes) == (True, True, False, False)
    assert offers.death_window == timedelta(minutes=2)


def test_the_least_policy_suffices_for_this_user_and_for_no_other(server: AwsServer) -> None:
    admin = server.user(of(server).capabilities(USER).least_permission)
    asking = of(server, admin)
    asking.check_admin(USER)
    minted = asking.mint(USER, MintRequest(mark="m"))
    for state in (KeyState.DISABLED, KeyState.ENABLED, KeyState.DELETED):
        asking.set_state(USER, minted.key_id, state)
    server.bare_user("other")
    with pytest.raises(Denied):
        asking.keys(Principal(name="other"))


@pytest.mark.parametrize(
    "action", ["ListAccessKeys", "GetAccessKeyLastUsed", "UpdateAccessKey", "DeleteAccessKey"], ids=str
)
def test_an_admin_key_that_lacks_a_permission_is_told_which(server: AwsServer, action: str) -> None:
    of(server).mint(USER, MintRequest(mark="m"))
    policy = json.loads(of(server).capabilities(USER).least_permission)
    deny = {"Effect": "Deny", "Action": f"iam:{action}", "Resource": "*"}
    admin = server.user(json.dumps({**policy, "Statement": [*policy["Statement"], deny]}))
    with pytest.raises(Denied) as caught:
        of(server, admin).check_admin(USER)
    assert caught.value.permission == f"iam:{action} on arn:aws:iam::*:user/team/app"
    assert list(server.keys_of("app").values()) == ["Active"]


def test_it_reaches_iam_and_sts_of_the_region_and_nothing_else() -> None:
    assert AccessKeys.reach({}).hosts == ("iam.amazonaws.com", "sts.us-east-1.amazonaws.com")
    cn = AccessKeys.reach({"region": "cn-north-1"})
    assert cn.hosts == ("iam.cn-north-1.amazonaws.com.cn", "sts.cn-north-1.amazonaws.com.cn")
    assert AccessKeys.reach({"base_url": "http://127.0.0.1:5"}).hosts == ("127.0.0.1:5",)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"region": "here"}, "region"),
        ({"base_url": "http://iam.example.com"}, "encryption"),
        ({"sts_url": "sts"}, "base_url"),
        ({"usage": "yes"}, "usage"),
        ({"death_window": "soon"}, "death_window"),
        ({"profile": "default"}, "profile"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        AccessKeys.from_settings("aws", settings, WRONG, TIMEOUT)
    assert word in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "admin",
    [
        "",
        "AKIAWRONGWRONGWRONGW",
        "short:secret",
        "AKIAWRONGWRONGWRONGW:",
        "{",
        "[]",
        '{"access_key_id": 5}',
        "AKIA:a b",
    ],
)
def test_an_admin_credential_of_another_form_is_refused_and_not_shown(admin: str) -> None:
    with pytest.raises(SettingsError) as caught:
        AccessKeys.from_settings("aws", {}, admin, TIMEOUT)
    assert len(admin) < 3 or admin not in caught.value.message + caught.value.hint


def test_the_admin_credential_may_be_json_with_a_sessions_token(server: AwsServer) -> None:
    role = server.role("rotator", aws.EVERYTHING)
    key_id, secret, token = server.session(role)
    text = json.dumps({"access_key_id": key_id, "secret_access_key": secret, "session_token": token})
    assert driver(server.port, text).keys(USER) == ()
    without = json.dumps({"access_key_id": key_id, "secret_access_key": secret})
    with pytest.raises(Denied):
        driver(server.port, without).keys(USER)


def test_nothing_of_the_environment_is_looked_at(server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {"AWS_ACCESS_KEY_ID": "AKIAOTHER", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert of(server).keys(USER) == ()


# -- clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_aws_does_not_believe_is_no_wrong_key(server: AwsServer, ahead: timedelta) -> None:
    asking = of(server)
    value = asking.mint(USER, MintRequest(mark="m")).value
    server.world.ahead = ahead
    calls: list[Callable[[], object]] = [
        lambda: asking.verify(USER, value),
        lambda: asking.identify(USER, value),
        lambda: asking.keys(USER),
        lambda: asking.mint(USER, MintRequest(mark="n")),
    ]
    for call in calls:
        with pytest.raises(Transient, match="clock") as caught:
            call()
        assert "five minutes" in caught.value.hint
    server.world.ahead = timedelta(0)
    assert asking.verify(USER, value) is Verdict.WORKS
    assert len(asking.keys(USER)) == 1


@pytest.mark.parametrize("code", ["RequestExpired", "RequestTimeTooSkewed"])
def test_the_other_words_for_a_wrong_clock_are_known(server: AwsServer, code: str) -> None:
    server.refuse("ListAccessKeys", code, "The difference between the request time and the current time is too large")
    with pytest.raises(Transient, match="clock"):
        of(server).keys(USER)


# -- values ------------------------------------------------------------------------------------------------------------


def test_a_wrong_secret_and_an_unknown_id_are_invalid(server: AwsServer) -> None:
    asking = of(server)
    value = asking.mint(USER, MintRequest(mark="m")).value
    key_id, secret = value.reveal("access_key_id"), value.reveal("secret_access_key")
    for wrong in ((key_id, f"{secret[:-1]}x"), (f"{key_id[:-1]}0", secret)):
        shown = Secret(dict(zip(("access_key_id", "secret_access_key"), wrong, strict=True)))
        assert asking.verify(USER, shown) is Verdict.INVALID
        assert asking.identify(USER, shown) is None


@pytest.mark.parametrize("wrong", [{"secret": "x"}, {"access_key_id": "AKIA\n", "secret_access_key": "a b"}])
def test_what_is_no_access_key_is_not_called_invalid(server: AwsServer, wrong: dict[str, str]) -> None:
    before = len(server.requests)
    with pytest.raises(Permanent):
        of(server).verify(USER, Secret(wrong))
    assert len(server.requests) == before


def test_a_denied_caller_is_authentic(server: AwsServer) -> None:
    asking = of(server)
    value = asking.mint(USER, MintRequest(mark="m")).value
    server.refuse("GetCallerIdentity", "AccessDenied", "explicit deny in a service control policy", status=403)
    assert asking.verify(USER, value) is Verdict.FORBIDDEN


# -- keys --------------------------------------------------------------------------------------------------------------


def test_use_is_told_with_service_and_region(server: AwsServer) -> None:
    asking = of(server)
    minted = asking.mint(USER, MintRequest(mark="m"))
    assert asking.keys(USER)[0].last_used_at is None
    asking.verify(USER, minted.value)
    (key,) = asking.keys(USER)
    assert key.last_used_at is not None
    assert key.last_used_by == f"'sts in {aws.REGION}'"
    assert (key.mark, key.created_at) == (None, minted.created_at)


def test_without_usage_no_permission_for_it_is_needed(server: AwsServer) -> None:
    asking = of(server, usage=False)
    assert "LastUsed" not in asking.capabilities(USER).least_permission
    asking.mint(USER, MintRequest(mark="m"))
    asking.keys(USER)
    assert "GetAccessKeyLastUsed" not in server.requests


def test_an_inactive_key_counts_for_the_cap(server: AwsServer) -> None:
    asking = of(server)
    first, _ = (asking.mint(USER, MintRequest(mark="m")) for _ in range(2))
    asking.set_state(USER, first.key_id, KeyState.DISABLED)
    with pytest.raises(CapFull):
        asking.mint(USER, MintRequest(mark="m"))


def test_a_policy_of_the_organisation_forbids_keys_for_good(server: AwsServer) -> None:
    text = "User: x is not authorized to perform: iam:CreateAccessKey with an explicit deny in a service control policy"
    server.refuse("CreateAccessKey", "AccessDenied", text, status=403)
    with pytest.raises(Permanent, match="organisation"):
        of(server).mint(USER, MintRequest(mark="m"))


def test_a_user_that_is_not_there_is_permanent_and_has_nothing_to_delete(server: AwsServer) -> None:
    nobody = Principal(name="nobody")
    for call in (lambda: of(server).keys(nobody), lambda: of(server).mint(nobody, MintRequest(mark="m"))):
        with pytest.raises(Permanent, match="no such user"):
            call()
    of(server).set_state(nobody, "AKIAIOSFODNN7EXAMPLE", KeyState.DELETED)


@pytest.mark.parametrize("user", ["", "a b", "x" * 65, "a\nb", "a/", ("a", "b")])
def test_a_principal_that_is_no_user_is_refused_and_nothing_is_sent(server: AwsServer, user: Any) -> None:
    before = len(server.requests)
    with pytest.raises(Permanent):
        of(server).keys(Principal(name="p", settings={"user": user}))
    assert len(server.requests) == before


def test_an_unknown_word_of_a_principal_is_refused_and_nothing_is_sent(server: AwsServer) -> None:
    before = len(server.requests)
    with pytest.raises(Permanent, match="'usr' is not known"):
        of(server).keys(Principal(name="app", settings={"usr": "team/app"}))
    assert len(server.requests) == before


def test_an_id_that_cannot_be_one_is_left_alone(server: AwsServer) -> None:
    before = len(server.requests)
    of(server).set_state(USER, "no id\n", KeyState.DELETED)
    assert len(server.requests) == before


def page(keys: int, after: str) -> bytes:
    row = "<member><UserName>app</UserName><AccessKeyId>AKIA{:016}</AccessKeyId><Status>Active</Status></member>"
    rows = "".join(row.format(number) for number in range(keys))
    more = f"<IsTruncated>true</IsTruncated><Marker>{after}</Marker>" if after else "<IsTruncated>false</IsTruncated>"
    result = f"<ListAccessKeysResult><AccessKeyMetadata>{rows}</AccessKeyMetadata>{more}</ListAccessKeysResult>"
    return f'<ListAccessKeysResponse xmlns="urn:aws">{result}</ListAccessKeysResponse>'.encode()


def test_a_list_is_read_over_all_its_pages(server: AwsServer) -> None:
    for number in range(10):
        server.refuse("ListAccessKeys", "", status=200, body=page(1000, "next" if number < 9 else ""))
    assert len(of(server, usage=False).keys(USER)) == 10_000
    assert server.requests.count("ListAccessKeys") == 10


def test_a_key_that_vanishes_while_it_is_listed_is_no_lack_of_a_permission(server: AwsServer) -> None:
    server.refuse("ListAccessKeys", "", status=200, body=page(1, ""))
    server.refuse("GetAccessKeyLastUsed", "AccessDenied", "User: rotator is not authorized", status=403)
    assert of(server).keys(USER) == ()
    assert server.requests.count("ListAccessKeys") == 2


def test_of_a_key_that_is_still_listed_a_denial_is_one(server: AwsServer) -> None:
    for _ in range(2):
        server.refuse("ListAccessKeys", "", status=200, body=page(1, ""))
    server.refuse("GetAccessKeyLastUsed", "AccessDenied", "User: rotator is not authorized", status=403)
    with pytest.raises(Denied, match="GetAccessKeyLastUsed"):
        of(server).keys(USER)


def test_a_list_without_end_is_given_up(server: AwsServer) -> None:
    server.refuse("ListAccessKeys", "", status=200, body=page(0, "again"), times=100_000)
    with pytest.raises(Transient, match="does not end"):
        of(server, usage=False).keys(USER)


def test_xml_that_would_grow_is_not_read(server: AwsServer) -> None:
    bomb = (
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><ListAccessKeysResponse xmlns="urn:aws">&a;</ListAccessKeysResponse>'
    )
    server.refuse("ListAccessKeys", "", status=200, body=bomb)
    with pytest.raises(Transient, match="not AWS"):
        of(server).keys(USER)
