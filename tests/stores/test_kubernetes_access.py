"""The kubernetes store's access: tokens, roles, certificates, kubeconfigs; what is missing is named, never shown."""

from __future__ import annotations

import base64
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
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from rotator.adapters.stores.kubernetes import KubernetesStore
from rotator.adapters.stores.kubernetes.access import in_cluster
from rotator.adapters.stores.settings import Settings, SettingsError
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Denied, Permanent, Transient
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
    assert [secret for secret in cluster.secrets if secret in caplog.text] == []


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
    assert "holds no token" in cluster.failing(Denied, lambda: cluster.store(lambda: "\n").read(CURRENT)).message
    assert cluster.server.requests == []


# -- roles -------------------------------------------------------------------------------------------------------------


def least(cluster: Cluster) -> str:
    return cluster.store().least_policy([REF])


def test_the_least_roles_suffice(cluster: Cluster) -> None:
    use_everything(cluster.restricted(least(cluster)))


def test_the_least_roles_let_nothing_else_be_read_or_changed(cluster: Cluster) -> None:
    for ref in ("team/other", "default/app", "rotator/theirs"):
        cluster.server.put_secret(*ref.split("/"), stringData={"API_KEY": "theirs"})
    store = cluster.restricted(least(cluster))
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
            assert not granted(least(cluster), verb, namespace)
    resources = {
        each for role in yaml.safe_load_all(least(cluster)) for rule in role["rules"] for each in rule["resources"]
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
    roles = list(yaml.safe_load_all(least(cluster)))
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
        for role in yaml.safe_load_all(least(cluster))
        for rule in role["rules"]
        for verb in rule["verbs"]
    ]
    assert sorted(printed) == sorted((namespace, verb) for namespace, verb, _, _ in EVERY_GRANT)


def test_where_the_secret_exists_the_roles_suffice_without_making_and_deleting(cluster: Cluster) -> None:
    cluster.server.put_secret("team", "app", stringData={"THEIRS": "x"})
    roles = list(yaml.safe_load_all(least(cluster)))
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
    rotate(cluster, directory)
    return directory


def rotate(cluster: Cluster, directory: Path) -> str:
    token = cluster.server.access.token(least(cluster))
    cluster.secrets.add(token)
    (directory / "token").write_text(token + "\n")
    return token


def of_pod(directory: Path) -> KubernetesStore:
    auth = {"method": "in-cluster", "directory": str(directory)}
    return KubernetesStore.from_settings("k8s", {"auth": auth}, never, TIMEOUT)


def test_a_pod_uses_its_service_account(pod: Path) -> None:
    use_everything(of_pod(pod))


def test_a_token_that_the_kubelet_replaced_is_used_without_a_refusal(cluster: Cluster, pod: Path) -> None:
    store = of_pod(pod)
    store.read(CURRENT)
    old = (pod / "token").read_text().strip()
    rotate(cluster, pod)
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
            rotate(cluster, pod)
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


# -- kubeconfig --------------------------------------------------------------------------------------------------------


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def certificate(cluster: Cluster) -> tuple[str, str]:
    """A client certificate of a user who has the least roles, and its key."""
    cluster.server.access.grant("rotator", least(cluster))
    found = cluster.server.authority.sign("rotator")
    cluster.secrets.add(found[1].splitlines()[1])
    return found


def test_a_kubeconfig_with_a_token(cluster: Cluster) -> None:
    use_everything(cluster.configured(cluster.kubeconfig()))


def test_a_kubeconfig_with_a_file_of_a_token_beside_it_which_is_read_each_time(cluster: Cluster) -> None:
    file = cluster.kubeconfig(user={"tokenFile": "token", "token": "an-older-one"})
    old = rotate(cluster, cluster.folder)
    store = cluster.configured(file)
    assert store.read(CURRENT).version == ABSENT
    rotate(cluster, cluster.folder)
    cluster.server.access.revoke(old)
    assert store.read(CURRENT).version == ABSENT


def test_a_kubeconfig_with_a_certificate_in_it(cluster: Cluster, certificate: tuple[str, str]) -> None:
    user = {"client-certificate-data": encoded(certificate[0]), "client-key-data": encoded(certificate[1])}
    authority = {"certificate-authority-data": encoded(cluster.server.authority.ca.read_text())}
    file = cluster.kubeconfig(cluster={**authority, "certificate-authority": "/no/such/file"}, user=user)
    use_everything(cluster.configured(file))
    assert {each.certificate for each in cluster.server.requests} == {"rotator"}


def test_a_kubeconfig_with_files_of_a_certificate_beside_it(cluster: Cluster, certificate: tuple[str, str]) -> None:
    for name, text in zip(("client.crt", "client.key"), certificate, strict=True):
        (cluster.folder / name).write_text(text)
    use_everything(
        cluster.configured(cluster.kubeconfig(user={"client-certificate": "client.crt", "client-key": "client.key"}))
    )


def test_a_certificate_of_nobody_is_denied(cluster: Cluster) -> None:
    crt, key = cluster.server.authority.sign("nobody")
    user = {"client-certificate-data": encoded(crt), "client-key-data": encoded(key)}
    denied = cluster.failing(Denied, lambda: cluster.configured(cluster.kubeconfig(user=user)).read(CURRENT))
    assert "refuses our credentials" in denied.message
    assert str(cluster.folder / "kubeconfig") in denied.hint


