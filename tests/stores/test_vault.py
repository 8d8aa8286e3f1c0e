"""The vault store on documents as they come: deleted, destroyed, of others, of an engine without versions."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from rotator.adapters.stores.vault import VaultStore
from rotator.adapters.stores.vault.store import _same_number
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.ports import ABSENT
from tests.servers.openbao import OpenBaoServer, Refused
from tests.stores.vault_access import CURRENT, HIDDEN, PENDING, PUBLISHED, Reply, Vault, errors, impostor


@pytest.fixture
def vault(openbao_server: OpenBaoServer, openbao_mount: str) -> Vault:
    """A fresh engine."""
    return Vault(openbao_server, openbao_mount)


# -- versions ----------------------------------------------------------------------------------------------------------


def test_a_deleted_version_is_there_without_fields_and_the_next_write_goes_on_from_it(vault: Vault) -> None:
    store = vault.store()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    vault.server.request("DELETE", f"{vault.mount}/data/ai/openai")
    stored = store.read(CURRENT)
    assert (stored.version, stored.fields) == (version, None)
    store.remove(CURRENT, version)
    with pytest.raises(Conflict):
        store.write(CURRENT, {"api_key": "two"}, ABSENT)
    assert store.write(CURRENT, {"api_key": "two"}, version) == "2"
    assert vault.document("ai/openai")["data"] == {"api_key": "two"}


def test_a_destroyed_version_is_like_a_deleted_one(vault: Vault) -> None:
    store = vault.store()
    store.write(CURRENT, {"api_key": "one"}, ABSENT)
    vault.server.request("POST", f"{vault.mount}/destroy/ai/openai", {"versions": [1]})
    stored = store.read(CURRENT)
    assert (stored.version, stored.fields) == ("1", None)
    assert store.write(CURRENT, {"api_key": "two"}, "1") == "2"


def test_a_document_whose_metadata_was_deleted_is_absent(vault: Vault) -> None:
    store = vault.store()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    vault.server.request("DELETE", f"{vault.mount}/metadata/ai/openai")
    assert store.read(CURRENT).version == ABSENT
    with pytest.raises(Conflict):
        store.write(CURRENT, {"api_key": "two"}, version)
    assert store.write(CURRENT, {"api_key": "two"}, ABSENT) == "1"


def test_metadata_without_a_version_is_no_document_yet(vault: Vault) -> None:
    vault.server.request("POST", f"{vault.mount}/metadata/ai/openai", {"custom_metadata": {"owner": "team-ml"}})
    store = vault.store()
    assert store.read(CURRENT).version == ABSENT
    store.write(CURRENT, {"api_key": "one"}, ABSENT)
    assert vault.document("ai/openai")["metadata"]["custom_metadata"] == {"owner": "team-ml"}


def test_a_version_that_will_expire_is_still_there(vault: Vault) -> None:
    vault.server.request("POST", f"{vault.mount}/metadata/ai/openai", {"delete_version_after": "1h"})
    store = vault.store()
    store.write(CURRENT, {"api_key": "one"}, ABSENT)
    assert vault.document("ai/openai")["metadata"]["deletion_time"]
    assert store.read(CURRENT).fields == {"api_key": "one"}


def test_every_write_compares_even_where_the_engine_asks_for_it(vault: Vault) -> None:
    vault.server.request("POST", f"{vault.mount}/config", {"cas_required": True})
    store = vault.store()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    version = store.write(CURRENT, {"api_key": "two"}, version)
    store.remove(CURRENT, version)
    assert store.read(CURRENT).fields is None


def test_a_document_that_wants_cas_and_keeps_one_version_is_served_over_its_whole_life(vault: Vault) -> None:
    metadata = {"cas_required": True, "max_versions": 1, "custom_metadata": {"owner": "team-ml"}}
    vault.server.request("POST", f"{vault.mount}/metadata/ai/openai", metadata)
    store = vault.store()
    version = store.read(CURRENT).version
    assert version == ABSENT
    for number in range(1, 5):
        version = store.write(CURRENT, {"api_key": f"v{number}"}, version)
        assert version == str(number)
        with pytest.raises(Conflict):
            store.write(CURRENT, {"api_key": "stalled"}, str(number - 1) if number > 1 else ABSENT)
    vault.server.request("DELETE", f"{vault.mount}/data/ai/openai")
    assert (store.read(CURRENT).version, store.read(CURRENT).fields) == ("4", None)
    assert store.write(CURRENT, {"api_key": "v5"}, "4") == "5"
    store.remove(CURRENT, "5")
    found = vault.server.request("GET", f"{vault.mount}/metadata/ai/openai")["data"]
    assert {name: found[name] for name in metadata} == metadata


def test_a_version_that_expired_counts_on(vault: Vault) -> None:
    vault.server.request("POST", f"{vault.mount}/metadata/ai/openai", {"delete_version_after": "1s"})
    store = vault.store()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    time.sleep(1.2)
    assert (store.read(CURRENT).version, store.read(CURRENT).fields) == (version, None)
    with pytest.raises(Conflict):
        store.write(CURRENT, {"api_key": "two"}, ABSENT)
    assert store.write(CURRENT, {"api_key": "two"}, version) == "2"


def test_a_removed_current_value_hides_no_later_one(vault: Vault) -> None:
    store = vault.store()
    store.remove(CURRENT, store.write(CURRENT, {"api_key": "one"}, ABSENT))
    with pytest.raises(Refused, match="404"):
        vault.document("ai/openai")
    versions = vault.server.request("GET", f"{vault.mount}/metadata/ai/openai")["data"]["versions"]
    assert [bool(versions[number]["deletion_time"]) for number in ("1", "2")] == [False, True]
    vault.server.request("POST", f"{vault.mount}/data/ai/openai", {"data": {"api_key": "later"}})
    assert store.read(CURRENT).fields == {"api_key": "later"}


def test_a_removed_pending_value_is_gone_in_every_version(vault: Vault) -> None:
    store = vault.store()
    version = store.write(PENDING, {"value.secret": HIDDEN}, ABSENT)
    version = store.write(PENDING, {"value.secret": HIDDEN}, version)
    path = f"{vault.mount}/data/rotator/pending/ai/openai/r1"
    assert HIDDEN in str(vault.server.request("GET", f"{path}?version=1"))
    store.remove(PENDING, version)
    for number in range(4):
        with pytest.raises(Refused, match="404"):
            vault.server.request("GET", f"{path}?version={number}")


def test_a_pending_value_that_somebody_deleted_is_still_removed_with_its_older_versions(vault: Vault) -> None:
    store = vault.store()
    version = store.write(PENDING, {"value.secret": HIDDEN}, ABSENT)
    vault.server.request("DELETE", f"{vault.mount}/data/rotator/pending/ai/openai/r1")
    stored = store.read(PENDING)
    assert (stored.version, stored.fields) == (version, {})
    store.remove(PENDING, stored.version)
    assert store.places("ai/openai") == ()
    assert store.read(PENDING).version == ABSENT


# -- documents ---------------------------------------------------------------------------------------------------------


def test_whatever_others_keep_in_the_document_stays_as_it_is(vault: Vault) -> None:
    theirs: dict[str, Any] = {
        "number": 1.5,
        "small": 1e-7,
        "whole": 12345678,
        "list": [1, None, {"a": "ü"}],
        "no": False,
        "text": "1.50",
        "html": "<&>",
    }
    vault.server.request("POST", f"{vault.mount}/data/ai/openai", {"data": {**theirs, "api_key": "old"}})
    store = vault.store()
    store.write(CURRENT, {"api_key": "new"}, "1")
    assert vault.document("ai/openai")["data"] == {**theirs, "api_key": "new"}
    store.remove(CURRENT, "2")
    assert vault.document("ai/openai")["data"] == theirs


def test_a_field_of_ours_that_is_no_text_is_given_as_json_and_so_is_foreign(vault: Vault) -> None:
    vault.server.request("POST", f"{vault.mount}/data/ai/openai", {"data": {"api_key": {"nested": [1]}}})
    assert vault.store().read(CURRENT).fields == {"api_key": '{"nested": [1]}'}


def test_a_number_that_would_not_survive_being_written_back_is_refused() -> None:
    """OpenBao keeps numbers as floats itself; HashiCorp's Vault keeps every digit."""
    for text in ("1.10", "0.1", "1e3", "-2.5e-7", "1e22"):
        assert _same_number(text) == float(text)
    for text in ("1.00000000000000000001", "1e400", "0.1234567890123456789"):
        with pytest.raises(Permanent):
            _same_number(text)


