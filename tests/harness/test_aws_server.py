"""What stands in for AWS does what AWS documents where moto does not; without its correction each of these fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.servers.aws import EVERYTHING, AwsServer

pytestmark = pytest.mark.stand_in("AWS Secrets Manager")
TOKENS = [f"{number:032d}" for number in range(3)]


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as error:
        act()
    return str(error.value.response["Error"]["Code"])


@pytest.fixture
def client(aws_server: AwsServer) -> Any:
    """With a secret `a` of one version."""
    client = aws_server.client()
    client.create_secret(Name="a", SecretString="one", ClientRequestToken=TOKENS[0])
    return client


def put(client: Any, token: str, text: str = "two", label: str = "MINE") -> Any:
    return client.put_secret_value(SecretId="a", ClientRequestToken=token, SecretString=text, VersionStages=[label])


def move(client: Any, to: str, origin: str | None) -> Any:
    origins = {"RemoveFromVersionId": origin} if origin is not None else {}
    return client.update_secret_version_stage(SecretId="a", VersionStage="AWSCURRENT", MoveToVersionId=to, **origins)


def test_a_reader_who_names_no_label_gets_the_version_that_awscurrent_was_moved_to(client: Any) -> None:
    put(client, TOKENS[1])
    assert client.get_secret_value(SecretId="a")["SecretString"] == "one"
    move(client, TOKENS[1], TOKENS[0])
    assert client.get_secret_value(SecretId="a")["SecretString"] == "two"


def test_awscurrent_moves_only_from_where_it_is(client: Any) -> None:
    put(client, TOKENS[1])
    put(client, TOKENS[2], "three")
    for origin in (None, TOKENS[1], "0" * 36):
        assert refused(lambda: move(client, TOKENS[2], origin)) == "InvalidParameterException"  # noqa: B023
    assert client.get_secret_value(SecretId="a")["SecretString"] == "one"


@pytest.mark.parametrize("label", ["MINE", "AWSPENDING"])
def test_a_known_token_is_taken_with_the_same_content_alone(client: Any, label: str) -> None:
    for _ in range(2):
        put(client, TOKENS[1], label=label)
    assert refused(lambda: put(client, TOKENS[1], "other", label)) == "ResourceExistsException"
    assert client.get_secret_value(SecretId="a", VersionId=TOKENS[1])["SecretString"] == "two"


def test_a_label_is_on_one_version_at_a_time(client: Any, aws_server: AwsServer) -> None:
    put(client, TOKENS[1])
    put(client, TOKENS[2])
    assert aws_server.stages("a") == {TOKENS[0]: ["AWSCURRENT"], TOKENS[1]: [], TOKENS[2]: ["MINE"]}


def test_an_inactive_key_and_a_wrong_secret_are_refused_in_words_that_a_client_can_read(aws_server: AwsServer) -> None:
    login = aws_server.user(EVERYTHING)
    aws_server.client(login).list_secrets()
    aws_server.deactivate(login)
    assert refused(aws_server.client(login).list_secrets) == "UnrecognizedClientException"
    wrong = type(login)(aws_server.admin.key_id, "wrong")
    assert refused(aws_server.client(wrong).list_secrets) == "InvalidSignatureException"


def test_a_policy_is_judged_by_the_arn_and_a_question_mark_is_one_character(aws_server: AwsServer) -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:*:secret:a.b-??????"
    statement = {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": arn}
    client = aws_server.client(aws_server.user(json.dumps({"Version": "2012-10-17", "Statement": statement})))
    client.create_secret(Name="a.b", SecretString="x")
    for name in ("a.bc", "axb", "a.b-longer"):
        assert refused(lambda: client.create_secret(Name=name, SecretString="x")) == "AccessDeniedException"  # noqa: B023
    assert refused(client.list_secrets) == "AccessDeniedException"


def test_a_secret_that_waits_for_its_deletion_takes_nothing(client: Any) -> None:
    client.delete_secret(SecretId="a", RecoveryWindowInDays=7)
    for act in (
        lambda: put(client, TOKENS[1]),
        lambda: move(client, TOKENS[1], TOKENS[0]),
        lambda: client.create_secret(Name="a", SecretString="x"),
        lambda: client.get_secret_value(SecretId="a"),
    ):
        assert refused(act) == "InvalidRequestException"
    client.restore_secret(SecretId="a")
    assert client.get_secret_value(SecretId="a")["SecretString"] == "one"


def test_a_secret_has_65536_bytes(client: Any) -> None:
    put(client, TOKENS[1], "x" * 65_536)
    assert refused(lambda: put(client, TOKENS[2], "x" * 65_537)) == "ValidationException"


def test_the_last_test_left_nothing_behind(aws_server: AwsServer) -> None:
    with suppress(ClientError):
        aws_server.client().create_secret(Name="b", SecretString="x")
    aws_server.reset()
    assert aws_server.names() == []
    assert aws_server.requests == []