def test_a_key_that_is_encrypted_is_refused(cluster: Cluster, certificate: tuple[str, str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
    user = {"client-certificate-data": encoded(certificate[0]), "client-key-data": encoded(locked)}
    failure = cluster.failing(Permanent, lambda: cluster.configured(cluster.kubeconfig(user=user)).read(CURRENT))
    assert "client certificate or its key" in failure.message


def test_the_context_is_the_one_that_the_settings_name(cluster: Cluster) -> None:
    nowhere = {"name": "y", "context": {"cluster": "c", "user": "none"}}
    good = {"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "ignored"}}
    file = cluster.kubeconfig(contexts=[nowhere, good], current="y")
    assert cluster.configured(file, context="x").read(CURRENT).version == ABSENT
    with pytest.raises(SettingsError, match="has no user 'none'"):
        cluster.configured(file)
    with pytest.raises(SettingsError, match="has no context 'z'"):
        cluster.configured(file, context="z")


def test_a_certificate_must_have_the_name_that_the_kubeconfig_says(cluster: Cluster, tmp_path: Path) -> None:
    wrong = cluster.configured(cluster.kubeconfig(cluster={"tls-server-name": "kubernetes.default"}))
    assert "not trusted" in cluster.failing(Transient, lambda: wrong.read(CURRENT)).message
    (tmp_path / "named").mkdir()
    with kubernetes.running(tmp_path / "named", host="kubernetes.default") as server:
        named = Cluster(server, tmp_path / "named")
        assert "not trusted" in named.failing(Transient, lambda: named.store().read(CURRENT)).message
        good = named.configured(named.kubeconfig(cluster={"tls-server-name": "kubernetes.default"}))
        assert good.read(CURRENT).version == ABSENT


def test_a_kubeconfig_that_changes_is_read_again(cluster: Cluster) -> None:
    file = cluster.kubeconfig(user={"token": "wrong-token-0123"})
    store = cluster.configured(file)
    cluster.failing(Denied, lambda: store.read(CURRENT))
    cluster.kubeconfig()
    assert store.read(CURRENT).version == ABSENT
    cluster.kubeconfig(user={"exec": {"command": "aws"}})
    assert "exec" in cluster.failing(Permanent, lambda: store.read(CURRENT)).message


RUNS = {"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": ["ran"]}


@pytest.mark.parametrize(
    ("members", "message", "hint"),
    [
        ({"user": {"exec": RUNS, "token": HIDDEN}}, "a user with exec, which is refused", "runs a program"),
        ({"user": {"auth-provider": {"name": "gcp"}}}, "a user with auth-provider", "runs a program"),
        ({"user": {"username": "u", "password": HIDDEN}}, "a user with username", "token or a client certificate"),
        ({"user": {"token": HIDDEN, "as": "admin"}}, "a user with as,", "service account of its own"),
        ({"user": {"token": HIDDEN, "as-groups": ["system:masters"]}}, "a user with as-groups", "service account"),
        ({"user": {}}, "a user without credentials", "token or a client certificate"),
        ({"user": {"token": 7}}, "a token that is no text", "quotes"),
        ({"user": {"token": f"{HIDDEN} x"}}, "holds no token", "bearer token"),
        ({"user": {"tokenFile": "nowhere"}}, "nowhere cannot be read", "permissions"),
        ({"user": {"client-certificate-data": "Zm9v"}}, "client certificate without its key", "both"),
        ({"user": {"client-certificate-data": f"{HIDDEN}!", "client-key-data": "x"}}, "is no PEM in base64", "base64"),
        ({"cluster": {"insecure-skip-tls-verify": True}}, "a cluster with insecure-skip-tls-verify", "authority"),
        ({"cluster": {"proxy-url": "http://127.0.0.1:1"}}, "a cluster with proxy-url", "itself"),
        ({"cluster": {"server": None}}, "server is no address", "https://"),
        ({"cluster": {"server": "http://kubernetes.internal"}}, "without encryption", "https://"),
        ({"cluster": {"server": f"https://u:{HIDDEN}@k"}}, "more than an address", "https://"),
        ({"cluster": {"certificate-authority": "nowhere"}}, "nowhere cannot be read", "permissions"),
        ({"current": None}, "has no current-context", "auth.context"),
        ({"contexts": None}, "has no context 'x'", "get-contexts"),
        ({"clusters": [HIDDEN]}, "has no cluster 'c'", "get-clusters"),
    ],
)
def test_what_a_kubeconfig_may_not_say_is_refused_with_a_hint_and_never_repeated(
    cluster: Cluster, members: dict[str, Any], message: str, hint: str
) -> None:
    file = cluster.kubeconfig(**members)
    with pytest.raises(SettingsError) as refusal:
        cluster.configured(file)
    assert message in refusal.value.message
    assert hint in refusal.value.hint
    assert HIDDEN not in refusal.value.message + refusal.value.hint + repr(refusal.value.__context__)
    assert not (cluster.folder / "ran").exists()
    assert cluster.server.requests == []


def test_a_file_that_is_no_kubeconfig_is_refused_without_showing_it(cluster: Cluster) -> None:
    file = cluster.folder / "kubeconfig"
    for content, message in (
        (f"token: [{HIDDEN}", "is no YAML"),
        (f"!!python/object/apply:os.system ['{HIDDEN}']", "is no YAML"),
        (f"- {HIDDEN}", "is no kubeconfig"),
        ("", "is empty"),
        ("# " + "x" * 1024 * 1024, "is too large"),
    ):
        file.write_text(content)
        with pytest.raises(SettingsError) as refusal:
            cluster.configured(file)
        assert refusal.value.message == f"{file} {message}"
        assert refusal.value.__context__ is None
    file.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        cluster.configured(file)
    cluster.kubeconfig().chmod(0o666)
    with pytest.raises(SettingsError, match="may be written by everybody"):
        cluster.configured(file)


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
