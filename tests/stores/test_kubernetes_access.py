"""The kubernetes store's access: tokens, roles, certificates, kubeconfigs; what is missing is named, never shown."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.adapters.clients.kubernetes.access import in_cluster
from rotator.adapters.stores.kubernetes import KubernetesStore
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Denied, Permanent, Transient
from rotator.domain.settings import Settings, SettingsError
from rotator.ports import ABSENT, Store
from tests.servers import kubernetes
from tests.servers.kubernetes import KubernetesServer
from tests.servers.kubernetes.authority import Authority
from tests.servers.kubernetes.server import Sent
from tests.stores.cluster import CURRENT, HIDDEN, PENDING, REF, TIMEOUT, Cluster, every_call, never, use_everything

pytestmark = pytest.mark.stand_in(kubernetes.NAME)


@pytest.fixture
def cluster(kubernetes_server: KubernetesServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Cluster]:
    """A fresh cluster; afterwards nothing that was logged, at whatever level, shows a secret."""
    cluster = Cluster(kubernetes_server, tmp_path, {HIDDEN, kubernetes_server.admin})
    with caplog.at_level(logging.DEBUG):
        yield cluster
    # Not `caplog.text`, which is empty by now.
    logged = "".join(f"{each.getMessage()} {vars(each)}" for each in caplog.get_records("call"))
    assert [secret for secret in cluster.secrets if secret in logged] == []


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_wrong_token_is_denied_and_its_reference_named(cluster: Cluster) -> None:
    for act in every_call(cluster.store("wrong-token-0123")):
        denied = cluster.failing(Denied, act)
        assert "refuses our token" in denied.message
        assert denied.hint == "put a valid token at file:/run/token"


def test_a_token_that_was_replaced_at_its_reference_is_picked_up(cluster: Cluster) -> None:
    policy = cluster.store().least_policy([REF])
    tokens = [cluster.server.access.token(policy)]
    store = cluster.store(lambda: tokens[-1])
    version = store.write(CURRENT, {"API_KEY": "one"}, ABSENT)
    cluster.server.access.revoke(tokens[0])
    before = len(cluster.server.requests)
    cluster.failing(Denied, lambda: store.read(CURRENT))
    assert len(cluster.server.requests) - before == 1  # the same token is not tried twice
    tokens.append(cluster.server.access.token(policy))
    store.write(CURRENT, {"API_KEY": "two"}, version)
    assert cluster.texts() == {"API_KEY": "two"}


@pytest.mark.parametrize("token", ["two words", "a\r\nX-Injected: b", "ключ"])
def test_what_no_header_can_hold_is_no_token(cluster: Cluster, token: str) -> None:
    denied = cluster.failing(Denied, lambda: cluster.store(token).read(CURRENT))
    assert denied.message == "file:/run/token holds no token"
    assert cluster.server.requests == []


class Unresolvable(Exception):
    """What a resolver raises that has errors of its own."""

    message, hint = "the environment variable TOKEN is not set", "export TOKEN"


def test_a_reference_that_cannot_be_read_is_denied_before_any_request(cluster: Cluster) -> None:
    def unresolvable() -> str:
        raise Unresolvable

    def broken() -> str:
        raise RuntimeError(HIDDEN)

    assert cluster.failing(Denied, lambda: cluster.store(unresolvable).read(CURRENT)).hint == "export TOKEN"
    assert "RuntimeError" in cluster.failing(Denied, lambda: cluster.store(broken).read(CURRENT)).message
    assert "is empty" in cluster.failing(Denied, lambda: cluster.store(lambda: "\n").read(CURRENT)).message
    assert cluster.server.requests == []


# -- roles -------------------------------------------------------------------------------------------------------------


def test_the_least_roles_suffice(cluster: Cluster) -> None:
    use_everything(cluster.restricted(cluster.least()))


def test_the_least_roles_let_nothing_else_be_read_or_changed(cluster: Cluster) -> None:
    for ref in ("team/other", "default/app", "rotator/theirs"):
        cluster.server.put_secret(*ref.split("/"), stringData={"API_KEY": "theirs"})
    store = cluster.restricted(cluster.least())
    for ref in ("team/other", "default/app"):
        place = Place(ref=ref, kind=PlaceKind.CURRENT, fields=("API_KEY",))
        denied = cluster.failing(Denied, lambda: store.read(place))  # noqa: B023
        assert isinstance(denied, Denied)
        assert denied.permission == "get secrets/{1} in namespace {0}".format(*ref.split("/"))
    for verbs, namespace in (
        ("list watch update deletecollection", "team"),
        ("update watch deletecollection", "rotator"),
    ):
        for verb in verbs.split():
            assert not granted(cluster.least(), verb, namespace)
    resources = {
        each for role in yaml.safe_load_all(cluster.least()) for rule in role["rules"] for each in rule["resources"]
    }
    assert resources == {"secrets"}


def granted(roles: str, verb: str, namespace: str) -> bool:
    return any(
        verb in rule["verbs"] or "*" in rule["verbs"]
        for role in yaml.safe_load_all(roles)
        if role["metadata"]["namespace"] == namespace
        for rule in role["rules"]
    )


def change(store: Store) -> None:
    store.write(CURRENT, {"API_KEY": HIDDEN}, store.read(CURRENT).version)


def hide(store: Store, version: str) -> None:
    store.write(PENDING, {"value.secret": HIDDEN}, version)


def drop(store: Store, place: Place) -> None:
    store.remove(place, store.read(place).version)


EVERY_GRANT = [
    ("team", "get", "get secrets/app in namespace team", lambda store: store.read(CURRENT)),
    ("team", "create", "create secrets in namespace team", lambda store: store.write(CURRENT, {"API_KEY": HIDDEN}, "")),
    ("team", "patch", "patch secrets/app in namespace team", change),
    ("team", "delete", "delete secrets/app in namespace team", lambda store: drop(store, CURRENT)),
    ("rotator", "get", "get secrets/rotator-pending-", lambda store: store.read(PENDING)),
    ("rotator", "create", "create secrets in namespace rotator", lambda store: hide(store, "")),
    ("rotator", "patch", "patch secrets/rotator-pending-", lambda store: hide(store, store.read(PENDING).version)),
    ("rotator", "delete", "delete secrets/rotator-pending-", lambda store: drop(store, PENDING)),
    ("rotator", "list", "list secrets in namespace rotator", lambda store: store.places(REF)),
]


@pytest.mark.parametrize(("namespace", "verb", "permission", "act"), EVERY_GRANT)
def test_a_verb_that_is_missing_is_named_with_its_secret_and_nothing_changes(
    cluster: Cluster, namespace: str, verb: str, permission: str, act: Callable[[Store], object]
) -> None:
    roles = list(yaml.safe_load_all(cluster.least()))
    taken = 0
    for role in roles:
        for rule in role["rules"]:
            if role["metadata"]["namespace"] == namespace and verb in rule["verbs"]:
                rule["verbs"].remove(verb)
                taken += 1
    assert taken == 1
    if verb != "create":
        cluster.store().write(CURRENT, {"API_KEY": "old"}, ABSENT)
        cluster.store().write(PENDING, {"value.secret": "old"}, ABSENT)
    store = cluster.restricted(yaml.safe_dump_all(roles))
    denied = cluster.failing(Denied, lambda: act(store))
    assert isinstance(denied, Denied)
    assert denied.permission.startswith(permission)
    assert denied.permission in denied.message
    assert f"kubectl auth can-i {verb} secrets" in denied.hint
    assert cluster.texts() == (None if verb == "create" else {"API_KEY": "old"})
    pending = cluster.store().read(PENDING).fields
    assert pending == (None if verb == "create" else {"value.secret": "old"})


def test_every_verb_of_the_least_roles_was_taken_away_once(cluster: Cluster) -> None:
    printed = [
        (role["metadata"]["namespace"], verb)
        for role in yaml.safe_load_all(cluster.least())
        for rule in role["rules"]
        for verb in rule["verbs"]
    ]
    assert sorted(printed) == sorted((namespace, verb) for namespace, verb, _, _ in EVERY_GRANT)


def test_where_the_secret_exists_the_roles_suffice_without_making_and_deleting(cluster: Cluster) -> None:
    cluster.server.put_secret("team", "app", stringData={"THEIRS": "x"})
    roles = list(yaml.safe_load_all(cluster.least()))
    roles[0]["rules"] = roles[0]["rules"][:1]
    assert roles[0]["rules"][0]["verbs"] == ["get", "patch"]
    store = cluster.restricted(yaml.safe_dump_all(roles))
    version = store.write(CURRENT, {"API_KEY": "one"}, store.read(CURRENT).version)
    store.remove(CURRENT, store.write(CURRENT, {"API_KEY": "two"}, version))
    assert cluster.texts() == {"THEIRS": "x"}


def test_the_roles_name_every_secret_as_text_and_each_namespace_once(cluster: Cluster) -> None:
    store = cluster.store(namespace="8080", private_namespace="own")
    roles = list(yaml.safe_load_all(store.least_policy(["no", "team/1e3", "8080/8080", "team/app"])))
    assert [role["metadata"]["namespace"] for role in roles] == ["8080", "team", "own"]
    assert [role["rules"][0].get("resourceNames") for role in roles] == [["8080", "no"], ["1e3", "app"], None]


# -- in a cluster ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pod(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that the kubelet would fill, of an account with the least roles."""
    host, _, port = cluster.server.address.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    directory = tmp_path / "serviceaccount"
    directory.mkdir()
    (directory / "ca.crt").write_bytes(cluster.server.authority.ca.read_bytes())
    cluster.rotate(directory)
    return directory


