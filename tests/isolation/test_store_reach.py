"""What each store says that it needs of the world, by its settings: that and nothing else it gets in a child."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.isolation import egress
from rotator.adapters.isolation.egress import Hosts, Refused
from rotator.adapters.isolation.granted import only, texts, texts_behind
from rotator.adapters.isolation.questions import NotResolved
from rotator.adapters.stores.aws.access import Access
from rotator.adapters.stores.aws.settings import public_address
from rotator.adapters.stores.aws.wire import Wire
from rotator.child.serving import reach as reach_of
from rotator.domain.reach import Reach
from rotator.domain.settings import SettingsError
from tests.isolation.stores_apart import entry_of

POD = "/var/run/secrets/kubernetes.io/serviceaccount"
ROLE = "arn:aws:iam::111122223333:role/rotator"


def reach(driver: str, settings: Mapping[str, Any]) -> Reach:
    entry = entry_of(driver)
    return reach_of(f"{entry.module}:{entry.attr}", settings)


# -- one host and its references ---------------------------------------------------------------------------------------

TOKEN = {"auth": {"method": "token", "token": "file:/run/t"}}


@pytest.mark.parametrize(
    ("driver", "settings", "host"),
    [
        ("github_actions", TOKEN, "api.github.com:443"),
        ("github_actions", {**TOKEN, "base_url": "https://github.acme.example/api/v3"}, "github.acme.example:443"),
        ("gitlab_ci", {"token": "file:/run/t"}, "gitlab.com:443"),
        ("gitlab_ci", {"token": "file:/run/t", "base_url": "https://git.acme:8443/api/v4"}, "git.acme:8443"),
        ("rest", {"base_url": "https://circleci.com/api/v2"}, "circleci.com:443"),
        ("vault", {**TOKEN, "address": "https://vault.internal:8200"}, "vault.internal:8200"),
        ("vault", {**TOKEN, "address": "http://[::1]:8200"}, "[::1]:8200"),
        ("kubernetes", {**TOKEN, "address": "https://kubernetes.internal:6443"}, "kubernetes.internal:6443"),
    ],
)
def test_a_store_with_an_address_needs_that_host_alone(driver: str, settings: Mapping[str, Any], host: str) -> None:
    assert reach(driver, settings) == Reach(hosts=(host,))


@pytest.mark.parametrize("driver", ["vault", "kubernetes"])
def test_an_authority_is_a_file_to_read(driver: str, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    settings = {**TOKEN, "address": "https://a.internal", "ca": str(ca)}
    with pytest.raises(SettingsError, match="there is no file"):
        reach(driver, settings)
    ca.touch()
    assert reach(driver, settings) == Reach(hosts=("a.internal:443",), paths=(str(ca),))


@pytest.mark.parametrize(
    ("auth", "paths"),
    [
        ({"method": "token_file", "path": "/run/vault/token"}, ("/run/vault/token",)),
        ({"method": "kubernetes", "role": "r"}, (POD,)),
        ({"method": "kubernetes", "role": "r", "jwt": "file:/run/jwt"}, ()),
        ({"method": "jwt", "role": "r", "jwt": "file:/run/jwt"}, ()),
        ({"method": "approle", "role_id": "r", "secret_id": "file:/run/s"}, ()),
        ({"method": "approle", "role_id": "r", "secret_id": {"wrapped": "file:/run/w"}}, ()),
    ],
)
def test_vault_reads_the_file_of_an_agent_and_of_a_pod_and_nothing_that_is_a_reference(
    auth: Mapping[str, Any], paths: tuple[str, ...]
) -> None:
    settings = {"address": "https://vault.internal:8200", "auth": auth}
    assert reach("vault", settings) == Reach(hosts=("vault.internal:8200",), paths=paths)


# -- kubernetes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("host", "wanted"), [("10.96.0.1", "10.96.0.1:6443"), ("fd00::1", "[fd00::1]:6443")])
def test_a_pod_asks_for_its_variables_first_and_then_knows_its_server(
    host: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
    for name in variables:
        monkeypatch.delenv(name, raising=False)
    settings = {"auth": {"method": "in-cluster"}}
    assert reach("kubernetes", settings) == Reach(paths=(POD,), variables=variables)
    monkeypatch.setenv(variables[0], host)
    monkeypatch.setenv(variables[1], "6443")
    found = reach("kubernetes", settings)
    assert found == Reach(hosts=(wanted,), paths=(POD,), variables=variables)
    elsewhere = {"auth": {"method": "in-cluster", "directory": "/run/account"}}
    assert reach("kubernetes", elsewhere).paths == ("/run/account",)


def test_a_kubeconfig_names_its_server_and_its_files_when_it_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    settings = {"auth": {"method": "kubeconfig", "file": str(file)}}
    assert reach("kubernetes", settings) == Reach(paths=(str(file),))
    cluster = {"server": "https://kubernetes.internal:6443", "certificate-authority": "ca.crt"}
    user: dict[str, Any] = {
        "client-certificate": "/etc/c.crt",
        "client-key": "/etc/c.key",
        "client-key-data": "a2V5",
        "tokenFile": "t",
    }
    document: dict[str, Any] = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file.write_text(json.dumps(document))
    named = (str(tmp_path / "ca.crt"), "/etc/c.crt", str(tmp_path / "t"))
    found = reach("kubernetes", settings)
    assert found == Reach(hosts=("kubernetes.internal:6443",), paths=(str(file), *named))
    (host,) = Hosts.of((), found.hosts).named(texts_behind(found)).hosts
    assert host.listed, "whoever wrote the kubeconfig named its server, which may have a private address"
    user["exec"] = {"command": "aws"}
    file.write_text(json.dumps(document))
    assert reach("kubernetes", settings) == Reach(paths=(str(file),)), "what is refused of it is said when it is made"


# -- aws ---------------------------------------------------------------------------------------------------------------

SECRETS, STS = "secretsmanager.eu-west-1.amazonaws.com:443", "sts.eu-west-1.amazonaws.com:443"
STATIC = {"method": "static", "access_key_id": "AKIA", "secret_access_key": "file:/run/k"}
IRSA = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
AWS: Mapping[str, tuple[Mapping[str, Any], Reach]] = {
    "static": (STATIC, Reach(hosts=(SECRETS,))),
    "imds": ({"method": "imds"}, Reach(hosts=(SECRETS, "169.254.169.254:80"))),
    "imds elsewhere": (
        {"method": "imds", "address": "http://127.0.0.1:1338"},
        Reach(hosts=(SECRETS, "127.0.0.1:1338")),
    ),
    "irsa": ({"method": "irsa"}, Reach(hosts=(SECRETS, STS), variables=IRSA)),
    "irsa with a file": (
        {"method": "irsa", "role_arn": ROLE, "token_file": "/run/eks/token"},
        Reach(hosts=(SECRETS, STS), paths=("/run/eks/token",), variables=IRSA),
    ),
    "irsa by another STS": (
        {"method": "irsa", "sts_url": "https://sts.amazonaws.com"},
        Reach(hosts=(SECRETS, "sts.amazonaws.com:443"), variables=IRSA),
    ),
    "profile": (
        {"method": "profile", "profile": "p", "file": "/etc/aws"},
        Reach(hosts=(SECRETS,), paths=("/etc/aws",), variables=("HOME",)),
    ),
    "profile at home": (
        {"method": "profile", "profile": "p"},
        Reach(hosts=(SECRETS,), paths=("/home/us/.aws/credentials",), variables=("HOME",)),
    ),
    "role": ({"method": "role", "role_arn": ROLE, "source": STATIC}, Reach(hosts=(SECRETS, STS))),
    "role of an instance": (
        {"method": "role", "role_arn": ROLE, "source": {"method": "imds"}},
        Reach(hosts=(SECRETS, STS, "169.254.169.254:80")),
    ),
}


@pytest.mark.parametrize("name", AWS)
def test_the_aws_store_needs_its_region_and_what_its_method_opens(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    auth, wanted = AWS[name]
    for variable in IRSA:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/home/us")
    assert reach("aws", {"region": "eu-west-1", "auth": auth}) == wanted


def test_the_variable_of_eks_names_the_file_once_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IRSA[1], "/var/run/secrets/eks.amazonaws.com/serviceaccount/token")
    found = reach("aws", {"region": "eu-west-1", "auth": {"method": "irsa"}})
    assert found.paths == ("/var/run/secrets/eks.amazonaws.com/serviceaccount/token",)


def test_an_endpoint_of_one_s_own_replaces_that_of_the_region() -> None:
    endpoint = "https://vpce-1.secretsmanager.eu-west-1.vpce.amazonaws.com"
    found = reach("aws", {"region": "eu-west-1", "endpoint_url": endpoint, "auth": STATIC})
    assert found == Reach(hosts=("vpce-1.secretsmanager.eu-west-1.vpce.amazonaws.com:443",))


@pytest.mark.parametrize(
    "region",
    [
        "eu-west-1", "us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1", "us-iso-east-1", "us-isob-east-1",
        "eu-isoe-west-1", "us-isof-south-1",
    ],
)  # fmt: skip
def test_the_hosts_of_a_region_are_those_that_botocore_asks(region: str) -> None:
    wire = Wire(region, None)
    nobody = Access(None).signing()  # type: ignore[arg-type] # nothing is signed here
    assert wire.client("secretsmanager", None, nobody).meta.endpoint_url == public_address("secretsmanager", region)
    assert wire.client("sts", None, None).meta.endpoint_url == public_address("sts", region)


# -- gcp ---------------------------------------------------------------------------------------------------------------

GCP = "secretmanager.googleapis.com:443"


@pytest.mark.parametrize(
    ("auth", "wanted"),
    [
        ({"method": "access_token", "token": "file:/run/t"}, Reach(hosts=(GCP,))),
        ({"method": "adc_file", "file": "file:/run/sa.json"}, Reach(hosts=(GCP, "oauth2.googleapis.com:443"))),
        ({"method": "metadata"}, Reach(hosts=(GCP, "169.254.169.254:80", "169.254.169.254/32"))),
        (
            {"method": "metadata", "host": "metadata.google.internal"},
            Reach(hosts=(GCP, "metadata.google.internal:80", "169.254.169.254/32")),
        ),
    ],
)
def test_the_gcp_store_needs_its_endpoint_and_where_tokens_come_from(auth: Mapping[str, Any], wanted: Reach) -> None:
    assert reach("gcp", {"project": "acme-prod", "auth": auth}) == wanted


def test_a_location_and_an_endpoint_are_other_hosts() -> None:
    settings = {"project": "acme-prod", "auth": {"method": "access_token", "token": "file:/run/t"}}
    assert reach("gcp", {**settings, "location": "europe-west3"}).hosts == (
        "secretmanager.europe-west3.rep.googleapis.com:443",
    )
    assert reach("gcp", {**settings, "endpoint": "https://proxy.internal:8443"}).hosts == ("proxy.internal:8443",)


def test_a_federation_names_its_hosts_and_its_subject_s_file_when_its_file_can_be_read(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    settings = {"project": "acme-prod", "auth": {"method": "workload_identity_federation", "config": str(config)}}
    assert reach("gcp", settings) == Reach(hosts=(GCP,), paths=(str(config),))
    document: dict[str, Any] = {
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/x:generateAccessToken",
        "credential_source": {"file": "/run/subject"},
    }
    config.write_text(json.dumps(document))
    hosts = (GCP, "sts.googleapis.com:443", "iamcredentials.googleapis.com:443")
    assert reach("gcp", settings) == Reach(hosts=hosts, paths=(str(config), "/run/subject"))
    document["credential_source"] = {"url": "http://169.254.169.254/metadata/identity"}
    config.write_text(json.dumps(document))
    assert reach("gcp", settings) == Reach(hosts=(*hosts, "169.254.169.254:80"), paths=(str(config),))


# -- what it is given of that ------------------------------------------------------------------------------------------


def test_the_name_of_a_metadata_server_leads_to_its_address_for_a_driver_of_ours_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connected: list[tuple[str, int]] = []

    def resolve(name: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", port))]

    def connect(address: tuple[str, int], _: object) -> socket.socket:
        connected.append(address)
        return socket.socket()

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    hosts = reach("gcp", {"project": "p", "auth": {"method": "metadata", "host": "metadata.google.internal"}}).hosts
    Hosts.of((), hosts, ours=True).connect("metadata.google.internal", 80, 1).close()
    assert connected == [("169.254.169.254", 80)]
    with pytest.raises(Refused, match=r"list 169\.254\.169\.254 in hosts"):
        Hosts.of((), ("metadata.google.internal:80",), ours=True).connect("metadata.google.internal", 80, 1)
    with pytest.raises(egress.NotAHost):
        Hosts.of((), hosts)  # a stranger's driver lists no network
    listed = Hosts.of(("metadata.google.internal:80",), hosts, ours=True)
    with pytest.raises(Refused, match=r"list 169\.254\.169\.254 in hosts"):
        listed.connect("metadata.google.internal", 80, 1)  # the operator's hosts replace all of the driver's


def test_a_driver_is_told_what_its_settings_name_and_files_that_it_may_read() -> None:
    settings = {"auth": {"token": "file:/run/t", "secret_id": {"wrapped": "env:WRAPPED"}}}
    told = only(str, settings, Reach(paths=(POD, "/run/agent/token")))
    for reference in ("file:/run/t", "env:WRAPPED", f"file:{POD}/token", "file:/run/agent/token"):
        assert told(reference) == reference
    for reference in (
        "file:/etc/shadow", "env:HOME", f"env:{POD}", f"file:{POD}/../../x", f"file:{POD}2/token", "file:/run/agent",
    ):  # fmt: skip
        with pytest.raises(NotResolved):
            told(reference)


def test_the_texts_of_settings_and_of_what_was_granted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(texts({"a": ["x", {"b": "y"}], "c": 3})) == ["x", "y"]
    (tmp_path / "text").write_text("server: https://a.internal")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("THE_HOST", "10.0.0.1")
    paths = tuple(str(tmp_path / each) for each in ("text", "binary", "missing", ""))
    assert "NOT_THERE" not in os.environ
    found = list(texts_behind(Reach(paths=paths, variables=("THE_HOST", "NOT_THERE"))))
    assert found == ["10.0.0.1", "server: https://a.internal"]
