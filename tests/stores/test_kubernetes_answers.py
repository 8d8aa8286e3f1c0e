"""What a Kubernetes API server refuses is the failure that it means, and nothing that it echoes is passed on."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.ports import ABSENT
from tests.servers import kubernetes
from tests.servers.kubernetes import Fault, KubernetesServer, Refusal
from tests.servers.kubernetes.objects import Call
from tests.servers.kubernetes.server import Sent
from tests.servers.proxy import Fault as Lost
from tests.servers.proxy import FaultProxy, Kind
from tests.stores.cluster import CURRENT, ENCODED, HIDDEN, PENDING, REF, Cluster, every_call

pytestmark = pytest.mark.stand_in(kubernetes.NAME)

MakeProxy = Callable[[str, int], FaultProxy]


@pytest.fixture
def cluster(kubernetes_server: KubernetesServer, tmp_path: Path) -> Cluster:
    """A cluster with one Secret in it."""
    kubernetes_server.put_secret("team", "app", stringData={"API_KEY": "old"})
    return Cluster(kubernetes_server, tmp_path)


def refusal(status: int, reason: str, message: str = "", **details: Any) -> Refusal:
    """A refusal that repeats what it was sent, as a webhook or a schema may."""
    headers = details.pop("headers", None)
    return Refusal(status, reason, f"{message} {HIDDEN} {ENCODED}", {"kind": "secrets", **details}, headers)


def page(status: int, content: bytes = b"<html>Sign in</html>", **headers: str) -> Fault:
    return Fault(status, content, headers)


IMMUTABLE = 'Secret "app" is invalid: data: Forbidden: field is immutable when `immutable` is set'
WEBHOOK = 'admission webhook "guard.example.com" denied the request: no'
POLICY = "secrets \"app\" is forbidden: ValidatingAdmissionPolicy 'guard' with binding 'all' denied request: no"
UNREACHABLE = 'Internal error occurred: failed calling webhook "guard.example.com": failed to call webhook'
QUOTA = 'secrets "app" is forbidden: exceeded quota: few, requested: count/secrets=1, used: 1, limited: 1'
TERMINATING = [{"reason": "NamespaceTerminating", "message": "", "field": "metadata.namespace"}]


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (refusal(401, "Unauthorized"), Denied, "refuses our token"),
        (refusal(403, "Forbidden", 'secrets "app" is forbidden'), Denied, "does not let us"),
        (refusal(403, "Forbidden", WEBHOOK), Permanent, 'admission webhook "guard.example.com" does not let us'),
        (refusal(400, "", WEBHOOK), Permanent, 'admission webhook "guard.example.com" does not let us'),
        (refusal(422, "Invalid", POLICY), Permanent, "ValidatingAdmissionPolicy 'guard' does not let us"),
        (refusal(403, "Forbidden", QUOTA), Permanent, "resource quota of the namespace"),
        (refusal(403, "Forbidden", causes=TERMINATING), Permanent, "is being deleted"),
        (refusal(404, "NotFound", kind="namespaces"), Permanent, "has no namespace"),
        (refusal(404, "NotFound", kind=""), Permanent, "knows no Secrets there"),
        (refusal(409, "AlreadyExists"), Conflict, "is not what was read any more"),
        (refusal(409, "Conflict"), Conflict, "is not what was read any more"),
        (refusal(409, "Conflict", kind="resourcequotas"), Transient, "was busy with"),
        (refusal(410, "Expired"), Transient, "forgot the list"),
        (refusal(413, "RequestEntityTooLarge"), Permanent, "larger than 1 MiB"),
        (refusal(415, "UnsupportedMediaType"), Permanent, "with 415"),
        (refusal(422, "Invalid", IMMUTABLE), Permanent, "is immutable"),
        (refusal(422, "Invalid", "data: Too long: must have at most"), Permanent, "larger than 1 MiB"),
        (refusal(422, "Invalid", "metadata: odd"), Permanent, "as invalid"),
        (refusal(400, "BadRequest"), Permanent, "with 400"),
        (refusal(429, "TooManyRequests"), Transient, "limits our rate"),
        (
            refusal(500, "InternalError", UNREACHABLE),
            Transient,
            'cannot reach the admission webhook "guard.example.com"',
        ),
        (refusal(500, "InternalError"), Transient, "answered 500"),
        (refusal(503, "ServiceUnavailable"), Transient, "answered 503"),
        (refusal(504, "Timeout"), Transient, "answered 504"),
        (page(200), Transient, "not kubernetes answered 200"),
        (page(200, b"[1]"), Transient, "not kubernetes answered 200"),
        (page(200, b"[" * 100_000), Transient, "not kubernetes answered 200"),
        (page(200, f'{{"api_key": "{HIDDEN}"}}'.encode()), Transient, "not kubernetes answered 200"),
        (page(401), Transient, "not kubernetes answered 401"),
        (page(403, HIDDEN.encode()), Transient, "not kubernetes answered 403"),
        (page(404), Transient, "not kubernetes answered 404"),
        (page(502), Transient, "not kubernetes answered 502"),
        (page(503, b"no backend"), Transient, "answered 503"),
        (page(429, b"slow down"), Transient, "limits our rate"),
        (page(302, Location="https://login.example.com/"), Transient, "sends us elsewhere (302)"),
    ],
)
def test_an_answer_is_the_failure_that_it_means_for_every_call(
    cluster: Cluster, fault: Fault, kind: type[Failure], message: str
) -> None:
    store = cluster.store()

    def refuse(*_: object) -> None:
        raise fault

    with cluster.server.hook(refuse):
        for act in every_call(store):
            assert message in cluster.failing(kind, act).message
    assert cluster.texts() == {"API_KEY": "old"}


def test_a_refusal_names_what_was_wanted_and_where(cluster: Cluster) -> None:
    store = cluster.store()

    def refuse(call: Call, _: object) -> None:
        raise refusal(403, "Forbidden", WEBHOOK if call.verb == "patch" else "")

    version = store.read(CURRENT).version
    denied = cluster.failing(Denied, lambda: with_hook(cluster, refuse, lambda: store.read(CURRENT)))
    assert isinstance(denied, Denied)
    assert denied.permission == "get secrets/app in namespace team"
    assert "`kubectl auth can-i get secrets/app --namespace team`" in denied.hint

    def refuse_changes(call: Call, after: object) -> None:
        if after is not None:
            refuse(call, after)

    write = lambda: store.write(CURRENT, {"API_KEY": HIDDEN}, version)  # noqa: E731
    refused = cluster.failing(Permanent, lambda: with_hook(cluster, refuse_changes, write))
    assert refused.message.endswith("does not let us patch secrets/app in namespace team")


def with_hook(cluster: Cluster, hook: Callable[[Call, Any], None], act: Callable[[], object]) -> None:
    with cluster.server.hook(hook):
        act()


@pytest.mark.parametrize(
    ("details", "headers", "wait"),
    [
        ({"retryAfterSeconds": 3}, {}, timedelta(seconds=3)),
        ({"retryAfterSeconds": 3}, {"Retry-After": "7"}, timedelta(seconds=7)),
        ({}, {"Retry-After": "Wed, 25 Nov 2026 10:00:00 GMT"}, None),
        ({"retryAfterSeconds": "soon"}, {}, None),
    ],
)
def test_a_throttle_says_when_to_come_back(
    cluster: Cluster, details: Mapping[str, Any], headers: Mapping[str, str], wait: timedelta | None
) -> None:
    fault = refusal(429, "TooManyRequests", headers=headers, **details)

    def refuse(*_: object) -> None:
        raise fault

    with cluster.server.hook(refuse):
        throttled = cluster.failing(Transient, lambda: cluster.store().read(CURRENT))
    assert isinstance(throttled, Transient)
    assert (throttled.throttled, throttled.retry_after) == (True, wait)


def test_a_redirect_is_not_followed_with_our_token(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    with kubernetes.running(tmp_path_factory.mktemp("elsewhere")) as elsewhere:
        fault = page(307, Location=f"{elsewhere.plain_address}/api/v1/namespaces/team/secrets/app")

        def redirect(*_: object) -> None:
            raise fault

        with cluster.server.hook(redirect):
            for act in every_call(cluster.store()):
                cluster.failing(Transient, act)
        assert elsewhere.requests == []


def test_a_namespace_that_is_missing_reads_as_empty_and_is_named_by_a_write(cluster: Cluster) -> None:
    store = cluster.store(private_namespace="nowhere")
    assert store.read(PENDING).version == ABSENT
    assert store.places(REF) == ()
    store.remove(PENDING, "1")
    failure = cluster.failing(Permanent, lambda: store.write(PENDING, {"value.secret": HIDDEN}, ABSENT))
    assert failure.message.endswith("has no namespace nowhere")
    assert "`kubectl create namespace nowhere`" in failure.hint


def test_a_namespace_that_is_being_deleted_takes_no_new_secret(cluster: Cluster) -> None:
    cluster.server.storage.terminate("rotator")
    failure = cluster.failing(Permanent, lambda: cluster.store().write(PENDING, {"value.secret": HIDDEN}, ABSENT))
    assert "the namespace rotator" in failure.message
    assert "is being deleted" in failure.message


@pytest.mark.parametrize(
    "found",
    [
        {"kind": "Secret", "metadata": {}},
        {"kind": "Secret", "metadata": {"resourceVersion": "5"}},
        {"kind": "Secret"},
        {"kind": "ConfigMap", "metadata": {"resourceVersion": "5", "uid": "u"}},
    ],
)
def test_a_success_without_a_version_is_none(cluster: Cluster, found: Mapping[str, Any]) -> None:
    def answer(*_: object) -> None:
        raise Fault(200, json.dumps({**found, "data": {"API_KEY": ENCODED}}).encode())

    store = cluster.store()
    with cluster.server.hook(answer):
        for act in every_call(store)[:4]:
            assert "not kubernetes answered" in cluster.failing(Transient, act).message


# -- answers that do not come ------------------------------------------------------------------------------------------


def port_of(cluster: Cluster) -> int:
    return int(cluster.server.plain_address.rpartition(":")[2])


def test_a_server_that_cannot_be_reached_is_transient_and_its_address_named(
    cluster: Cluster, fault_proxy: MakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = fault_proxy("127.0.0.1", port_of(cluster))
    store = cluster.store(address=f"http://127.0.0.1:{proxy.port}")
    store.read(CURRENT)
    proxy.close()
    for act in every_call(store):
        failure = cluster.failing(Transient, act)
        assert f"kubernetes at http://127.0.0.1:{proxy.port}" in failure.message

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # as a resolver may take longer than we wait
    assert (
        "has no address"
        in cluster.failing(Transient, lambda: cluster.store(address="https://k.invalid").read(CURRENT)).message
    )


@pytest.mark.parametrize("kind", [Kind.BLACKHOLE, Kind.HANG_RESPONSE])
def test_a_server_that_says_nothing_costs_one_timeout(cluster: Cluster, fault_proxy: MakeProxy, kind: Kind) -> None:
    proxy = fault_proxy("127.0.0.1", port_of(cluster))
    store = cluster.store(address=f"http://127.0.0.1:{proxy.port}", timeout=timedelta(seconds=0.4))
    proxy.inject(Lost(kind=kind, times=None))
    for act in every_call(store):
        began = time.monotonic()
        assert re.search("in time|too long", cluster.failing(Transient, act).message)
        assert 0.3 < time.monotonic() - began < 20


def test_a_request_that_was_lost_has_not_happened(cluster: Cluster, fault_proxy: MakeProxy) -> None:
    proxy = fault_proxy("127.0.0.1", port_of(cluster))
    store = cluster.store(address=f"http://127.0.0.1:{proxy.port}")
    version = store.read(CURRENT).version
    for act in (lambda: store.write(CURRENT, {"API_KEY": HIDDEN}, version), lambda: store.remove(CURRENT, version)):
        proxy.inject(Lost(kind=Kind.RESET, request=b"PATCH "))
        assert "broke the connection" in cluster.failing(Transient, act).message
        assert store.read(CURRENT).version == version
    assert proxy.fired == 2


def test_a_server_that_is_slow_with_every_request_does_not_exceed_the_timeout_of_a_call(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, answer = cluster.store().read(CURRENT).version, cluster.server.answer

    def slow(sent: Sent) -> tuple[int, dict[str, Any]]:
        time.sleep(0.4)
        return answer(sent)

    monkeypatch.setattr(cluster.server, "answer", slow)
    began = time.monotonic()
    store = cluster.store(timeout=timedelta(seconds=0.6))
    failure = cluster.failing(Transient, lambda: store.write(CURRENT, {"API_KEY": HIDDEN}, version))
    assert "in time" in failure.message or "too long" in failure.message
    assert time.monotonic() - began < 20


def test_an_answer_without_end_is_cut_off(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rotator.adapters.clients.kubernetes.client.MOST_BYTES", 100_000)
    cluster.server.put_secret("team", "app", stringData={"THEIRS": "x" * 200_000})
    store = cluster.store()
    for _ in range(2):
        assert "more than 100000 bytes" in cluster.failing(Transient, lambda: store.read(CURRENT)).message
    cluster.server.put_secret("team", "app", data={})
    assert store.read(CURRENT).fields is None
