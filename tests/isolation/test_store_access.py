"""How stores in children get in: each method's files, variables and references reach it, and no other do."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rotator.adapters.isolation.store import IsolatedStore
from rotator.app.isolating import PROCESS, SANDBOX
from rotator.config.errors import ConfigError
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Denied, Transient
from rotator.ports import TellsLeastPolicy, TellsWorthKnowing
from tests.isolation.stores_apart import Apart, apart, needs_sandbox, pid_of
from tests.servers import github, imds, kubernetes, secret_manager
from tests.servers.aws import REGION, AwsServer
from tests.servers.github import GithubStandIn
from tests.servers.kubernetes import KubernetesServer
from tests.servers.openbao import OpenBaoServer
from tests.servers.secret_manager.iam import OWNER
from tests.stores import cluster, gcp_access
from tests.stores.aws_access import CURRENT as AWS_CURRENT
from tests.stores.aws_access import Aws
from tests.stores.cluster import Cluster
from tests.stores.gcp_access import CURRENT as GCP_CURRENT
from tests.stores.gcp_access import PROJECT, Gcp, serving
from tests.stores.test_gcp_tokens import EMAIL, federation, key_file, token_server
from tests.stores.test_kubernetes_kubeconfig import encoded
from tests.stores.test_vault_logins import least
from tests.stores.vault_access import CURRENT, PUBLISHED, Vault, approle, use_everything

pytestmark = needs_sandbox

Made = Callable[..., IsolatedStore]
CI = Place(ref="acme/api", kind=PlaceKind.CURRENT, fields=("API_KEY",))


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Apart]:
    with apart(SANDBOX) as making:
        yield making


@pytest.fixture
def made(sandboxes: Apart) -> Iterator[Made]:
    """Makes a store in a sandbox; all are ended with the test."""
    stores: list[IsolatedStore] = []

    def make(driver: str, settings: dict[str, Any], *given: Any, **more: Any) -> IsolatedStore:
        stores.append(sandboxes.store(driver, settings, *given, **more))
        return stores[-1]

    yield make
    for store in stores:
        store.stop()


def of_file(reference: str) -> str:
    """As the rotator resolves `file:`."""
    scheme, _, path = reference.partition(":")
    assert scheme == "file"
    return Path(path).read_text()


def replace(file: Path, text: str) -> None:
    """As kubelets and agents do: another file under the same name."""
    fresh = file.with_name(f".{file.name}")
    fresh.write_text(text)
    fresh.replace(file)


# -- kubernetes --------------------------------------------------------------------------------------------------------


@pytest.fixture
def k8s(kubernetes_server: KubernetesServer, tmp_path: Path) -> Cluster:
    return Cluster(kubernetes_server, tmp_path)


@pytest.mark.stand_in(kubernetes.NAME)
def test_a_client_certificate_goes_through_memory_to_tls(k8s: Cluster, made: Made) -> None:
    k8s.server.access.grant("rotator", k8s.least())
    certificate, key = k8s.server.authority.sign("rotator")
    file = k8s.kubeconfig(user={"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)})
    cluster.use_everything(made("kubernetes", {"auth": {"method": "kubeconfig", "file": str(file)}}))
    assert {each.certificate for each in k8s.server.requests} == {"rotator"}


@pytest.mark.stand_in(kubernetes.NAME)
def test_a_kubeconfig_s_files_are_read_and_their_successors_too(k8s: Cluster, made: Made) -> None:
    file = k8s.kubeconfig(user={"tokenFile": "token"})
    old = k8s.rotate(k8s.folder)
    store = made("kubernetes", {"auth": {"method": "kubeconfig", "file": str(file)}})
    assert store.read(cluster.CURRENT).version == ""
    token = k8s.server.access.token(k8s.least())
    replace(k8s.folder / "token", token)
    k8s.server.access.revoke(old)
    assert store.read(cluster.CURRENT).version == ""


@pytest.mark.stand_in(kubernetes.NAME)
def test_a_pod_s_own_account(k8s: Cluster, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    host, _, port = k8s.server.address.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    account = k8s.folder / "account"
    account.mkdir()
    (account / "ca.crt").write_bytes(k8s.server.authority.ca.read_bytes())
    old = k8s.rotate(account)
    store = made("kubernetes", {"auth": {"method": "in-cluster", "directory": str(account)}})
    cluster.use_everything(store)
    before = pid_of(store)
    k8s.rotate(account)
    k8s.server.access.revoke(old)
    assert store.read(cluster.CURRENT).version == ""
    assert pid_of(store) == before, "a file in a folder that it may read needs no other process"


def test_outside_of_a_pod_that_is_said(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigError, match="this is no pod"):
        made("kubernetes", {"auth": {"method": "in-cluster"}})


# -- vault -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def vault(openbao_server: OpenBaoServer, openbao_mount: str) -> Vault:
    return Vault(openbao_server, openbao_mount)


def settings_of(vault: Vault, **auth: Any) -> dict[str, Any]:
    return {"address": vault.server.address, "mount": vault.mount, "auth": auth}


def test_vault_by_an_agent_s_file_which_is_replaced(vault: Vault, made: Made, tmp_path: Path) -> None:
    file = tmp_path / "token"
    first = vault.token(least(vault))
    file.write_text(first)
    store = made("vault", settings_of(vault, method="token_file", path=str(file)), of_file)
    use_everything(store)
    vault.server.request("POST", "auth/token/revoke", {"token": first})
    replace(file, vault.token(least(vault)))
    assert store.read(CURRENT).fields is None


def test_vault_by_a_role(vault: Vault, made: Made) -> None:
    with approle(vault, least(vault)) as role:
        auth = {"method": "approle", "role_id": role.role_id(), "secret_id": "env:SECRET_ID", "mount": role.mount}
        use_everything(made("vault", settings_of(vault, **auth), lambda _: role.secret_id()))


def test_what_a_store_tells_beside_its_port_is_told_by_a_child(vault: Vault, made: Made) -> None:
    dying = vault.token(least(vault), ttl="30h", renewable=False)
    store = made("vault", settings_of(vault, method="token", token="env:T"), lambda _: dying)
    assert isinstance(store, TellsLeastPolicy)
    assert isinstance(store, TellsWorthKnowing)
    assert store.least_policy([PUBLISHED.ref]) == least(vault)
    (told,) = store.worth_knowing([PUBLISHED])
    assert "cannot be renewed" in told


def test_a_store_that_tells_less_has_no_such_methods(made: Made) -> None:
    wanted = {"write": {"path": "/{field}", "body": '{"v": "{value}"}'}, "delete": {"path": "/{field}"}}
    metadata = {"path": "/{field}", "version": "/v"}
    settings = {"base_url": "http://127.0.0.1:1", "auth": {"token": "env:T"}, "metadata": metadata, **wanted}
    rest = made("rest", settings)
    assert not isinstance(rest, TellsLeastPolicy)
    gitlab = made("gitlab_ci", {"token": "env:T"})
    assert isinstance(gitlab, TellsLeastPolicy)
    assert not isinstance(gitlab, TellsWorthKnowing)
    assert gitlab.least_policy(["groups/acme"]) == "groups/acme: scope api, Owner of the group\n"


def test_a_reference_that_cannot_be_resolved_is_denied_as_it_is_in_process(vault: Vault, made: Made) -> None:
    def unset(_: str) -> str:
        raise ConfigError("the environment variable T is not set", "export T, or use file:PATH")

    store = made("vault", settings_of(vault, method="token", token="env:T"), unset)
    with pytest.raises(Denied) as denied:
        store.read(CURRENT)
    assert (denied.value.message, denied.value.hint, denied.value.permission) == (
        "the environment variable T is not set",
        "export T, or use file:PATH",
        "read env:T",
    )


# -- aws ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def aws(aws_server: AwsServer) -> Aws:
    return Aws(aws_server)


def works(store: IsolatedStore) -> bool:
    version = store.write(AWS_CURRENT, {"api_key": "one"}, store.read(AWS_CURRENT).version)
    return store.read(AWS_CURRENT).version == version


def in_region(aws: Aws, **auth: Any) -> dict[str, Any]:
    return {"region": REGION, "endpoint_url": aws.server.address, "auth": auth}


def policy(aws: Aws) -> str:
    return aws.store().least_policy(["ai/openai"])


@pytest.mark.stand_in("AWS Secrets Manager")
def test_aws_by_the_variables_of_eks(aws: Aws, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("eyJ-one")
    aws.server.world.web_tokens.update({"eyJ-one": "", "eyJ-two": ""})
    monkeypatch.setenv("AWS_ROLE_ARN", aws.server.role("pod", policy(aws)))
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    store = made("aws", in_region(aws, method="irsa", sts_url=aws.server.address))
    assert works(store)
    del aws.server.world.web_tokens["eyJ-one"]
    aws.server.end_sessions()
    replace(token, "eyJ-two")
    assert works(store)


@pytest.mark.stand_in("AWS Secrets Manager")
def test_aws_by_a_profile_whose_program_runs_in_a_process_and_not_in_a_sandbox(
    aws: Aws, made: Made, tmp_path: Path
) -> None:
    login, file, program = aws.server.user(policy(aws)), tmp_path / "credentials", tmp_path / "program"
    auth = {"method": "profile", "profile": "rotator", "file": str(file)}
    keys = f"aws_access_key_id = {login.key_id}\naws_secret_access_key = {login.secret}\n"
    file.write_text(f"[rotator]\n{keys}")
    assert works(made("aws", in_region(aws, **auth)))
    found = {"Version": 1, "AccessKeyId": login.key_id, "SecretAccessKey": login.secret}
    program.write_text(f"#!/bin/sh\necho '{json.dumps(found)}'\n")
    program.chmod(stat.S_IRWXU)
    replace(file, f"[rotator]\ncredential_process = {program}\n")
    settings = in_region(aws, **auth, credential_process="allowed")
    with pytest.raises(Denied, match="a driver in a sandbox runs none") as denied:
        made("aws", settings).read(AWS_CURRENT)
    assert "isolation: process" in denied.value.hint
    with apart(PROCESS) as processes:
        store = processes.store("aws", settings)
        try:
            assert works(store)
        finally:
            store.stop()


@pytest.mark.stand_in("AWS Secrets Manager")
def test_aws_by_the_metadata_service_of_an_instance(aws: Aws, made: Made) -> None:
    role = aws.server.role("instance", policy(aws))
    with imds.serve(lambda: aws.server.session(role)) as metadata:
        assert works(made("aws", in_region(aws, method="imds", address=metadata.address)))


# -- gcp ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def gcp() -> Iterator[Gcp]:
    with serving("rest") as gcp:
        yield gcp


def in_project(gcp: Gcp, **auth: Any) -> dict[str, Any]:
    return {"project": PROJECT, "endpoint": gcp.address, "auth": auth}


@pytest.mark.stand_in(secret_manager.NAME)
def test_gcp_by_a_metadata_server(gcp: Gcp, made: Made) -> None:
    with token_server(gcp) as tokens:
        tokens.headers = {"Metadata-Flavor": "Google"}
        store = made("gcp", in_project(gcp, method="metadata", host=tokens.address))
        store.write(GCP_CURRENT, {"api_key": "one"}, "")
    assert gcp.both() == ({"api_key": "one"},) * 2


@pytest.mark.stand_in(secret_manager.NAME)
def test_gcp_by_a_federation_whose_server_only_its_file_names(gcp: Gcp, made: Made, tmp_path: Path) -> None:
    with token_server(gcp) as tokens:
        by_name = tokens.address.replace("127.0.0.1", "localhost")
        store = made("gcp", in_project(gcp, **federation(tmp_path, by_name)))
        store.write(GCP_CURRENT, {"api_key": "one"}, "")
        assert [each[0] for each in tokens.asked] == ["POST /v1/token"]


@pytest.mark.stand_in(secret_manager.NAME)
def test_gcp_by_a_service_account_s_key_at_a_reference(gcp: Gcp, made: Made) -> None:
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    gcp.service.accounts.keys[EMAIL] = (public, OWNER)
    store = made("gcp", in_project(gcp, method="adc_file", file="file:/run/sa.json"), lambda _: key_file(key))
    store.write(GCP_CURRENT, {"api_key": "one"}, "")
    assert gcp.both() == ({"api_key": "one"},) * 2


@pytest.mark.stand_in(secret_manager.NAME)
def test_grpc_works_in_a_process_and_is_refused_in_a_sandbox_with_a_hint(made: Made) -> None:
    with serving("grpc") as gcp:
        settings = {**in_project(gcp, method="access_token", token="env:T"), "transport": "grpc"}
        with pytest.raises(ConfigError, match="cannot use gRPC") as refused:
            made("gcp", settings, lambda _: gcp_access.TOKEN)
        assert refused.value.hint == "write transport: rest, or isolation: process"
        with apart(PROCESS) as processes:
            store = processes.store("gcp", settings, lambda _: gcp_access.TOKEN)
            try:
                store.write(GCP_CURRENT, {"api_key": "one"}, "")
            finally:
                store.stop()
        assert gcp.both() == ({"api_key": "one"},) * 2


# -- github ------------------------------------------------------------------------------------------------------------


@pytest.mark.stand_in(github.NAME)
def test_github_by_an_app_whose_claim_is_signed_in_the_child(made: Made) -> None:
    with GithubStandIn() as server:
        key = server.app()
        server.advance(time.time() - server.now.timestamp())
        auth = {"method": "app", "client_id": github.CLIENT, "installation": "77", "private_key": "file:/run/app.pem"}
        store = made("github_actions", {"base_url": server.url, "auth": auth}, lambda _: key)
        server.tick = 1.0
        version = store.write(CI, {"API_KEY": "one"}, "")
        assert store.read(CI).version == version
        assert server.opened("repos/acme/api/actions", "API_KEY") == "one"


# -- what none of them gets --------------------------------------------------------------------------------------------


def test_a_host_that_no_setting_names_is_refused_with_what_to_write(vault: Vault, made: Made) -> None:
    settings = settings_of(vault, method="token", token="env:T")
    store = made("vault", settings, lambda _: vault.server.token, hosts=("vault.elsewhere:8200",))
    with pytest.raises(Transient, match="cannot be reached") as refused:
        store.read(CURRENT)
    assert refused.value.hint
    assert os.environ.get("T") is None
