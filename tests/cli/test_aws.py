"""Keys of a keyserver published to AWS Secrets Manager: rotation, rollback, emergency, and what `check` says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rotator.adapters.stores.aws import AwsStore
from tests.cli.scene import NAME, Scene
from tests.servers.aws import REGION, AwsServer
from tests.stores.aws_access import TIMEOUT
from tests.testing.keyserver_client import call_as

pytestmark = [pytest.mark.stand_in("AWS Secrets Manager"), pytest.mark.stand_in("API provider: keyserver")]
REF = "prod/llm"


@pytest.fixture
def on_aws(scene: Scene, aws_server: AwsServer) -> Scene:
    """The scene's credential, published to a secret that a colleague made, by a user with the least policy."""
    auth = {"method": "static", "access_key_id": "file:aws-id", "secret_access_key": "file:aws-secret"}
    settings = {"region": REGION, "endpoint_url": aws_server.address, "auth": auth}
    login = aws_server.user(AwsStore.from_settings("aws", settings, str, TIMEOUT).least_policy([REF]))
    for name, text in (("aws-id", login.key_id), ("aws-secret", login.secret)):
        (scene.folder / name).touch(mode=0o600)
        (scene.folder / name).write_text(text)
    document = {"API_KEY": scene.published(), "OTHER": "theirs"}
    aws_server.client().create_secret(Name=REF, SecretString=json.dumps(document))
    scene.rewrite(stores={"aws": {"driver": "aws", **settings}})
    scene.credential(publish=[{"store": "aws", "ref": REF, "fields": {"API_KEY": "{secret}"}}])
    return scene


def document(server: AwsServer) -> dict[str, str]:
    found: dict[str, str] = json.loads(server.client().get_secret_value(SecretId=REF)["SecretString"])
    return found


def labels(server: AwsServer) -> list[str]:
    return sorted(label for found in server.stages(REF).values() for label in found)


@contextmanager
def reading(scene: Scene, server: AwsServer) -> Iterator[list[int]]:
    """What the keyserver answers meanwhile, and a few times afterwards, to a consumer that reads before each call."""
    answers: list[int] = []
    stop, client = threading.Event(), server.client()

    def read() -> None:
        while not stop.wait(0.02):
            found = json.loads(client.get_secret_value(SecretId=REF)["SecretString"])
            answers.append(call_as(scene.keyserver.url, found["API_KEY"]))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield answers
        deadline, enough = time.monotonic() + 60, len(answers) + 6
        while len(answers) < enough and thread.is_alive():
            assert time.monotonic() < deadline, answers
            time.sleep(0.02)
    finally:
        stop.set()
        thread.join()


def test_a_rotation_makes_one_version_and_leaves_one_secret(on_aws: Scene, aws_server: AwsServer) -> None:
    before = document(aws_server)
    with reading(on_aws, aws_server) as answers:
        answer = on_aws.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.err
    after = document(aws_server)
    assert after["API_KEY"] != before["API_KEY"]
    assert after["OTHER"] == "theirs"
    assert on_aws.alive == {"key-2"}
    assert aws_server.names() == [REF]
    assert len(aws_server.stages(REF)) == 2
    assert labels(aws_server) == ["AWSCURRENT", "AWSPREVIOUS"]
    assert len(answers) > 5
    assert set(answers) == {200}


def test_an_operator_rolls_back_and_the_old_value_is_a_new_version(on_aws: Scene, aws_server: AwsServer) -> None:
    before = document(aws_server)
    on_aws.policy(overlap="1h", max_overlap="2h")
    assert on_aws.say("rotate", NAME).code == 0
    assert document(aws_server) != before
    assert on_aws.say("rollback", NAME).code == 0
    on_aws.policy(overlap="0s")
    ends = time.monotonic() + 60
    while on_aws.json("history", NAME)["rotations"][0]["phase"] != "rolled_back":
        assert time.monotonic() < ends
        on_aws.say("rotate", "--due")
        time.sleep(0.1)
    assert document(aws_server) == before
    assert on_aws.alive == {"key-1"}
    assert len(aws_server.stages(REF)) == 3
    assert labels(aws_server) == ["AWSCURRENT", "AWSPREVIOUS"]
    assert aws_server.names() == [REF]


def test_in_an_emergency_the_exposed_key_is_replaced_and_proven_dead(on_aws: Scene, aws_server: AwsServer) -> None:
    found = on_aws.json("rotate", NAME, "--assume-compromise", "--contained", "--yes")
    (rotation,) = found["rotations"]
    assert [old["proof"] for old in rotation["old_keys"]] == ["refused"]
    assert on_aws.alive == {"key-2"}
    assert aws_server.names() == [REF]


def test_check_says_what_works_and_the_least_policy(on_aws: Scene) -> None:
    answer = on_aws.say("check")
    assert answer.code == 0, answer.out
    assert f"aws:{REF}: holds a key that works" in answer.out
    policy = on_aws.say("check", "--policy").out
    assert f'"arn:aws:secretsmanager:{REGION}:*:secret:{REF}-??????"' in policy


def test_a_secret_that_waits_for_its_deletion_stops_the_rotation_with_the_command_that_helps(
    on_aws: Scene, aws_server: AwsServer
) -> None:
    aws_server.client().delete_secret(SecretId=REF, RecoveryWindowInDays=7)
    answer = on_aws.say("rotate", NAME, "--wait")
    assert answer.code != 0
    assert "scheduled for deletion" in answer.out + answer.err
    assert on_aws.alive == {"key-1"}
    assert aws_server.names() == [REF]
