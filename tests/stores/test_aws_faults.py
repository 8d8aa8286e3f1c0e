"""The aws store when AWS refuses, throttles, is slow or gone, and when somebody writes at the same time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.ports import ABSENT
from tests.servers.aws import AwsServer
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.aws_access import CURRENT, HIDDEN, OURS, PENDING, Aws, every_call, failing, unlogged

pytestmark = pytest.mark.stand_in("AWS Secrets Manager")

MakeProxy = Callable[[str, int], FaultProxy]


@pytest.fixture
def aws(aws_server: AwsServer, caplog: pytest.LogCaptureFixture) -> Iterator[Aws]:
    """An empty account; nothing that is logged shows a secret."""
    with unlogged(Aws(aws_server), caplog) as aws:
        yield aws


# -- answers of AWS ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message", "how", "kind", "part"),
    [
        ("AccessDeniedException", "Access to KMS is not allowed", {}, Denied, "KMS key"),
        ("DecryptionFailure", "cannot decrypt", {}, Denied, "KMS key"),
        ("EncryptionFailure", "the key is disabled", {}, Denied, "KMS key"),
        ("KMSAccessDeniedException", "no", {}, Denied, "KMS key"),
        ("AccessDeniedException", "User: x is not authorized", {}, Denied, "does not let us"),
        ("ThrottlingException", "Rate exceeded", {}, Transient, "limits our rate"),
        ("TooManyRequestsException", "", {"status": 429}, Transient, "limits our rate"),
        ("InternalServiceError", "oops", {"status": 500}, Transient, "answered InternalServiceError"),
        ("InternalFailure", "", {"status": 500}, Transient, "answered InternalFailure"),
        ("SomethingNew", "", {"status": 503}, Transient, "answered SomethingNew"),
        ("SomethingNew", "what?", {}, Permanent, "refuses secretsmanager:GetSecretValue"),
        ("InvalidRequestException", "managed by another service", {}, Permanent, "managed by another service"),
        ("InvalidRequestException", "You can't use it, marked for deletion", {}, Permanent, "scheduled for deletion"),
        ("InvalidSignatureException", "Signature expired: 2026 is now earlier", {}, Transient, "our clock"),
        ("RequestExpired", "", {}, Transient, "our clock"),
        ("", "", {"status": 502, "body": b"<html>Bad Gateway</html>"}, Transient, "not AWS answered 502"),
        ("", "", {"status": 403, "body": b"<html>Forbidden</html>"}, Transient, "not AWS answered 403"),
        ("", "", {"status": 200, "body": b"<html>Welcome</html>"}, Transient, "not AWS answered"),
        ("", "", {"status": 200, "body": b"[1]"}, Transient, "AWS"),
        ("", "", {"status": 200, "body": b'{"ARN": "a", "SecretString": "{}"}'}, Transient, "no version"),
        ("", "", {"status": 307, "headers": {"Location": "http://127.0.0.1:1/"}, "body": b""}, Transient, "307"),
    ],
)
def test_an_answer_is_the_failure_that_it_means(
    aws: Aws, code: str, message: str, how: dict[str, Any], kind: type[Failure], part: str
) -> None:
    store = aws.store()
    aws.server.refuse("GetSecretValue", code, message, **how)
    failure = failing(aws, kind, lambda: store.read(CURRENT))
    assert part in failure.message
    assert aws.server.requests.count("GetSecretValue") == 1  # nothing is sent twice
    assert store.read(CURRENT).version == ABSENT


def test_a_throttle_says_when_to_come_back(aws: Aws) -> None:
    aws.server.refuse("GetSecretValue", "ThrottlingException", headers={"Retry-After": "7"})
    throttled = failing(aws, Transient, lambda: aws.store().read(CURRENT))
    assert isinstance(throttled, Transient)
    assert (throttled.throttled, throttled.retry_after) == (True, timedelta(seconds=7))


@pytest.mark.parametrize("operation", ["PutSecretValue", "UpdateSecretVersionStage"])
def test_a_quota_of_versions_or_labels_is_waited_for(aws: Aws, operation: str) -> None:
    store = aws.store()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    aws.server.refuse(operation, "LimitExceededException", "too many")
    quota = failing(aws, Transient, lambda: store.write(CURRENT, {"api_key": HIDDEN}, version))
    assert "as many versions or labels" in quota.message
    aws.server.refuse("CreateSecret", "LimitExceededException", "too many secrets")
    assert "another secret" in failing(aws, Permanent, lambda: store.write(PENDING, {"a": HIDDEN}, ABSENT)).message


def test_kms_that_refuses_the_write_names_the_right_to_encrypt_and_changes_nothing(aws: Aws) -> None:
    store = aws.store()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    aws.server.refuse("PutSecretValue", "AccessDeniedException", "Access to KMS is not allowed")
    denied = failing(aws, Denied, lambda: store.write(CURRENT, {"api_key": HIDDEN}, version))
    assert isinstance(denied, Denied)
    assert denied.permission == f"kms:GenerateDataKey and kms:Decrypt on the KMS key of {OURS}"
    assert store.read(CURRENT).version == version


def test_a_refusal_about_another_key_is_no_absence_of_a_private_secret(aws: Aws) -> None:
    store = aws.store()
    aws.server.refuse("GetSecretValue", "InvalidRequestException", "owned by another service")
    failing(aws, Permanent, lambda: store.read(PENDING))


def test_a_label_that_cannot_be_taken_off_is_no_failure_and_goes_with_the_next_write(aws: Aws) -> None:
    store = aws.store()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    aws.server.interrupt(
        "PutSecretValue", lambda: aws.server.refuse("UpdateSecretVersionStage", "InternalServiceError", skip=1)
    )
    second = store.write(CURRENT, {"api_key": "two"}, version)
    assert sorted(aws.server.stages("ai/openai")[second]) == ["AWSCURRENT", "ROTATOR"]
    third = store.write(CURRENT, {"api_key": "three"}, second)
    assert aws.server.stages("ai/openai") == {version: [], second: ["AWSPREVIOUS"], third: ["AWSCURRENT"]}


# -- the network -------------------------------------------------------------------------------------------------------


def through(aws: Aws, make: MakeProxy, **how: Any) -> tuple[FaultProxy, Any]:
    proxy = make(aws.server.host, aws.server.port)
    return proxy, aws.store(address=f"http://127.0.0.1:{proxy.port}", **how)


def test_a_server_that_cannot_be_reached_is_transient_and_its_address_named(aws: Aws, fault_proxy: MakeProxy) -> None:
    proxy, store = through(aws, fault_proxy)
    store.read(CURRENT)
    proxy.close()
    for act in every_call(store):
        gone = failing(aws, Transient, act)
        assert "cannot be reached" in gone.message
        assert f"http://127.0.0.1:{proxy.port}" in gone.message


@pytest.mark.parametrize("kind", [Kind.BLACKHOLE, Kind.HANG_RESPONSE])
def test_a_server_that_says_nothing_costs_one_timeout(aws: Aws, fault_proxy: MakeProxy, kind: Kind) -> None:
    proxy, store = through(aws, fault_proxy, timeout=timedelta(seconds=0.4))
    proxy.inject(Fault(kind=kind, times=None))
    for act in every_call(store):
        began = time.monotonic()
        assert re.search("in time|too long", failing(aws, Transient, act).message)
        assert 0.3 < time.monotonic() - began < 20


def test_a_server_that_is_slow_with_every_request_does_not_exceed_the_timeout_of_a_call(aws: Aws) -> None:
    version = aws.store().write(CURRENT, {"api_key": "one"}, ABSENT)
    store = aws.store(timeout=timedelta(seconds=0.6))
    for operation in ("GetSecretValue", "PutSecretValue"):
        aws.server.interrupt(operation, lambda: time.sleep(0.4))
    began = time.monotonic()
    failing(aws, Transient, lambda: store.write(CURRENT, {"api_key": HIDDEN}, version))
    assert time.monotonic() - began < 20
    assert aws.store().read(CURRENT).version == version


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.DROP_RESPONSE])
def test_a_write_that_is_lost_before_the_label_moves_has_not_happened_and_is_done_again(
    aws: Aws, fault_proxy: MakeProxy, kind: Kind
) -> None:
    proxy, store = through(aws, fault_proxy)
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    proxy.inject(Fault(kind=kind, request=b"secretsmanager.PutSecretValue"))
    failing(aws, Transient, lambda: store.write(CURRENT, {"api_key": HIDDEN}, version))
    assert proxy.fired == 1
    assert store.read(CURRENT).version == version
    second = store.write(CURRENT, {"api_key": "two"}, version)
    labels = {label: each for each, found in aws.server.stages("ai/openai").items() for label in found}
    assert labels == {"AWSCURRENT": second, "AWSPREVIOUS": version}
    assert len(aws.server.stages("ai/openai")) == (3 if kind is Kind.DROP_RESPONSE else 2)


def test_a_write_whose_label_has_moved_unheard_is_found_by_looking(aws: Aws, fault_proxy: MakeProxy) -> None:
    proxy, store = through(aws, fault_proxy)
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    proxy.inject(Fault(kind=Kind.DROP_RESPONSE, request=b"secretsmanager.UpdateSecretVersionStage"))
    failing(aws, Transient, lambda: store.write(CURRENT, {"api_key": HIDDEN}, version))
    stored = store.read(CURRENT)
    assert stored.fields == {"api_key": HIDDEN}
    failing(aws, Conflict, lambda: store.write(CURRENT, {"api_key": HIDDEN}, version))
    assert len(aws.server.stages("ai/openai")) == 2
    third = store.write(CURRENT, {"api_key": "three"}, stored.version)
    assert aws.server.stages("ai/openai")[stored.version] == ["AWSPREVIOUS"]
    assert aws.server.stages("ai/openai")[third] == ["AWSCURRENT"]


@pytest.mark.parametrize("operation", [b"PutSecretValue", b"UpdateSecretVersionStage", b"DeleteSecret"])
@pytest.mark.parametrize("kind", [Kind.RESET, Kind.DROP_RESPONSE])
def test_a_removal_that_is_interrupted_anywhere_is_finished_by_looking_again(
    aws: Aws, fault_proxy: MakeProxy, operation: bytes, kind: Kind
) -> None:
    proxy, store = through(aws, fault_proxy)
    version = store.write(PENDING, {"value.secret": HIDDEN}, ABSENT)
    proxy.inject(Fault(kind=kind, request=b"secretsmanager." + operation))
    failing(aws, Transient, lambda: store.remove(PENDING, version))
    stored = store.read(PENDING)
    if stored.fields is not None:
        store.remove(PENDING, stored.version)
    assert aws.server.names() == []
    failing(aws, Conflict, lambda: store.write(PENDING, {"value.secret": HIDDEN}, version))


# -- at the same time --------------------------------------------------------------------------------------------------


def test_a_colleague_who_edits_another_field_in_the_middle_of_a_write_loses_nothing(aws: Aws) -> None:
    aws.publish("ai/openai", '{"api_key": "one", "theirs": 1}')
    store, client = aws.store(), aws.server.client()
    version = store.read(CURRENT).version

    def edit() -> None:
        client.put_secret_value(SecretId="ai/openai", SecretString='{"api_key": "one", "theirs": 2}')

    aws.server.interrupt("UpdateSecretVersionStage", edit)
    failing(aws, Conflict, lambda: store.write(CURRENT, {"api_key": HIDDEN}, version))
    stored = store.read(CURRENT)
    assert stored.fields == {"api_key": "one"}
    store.write(CURRENT, {"api_key": "two"}, stored.version)
    assert aws.document("ai/openai") == {"api_key": "two", "theirs": 2}
