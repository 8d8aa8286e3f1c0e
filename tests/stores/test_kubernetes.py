"""The kubernetes store on Secrets as they come: of others, of types, immutable, binary, large, about to vanish."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Permanent, Transient
from rotator.ports import ABSENT
from tests.servers import kubernetes
from tests.servers.kubernetes import KubernetesServer
from tests.servers.kubernetes.kubectl import Kubectl
from tests.servers.kubernetes.objects import Call, Object
from tests.servers.kubernetes.server import Sent
from tests.stores.cluster import CURRENT, HIDDEN, PENDING, REF, Cluster

pytestmark = pytest.mark.stand_in(kubernetes.NAME)

OWNER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app", "uid": "c0ffee"}
THEIRS: Any = {
    "labels": {"team": "ml", "app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"meta.helm.sh/release-name": "app"},
    "ownerReferences": [OWNER],
}


@pytest.fixture
def cluster(kubernetes_server: KubernetesServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Cluster]:
    """A fresh cluster; afterwards nothing that was logged, at whatever level, shows a secret."""
    cluster = Cluster(kubernetes_server, tmp_path)
    with caplog.at_level(logging.DEBUG):
        yield cluster
    # Not `caplog.text`, which is empty by now.
    logged = "".join(f"{each.getMessage()} {vars(each)}" for each in caplog.get_records("call"))
    assert [secret for secret in cluster.secrets if secret in logged] == []


# -- what belongs to others --------------------------------------------------------------------------------------------


def test_whatever_others_keep_in_a_secret_stays_as_it_is(cluster: Cluster) -> None:
    binary = base64.b64encode(b"\xff\xfe\x00 no text").decode()
    cluster.server.put_secret(
        "team", "app", data={"keystore.p12": binary}, type="example.com/own", metadata={"name": "app", **THEIRS}
    )
    store = cluster.store()
    assert store.read(CURRENT).fields is None
    version = store.write(CURRENT, {"API_KEY": "one"}, store.read(CURRENT).version)
    store.remove(CURRENT, store.write(CURRENT, {"API_KEY": "two"}, version))
    found = cluster.server.secret("team", "app")
    assert found is not None
    assert (found["data"], found["type"]) == ({"keystore.p12": binary}, "example.com/own")
    assert found["metadata"]["labels"] == THEIRS["labels"]
    assert found["metadata"]["ownerReferences"] == THEIRS["ownerReferences"]
    assert found["metadata"]["annotations"].items() >= THEIRS["annotations"].items()


def test_only_our_own_fields_are_sent(cluster: Cluster) -> None:
    cluster.server.put_secret("team", "app", stringData={"THEIRS": "theirs-0123456789"})
    store = cluster.store()
    store.write(CURRENT, {"API_KEY": "one"}, store.read(CURRENT).version)
    sent = b"".join(each.content for each in cluster.server.requests)
    assert b"API_KEY" in sent
    assert b"THEIRS" not in sent


def test_our_fields_are_ours_alone_by_name_of_the_field_manager(cluster: Cluster) -> None:
    cluster.server.put_secret("team", "app", stringData={"THEIRS": "x"})
    store = cluster.store()
    store.write(CURRENT, {"API_KEY": "one"}, store.read(CURRENT).version)
    owned = {each["manager"]: each["fieldsV1"].get("f:data") for each in cluster.metadata()["managedFields"]}
    assert owned == {"somebody": {"f:THEIRS": {}}, "rotator": {"f:API_KEY": {}}}


def test_a_colleague_with_kubectl_keeps_our_field_and_we_keep_theirs(cluster: Cluster, kubectl: Kubectl) -> None:
    config = cluster.kubeconfig()
    apply = ("apply", "--validate=false", "--namespace=team", "-f", "-")
    manifest = 'apiVersion: v1\nkind: Secret\nmetadata: {{name: app}}\nstringData: {{OTHER: "{}"}}\n'
    assert kubectl.run(*apply, kubeconfig=config, stdin=manifest.format("one")).returncode == 0
    store = cluster.store()
    version = store.write(CURRENT, {"API_KEY": "one"}, store.read(CURRENT).version)
    for way in ((), ("--server-side", "--force-conflicts")):
        done = kubectl.run(*apply, *way, kubeconfig=config, stdin=manifest.format(f"two {way}"))
        assert done.returncode == 0, done.stderr
        with pytest.raises(Conflict):
            store.write(CURRENT, {"API_KEY": "two"}, version)
        version = store.write(CURRENT, {"API_KEY": f"two {way}"}, store.read(CURRENT).version)
        assert cluster.texts() == {"OTHER": f"two {way}", "API_KEY": f"two {way}"}
    shown = kubectl.run("get", "secret", "app", "--namespace=team", "-o", "jsonpath={.data.API_KEY}", kubeconfig=config)
    assert base64.b64decode(shown.stdout).decode() == f"two {way}"


def test_an_empty_secret_that_somebody_prepared_is_filled_and_never_deleted(cluster: Cluster) -> None:
    cluster.server.put_secret("team", "app", metadata={"name": "app", **THEIRS})
    store = cluster.store()
    stored = store.read(CURRENT)
    assert (stored.version != ABSENT, stored.fields) == (True, None)
    store.remove(CURRENT, store.write(CURRENT, {"API_KEY": "one"}, stored.version))
    assert cluster.texts() == {}
    assert cluster.metadata()["labels"] == THEIRS["labels"]


def test_a_secret_that_we_made_is_opaque_says_whose_it_is_and_goes_with_its_last_field(cluster: Cluster) -> None:
    store = cluster.store()
    version = store.write(CURRENT, {"API_KEY": "one"}, ABSENT)
    found = cluster.server.secret("team", "app")
    assert found is not None
    assert found["type"] == "Opaque"
    assert found["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "rotator"}
    store.remove(CURRENT, version)
    assert cluster.texts() is None


# -- between a look and a change ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["patch", "delete"])
def test_a_change_between_our_look_and_our_request_is_a_conflict_and_stays(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    store = cluster.store()
    version = store.write(CURRENT, {"API_KEY": "one"}, ABSENT)
    check = cluster.server.access.check

    def interfere(call: Call) -> None:
        check(call)
        if call.verb == verb:
            cluster.server.put_secret("team", "app", stringData={"API_KEY": "theirs"})

    monkeypatch.setattr(cluster.server.access, "check", interfere)
    with pytest.raises(Conflict):
        store.write(CURRENT, {"API_KEY": "two"}, version) if verb == "patch" else store.remove(CURRENT, version)
    assert [each.method for each in cluster.server.requests] == ["POST", "GET", verb.upper()]
    assert cluster.texts() == {"API_KEY": "theirs"}


def test_a_secret_that_was_deleted_and_made_again_is_not_the_one_that_was_read(cluster: Cluster) -> None:
    store = cluster.store()
    version = store.write(CURRENT, {"API_KEY": "one"}, ABSENT)
    store.remove(CURRENT, version)
    with pytest.raises(Conflict):
        store.write(CURRENT, {"API_KEY": "two"}, version)
    cluster.server.put_secret("team", "app", stringData={"API_KEY": "one"})
    with pytest.raises(Conflict):
        store.write(CURRENT, {"API_KEY": "two"}, version)
    with pytest.raises(Conflict):
        store.remove(CURRENT, version)


def test_a_secret_that_waits_for_its_finalizers_takes_no_value(cluster: Cluster) -> None:
    cluster.server.put_secret(
        "team",
        "app",
        metadata={"name": "app", "finalizers": ["example.com/wait"], "deletionTimestamp": "2026-11-25T10:00:00Z"},
    )
    store = cluster.store()
    failure = cluster.failing(Transient, lambda: store.write(CURRENT, {"API_KEY": HIDDEN}, store.read(CURRENT).version))
    assert "being deleted" in failure.message
    assert "finalizers" in failure.hint


# -- Secrets that cannot take a value ----------------------------------------------------------------------------------


def test_an_immutable_secret_is_read_and_refused_with_a_hint(cluster: Cluster) -> None:
    cluster.server.put_secret("team", "app", stringData={"API_KEY": "one", "OTHER": "x"}, immutable=True)
    store = cluster.store()
    stored = store.read(CURRENT)
    assert stored.fields == {"API_KEY": "one"}
    before = len(cluster.server.requests)
    for act in (
        lambda: store.write(CURRENT, {"API_KEY": HIDDEN}, stored.version),
        lambda: store.remove(CURRENT, stored.version),
    ):
        failure = cluster.failing(Permanent, act)
        assert failure.message == "the Secret team/app is immutable"
        assert "immutable: true" in failure.hint
    assert {each.method for each in cluster.server.requests[before:]} == {"GET"}
    assert cluster.texts() == {"API_KEY": "one", "OTHER": "x"}


def test_a_secret_that_becomes_immutable_after_our_look_is_refused_the_same(cluster: Cluster) -> None:
    store = cluster.store()
    version = store.write(CURRENT, {"API_KEY": "one"}, ABSENT)
    message = 'Secret "app" is invalid: data: Forbidden: field is immutable when `immutable` is set'

    def refuse(call: Call, _: object) -> None:
        if call.verb == "patch":
            raise kubernetes.Refusal(422, "Invalid", message)

    with cluster.server.hook(refuse):
        failure = cluster.failing(Permanent, lambda: store.write(CURRENT, {"API_KEY": HIDDEN}, version))
    assert failure.message == "the Secret team/app is immutable"


TLS = {"tls.crt": "certificate", "tls.key": "key"}


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("kubernetes.io/tls", TLS, "tls.key"),
        ("kubernetes.io/basic-auth", {"username": "u", "password": "p"}, "password"),
        ("kubernetes.io/ssh-auth", {"ssh-privatekey": "k"}, "ssh-privatekey"),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": "{}"}, ".dockerconfigjson"),
        ("example.com/own", {"x": "y"}, "API_KEY"),
    ],
)
def test_a_field_that_its_type_has_is_written(cluster: Cluster, kind: str, data: dict[str, str], field: str) -> None:
    cluster.server.put_secret("team", "app", stringData=data, type=kind)
    place = Place(ref=REF, kind=PlaceKind.CURRENT, fields=(field,))
    store = cluster.store()
    store.write(place, {field: '{"auths": {}}'}, store.read(place).version)
    assert cluster.texts() == {**data, field: '{"auths": {}}'}


@pytest.mark.parametrize(
    ("kind", "data", "hint"),
    [
        ("kubernetes.io/tls", TLS, "tls.key"),
        ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": "{}"}, ".dockerconfigjson"),
        ("kubernetes.io/service-account-token", {"token": "t"}, "none of ours"),
        ("bootstrap.kubernetes.io/token", {"token-id": "t"}, "none of ours"),
    ],
)
def test_a_field_that_its_type_does_not_have_is_refused(
    cluster: Cluster, kind: str, data: dict[str, str], hint: str
) -> None:
    cluster.server.put_secret("team", "app", stringData=data, type=kind)
    store = cluster.store()
    failure = cluster.failing(Permanent, lambda: store.write(CURRENT, {"API_KEY": HIDDEN}, store.read(CURRENT).version))
    assert f"team/app is of type {kind}" in failure.message
    assert "API_KEY" in failure.message
    assert hint in failure.hint
    assert cluster.texts() == data


def test_a_value_that_its_type_does_not_allow_is_refused_by_the_server(cluster: Cluster) -> None:
    cluster.server.put_secret(
        "team", "app", stringData={".dockerconfigjson": "{}"}, type="kubernetes.io/dockerconfigjson"
    )
    place = Place(ref=REF, kind=PlaceKind.CURRENT, fields=(".dockerconfigjson",))
    store = cluster.store()
    for act in (
        lambda: store.write(place, {".dockerconfigjson": HIDDEN}, store.read(place).version),
        lambda: store.remove(place, store.read(place).version),
    ):
        failure = cluster.failing(Permanent, act)
        assert "refuses team/app as invalid" in failure.message
        assert "type" in failure.hint


def test_a_field_of_ours_that_holds_bytes_is_refused_without_showing_them(cluster: Cluster) -> None:
    cluster.server.put_secret("team", "app", data={"API_KEY": base64.b64encode(HIDDEN.encode() + b"\xff").decode()})
    failure = cluster.failing(Permanent, lambda: cluster.store().read(CURRENT))
    assert "API_KEY of the Secret team/app holds bytes" in failure.message
    assert failure.__context__ is None


def test_a_secret_that_would_be_too_large_is_refused_before_it_is_sent(cluster: Cluster) -> None:
    cluster.server.put_secret("team", "app", stringData={"THEIRS": "x" * (1024 * 1024 - 100)})
    store = cluster.store()
    version = store.read(CURRENT).version
    failure = cluster.failing(Permanent, lambda: store.write(CURRENT, {"API_KEY": HIDDEN * 20}, version))
    assert failure.message == "the Secret team/app would be larger than 1 MiB"
    assert {each.method for each in cluster.server.requests} == {"GET"}
    store.write(CURRENT, {"API_KEY": "x" * 90}, version)


@pytest.mark.parametrize("name", ["a b", "a/b", "ключ", "", "..", "..hidden", "x" * 254])
def test_a_field_that_cannot_be_a_key_is_refused_before_any_request(cluster: Cluster, name: str) -> None:
    store = cluster.store()
    place = Place(ref=REF, kind=PlaceKind.CURRENT, fields=(name,))
    for act in (lambda: store.write(CURRENT, {name: HIDDEN}, ABSENT), lambda: store.read(place)):
        assert "cannot be a field" in cluster.failing(Permanent, act).message
    assert cluster.server.requests == []


# -- references and places ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ref",
    [
        "app",
        "team/app/deeper",
        "Team/app",
        "team/App",
        "team/a_b",
        "te.am/app",
        "team/a..b",
        "team/-a",
        "x" * 64 + "/a",
    ],
)
def test_what_is_no_name_of_a_secret_is_refused_before_any_request(cluster: Cluster, ref: str) -> None:
    place = Place(ref=ref, kind=PlaceKind.CURRENT, fields=("API_KEY",))
    failure = cluster.failing(Permanent, lambda: cluster.store().read(place))
    assert "no reference to a Secret" in failure.message
    assert "namespace/name" in failure.hint
    assert cluster.server.requests == []


@pytest.mark.parametrize("private", ["rotator", "own"])
def test_the_private_namespace_is_nobodys_to_publish_to(cluster: Cluster, private: str) -> None:
    store = cluster.store(private_namespace=private)
    place = Place(ref=f"{private}/app", kind=PlaceKind.CURRENT, fields=("API_KEY",))
    failure = cluster.failing(Permanent, lambda: store.write(place, {"API_KEY": HIDDEN}, ABSENT))
    assert "its own values" in failure.message
    assert cluster.server.requests == []


def test_a_private_value_lies_in_the_private_namespace_under_a_name_that_tells_nothing(cluster: Cluster) -> None:
    cluster.server.make_namespace("own")
    cluster.store(private_namespace="own").write(PENDING, {"value.secret": HIDDEN}, ABSENT)
    (sent,) = [each for each in cluster.server.requests if each.method == "POST"]
    assert sent.path == "/api/v1/namespaces/own/secrets"
    (name,) = [name for _, space, name in cluster.server.storage.keys() if space == "own"]
    assert name.startswith("rotator-pending-")
    assert "app" not in name
    metadata = cluster.metadata(f"own/{name}")
    assert metadata["annotations"]["rotator/ref"] == "team/app"
    assert metadata["annotations"]["rotator/of"] == "r1"
    assert metadata["labels"]["rotator/kind"] == "pending"


def test_listing_places_transfers_no_value_and_reads_every_page(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotator.adapters.stores.kubernetes.store.PAGE", 2)
    store = cluster.store()
    for number in range(5):
        store.write(Place(ref=REF, kind=PlaceKind.PREVIOUS, of=f"k{number}"), {"value.secret": HIDDEN}, ABSENT)
    before, answers = len(cluster.server.requests), list[Object]()
    answer = cluster.server.answer

    def watched(sent: Sent) -> tuple[int, Object]:
        status, found = answer(sent)
        answers.append(found)
        return status, found

    monkeypatch.setattr(cluster.server, "answer", watched)
    assert [place.of for place in store.places(REF)] == ["k0", "k1", "k2", "k3", "k4"]
    assert len(cluster.server.requests) - before == 3
    assert {key for page in answers for item in page["items"] for key in item} == {"apiVersion", "kind", "metadata"}


def test_a_copy_of_a_private_value_under_another_name_is_no_place(cluster: Cluster) -> None:
    store = cluster.store()
    store.write(PENDING, {"value.secret": HIDDEN}, ABSENT)
    (name,) = [name for _, space, name in cluster.server.storage.keys() if space == "rotator" and name]
    found = cluster.server.secret("rotator", name)
    assert found is not None
    kept = {key: found["metadata"][key] for key in ("labels", "annotations")}
    cluster.server.put_secret("rotator", "copy", data=found["data"], metadata={"name": "copy", **kept})
    cluster.server.put_secret("rotator", "odd", metadata={"name": "odd", "labels": kept["labels"]})
    assert store.places(REF) == (PENDING,)
