"""The gcp store's access: permissions, what is missing named, and a server that is not there; no secret shown."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.adapters.stores.gcp import GcpStore
from rotator.adapters.stores.gcp.policy import OURS, PROJECT, PUBLISHED
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Denied, Failure, Transient
from rotator.ports import ABSENT
from rotator.testing.store_contract import secret_free
from tests.servers import secret_manager
from tests.servers.proxy import Fault, FaultProxy, Kind
from tests.servers.secret_manager.iam import Binding
from tests.servers.secret_manager.service import RefusedError
from tests.stores.gcp_access import CURRENT, HIDDEN, PENDING, SECRET, Gcp, serving, until_written
from tests.stores.vault_access import Reply, impostor

pytestmark = pytest.mark.stand_in(secret_manager.NAME)

MakeProxy = Callable[[str, int], FaultProxy]
MEMBER = "rotator-account-token"


@pytest.fixture(params=["rest", "grpc"])
def gcp(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Gcp]:
    """A fresh server; afterwards nothing that was logged, at whatever level, shows a secret."""
    with serving(request.param) as gcp, caplog.at_level(logging.DEBUG):
        yield gcp
    logged = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.get_records("call"))
    assert [form for form in forms(gcp) if form in logged] == []


def forms(gcp: Gcp) -> set[str]:
    """Each secret as it is, and what of it stands in the base64 of a document, wherever it begins there."""
    found = set(gcp.secrets)
    for secret in gcp.secrets:
        for shift in range(3):
            encoded = b64encode(b"x" * shift + secret.encode()).decode()
            found.add(encoded[4 if shift else 0 : -4])
    return found


@pytest.fixture
def rest() -> Iterator[Gcp]:
    """A fresh server, where the transport makes no difference."""
    with serving("rest") as gcp:
        yield gcp


def failing(gcp: Gcp, kind: type[Failure], act: Callable[[], object]) -> Failure:
    """The failure of that kind that `act` raises, which shows no secret, nor brings one along."""
    with pytest.raises(kind) as raised:
        act()
    failure = raised.value
    assert failure.message
    assert failure.hint
    assert [secret for secret in gcp.secrets if not secret_free(failure, secret)] == []
    return failure


def every_call(store: GcpStore) -> list[Callable[[], object]]:
    return [
        lambda: store.read(CURRENT),
        lambda: store.write(CURRENT, {"api_key": HIDDEN}, ABSENT),
        lambda: store.write(CURRENT, {"api_key": HIDDEN}, '1@"x"'),
        lambda: store.write(PENDING, {"value.secret": HIDDEN}, ABSENT),
        lambda: store.remove(CURRENT, '1@"x"'),
        lambda: store.remove(PENDING, '1@"x"'),
        lambda: store.places("ai/openai"),
    ]


# -- permissions -------------------------------------------------------------------------------------------------------


def bindings(store: GcpStore) -> tuple[Binding, ...]:
    """What the printed commands grant."""
    text = store.least_policy(["ai/openai"]).replace("$NUMBER", "acme-prod")
    roles = dict(re.findall(r"roles create (\w+) .*--permissions=(\S+)", text))
    found = []
    for role, condition in re.findall(r"--role=projects/acme-prod/roles/(\w+) (.*)", text):
        names = re.findall(r"resource\.name == '([^']*)'", condition)
        prefixes = re.findall(r"startsWith\('([^']*)'\)", condition)
        assert bool(names or prefixes) == ("--condition=None" not in condition)
        found.append(Binding(frozenset(roles[role].split(",")), tuple(names), tuple(prefixes)))
    assert len(found) == 3
    return tuple(found)


def use_everything(gcp: Gcp, store: GcpStore) -> tuple[bool, bool]:
    """Whatever a rotation asks of a store, and all that can be wrong with what it finds.

    Gives whether old values are gone, from what consumers read and from what is ours.
    """
    assert store.read(CURRENT).version == ABSENT
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    for _ in range(5):
        gcp.service.ahead += timedelta(days=8)
        version = store.write(CURRENT, {"api_key": "two"}, version)
    pending = store.write(PENDING, {"value.secret": HIDDEN}, ABSENT)
    store.write(PENDING, {"value.secret": HIDDEN}, pending)
    assert store.places("ai/openai") == (PENDING,)
    newest = max(gcp.states())
    gcp.ask("DestroySecretVersion", name=f"{SECRET}/versions/{newest}")
    assert store.read(CURRENT).fields is None
    (private,) = (name for name in gcp.service.names if "/rotator-" in name)
    forgotten = gcp.states(private)[1] == "DESTROYED"
    gcp.ask("DisableSecretVersion", name=f"{private}/versions/2")
    stored = store.read(PENDING)
    assert stored.fields is None
    store.remove(PENDING, stored.version)
    store.write(CURRENT, {"api_key": "three"}, store.read(CURRENT).version)
    store.remove(CURRENT, store.read(CURRENT).version)
    assert gcp.document() == {}
    states = gcp.states()
    return {states[1], states[2]} == {"DESTROYED"}, forgotten


def test_the_least_policy_suffices_and_lets_nothing_else_be_read(rest: Gcp) -> None:
    rest.add({"api_key": HIDDEN}, f"{SECRET}2")
    store = rest.store(rest.allow(MEMBER, *bindings(rest.store())))
    assert use_everything(rest, store) == (True, True)
    other = Place(ref="ai/openai2", kind=PlaceKind.CURRENT, fields=("api_key",))
    denied = failing(rest, Denied, lambda: store.read(other))
    assert isinstance(denied, Denied)
    assert denied.permission == f"secretmanager.versions.access on {SECRET}2/versions/latest"


@pytest.mark.parametrize(
    ("role", "permission"),
    [
        *((0, permission) for permission in PROJECT),
        *((1, permission) for permission in OURS),
        *((2, permission) for permission in PUBLISHED),
    ],
)
def test_no_permission_of_the_least_policy_can_be_left_out_and_what_lacks_is_named(
    rest: Gcp, role: int, permission: str
) -> None:
    granted = list(bindings(rest.store()))
    granted[role] = Binding(granted[role].permissions - {permission}, granted[role].names, granted[role].prefixes)
    store = rest.store(rest.allow(MEMBER, *granted))
    if (role, permission.rpartition(".")[2]) in ((1, "destroy"), (2, "destroy"), (2, "disable"), (2, "list")):
        # Old values stay for longer: no reason to keep anybody from rotating.
        assert use_everything(rest, store) == (role != 2, role != 1)
        return
    denied = failing(rest, Denied, lambda: use_everything(rest, store))
    assert isinstance(denied, Denied)
    assert denied.permission.startswith(f"{permission} on projects/acme-prod")
    assert denied.permission in denied.message
    assert denied.permission in denied.hint


@pytest.mark.parametrize(
    ("method", "permission"), [("UpdateSecret", "secrets.update"), ("AddSecretVersion", "versions.add")]
)
def test_a_permission_that_lacks_changes_nothing_for_readers(gcp: Gcp, method: str, permission: str) -> None:
    gcp.add({"api_key": "old"})
    granted = [Binding(each.permissions - {f"secretmanager.{permission}"}) for each in bindings(gcp.store())]
    store = gcp.store(gcp.allow(MEMBER, *granted))
    version = store.read(CURRENT).version
    denied = failing(gcp, Denied, lambda: store.write(CURRENT, {"api_key": HIDDEN}, version))
    assert isinstance(denied, Denied)
    assert denied.permission == f"secretmanager.{permission} on {SECRET}"
    assert gcp.states() == {1: "ENABLED"}
    assert gcp.store().read(CURRENT).fields == {"api_key": "old"}


def test_an_api_that_is_not_enabled_is_denied_with_the_command_that_enables_it(rest: Gcp) -> None:
    def disabled(*_: object) -> None:
        raise RefusedError("PERMISSION_DENIED", "Secret Manager API has not been used in project 1 before.")

    rest.service.hooks.append(disabled)
    for act in every_call(rest.store()):
        assert failing(rest, Denied, act).hint == "gcloud services enable secretmanager.googleapis.com"


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_wrong_token_is_denied_at_every_call_and_its_reference_named(gcp: Gcp) -> None:
    for act in every_call(gcp.store("ya29.wrong-0123456789")):
        denied = failing(gcp, Denied, act)
        assert "refuses our token" in denied.message
        assert denied.hint == "put a valid token at file:/run/token"
    assert gcp.service.names == ()


def test_a_token_that_was_replaced_at_its_reference_is_picked_up_in_the_middle_of_a_write(gcp: Gcp) -> None:
    tokens = [gcp.allow("ya29.first-0123456789", *bindings(gcp.store()))]
    auth = {"method": "access_token", "token": "env:TOKEN"}
    settings = {"project": "acme-prod", "endpoint": gcp.address, "transport": gcp.transport, "auth": auth}
    store = GcpStore.from_settings("gcp", settings, lambda _: tokens[-1], timedelta(seconds=10))
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)

    def expire(moment: str, method: str, request: object) -> None:
        if (moment, method) == ("after", "AddSecretVersion") and len(tokens) == 1:
            del gcp.service.accounts.tokens[tokens[0]]
            tokens.append(gcp.allow("ya29.second-0123456789", *bindings(store)))

    gcp.service.hooks.append(expire)
    gcp.secrets |= {"ya29.first-0123456789", "ya29.second-0123456789"}
    store.write(CURRENT, {"api_key": "two"}, version)
    assert len(tokens) == 2
    assert gcp.both() == ({"api_key": "two"},) * 2
    assert gcp.states() == {1: "ENABLED", 2: "ENABLED"}


# -- the server is not there -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.BLACKHOLE, Kind.HANG_RESPONSE])
def test_a_server_that_says_nothing_costs_one_timeout(rest: Gcp, fault_proxy: MakeProxy, kind: Kind) -> None:
    proxy = fault_proxy("127.0.0.1", int(rest.address.rpartition(":")[2]))
    store = rest.store(timeout=timedelta(seconds=0.4), endpoint=f"http://127.0.0.1:{proxy.port}")
    proxy.inject(Fault(kind=kind, times=None))
    for act in every_call(store):
        began = time.monotonic()
        assert re.search("in time|too long", failing(rest, Transient, act).message)
        assert 0.3 < time.monotonic() - began < 20


def test_a_server_that_hangs_costs_one_timeout_over_grpc_too() -> None:
    with serving("grpc") as gcp:
        over = threading.Event()
        gcp.service.hooks.append(lambda *_: over.wait(10))
        began = time.monotonic()
        store = gcp.store(timeout=timedelta(seconds=0.4))
        assert "in time" in failing(gcp, Transient, lambda: store.read(CURRENT)).message
        assert time.monotonic() - began < 20
        over.set()


def test_a_server_that_cannot_be_reached_is_transient_and_its_address_named(gcp: Gcp, fault_proxy: MakeProxy) -> None:
    proxy = fault_proxy("127.0.0.1", int(gcp.address.rpartition(":")[2]))
    address = f"http://127.0.0.1:{proxy.port}"
    store = gcp.store(endpoint=address)
    store.read(CURRENT)
    proxy.close()
    for act in every_call(store):
        assert address in failing(gcp, Transient, act).message


@pytest.mark.parametrize(
    ("reply", "part"),
    [
        (Reply(status=502, body=b"<html>Bad Gateway</html>"), "not secret manager answered 'HTTP 502'"),
        (Reply(status=403, body=b"<html>Forbidden</html>"), "not secret manager answered 'HTTP 403'"),
        (Reply(status=404, body=b"[]"), "not secret manager answered 'HTTP 404'"),
        (Reply(status=400, body=b'{"error": "no"}'), "not secret manager answered 'HTTP 400'"),
        (Reply(status=200, body=b"<html>Sign in</html>"), "not secret manager answered 'HTTP 200'"),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}), "not secret manager answered 'HTTP 302'"),
        (Reply(status=307, headers={"Location": "http://127.0.0.1:1/"}), "not secret manager answered 'HTTP 307'"),
        (Reply(status=503, headers={"Retry-After": "7"}), "failed (UNAVAILABLE)"),
        (Reply(status=429, headers={"Retry-After": "7"}), "limits our rate"),
    ],
)
def test_an_answer_of_somebody_in_between_is_transient_and_asked_for_once(rest: Gcp, reply: Reply, part: str) -> None:
    with impostor(reply) as other:
        store = rest.store(endpoint=other.address)
        for act in every_call(store):
            del other.requests[:]
            failure = failing(rest, Transient, act)
            assert part in failure.message
            assert len(other.requests) == 1
            if reply.status in (429, 503):
                assert isinstance(failure, Transient)
                assert failure.retry_after == timedelta(seconds=7)
                assert failure.throttled == (reply.status == 429)


# -- what the environment says, and what is logged ---------------------------------------------------------------------

HOSTILE = {
    **dict.fromkeys(
        ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:1"
    ),
    "grpc_proxy": "http://127.0.0.1:1",
    "GOOGLE_APPLICATION_CREDENTIALS": "/no/such/file",
    "GOOGLE_CLOUD_PROJECT": "evil",
    "GOOGLE_CLOUD_UNIVERSE_DOMAIN": "evil.example",
    "GOOGLE_CLOUD_QUOTA_PROJECT": "evil",
    "GOOGLE_API_USE_CLIENT_CERTIFICATE": "true",
    "GOOGLE_API_USE_MTLS_ENDPOINT": "nonsense",
    "GOOGLE_API_CERTIFICATE_CONFIG": "/no/such/file",
    "GOOGLE_SDK_PYTHON_LOGGING_SCOPE": "google",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "/no/such/file",
    "GRPC_VERBOSITY": "NONE",
    "REQUESTS_CA_BUNDLE": "/no/such/file",
    "CLOUDSDK_CONFIG": "/no/such/folder",
    "GCE_METADATA_HOST": "127.0.0.1:1",
    "SECRET_MANAGER_EMULATOR_HOST": "127.0.0.1:1",
}
SCRIPT = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
logging.getLogger().handlers[0].format = lambda record: record.getMessage() + str(vars(record))
from datetime import timedelta
from rotator.adapters.stores.gcp import GcpStore
from rotator.domain.credential import Place, PlaceKind
address, transport, token = sys.argv[1:]
auth = {"method": "access_token", "token": "env:T"}
settings = {"project": "acme-prod", "endpoint": address, "transport": transport, "auth": auth}
store = GcpStore.from_settings("gcp", settings, lambda _: token, timedelta(seconds=10))
place = Place(ref="ai/openai", kind=PlaceKind.CURRENT, fields=("api_key",))
version = store.write(place, {"api_key": "sk-hidden-0123456789"}, store.read(place).version)
assert store.read(place).fields == {"api_key": "sk-hidden-0123456789"}
print("written")
"""