def test_a_namespace_is_another_world(vault: Vault) -> None:
    with vault.server.namespace() as name:
        there = vault.server.within(name)
        there.request("POST", f"sys/mounts/{vault.mount}", {"type": "kv", "options": {"version": "2"}})
        store = vault.store(namespace=name)
        until_ready(lambda: store.write(CURRENT, {"api_key": "inside"}, ABSENT))
        assert vault.store().read(CURRENT).version == ABSENT
        assert Vault(there, vault.mount).document("ai/openai")["data"] == {"api_key": "inside"}


def until_ready(act: Any) -> None:
    """A new mount is "upgrading" for some milliseconds, which is transient."""
    for _ in range(1000):
        try:
            act()
        except Transient:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the engine is never ready")


def test_private_values_lie_where_the_settings_say(vault: Vault) -> None:
    store = vault.store(private="ops/private/rotator")
    store.write(PENDING, {"value.secret": "x"}, ABSENT)
    assert vault.document("ops/private/rotator/pending/ai/openai/r1")["data"] == {"value.secret": "x"}
    assert f'path "{vault.mount}/data/ops/private/rotator/pending/ai/openai/+"' in store.least_policy([PUBLISHED.ref])


# -- engines -----------------------------------------------------------------------------------------------------------


def test_an_engine_that_is_not_mounted_is_permanent_and_named(vault: Vault) -> None:
    store = vault.store(mount="no-such-mount")
    for act in (lambda: store.read(CURRENT), lambda: store.write(CURRENT, {"api_key": HIDDEN}, ABSENT)):
        with pytest.raises(Permanent) as permanent:
            act()
        assert "no engine mounted for no-such-mount/data/ai/openai" in permanent.value.message
        assert "`mount`" in permanent.value.hint