def of_pod(directory: Path) -> KubernetesStore:
    auth = {"method": "in-cluster", "directory": str(directory)}
    return KubernetesStore.from_settings("k8s", {"auth": auth}, never, TIMEOUT)


def test_a_pod_uses_its_service_account(pod: Path) -> None:
    use_everything(of_pod(pod))


def test_a_token_that_the_kubelet_replaced_is_used_without_a_refusal(cluster: Cluster, pod: Path) -> None:
    store = of_pod(pod)
    store.read(CURRENT)
    old = (pod / "token").read_text().strip()
    cluster.rotate(pod)
    cluster.server.access.revoke(old)
    before = len(cluster.server.requests)
    store.read(CURRENT)
    assert len(cluster.server.requests) - before == 1


def test_a_token_that_is_replaced_while_it_is_refused_is_tried_again_once(
    cluster: Cluster, pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, old, check = of_pod(pod), (pod / "token").read_text().strip(), cluster.server.access.user_of

    def replacing(authorization: str, certificate: str | None) -> str:
        if old in authorization:
            cluster.rotate(pod)
            cluster.server.access.revoke(old)
        return check(authorization, certificate)

    monkeypatch.setattr(cluster.server.access, "user_of", replacing)
    store.write(CURRENT, {"API_KEY": "one"}, ABSENT)
    assert [each.method for each in cluster.server.requests] == ["POST", "POST"]
    assert cluster.texts() == {"API_KEY": "one"}


def test_an_expired_token_of_the_service_account_is_denied(cluster: Cluster, pod: Path) -> None:
    cluster.server.access.revoke((pod / "token").read_text().strip())
    denied = cluster.failing(Denied, lambda: of_pod(pod).read(CURRENT))
    assert "service account" in denied.message
    assert str(pod / "token") in denied.hint


def test_an_authority_that_was_replaced_is_trusted_from_then_on_and_the_old_one_no_more(
    cluster: Cluster, pod: Path, tmp_path: Path
) -> None:
    store, trusted = of_pod(pod), (pod / "ca.crt").read_text()
    (tmp_path / "other").mkdir()
    (pod / "ca.crt").write_text(Authority(tmp_path / "other").ca.read_text())
    assert "not trusted" in cluster.failing(Transient, lambda: store.read(CURRENT)).message
    (pod / "ca.crt").write_text(trusted)
    assert store.read(CURRENT).version == ABSENT


@pytest.mark.parametrize("name", ["token", "ca.crt"])
def test_a_file_of_the_service_account_that_is_missing_is_named(cluster: Cluster, pod: Path, name: str) -> None:
    store = of_pod(pod)
    (pod / name).unlink()
    assert str(pod / name) in cluster.failing(Denied, lambda: store.read(CURRENT)).message
    (pod / name).write_bytes(b"\xff\xfe")
    assert f"{pod / name} is no text" in cluster.failing(Denied, lambda: store.read(CURRENT)).message
    (pod / name).touch()
    assert cluster.server.requests == []


def test_the_address_of_the_cluster_may_be_of_the_sixth_version() -> None:
    settings = Settings({"method": "in-cluster"}, ("method", "directory"))
    auth = in_cluster(settings, {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"})
    assert auth._address == "https://[fd00::1]:6443"
    with pytest.raises(SettingsError, match="this is no pod"):
        in_cluster(settings, {})


# -- the way there -----------------------------------------------------------------------------------------------------


def test_only_a_certificate_of_the_configured_authority_is_trusted(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other").ca
    for settings in ({"ca": str(other)}, {"ca": None}):
        failure = cluster.failing(Transient, lambda: cluster.store(**settings).read(CURRENT))  # noqa: B023
        assert "certificate that is not trusted" in failure.message
    assert cluster.server.requests == []
    broken = tmp_path / "broken.crt"
    broken.write_text("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
    failure = cluster.failing(Permanent, lambda: cluster.store(ca=str(broken)).read(CURRENT))
    assert "the certificate authority" in failure.message


def test_an_address_may_have_a_path(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, asked = cluster.server.answer, list[str]()

    def behind_a_gateway(sent: Sent) -> tuple[int, dict[str, Any]]:
        asked.append(sent.target)
        assert sent.target.startswith("/k8s/clusters/one/api/v1/")
        return answer(
            Sent(
                method=sent.method,
                target=sent.target.removeprefix("/k8s/clusters/one"),
                headers=sent.headers,
                content=sent.content,
                certificate=None,
            )
        )

    monkeypatch.setattr(cluster.server, "answer", behind_a_gateway)
    use_everything(cluster.store(address=f"{cluster.server.address}/k8s/clusters/one/"))
    assert len(asked) > 5


@pytest.fixture
def misleading_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "KUBERNETES_MASTER"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("KUBECONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.2")
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "session-keys"))
    monkeypatch.setenv("NO_PROXY", "")


@pytest.mark.usefixtures("misleading_environment")
def test_the_environment_changes_nothing_and_gets_no_session_keys(cluster: Cluster, tmp_path: Path) -> None:
    use_everything(cluster.store())
    use_everything(cluster.configured(cluster.kubeconfig()))
    assert not (tmp_path / "session-keys").exists()


def test_a_store_that_is_not_used_imports_no_client() -> None:
    lines = (
        "import sys",
        "from datetime import timedelta",
        "from rotator.adapters.stores.kubernetes import KubernetesStore",
        "settings = {'address': 'https://k', 'auth': {'method': 'token', 'token': 'env:T'}}",
        "KubernetesStore.from_settings('k', settings, str, timedelta(seconds=1)).capabilities()",
        "print([name for name in ('kubernetes', 'urllib3', 'yaml') if name in sys.modules])",
    )
    found = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_no_thread_is_left_behind(kubernetes_server: KubernetesServer, tmp_path: Path) -> None:
    names = {each.name for each in threading.enumerate()}
    Cluster(kubernetes_server, tmp_path).store(timeout=timedelta(seconds=5)).read(CURRENT)
    others = {each.name for each in threading.enumerate()} - names
    assert all("process_request_thread" in name for name in others)  # the stand-in's own, one a connection
