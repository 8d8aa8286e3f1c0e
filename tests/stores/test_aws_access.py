"""The aws store's access: policies, refusals, faults of the network; what is missing is named, no secret is shown."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError

from rotator.adapters.stores.aws.wire import Wire
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.ports import ABSENT, Store
from rotator.testing.store_contract import secret_free
from tests.servers.aws import AwsServer, Login
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.stores.aws_access import CURRENT, HIDDEN, PENDING, Aws

pytestmark = pytest.mark.stand_in("AWS Secrets Manager")

MakeProxy = Callable[[str, int], FaultProxy]
ROOT = Path(__file__).parents[2]
PREVIOUS = Place(ref="ai/openai", kind=PlaceKind.PREVIOUS, of="key-1")
OURS = "arn:aws:secretsmanager:eu-west-1:*:secret:ai/openai-??????"


@pytest.fixture
def aws(aws_server: AwsServer, caplog: pytest.LogCaptureFixture) -> Iterator[Aws]:
    """An empty account; afterwards nothing that was logged, at whatever level, shows a secret."""
    aws = Aws(aws_server)
    with caplog.at_level(logging.DEBUG):
        yield aws
    # The server lives in this process, and its log is not ours.
    ours = [each for each in caplog.get_records("call") if not each.name.startswith("moto")]
    logged = " ".join(record.getMessage() for record in ours)
    assert [secret for secret in aws.secrets if secret in logged] == []


def failing(aws: Aws, kind: type[Failure], act: Callable[[], object]) -> Failure:
    """The failure of exactly that kind that `act` raises, which shows no secret, nor brings one along."""
    with pytest.raises(kind) as raised:
        act()
    failure = raised.value
    assert type(failure) is kind
    assert failure.message
    assert failure.hint
    assert [secret for secret in aws.secrets if not secret_free(failure, secret)] == []
    return failure


def every_call(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.read(CURRENT),
        lambda: store.write(CURRENT, {"api_key": HIDDEN}, ABSENT),
        lambda: store.write(CURRENT, {"api_key": HIDDEN}, "7"),
        lambda: store.remove(PENDING, "1"),
        lambda: store.places("ai/openai"),
    ]


# -- keys --------------------------------------------------------------------------------------------------------------


def test_keys_that_are_wrong_unknown_or_inactive_are_denied_and_their_reference_named(aws: Aws) -> None:
    inactive = aws.server.user(least(aws))
    aws.server.deactivate(inactive)
    wrong = Login(aws.server.admin.key_id, "wrong-secret-0123456789")
    unknown = Login("AKIAUNKNOWN000000000", "unknown-secret-012345")
    for login in (wrong, unknown, inactive):
        for act in every_call(aws.store(login)):
            denied = failing(aws, Denied, act)
            assert "refuses our keys" in denied.message
            assert "file:/run/secret" in denied.hint
    assert aws.server.names() == []


def test_a_key_that_was_replaced_at_its_reference_is_picked_up(aws: Aws) -> None:
    logins = [aws.server.user(least(aws))]
    store = aws.store(lambda: logins[-1])
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    logins.append(aws.server.user(least(aws)))
    aws.server.deactivate(logins[0])
    version = store.write(CURRENT, {"api_key": "two"}, version)
    assert len(aws.server.stages("ai/openai")) == 2
    aws.server.deactivate(logins[1])
    failing(aws, Denied, lambda: store.read(CURRENT))


# -- policies ----------------------------------------------------------------------------------------------------------


def least(aws: Aws) -> str:
    return aws.store().least_policy(["ai/openai"])


def use_everything(store: Store) -> None:
    """Whatever a rotation asks of a store."""
    assert store.read(CURRENT).version == ABSENT
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    version = store.write(CURRENT, {"api_key": "two"}, version)
    for place in (PENDING, PREVIOUS):
        assert store.read(place).version == ABSENT
        private = store.write(place, {"value.secret": HIDDEN}, ABSENT)
        private = store.write(place, {"value.secret": HIDDEN}, private)
        assert store.places("ai/openai") == (place,)
        store.remove(place, private)
    store.remove(CURRENT, version)
    assert store.read(CURRENT).fields is None


def test_the_least_policy_suffices_and_lets_nothing_else_be_read_or_deleted(aws: Aws) -> None:
    login = aws.server.user(least(aws))
    store = aws.store(login)
    use_everything(store)
    for other in ("ai/other", "ai/openai-2", "ai/openai/deeper", "ai"):
        aws.publish(other, '{"api_key": "theirs"}')
        denied = failing(aws, Denied, lambda: store.read(Place(ref=other, kind=PlaceKind.CURRENT, fields=("x",))))  # noqa: B023
        assert isinstance(denied, Denied)
        assert denied.permission.startswith(
            f"secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-west-1:*:secret:{other}-"
        )
    client = aws.server.client(login)
    forbidden: list[tuple[Callable[..., object], dict[str, object]]] = [
        (client.delete_secret, {"ForceDeleteWithoutRecovery": True}),
        (client.describe_secret, {}),
        (client.put_resource_policy, {"ResourcePolicy": "{}"}),
    ]
    for act, parameters in forbidden:
        with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
            act(SecretId="ai/openai", **parameters)


ALL_OF_IT: list[tuple[str, str]] = [
    (f"secretsmanager:{operation}", resource)
    for resource, operations in (
        (OURS, ("CreateSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")),
        (
            "arn:aws:secretsmanager:eu-west-1:*:secret:rotator/*",
            ("CreateSecret", "DeleteSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"),
        ),
        ("*", ("ListSecrets",)),
    )
    for operation in operations
]


def test_the_least_policy_is_these_grants(aws: Aws) -> None:
    document = json.loads(least(aws))
    found = [
        (action, resource)
        for statement in document["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    ]
    assert found == ALL_OF_IT
    with_key = json.loads(aws.store(kms_key="arn:aws:kms:eu-west-1:1:key/k").least_policy([]))
    assert with_key["Statement"][-1]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert "arn:aws-cn:secretsmanager:cn-north-1:" in aws.store(region="cn-north-1").least_policy(["a"])


@pytest.mark.parametrize(("action", "resource"), ALL_OF_IT, ids=[f"{a} {r[-9:]}" for a, r in ALL_OF_IT])
def test_each_grant_is_needed_and_named_where_it_is_missing(aws: Aws, action: str, resource: str) -> None:
    document = json.loads(least(aws))
    for statement in document["Statement"]:
        if statement["Resource"] == [resource]:
            statement["Action"] = [each for each in statement["Action"] if each != action] or ["iam:GetUser"]
    denied = failing(aws, Denied, lambda: use_everything(aws.store(aws.server.user(json.dumps(document)))))
    assert isinstance(denied, Denied)
    assert denied.permission.startswith(f"{action} on ")
    assert denied.permission in denied.message
    assert "check --policy" in denied.hint


def test_a_consumer_with_a_wildcard_cannot_read_what_is_pending(aws: Aws) -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:*:secret:ai/openai*"
    document = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}
    consumer = aws.server.client(aws.server.user(json.dumps({"Version": "2012-10-17", "Statement": [document]})))
    store = aws.store()
    store.write(CURRENT, {"api_key": "one"}, ABSENT)
    store.write(PENDING, {"value.secret": HIDDEN}, ABSENT)
    assert json.loads(consumer.get_secret_value(SecretId="ai/openai")["SecretString"]) == {"api_key": "one"}
    with pytest.raises(consumer.exceptions.ClientError, match="AccessDenied"):
        consumer.get_secret_value(SecretId="rotator/pending/ai/openai/r1")


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
    assert aws.server.requests == ["GetSecretValue"]  # nothing is sent twice
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
        assert "in time" in failing(aws, Transient, act).message
        assert 0.3 < time.monotonic() - began < 2


def test_a_server_that_is_slow_with_every_request_does_not_exceed_the_timeout_of_a_call(aws: Aws) -> None:
    version = aws.store().write(CURRENT, {"api_key": "one"}, ABSENT)
    store = aws.store(timeout=timedelta(seconds=0.6))
    for operation in ("GetSecretValue", "PutSecretValue"):
        aws.server.interrupt(operation, lambda: time.sleep(0.4))
    began = time.monotonic()
    failing(aws, Transient, lambda: store.write(CURRENT, {"api_key": HIDDEN}, version))
    assert time.monotonic() - began < 1
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


# -- what reaches us from around ---------------------------------------------------------------------------------------


@pytest.fixture
def misleading_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault_proxy: MakeProxy) -> Path:
    """Every variable and file that would lead elsewhere; the file that is returned exists once a program of it ran."""
    ran, home = tmp_path / "ran", tmp_path / "home"
    (home / ".aws" / "models" / "secretsmanager" / "2017-10-17").mkdir(parents=True)
    (home / ".aws" / "models" / "secretsmanager" / "2017-10-17" / "service-2.json").write_text("{}")
    hostile = f"[default]\ncredential_process = touch {ran}\nendpoint_url = http://127.0.0.1:1\nmax_attempts = 9\n"
    hostile += (
        "retry_mode = adaptive\nregion = us-west-2\nca_bundle = /nowhere\n[profile hostile]\nsource_profile = default\n"
    )
    for file in ("config", "credentials"):
        (home / ".aws" / file).write_text(hostile)
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_STS", "AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
    ):
        monkeypatch.setenv(name, "hostile")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(home / ".aws" / "config"))
    for name, text in {
        "HOME": str(home),
        "NO_PROXY": "",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_REGION": "us-west-2",
        "AWS_MAX_ATTEMPTS": "9",
        "AWS_RETRY_MODE": "adaptive",
        "AWS_CA_BUNDLE": "/nowhere",
        "REQUESTS_CA_BUNDLE": "/nowhere",
        "AWS_DATA_PATH": str(home / ".aws" / "models"),
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CSM_ENABLED": "true",
        "AWS_DEFAULTS_MODE": "nonsense",
    }.items():
        monkeypatch.setenv(name, text)
    return ran


def test_the_environment_and_the_files_of_a_user_change_nothing(aws: Aws, misleading_environment: Path) -> None:
    with pytest.raises(BotoCoreError):  # what boto3 makes of it
        boto3.Session().client("secretsmanager").list_secrets()
    store = aws.store()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    aws.server.refuse("PutSecretValue", "InternalServiceError", status=500, times=9)
    failing(aws, Transient, lambda: store.write(CURRENT, {"api_key": HIDDEN}, version))
    assert aws.server.requests.count("PutSecretValue") == 1
    assert not misleading_environment.exists()
    for service in ("secretsmanager", "sts"):
        client = Wire("eu-west-1", None).client(service, None, None)
        assert client.meta.endpoint_url == f"https://{service}.eu-west-1.amazonaws.com"


def test_models_of_a_user_are_not_read(aws: Aws, misleading_environment: Path) -> None:
    """In a process of its own: botocore looks where they are when it is imported."""
    lines = (
        "import sys",
        "from datetime import timedelta",
        "from rotator.adapters.stores.aws import AwsStore",
        "from tests.stores.aws_access import CURRENT",
        "address, key_id, secret = sys.stdin.read().split()",
        "auth = {'method': 'static', 'access_key_id': key_id, 'secret_access_key': 'file:/run/secret'}",
        "settings = {'region': 'eu-west-1', 'endpoint_url': address, 'auth': auth}",
        "store = AwsStore.from_settings('aws', settings, lambda _: secret, timedelta(seconds=10))",
        "version = store.write(CURRENT, {'api_key': 'one'}, '')",
        "print(store.read(CURRENT).version == version)",
    )
    given = f"{aws.server.address} {aws.server.admin.key_id} {aws.server.admin.secret}"
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout == "True\n", done.stderr
    assert not misleading_environment.exists()


def test_a_store_that_is_not_used_imports_no_client() -> None:
    lines = (
        "import sys",
        "from datetime import timedelta",
        "from rotator.adapters.stores.aws import AwsStore",
        "auth = {'method': 'irsa'}",
        "AwsStore.from_settings('a', {'region': 'eu-west-1', 'auth': auth}, str, timedelta(seconds=1)).capabilities()",
        "print([name for name in ('boto3', 'botocore', 'urllib3', 'http.client') if name in sys.modules])",
    )
    found = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