@contextmanager
def other_engine(vault: Vault, **settings: Any) -> Iterator[str]:
    """An engine that is not KV version 2; unmounted afterwards."""
    mount = f"{vault.mount}-other"
    vault.server.request("POST", f"sys/mounts/{mount}", settings)
    try:
        yield mount
    finally:
        vault.server.request("DELETE", f"sys/mounts/{mount}")


def test_an_engine_without_versions_is_permanent_before_anything_is_written(vault: Vault) -> None:
    with other_engine(vault, type="kv", options={"version": "1"}) as mount:
        for act in (
            lambda: vault.store(mount=mount).read(CURRENT),
            lambda: vault.store(mount=mount).write(CURRENT, {"api_key": HIDDEN}, ABSENT),
            lambda: vault.store(mount=mount).write(PENDING, {"value.secret": HIDDEN}, ABSENT),
        ):
            with pytest.raises(Permanent) as permanent:
                act()
            assert f"no KV version 2 engine at {mount}, but version 1" in permanent.value.message
            assert f"`vault kv enable-versioning {mount}`" in permanent.value.hint
        for path in ("data/ai/openai", "data/rotator/pending/ai/openai/r1"):
            with pytest.raises(Refused, match="404"):
                vault.server.request("GET", f"{mount}/{path}")
        vault.server.request("POST", f"{mount}/data/ai/openai", {"api_key": "of version 1"})
        with pytest.raises(Permanent, match="no KV version 2"):
            vault.store(mount=mount).read(CURRENT)


def test_an_engine_without_versions_is_told_by_a_token_of_the_least_policy(vault: Vault) -> None:
    with other_engine(vault, type="kv", options={"version": "1"}) as mount:
        policy = vault.store(mount=mount).least_policy([PUBLISHED.ref])
        store = vault.store(vault.token(policy), mount=mount)
        with pytest.raises(Permanent, match="no KV version 2"):
            store.read(CURRENT)


@pytest.mark.parametrize("kind", ["transit", "pki", "ssh"])
def test_an_engine_of_another_type_is_permanent(vault: Vault, kind: str) -> None:
    with other_engine(vault, type=kind) as mount:
        for act in (
            lambda: vault.store(mount=mount).read(CURRENT),
            lambda: vault.store(mount=mount).write(CURRENT, {"api_key": HIDDEN}, ABSENT),
        ):
            with pytest.raises(Permanent) as permanent:
                act()
            assert mount in permanent.value.message
            assert "`mount`" in permanent.value.hint


