"""Where the aws store's keys come from: each method opens what it names, and what is wrong there is named."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.aws import AwsStore
from rotator.adapters.stores.aws.access import Access, Keys
from rotator.adapters.stores.aws.answers import Need
from rotator.domain.failures import Denied, Failure, Transient
from rotator.domain.settings import SettingsError
from rotator.ports import ABSENT
from rotator.testing.store_contract import at_once, secret_free
from tests.servers import imds
from tests.servers.aws import REGION, AwsServer
from tests.servers.imds import Metadata
from tests.stores.aws_access import CURRENT, TIMEOUT, Aws

pytestmark = pytest.mark.stand_in("AWS Secrets Manager")
WEB_TOKEN = "eyJ-a-token-of-a-service-account"


@pytest.fixture
def aws(aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An empty account, and no variable of AWS's."""
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    return Aws(aws_server)


def store_with(aws: Aws, auth: Mapping[str, object], resolve: Callable[[str], str] = str, **more: Any) -> AwsStore:
    settings = {"region": REGION, "endpoint_url": aws.server.address, "auth": auth, **more}
    return AwsStore.from_settings("aws", settings, resolve, TIMEOUT)


def works(store: AwsStore) -> bool:
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    return store.read(CURRENT).version == version


def denied(store: AwsStore, *parts: str) -> Denied:
    with pytest.raises(Denied) as raised:
        store.read(CURRENT)
    failure = raised.value
    assert failure.permission
    assert failure.hint
    for part in parts:
        assert part in failure.message + failure.hint
    assert secret_free(failure, WEB_TOKEN)
    return failure


def least(aws: Aws) -> str:
    return aws.store().least_policy(["ai/openai"])


# -- irsa --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def token_file(aws: Aws, tmp_path: Path) -> Path:
    """A token that STS believes."""
    aws.server.world.web_tokens[WEB_TOKEN] = ""
    file = tmp_path / "token"
    file.write_text(WEB_TOKEN + "\n")
    return file


def test_a_pods_service_account_is_read_from_the_variables_that_eks_sets(
    aws: Aws, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_with(aws, {"method": "irsa", "sts_url": aws.server.address})
    denied(store, "AWS_ROLE_ARN", "service account")
    monkeypatch.setenv("AWS_ROLE_ARN", aws.server.role("pod", least(aws)))
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token_file))
    assert works(store)


def test_a_pods_service_account_may_be_named_in_the_settings(aws: Aws, token_file: Path) -> None:
    auth = {
        "method": "irsa",
        "role_arn": aws.server.role("pod", least(aws)),
        "token_file": str(token_file),
        "sts_url": aws.server.address,
    }
    assert works(store_with(aws, auth))
    token_file.write_text("")
    denied(store_with(aws, auth), "there is no token", str(token_file))
    token_file.write_text("another token")
    denied(store_with(aws, auth), "does not believe", "trust policy")
    aws.server.world.web_tokens["another token"] = "ExpiredTokenException"
    with pytest.raises(Transient, match="has expired"):
        store_with(aws, auth).read(CURRENT)


def test_a_session_that_ends_in_the_middle_of_a_write_is_replaced_and_nothing_is_written_twice(
    aws: Aws, token_file: Path
) -> None:
    role = aws.server.role("pod", least(aws))
    auth = {"method": "irsa", "role_arn": role, "token_file": str(token_file), "sts_url": aws.server.address}
    store = store_with(aws, auth)
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    aws.server.interrupt("UpdateSecretVersionStage", aws.server.end_sessions)
    second = store.write(CURRENT, {"api_key": "two"}, version)
    assert aws.server.stages("ai/openai") == {version: ["AWSPREVIOUS"], second: ["AWSCURRENT"]}
    aws.server.end_sessions()
    token_file.write_text("")
    denied(store, "there is no token")


# -- imds --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def metadata(aws: Aws) -> Iterator[Metadata]:
    """A metadata service that gives sessions of a role with the least policy."""
    role = aws.server.role("instance", least(aws))

    def keys() -> tuple[str, str, str]:
        return aws.server.session(role)

    with imds.serve(keys) as here:
        yield here