def test_a_hostile_environment_sends_nothing_elsewhere_and_logs_nothing(gcp: Gcp, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login evil password evil\n")
    environment = {**HOSTILE, "HOME": str(tmp_path), "NETRC": str(netrc), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", SCRIPT, gcp.address, gcp.transport, next(iter(gcp.service.accounts.tokens))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("written\n")
    seen = done.stdout + done.stderr
    assert "POST /v1/" in seen or gcp.transport == "grpc", "nothing was logged, so this shows nothing"
    assert [form for form in forms(gcp) if form in seen] == []
    assert gcp.both() == ({"api_key": HIDDEN},) * 2


def test_a_store_that_is_not_used_imports_no_client() -> None:
    lines = (
        "import sys",
        "from datetime import timedelta",
        "from rotator.adapters.stores.gcp import GcpStore",
        "settings = {'project': 'p', 'auth': {'method': 'metadata'}}",
        "GcpStore.from_settings('v', settings, str, timedelta(seconds=1)).capabilities()",
        "sdk = ('google.cloud.secretmanager_v1', 'google.auth', 'grpc', 'requests', 'urllib3')",
        "print([name for name in sdk if name in sys.modules])",
    )
    found = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_no_thread_of_python_is_left_behind(rest: Gcp) -> None:
    store = rest.store()
    until_written(store, CURRENT, "one")
    before = {thread.name for thread in threading.enumerate()}
    store.read(CURRENT)
    assert {thread.name for thread in threading.enumerate() if "process_request" not in thread.name} <= before
