"""The aws store's access: keys, policies, and whatever of the environment might mislead it; no secret is shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import BotoCoreError

from rotator.adapters.stores.aws.wire import Wire
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Denied, Transient
from rotator.ports import ABSENT, Store
from tests.servers.aws import AwsServer, Login
from tests.stores.aws_access import CURRENT, HIDDEN, OURS, PENDING, Aws, every_call, failing, unlogged

pytestmark = pytest.mark.stand_in("AWS Secrets Manager")

ROOT = Path(__file__).parents[2]
PREVIOUS = Place(ref="ai/openai", kind=PlaceKind.PREVIOUS, of="key-1")


@pytest.fixture
def aws(aws_server: AwsServer, caplog: pytest.LogCaptureFixture) -> Iterator[Aws]:
    """An empty account; nothing that is logged shows a secret."""
    with unlogged(Aws(aws_server), caplog) as aws:
        yield aws


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


# -- what reaches us from around ---------------------------------------------------------------------------------------


@pytest.fixture
def misleading_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
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