def test_a_rate_limit_is_a_throttle(vault: Vault) -> None:
    quota = f"sys/quotas/rate-limit/{vault.mount}"
    vault.server.request("POST", quota, {"path": vault.mount, "rate": 0.01, "interval": "60s"})
    try:
        store = vault.store()
        store.read(CURRENT)
        with pytest.raises(Transient) as throttled:
            store.read(CURRENT)
        assert throttled.value.throttled
        assert "rate" in throttled.value.message
    finally:
        vault.server.request("DELETE", quota)


# -- answers that no real server here gives ----------------------------------------------------------------------------


@pytest.mark.stand_in("OpenBao")
@pytest.mark.parametrize(
    ("reply", "kind", "part"),
    [
        (Reply(status=502, body=b"<html>Bad Gateway</html>"), Transient, "not vault answered 502"),
        (Reply(status=403, body=b"<html>Forbidden</html>"), Transient, "not vault answered 403"),
        (Reply(status=404, body=b"<html>nowhere</html>"), Transient, "not vault answered 404"),
        (Reply(status=200, body=b"<html>Welcome</html>"), Transient, "not vault answered 200"),
        (Reply(status=200, body=b"[1]"), Transient, "not vault answered 200"),
        (Reply(status=200, body=b'{"data": {"data": {"api_key": "x"}}}'), Transient, "no version"),
        (Reply(status=204), Transient, "no version"),
        (Reply(status=503, body=b"no backend"), Transient, "not available"),
        (Reply(status=500, body=errors("internal error")), Transient, "answered 500"),
        (Reply(status=501, body=errors("not initialized")), Transient, "not initialised"),
        (Reply(status=412, body=errors("required index state not present")), Transient, "standby"),
        (Reply(status=473, body=errors("")), Transient, "standby"),
        (
            Reply(status=500, body=errors("local node not active but active cluster node not found")),
            Transient,
            "standby",
        ),
        (Reply(status=413, body=errors("request body too large")), Permanent, "too large"),
        (Reply(status=405, body=errors("unsupported operation")), Permanent, "no KV version 2"),
        (Reply(status=418, body=errors("a teapot")), Permanent, "418"),
        (Reply(status=403, body=errors("permission denied")), Denied, "refuses our token"),
    ],
)
def test_an_answer_is_the_failure_that_it_means(reply: Reply, kind: type[Failure], part: str) -> None:
    with impostor(reply) as server:
        with pytest.raises(kind) as failure:
            stood_in(server.address).read(CURRENT)
        assert type(failure.value) is kind
        assert part in failure.value.message
        assert failure.value.hint


def stood_in(address: str, timeout: timedelta = timedelta(seconds=5), **settings: str) -> VaultStore:
    auth = {"method": "token", "token": "env:TOKEN"}
    given = {"address": address, "mount": "kv", "auth": auth, **settings}
    return VaultStore.from_settings("vault", given, lambda _: "s.some-token", timeout)


@pytest.mark.stand_in("OpenBao")
def test_a_throttle_says_when_to_come_back() -> None:
    with impostor(Reply(status=429, body=errors("slow down"), headers={"Retry-After": "7"})) as server:
        with pytest.raises(Transient) as throttled:
            stood_in(server.address).read(CURRENT)
        assert (throttled.value.throttled, throttled.value.retry_after) == (True, timedelta(seconds=7))


@pytest.mark.stand_in("OpenBao")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_with_our_token(status: int) -> None:
    with impostor(Reply(body=b"{}")) as elsewhere:
        reply = Reply(status=status, headers={"Location": f"{elsewhere.address}/v1/kv/data/ai/openai"})
        with impostor(reply) as standby:
            with pytest.raises(Transient, match="sends us elsewhere"):
                stood_in(standby.address).read(CURRENT)
            assert len(standby.requests) == 1
        assert elsewhere.requests == []


@pytest.mark.stand_in("OpenBao")
def test_a_server_that_is_slow_with_every_request_does_not_exceed_the_timeout_of_a_call() -> None:
    body = b'{"data": {"data": {"api_key": "x"}, "metadata": {"version": 1}}}'
    with impostor(Reply(body=body)) as server:
        store = stood_in(server.address, timedelta(seconds=0.6))
        store.read(CURRENT)
        server.reply.delay = 0.4
        asked: list[str] = []
        while asked != ["GET", "POST"]:  # a busy machine may not get beyond the first
            server.requests.clear()
            began = time.monotonic()
            with pytest.raises(Transient, match=r"in time|too long"):
                store.write(CURRENT, {"api_key": "y"}, "1")
            assert time.monotonic() - began < 20
            asked = [each.split()[0] for each in server.requests]
            assert asked in ([], ["GET"], ["GET", "POST"])