def test_an_instances_role_is_asked_for_by_version_2_alone_and_past_any_proxy(
    aws: Aws, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
    store = store_with(aws, {"method": "imds", "address": metadata.address})
    assert works(store)
    roles = "GET /latest/meta-data/iam/security-credentials/"
    assert metadata.requests == ["PUT /latest/api/token", roles, f"{roles}rotator"]


def test_an_instance_without_a_role_or_without_a_service_is_said(aws: Aws, metadata: Metadata) -> None:
    metadata.role = ""
    denied(store_with(aws, {"method": "imds", "address": metadata.address}), "gave no keys", "instance's profile")
    metadata.status = 403
    denied(store_with(aws, {"method": "imds", "address": metadata.address}), "refuses to answer")
    metadata.status = 500
    for address in (metadata.address, "http://127.0.0.1:1"):
        with pytest.raises(Transient, match="metadata service") as gone:
            store_with(aws, {"method": "imds", "address": address}).read(CURRENT)
        assert "hop limit" in gone.value.hint


# -- profile -----------------------------------------------------------------------------------------------------------


def profile(file: Path, text: str) -> dict[str, object]:
    file.write_text(text)
    return {"method": "profile", "profile": "rotator", "file": str(file)}


@pytest.mark.parametrize("section", ["rotator", "profile rotator"])
def test_a_profile_of_a_named_file_is_read(aws: Aws, tmp_path: Path, section: str) -> None:
    login = aws.server.user(least(aws))
    text = f"[default]\naws_access_key_id = other\n[{section}]\naws_access_key_id = {login.key_id}\n"
    auth = profile(tmp_path / "credentials", f"{text}aws_secret_access_key = {login.secret}\n")
    assert works(store_with(aws, auth))


def test_a_profile_that_is_missing_or_empty_is_denied_and_named(aws: Aws, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    denied(store_with(aws, profile(file, "[other]\n")), "'rotator'", "does not exist")
    denied(store_with(aws, profile(file, "[rotator]\nrole_arn = arn:aws:iam::1:role/r\n")), "no keys", "method: role")
    denied(store_with(aws, profile(file, "no section")), "cannot be read")
    auth = profile(file, "")
    file.unlink()
    denied(store_with(aws, auth), "cannot be read")


def test_a_profiles_program_runs_only_where_the_settings_say_so(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, ran, program = aws.server.user(least(aws)), tmp_path / "ran", tmp_path / "program"
    found = {"Version": 1, "AccessKeyId": login.key_id, "SecretAccessKey": login.secret}
    program.write_text(f"#!/bin/sh\nenv > {ran}\necho '{json.dumps(found)}'\n")
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PRIVATE_VARIABLE", "x")
    auth = profile(tmp_path / "credentials", f"[rotator]\ncredential_process = {program} --a 'b c'\n")
    denied(store_with(aws, auth), "wants to run a program", "credential_process: allowed")
    assert not ran.exists()
    auth["credential_process"] = "allowed"
    assert works(store_with(aws, auth))
    assert "PRIVATE_VARIABLE" not in ran.read_text()
    for text in (
        "#!/bin/sh\necho nonsense\n",
        "#!/bin/sh\necho '{}'\n",
        "#!/bin/sh\nexit 3\n",
        "#!/bin/sh\necho '[1]'\n",
    ):
        program.write_text(text)
        denied(store_with(aws, auth), "printed no keys")
    program.write_text("#!/bin/sh\nexec sleep 20\n")
    settings = {"region": REGION, "endpoint_url": aws.server.address, "auth": auth}
    with pytest.raises(Transient, match="took too long"):
        AwsStore.from_settings("aws", settings, str, timedelta(seconds=0.3)).read(CURRENT)


# -- role --------------------------------------------------------------------------------------------------------------


def test_a_role_is_assumed_with_the_keys_of_its_source(aws: Aws) -> None:
    role = aws.server.role("rotator", least(aws))
    may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
    login = aws.server.user(json.dumps({"Version": "2012-10-17", "Statement": [may]}))
    source = {"method": "static", "access_key_id": login.key_id, "secret_access_key": "file:/run/secret"}
    auth = {"method": "role", "role_arn": role, "source": source, "sts_url": aws.server.address}
    store = store_with(aws, auth, lambda _: login.secret)
    assert works(store)
    denied(store_with(aws, source, lambda _: login.secret), "does not let us secretsmanager:GetSecretValue")
    wrong = denied(store_with(aws, auth, lambda _: "wrong-secret"), "STS at", "refuses our keys", "file:/run/secret")
    assert wrong.permission == f"sts:AssumeRole on {role}"


def test_a_role_that_may_not_be_assumed_is_denied_and_named(aws: Aws) -> None:
    role = aws.server.role("rotator", least(aws))
    login = aws.server.user(least(aws))
    source = {"method": "static", "access_key_id": login.key_id, "secret_access_key": "file:/run/secret"}
    auth = {"method": "role", "role_arn": role, "source": source, "sts_url": aws.server.address}
    failure = denied(store_with(aws, auth, lambda _: login.secret), "does not let us sts:AssumeRole")
    assert failure.permission == f"sts:AssumeRole on {role}"


# -- keys that end -----------------------------------------------------------------------------------------------------


class Well:
    """Gives keys that live as long as it is told, or fails."""

    def __init__(self, lifetime: timedelta) -> None:
        self.lifetime = lifetime
        self.drawn = 0
        self.dry = False

    def fetch(self, deadline: Deadline) -> Keys:
        if self.dry:
            raise Transient("dry", "wait")
        self.drawn += 1
        return Keys(f"A{self.drawn}", "s", None, datetime.now(UTC) + self.lifetime)

    def refused(self, need: Need, where: str) -> Failure:
        return Denied(where, "", permission=str(need))


def test_keys_are_fetched_once_by_eight_threads_and_early_before_they_end() -> None:
    well = Well(timedelta(hours=1))
    access = Access(well)
    outcomes = at_once(8, lambda _: access.get(Deadline(TIMEOUT))[0].access_key)
    assert set(outcomes.values()) == {"A1"}
    assert access.get(Deadline(TIMEOUT))[1] is False
    assert well.drawn == 1


def test_keys_that_end_soon_are_used_on_where_no_new_ones_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    well = Well(timedelta(minutes=1))
    access = Access(well)
    access.get(Deadline(TIMEOUT))
    well.dry = True
    clock, real = [0.0], time.monotonic
    monkeypatch.setattr("rotator.adapters.stores.aws.access.time.monotonic", lambda: real() + clock[0])
    clock[0] = 40
    assert access.get(Deadline(TIMEOUT))[0].access_key == "A1"
    clock[0] = 140
    with pytest.raises(Transient, match="dry"):
        access.get(Deadline(TIMEOUT))
    well.dry = False
    assert access.get(Deadline(TIMEOUT))[0].access_key == "A2"


def test_no_key_is_in_a_repr() -> None:
    keys = Keys("AKIAX", "the-secret", "the-token")
    assert "the-" not in f"{keys!r} {keys} {Access(Well(timedelta(1)))!r}"


# -- settings ----------------------------------------------------------------------------------------------------------

STATIC = {"method": "static", "access_key_id": "AKIAX", "secret_access_key": "file:/run/s"}


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"region": None}, "region is missing"),
        ({"region": "Frankfurt"}, "region is no name"),
        ({"regoin": "eu-west-1"}, "'regoin' is not known"),
        ({"endpoint_url": "http://10.0.0.1"}, "without encryption"),
        ({"endpoint_url": "https://u:p@host"}, "more than an address"),
        ({"endpoint_url": "file:///x"}, "no address"),
        ({"private": "a//b"}, "private is no beginning"),
        ({"private": "ä"}, "private is no beginning"),
        ({"kms_key": "alias/mine"}, "kms_key is no ARN"),
        ({"ca": "/no/such/file"}, "there is no file"),
        ({"auth": None}, "auth is not a table"),
        ({"auth": {"method": "magic"}}, "auth.method is none of the known ones"),
        ({"auth": {**STATIC, "secret_access_key": "wJalrXUtnFEMIK7MDENG"}}, "is not a reference"),
        ({"auth": {**STATIC, "role_arn": "arn:aws:iam::1:role/r"}}, "does not belong here"),
        ({"auth": {"method": "imds", "profile": "x"}}, "does not belong here"),
        ({"auth": {"method": "imds", "address": "http://10.0.0.1"}}, "without encryption"),
        ({"auth": {"method": "profile", "profile": "x", "file": "relative"}}, "not an absolute path"),
        ({"auth": {"method": "profile", "profile": "x", "credential_process": "yes"}}, "none of the known"),
        ({"auth": {"method": "role", "role_arn": "r", "source": STATIC}}, "no ARN of a role"),
        ({"auth": {"method": "role", "role_arn": "arn:aws:iam::1:role/r"}}, "source is not a table"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_without_a_value(changes: dict[str, object], part: str) -> None:
    given = {"region": "eu-west-1", "auth": STATIC, **changes}
    with pytest.raises(SettingsError) as refusal:
        AwsStore.from_settings("aws", {k: v for k, v in given.items() if v is not None}, str, TIMEOUT)
    assert part in refusal.value.message
    assert refusal.value.hint
    assert "wJalr" not in refusal.value.message + refusal.value.hint


def test_a_role_of_a_role_is_refused() -> None:
    role = {"method": "role", "role_arn": "arn:aws:iam::1:role/r"}
    settings = {"region": "eu-west-1", "auth": {**role, "source": {**role, "source": STATIC}}}
    with pytest.raises(SettingsError, match="a role itself"):
        AwsStore.from_settings("aws", settings, str, TIMEOUT)
