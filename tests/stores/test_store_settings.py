"""What is wrong with a store's settings is said in two lines, before anything happens, without what stands there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.stores.file import FileStore
from rotator.adapters.stores.kubernetes import KubernetesStore
from rotator.adapters.stores.vault import VaultStore
from rotator.domain.settings import SettingsError

TIMEOUT = timedelta(seconds=1)
TOKEN = "hvs.CAESIJlU02LQZq"
VAULT: Mapping[str, Any] = {
    "address": "https://vault.internal:8200",
    "mount": "kv",
    "auth": {"method": "token", "token": "file:/run/secrets/token"},
}
KUBERNETES: Mapping[str, Any] = {
    "address": "https://kubernetes.internal:6443",
    "auth": {"method": "token", "token": "file:/run/secrets/token"},
}
APPROLE = {"method": "approle", "role_id": "ed0a642f", "secret_id": "env:SECRET_ID"}


def never(reference: str) -> str:
    raise AssertionError(f"{reference} was read before it was needed")


def refused(driver: type[FileStore | KubernetesStore | VaultStore], settings: Mapping[str, Any]) -> SettingsError:
    with pytest.raises(SettingsError) as refusal:
        driver.from_settings("mine", settings, never, TIMEOUT)
    for line in (refusal.value.message, refusal.value.hint):
        assert line
        assert line.isprintable()
        assert TOKEN not in line
    return refusal.value


@pytest.mark.parametrize(
    ("changed", "message", "hint"),
    [
        ({"adress": "x"}, "'adress' is not known", "did you mean address?"),
        ({"colour": "red"}, "'colour' is not known", "known here: address"),
        ({"address": None}, "address is missing", "add address"),
        ({"address": 8200}, "address is not text", "not a int"),
        ({"address": "  "}, "address is not text", "not an empty one"),
        ({"address": "vault.internal:8200"}, "address is no address", "https://"),
        ({"address": "ftp://vault.internal"}, "address is no address", "https://"),
        ({"address": "https://"}, "address is no address", "https://"),
        ({"address": "https://vault:port"}, "address is no address", "https://"),
        ({"address": f"https://me:{TOKEN}@vault"}, "address is more than an address", "https://"),
        ({"address": "https://vault?x=1"}, "address is more than an address", "https://"),
        ({"address": "http://vault.internal:8200"}, "without encryption", "https://"),
        ({"mount": "../sys"}, "mount is not a path", "team/kv"),
        ({"mount": "/"}, "mount is not a path", "team/kv"),
        ({"private": "a//b"}, "private is not a path", "team/kv"),
        ({"ca": "ca.pem"}, "ca is not an absolute path", "/"),
        ({"ca": "/no/such/ca.pem"}, "no file /no/such/ca.pem", "PEM"),
        ({"auth": None}, "auth is not a table", "method"),
        ({"auth": TOKEN}, "auth is not a table", "method"),
        ({"auth": {}}, "auth.method is missing", "method"),
        ({"auth": {"method": "ldap"}}, "auth.method is none of the known", "token, token_file, approle"),
        ({"auth": {"method": "token"}}, "auth.token is missing", "token"),
        ({"auth": {"method": "token", "token": TOKEN}}, "auth.token is not a reference", "file:PATH"),
        ({"auth": {"method": "token", "tokken": "env:X"}}, "'tokken' is not known", "did you mean token?"),
        ({"auth": {"method": "token", "token": "env:T", "role_id": "x"}}, "auth.role_id does not belong", "token"),
        ({"auth": {**APPROLE, "secret_id": TOKEN}}, "auth.secret_id is not a reference", "file:PATH"),
        ({"auth": {**APPROLE, "token": "env:T"}}, "auth.token does not belong", "role_id"),
    ],
)
def test_a_wrong_setting_of_the_vault_store_is_named_and_never_repeated(
    changed: Mapping[str, Any], message: str, hint: str
) -> None:
    refusal = refused(VaultStore, {**VAULT, **changed})
    assert message in refusal.message
    assert hint in refusal.hint


@pytest.mark.parametrize(
    "settings",
    [
        VAULT,
        {**VAULT, "address": "http://127.0.0.1:8200/"},
        {**VAULT, "address": "http://localhost:8200", "namespace": "team-a", "private": "own/rotator"},
        {**VAULT, "address": "https://proxy.internal/vault", "mount": "/team/kv/"},
        {**VAULT, "auth": APPROLE},
        {**VAULT, "auth": {**APPROLE, "role_id": "file:/run/role", "mount": "ci"}},
    ],
)
def test_settings_of_the_vault_store_are_taken_without_a_request_and_without_reading_a_secret(
    settings: Mapping[str, Any],
) -> None:
    store = VaultStore.from_settings("mine", settings, never, TIMEOUT)
    assert store.capabilities().exact
    assert "secret" not in repr(store).lower()


@pytest.mark.parametrize(
    ("changed", "message", "hint"),
    [
        ({"adress": "x"}, "'adress' is not known", "did you mean address?"),
        ({"address": None}, "address is missing", "add address"),
        ({"address": "kubernetes.internal:6443"}, "address is no address", "https://"),
        ({"address": f"https://me:{TOKEN}@kubernetes"}, "address is more than an address", "https://"),
        ({"address": "http://kubernetes.internal:6443"}, "without encryption", "https://"),
        ({"ca": "ca.pem"}, "ca is not an absolute path", "/"),
        ({"ca": "/no/such/ca.pem"}, "no file /no/such/ca.pem", "PEM"),
        ({"namespace": "Team"}, "namespace is no name", "lower-case"),
        ({"namespace": "team/a"}, "namespace is no name", "lower-case"),
        ({"private_namespace": "te.am"}, "private_namespace is no name", "lower-case"),
        ({"namespace": "rotator"}, "namespace and private_namespace are the same", "no consumer reads"),
        ({"auth": None}, "auth is not a table", "method"),
        ({"auth": TOKEN}, "auth is not a table", "method"),
        ({"auth": {"method": "exec"}}, "auth.method is none of the known", "in-cluster, kubeconfig, token"),
        ({"auth": {"method": "token"}}, "auth.token is missing", "token"),
        ({"auth": {"method": "token", "token": TOKEN}}, "auth.token is not a reference", "file:PATH"),
        ({"auth": {"method": "token", "token": "env:T", "file": "/x"}}, "auth.file does not belong", "token"),
        ({"auth": {"method": "in-cluster"}}, "address does not belong here", "knows its own"),
        ({"address": None, "auth": {"method": "in-cluster"}}, "this is no pod", "kubeconfig or token"),
        (
            {"address": None, "auth": {"method": "in-cluster", "token": "env:T"}},
            "auth.token does not belong",
            "directory",
        ),
        ({"address": None, "auth": {"method": "kubeconfig"}}, "auth.file is missing", "file"),
        ({"address": None, "auth": {"method": "kubeconfig", "file": "k"}}, "auth.file is not an absolute path", "/"),
        ({"address": None, "auth": {"method": "kubeconfig", "file": "/no/such"}}, "/no/such cannot be read", "path"),
    ],
)
def test_a_wrong_setting_of_the_kubernetes_store_is_named_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch, changed: Mapping[str, Any], message: str, hint: str
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    refusal = refused(KubernetesStore, {**KUBERNETES, **changed})
    assert message in refusal.message
    assert hint in refusal.hint


@pytest.mark.parametrize(
    "settings",
    [
        KUBERNETES,
        {**KUBERNETES, "address": "http://127.0.0.1:8001/"},
        {**KUBERNETES, "namespace": "team-a", "private_namespace": "own"},
        {**KUBERNETES, "address": "https://gateway.internal/k8s/clusters/one"},
        {"auth": {"method": "in-cluster"}},
    ],
)
def test_settings_of_the_kubernetes_store_are_taken_without_a_request_and_without_reading_a_secret(
    monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, Any]
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    store = KubernetesStore.from_settings("mine", settings, never, TIMEOUT)
    assert store.capabilities().exact
    assert TOKEN not in repr(store)


def test_the_settings_of_the_file_store(tmp_path: Path) -> None:
    good = {"root": str(tmp_path)}
    assert not FileStore.from_settings("mine", good, never, TIMEOUT).capabilities().exact
    assert "did you mean root?" in refused(FileStore, {"rot": "/x"}).hint
    assert "root is missing" in refused(FileStore, {}).message
    assert "absolute" in refused(FileStore, {"root": "secrets"}).message
    assert "none of the known" in refused(FileStore, {**good, "format": "yaml"}).message
    assert "not text" in refused(FileStore, {**good, "format": ["json"]}).message


def test_a_root_that_is_not_there_or_no_directory_or_open_to_everybody_is_refused(tmp_path: Path) -> None:
    assert "is not there" in refused(FileStore, {"root": str(tmp_path / "nowhere")}).message
    (tmp_path / "file").touch()
    assert "something else than expected" in refused(FileStore, {"root": str(tmp_path / "file")}).message
    tmp_path.chmod(0o1777)
    refusal = refused(FileStore, {"root": str(tmp_path)})
    assert "may be written by everybody" in refusal.message
    assert refusal.hint == f"chmod o-w {tmp_path}"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