@pytest.mark.stand_in("OpenBao")
def test_a_page_that_is_not_vaults_is_no_success_of_any_call() -> None:
    with impostor(Reply(body=b"<html>Welcome</html>")) as server:
        store = stood_in(server.address)
        for act in (
            lambda: store.write(PENDING, {"value.secret": HIDDEN}, ABSENT),
            lambda: store.remove(PENDING, "1"),
            lambda: store.places("ai/openai"),
        ):
            with pytest.raises(Transient, match="not vault answered 200"):
                act()


def certificate(folder: Path, name: str) -> Path:
    """A certificate of its own authority for 127.0.0.1, with its key in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = builder.add_extension(here, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    encoded = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / f"{name}.pem"
    file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM) + encoded)
    return file


@pytest.mark.stand_in("OpenBao")
def test_only_a_certificate_of_the_configured_authority_is_trusted(tmp_path: Path) -> None:
    trusted, other = certificate(tmp_path, "vault"), certificate(tmp_path, "other")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(trusted)
    with impostor(Reply(status=404, body=errors()), tls) as server:
        store = stood_in(server.address, ca=str(trusted))
        assert [store.read(CURRENT).version for _ in range(2)] == [ABSENT, ABSENT]
        asked = len(server.requests)
        assert asked >= 2
        for distrusting in (stood_in(server.address), stood_in(server.address, ca=str(other))):
            with pytest.raises(Transient, match="certificate that is not trusted") as refusal:
                distrusting.read(CURRENT)
            assert "`ca`" in refusal.value.hint
        assert len(server.requests) == asked
        (tmp_path / "empty.pem").touch()
        with pytest.raises(Permanent, match="no certificate that can be read"):
            stood_in(server.address, ca=str(tmp_path / "empty.pem")).read(CURRENT)


@pytest.fixture
def misleading_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for prefix in ("VAULT", "BAO"):
        monkeypatch.setenv(f"{prefix}_ADDR", "http://127.0.0.1:1")
        monkeypatch.setenv(f"{prefix}_PROXY_ADDR", "http://127.0.0.1:1")
        monkeypatch.setenv(f"{prefix}_SKIP_VERIFY", "true")
        for name in ("TOKEN", "NAMESPACE", "CACERT", "CAPATH", "CLIENT_CERT", "CLIENT_KEY", "ROLE_ID", "SECRET_ID"):
            monkeypatch.setenv(f"{prefix}_{name}", "wrong")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "wrong")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.delenv("no_proxy", raising=False)


@pytest.mark.usefixtures("misleading_environment")
def test_the_environment_changes_nothing(vault: Vault) -> None:
    store = vault.store()
    store.write(CURRENT, {"api_key": "one"}, ABSENT)
    assert vault.document("ai/openai")["data"] == {"api_key": "one"}


@pytest.mark.stand_in("OpenBao")
@pytest.mark.usefixtures("misleading_environment")
def test_the_environment_makes_no_certificate_trusted_and_none_distrusted(tmp_path: Path) -> None:
    own = certificate(tmp_path, "vault")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own)
    with impostor(Reply(status=404, body=errors()), tls) as server:
        with pytest.raises(Transient, match="certificate that is not trusted"):
            stood_in(server.address).read(CURRENT)
        assert server.requests == []
        assert stood_in(server.address, ca=str(own)).read(CURRENT).version == ABSENT


@pytest.mark.stand_in("OpenBao")
def test_where_a_redirect_leads_is_named_without_its_path() -> None:
    reply = Reply(status=307, headers={"Location": "https://node-2.internal:8200/v1/kv/data/ai/openai?token=x"})
    with impostor(reply) as standby, pytest.raises(Transient) as failure:
        stood_in(standby.address).read(CURRENT)
    assert "'https://node-2.internal:8200'" in failure.value.message
    assert "token=x" not in failure.value.message
    assert "load balancer" in failure.value.hint
