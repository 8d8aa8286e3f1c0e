"""Telling through a cluster goes wrong: whatever the API server says is the failure it means, and shows no secret."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.adapters.consumers import SettingsError
from rotator.domain.consumers import Heard
from rotator.domain.failures import Denied, Failure, Permanent, Transient
from tests.consumers.cluster import HIDDEN, RESOURCES, Cluster
from tests.consumers.news import NEWS, telling
from tests.servers import kubernetes
from tests.servers.kubernetes import Fault, KubernetesServer, Refusal
from tests.servers.kubernetes.authority import Authority
from tests.servers.kubernetes.server import Sent
from tests.servers.proxy import Fault as Lost
from tests.servers.proxy import FaultProxy, Kind

pytestmark = pytest.mark.stand_in(kubernetes.NAME)

WAYS = ["deployment", "external_secret"]
TYPES = {"deployment": "Deployment", "external_secret": "ExternalSecret"}
PERMISSIONS = {
    "deployment": "patch deployments.apps/app in namespace team",
    "external_secret": "patch externalsecrets.external-secrets.io/app in namespace team",
}
MakeProxy = Callable[[str, int], FaultProxy]


@pytest.fixture
def cluster(kubernetes_server: KubernetesServer, caplog: pytest.LogCaptureFixture) -> Iterator[Cluster]:
    """A fresh cluster; afterwards nothing that was logged, at whatever level, shows a secret."""
    cluster = Cluster(kubernetes_server)
    with caplog.at_level(logging.DEBUG):
        yield cluster
    logged = "".join(f"{each.getMessage()} {vars(each)}" for each in caplog.get_records("call"))
    assert [secret for secret in cluster.secrets if secret in logged] == []


# -- permissions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_the_least_role_suffices_for_telling_and_for_looking(cluster: Cluster, way: str) -> None:
    token = cluster.server.access.token(cluster.least(way))
    assert cluster.teller(way, token=token).remarks() == ()
    assert cluster.tell(way, token=token) == Heard("")


@pytest.mark.parametrize("way", WAYS)
def test_the_least_role_is_to_patch_one_object(cluster: Cluster, way: str) -> None:
    resource = RESOURCES[way]
    role = yaml.safe_load(cluster.least(way))
    assert role["metadata"] == {"name": f"rotator-{resource.kind.lower()}-app", "namespace": "team"}
    (rule,) = role["rules"]
    assert rule == {
        "apiGroups": [resource.group],
        "resources": [resource.plural],
        "resourceNames": ["app"],
        "verbs": ["patch"],
    }
    named = yaml.safe_load(cluster.least(way, target="8080/1e3"))
    assert (named["metadata"]["namespace"], named["rules"][0]["resourceNames"]) == ("8080", ["1e3"])


@pytest.mark.parametrize("way", WAYS)
def test_a_grant_that_is_missing_is_named_and_nothing_is_done(cluster: Cluster, way: str) -> None:
    before = cluster.object(way)
    token = cluster.server.access.token(cluster.least(way, target="team/other"))
    denied = cluster.tell(way, token=token)
    assert isinstance(denied, Denied)
    assert denied.permission == PERMISSIONS[way]
    assert denied.message.endswith(f"does not let us {PERMISSIONS[way]}")
    subject = PERMISSIONS[way].split()[1]
    assert f"`kubectl auth can-i patch {subject} --namespace team`" in denied.hint
    with pytest.raises(Denied):
        cluster.teller(way, token=token).remarks()
    assert cluster.object(way) == before


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_token_is_denied_and_its_reference_named(cluster: Cluster, way: str) -> None:
    denied = cluster.tell(way, token="wrong-token-0123")
    assert isinstance(denied, Denied)
    assert denied.hint == "put a valid token at file:/run/token"


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("target", ["team/absent", "nowhere/app"])
def test_one_that_is_not_there_is_named_with_how_to_find_what_is(cluster: Cluster, way: str, target: str) -> None:
    failure = cluster.tell(way, target=target)
    assert isinstance(failure, Permanent)
    assert failure.message == f"there is no {TYPES[way]} {target}"
    assert f"`kubectl get {RESOURCES[way].full_name} --namespace {target.split('/', maxsplit=1)[0]}`" in failure.hint


def refusal(status: int, message: str = "", **details: Any) -> Refusal:
    """A refusal that repeats what it was sent, as a webhook may."""
    return Refusal(status, "", f"{message} {HIDDEN}", details)


WEBHOOK = 'admission webhook "guard.example.com" denied the request: no'


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (refusal(401), Denied, "refuses our token"),
        (refusal(403), Denied, "does not let us patch"),
        (refusal(403, WEBHOOK), Permanent, 'admission webhook "guard.example.com" does not let us patch'),
        (refusal(409), Transient, " team/app was changed by somebody else just now"),
        (refusal(413), Permanent, "with 413"),
        (refusal(415), Permanent, "with 415"),
        (refusal(422, "field is immutable when `immutable` is set"), Permanent, "refuses team/app as invalid"),
        (refusal(422, "Too long: must have at most"), Permanent, "refuses team/app as invalid"),
        (refusal(429), Transient, "limits our rate"),
        (refusal(500), Transient, "answered 500"),
        (refusal(503), Transient, "answered 503"),
        (refusal(404, kind="namespaces"), Permanent, "has no namespace team"),
        (Fault(200, b"<html>Sign in</html>"), Transient, "not kubernetes answered 200"),
        (Fault(200, b'{"kind": "Secret"}'), Transient, "not kubernetes answered for"),
        (Fault(404, b"404 page not found\n"), Transient, "not kubernetes answered 404"),
        (Fault(403, HIDDEN.encode()), Transient, "not kubernetes answered 403"),
        (Fault(302, b"", {"Location": "https://login.example.com/"}), Transient, "sends us elsewhere (302)"),
    ],
)
def test_an_answer_is_the_failure_that_it_means(
    cluster: Cluster, way: str, fault: Fault, kind: type[Failure], message: str
) -> None:
    before = cluster.object(way)

    def refuse(*_: object) -> None:
        raise fault

    with cluster.server.hook(refuse):
        failure = cluster.tell(way)
    assert type(failure) is kind
    assert message in failure.message
    assert "Secret team/app" not in failure.message.replace("ExternalSecret", "")
    assert cluster.object(way) == before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spec", [[], "x", {"updateStrategy": [], "refreshInterval": 7}])
def test_an_object_of_another_form_breaks_nothing(cluster: Cluster, way: str, spec: object) -> None:
    def answer(*_: object) -> None:
        raise Fault(200, json.dumps({"kind": TYPES[way], "metadata": [], "spec": spec}).encode())

    with cluster.server.hook(answer):
        failure = cluster.tell(way)
    assert isinstance(failure, Permanent)
    assert "did not take our annotation" in failure.message


@pytest.mark.parametrize(
    ("fault", "kind"), [(Fault(404, b"404 page not found\n"), Transient), (refusal(404), Permanent)]
)
def test_a_group_that_nobody_installed_is_suspected(cluster: Cluster, fault: Fault, kind: type[Failure]) -> None:
    def absent(*_: object) -> None:
        raise fault

    with cluster.server.hook(absent):
        failure = cluster.tell("external_secret")
    assert isinstance(failure, kind)
    assert "see whether `kubectl api-versions` has external-secrets.io/v1" in failure.hint


def test_a_throttle_says_when_to_come_back(cluster: Cluster) -> None:
    def refuse(*_: object) -> None:
        raise refusal(429, retryAfterSeconds=7)

    with cluster.server.hook(refuse):
        failure = cluster.tell("deployment")
    assert isinstance(failure, Transient)
    assert (failure.throttled, failure.retry_after) == (True, timedelta(seconds=7))


# -- the way there -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.BLACKHOLE, Kind.HANG_RESPONSE])
def test_a_server_that_says_nothing_costs_one_timeout(cluster: Cluster, fault_proxy: MakeProxy, kind: Kind) -> None:
    proxy = fault_proxy("127.0.0.1", int(cluster.server.plain_address.rpartition(":")[2]))
    proxy.inject(Lost(kind=kind, times=None))
    began = time.monotonic()
    failure = cluster.tell("deployment", timeout=0.4, address=f"http://127.0.0.1:{proxy.port}", ca=None)
    assert isinstance(failure, Transient)
    assert "in time" in failure.message
    assert 0.3 < time.monotonic() - began < 20


def test_an_answer_that_was_lost_is_no_second_restart(cluster: Cluster, fault_proxy: MakeProxy) -> None:
    proxy = fault_proxy("127.0.0.1", int(cluster.server.plain_address.rpartition(":")[2]))
    address = f"http://127.0.0.1:{proxy.port}"
    proxy.inject(Lost(kind=Kind.DROP_RESPONSE))
    assert isinstance(cluster.tell("deployment", address=address, ca=None), Transient)
    assert (proxy.fired, cluster.generation()) == (1, 2)
    assert cluster.tell("deployment", address=address, ca=None) == Heard("")
    assert cluster.generation() == 2


def test_only_a_certificate_of_the_configured_authority_is_trusted(cluster: Cluster, tmp_path: Path) -> None:
    failure = cluster.tell("deployment", ca=str(Authority(tmp_path).ca))
    assert isinstance(failure, Transient)
    assert "certificate that is not trusted" in failure.message
    assert cluster.server.requests == []


def test_a_pod_tells_with_its_service_account(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _, port = cluster.server.address.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    (tmp_path / "ca.crt").write_bytes(cluster.server.authority.ca.read_bytes())
    (tmp_path / "token").write_text(cluster.server.access.token(cluster.least("deployment")))
    auth = {"method": "in-cluster", "directory": str(tmp_path)}
    assert cluster.tell("deployment", auth=auth, address=None, ca=None) == Heard("")
    assert cluster.generation() == 2


def test_a_kubeconfig_is_as_good_and_read_again_when_it_changed(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    trusted = {"server": cluster.server.address, "certificate-authority": str(cluster.server.authority.ca)}

    def write(token: str) -> None:
        document = {
            "clusters": [{"name": "c", "cluster": trusted}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        }
        file.write_text(json.dumps(document))

    write("wrong-token-0123")
    auth = {"method": "kubeconfig", "file": str(file), "context": "x"}
    port = telling(web=cluster.reload("deployment", auth=auth, address=None, ca=None))
    assert isinstance(port.tell(["web"], NEWS)["web"], Denied)
    write(cluster.server.admin)
    assert port.tell(["web"], NEWS)["web"] == Heard("")


def test_consumers_of_one_cluster_share_its_connections(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    made, answer = set[int](), cluster.server.answer

    def seen(sent: Sent) -> tuple[int, dict[str, Any]]:
        made.add(threading.get_ident())
        return answer(sent)

    monkeypatch.setattr(cluster.server, "answer", seen)
    names = [f"app-{number}" for number in range(8)]
    port = telling(5.0, cluster.resolving(""), **{name: cluster.reload("deployment") for name in names})
    for name in names:
        port.tell([name], NEWS)
    assert len(made) == 1, "the stand-in has a thread for each connection"


# -- the config --------------------------------------------------------------------------------------------------------

TOKEN = {"method": "token", "token": "file:/run/token"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"deployment": "app"}, "reload.deployment names no Deployment"),
        ({"deployment": "team/"}, "reload.deployment names no Deployment"),
        ({"deployment": "Team/app"}, "reload.deployment names no Deployment"),
        ({"deployment": "team/app/scale"}, "reload.deployment names no Deployment"),
        ({"deployment": "team/../secrets"}, "reload.deployment names no Deployment"),
        ({"deployment": "team/a..b"}, "reload.deployment names no Deployment"),
        ({"deployment": "team/app?dryRun=All"}, "reload.deployment names no Deployment"),
        ({"deployment": "te/am/hunter2"}, "reload.deployment names no Deployment"),
        ({"deployment": "team/app", "kind": "StatefulSet ", "auth": TOKEN}, "reload.kind is none of the known ones"),
        ({"deployment": "team/app", "kind": "CronJob"}, "reload.kind is none of the known ones"),
        ({"deployment": "team/", "kind": "DaemonSet"}, "reload.deployment names no DaemonSet"),
        ({"deployment": "team/app"}, "reload.auth is not a table"),
        ({"deployment": "team/app", "auth": {}}, "reload.auth.method is missing"),
        ({"deployment": "team/app", "auth": {"method": "hunter2"}}, "reload.auth.method is none of the known ones"),
        ({"deployment": "team/app", "auth": {"methd": "token"}}, "reload.auth.'methd' is not known"),
        ({"deployment": "team/app", "auth": TOKEN}, "reload.address is missing"),
        ({"deployment": "team/app", "auth": TOKEN, "address": "http://k.internal"}, "address: 'k.internal' is asked"),
        ({"deployment": "team/app", "auth": TOKEN, "address": "https://k", "ca": "/no"}, "ca: there is no file /no"),
        (
            {"deployment": "team/app", "auth": {**TOKEN, "token": "hunter2"}, "address": "https://k"},
            "reload.auth.token",
        ),
        ({"deployment": "team/app", "auth": {"method": "kubeconfig", "file": "x"}}, "reload.auth.file is not an abs"),
        ({"deployment": "team/app", "auth": {"method": "kubeconfig", "file": "/no"}}, "/no cannot be read"),
        ({"deployment": "team/app", "auth": {"method": "in-cluster"}}, "auth.method is in-cluster, and this is no pod"),
        ({"deployment": "team/app", "auth": TOKEN, "namespace": "team"}, "reload.'namespace' is not known"),
        ({"deployment": "team/app", "external_secret": "team/app"}, "reload names more than one way to tell it"),
        ({"external_secret": "team"}, "reload.external_secret names no ExternalSecret"),
        ({"external_secret": "team/app", "kind": "Deployment"}, "reload.'kind' is not known"),
        ({"external_secret": ["team/app"]}, "reload.external_secret is not text"),
        (
            {"external_secret": "team/app", "auth": TOKEN, "address": "https://k", "timeout": "6s"},
            "reload.timeout is no",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_two_lines_before_anybody_is_told(
    settings: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SettingsError) as caught:
        telling(web=settings)
    assert caught.value.message.startswith(message)
    for line in (caught.value.message, caught.value.hint):
        assert line
        assert line.isprintable()
        assert "hunter2" not in line


def test_one_that_is_not_told_yet_imports_no_client() -> None:
    lines = (
        "import sys",
        "from rotator.adapters.consumers import cluster, deployment, external_secret",
        "print([name for name in ('kubernetes', 'yaml') if name in sys.modules])",
    )
    found = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
