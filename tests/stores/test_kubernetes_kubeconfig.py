"""Access by kubeconfig: its tokens and certificates, and what is refused because it runs or trusts too much."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from rotator.domain.failures import Denied, Permanent, Transient
from rotator.domain.settings import SettingsError
from rotator.ports import ABSENT
from tests.servers import kubernetes
from tests.servers.kubernetes import KubernetesServer
from tests.stores.cluster import CURRENT, HIDDEN, Cluster, use_everything

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


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def certificate(cluster: Cluster) -> tuple[str, str]:
    """A client certificate of a user who has the least roles, and its key."""
    cluster.server.access.grant("rotator", cluster.least())
    found = cluster.server.authority.sign("rotator")
    cluster.secrets.add(found[1].splitlines()[1])
    return found


def test_a_kubeconfig_with_a_token(cluster: Cluster) -> None:
    use_everything(cluster.configured(cluster.kubeconfig()))


def test_a_kubeconfig_with_a_file_of_a_token_beside_it_which_is_read_each_time(cluster: Cluster) -> None:
    file = cluster.kubeconfig(user={"tokenFile": "token", "token": "an-older-one"})
    old = cluster.rotate(cluster.folder)
    store = cluster.configured(file)
    assert store.read(CURRENT).version == ABSENT
    cluster.rotate(cluster.folder)
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
