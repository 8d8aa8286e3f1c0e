"""Where the gcp store gets its tokens: each method asks whom it names, once, and shows nothing of what it holds."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from rotator.adapters.stores.gcp import GcpStore
from rotator.domain.failures import Denied, Failure, Transient
from rotator.ports import ABSENT
from rotator.testing.store_contract import at_once, secret_free
from tests.servers import secret_manager
from tests.servers.api import Listener
from tests.servers.secret_manager.iam import OWNER
from tests.stores.gcp_access import CURRENT, PROJECT, Gcp, serving

pytestmark = pytest.mark.stand_in(secret_manager.NAME)

EMAIL = "rotator@acme-prod.iam.gserviceaccount.com"
REFRESH = "1//refresh-token-0123456789"
SUBJECT = "subject-token-0123456789"


@pytest.fixture
def gcp() -> Iterator[Gcp]:
    """A fresh server."""
    with serving("rest") as gcp:
        yield gcp


def using(gcp: Gcp, auth: dict[str, str], resolve: Callable[[str], str] = str) -> GcpStore:
    settings = {"project": PROJECT, "endpoint": gcp.address, "transport": gcp.transport, "auth": auth}
    return GcpStore.from_settings("gcp", settings, resolve, timedelta(seconds=5))


def failing(gcp: Gcp, kind: type[Failure], store: GcpStore) -> Failure:
    with pytest.raises(kind) as raised:
        store.read(CURRENT)
    hidden = (*gcp.secrets, REFRESH, SUBJECT, "PRIVATE KEY")
    assert [each for each in hidden if not secret_free(raised.value, each)] == []
    return raised.value


@dataclass
class TokenServer:
    """Gives out tokens over HTTP as it is told to, and remembers what it was asked."""

    gcp: Gcp
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    lifetime: float = 3600
    address: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def token(self) -> dict[str, Any]:
        """A new one."""
        text = f"ya29.given-{len(self.asked)}-0123456789"
        self.gcp.allow(text, *OWNER)
        self.gcp.secrets.add(text)
        return {"access_token": text, "expires_in": self.lifetime, "token_type": "Bearer", "scope": "x"}


@contextmanager
def token_server(gcp: Gcp) -> Iterator[TokenServer]:
    """Such a server; gone afterwards."""
    here = TokenServer(gcp)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            here.asked.append((f"{self.command} {self.path}", body, dict(self.headers)))
            text = json.dumps(here.token()) if here.status == 200 else '{"error": "invalid_grant"}'
            self.send_response(here.status)
            for name, value in here.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    server = Listener(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    here.address = f"127.0.0.1:{server.server_port}"
    try:
        yield here
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def tokens(gcp: Gcp) -> Iterator[TokenServer]:
    """A server that gives out tokens."""
    with token_server(gcp) as here:
        yield here


# -- the metadata server -----------------------------------------------------------------------------------------------


def test_the_metadata_server_is_asked_once_by_eight_threads_and_again_before_the_end(
    gcp: Gcp, tokens: TokenServer
) -> None:
    tokens.headers = {"Metadata-Flavor": "Google"}
    store = using(gcp, {"method": "metadata", "host": tokens.address})
    assert set(at_once(8, lambda _: store.read(CURRENT).version).values()) == {ABSENT}
    assert len(tokens.asked) == 1
    request, _, headers = tokens.asked[0]
    assert request == "GET /computeMetadata/v1/instance/service-accounts/default/token"
    assert headers["Metadata-Flavor"] == "Google"
    short = using(gcp, {"method": "metadata", "host": tokens.address})
    tokens.lifetime = 0
    short.read(CURRENT)
    assert len(tokens.asked) > 2, "one for each request: the last one has expired"


def test_a_server_that_is_no_metadata_server_gets_no_trust(gcp: Gcp, tokens: TokenServer) -> None:
    store = using(gcp, {"method": "metadata", "host": tokens.address})
    assert "no metadata server" in failing(gcp, Transient, store).message
    tokens.headers, tokens.status = {"Metadata-Flavor": "Google"}, 404
    denied = failing(gcp, Denied, store)
    assert "gives no token (404)" in denied.message
    assert "service account" in denied.hint


def test_a_metadata_server_that_is_not_there_costs_one_timeout(gcp: Gcp) -> None:
    assert (
        "cannot be reached"
        in failing(gcp, Transient, using(gcp, {"method": "metadata", "host": "127.0.0.1:1"})).message
    )


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """A service account's key."""
    return rsa.generate_private_key(65537, 2048)


def key_file(key: rsa.RSAPrivateKey) -> str:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    info = {"type": "service_account", "client_email": EMAIL, "private_key": pem, "private_key_id": "k1"}
    return json.dumps({**info, "token_uri": "http://127.0.0.1:1/nobody", "project_id": "elsewhere"})


def test_a_service_accounts_key_signs_its_tokens_itself_and_asks_nobody(gcp: Gcp, key: rsa.RSAPrivateKey) -> None:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    gcp.service.accounts.keys[EMAIL] = (public, OWNER)
    store = using(gcp, {"method": "adc_file", "file": "file:/run/sa.json"}, lambda _: key_file(key))
    store.write(CURRENT, {"api_key": "one"}, store.read(CURRENT).version)
    assert gcp.both() == ({"api_key": "one"},) * 2


def test_a_key_that_google_does_not_know_any_more_is_denied_and_its_reference_named(
    gcp: Gcp, key: rsa.RSAPrivateKey
) -> None:
    store = using(gcp, {"method": "adc_file", "file": "file:/run/sa.json"}, lambda _: key_file(key))
    denied = failing(gcp, Denied, store)
    assert denied.hint == "put a valid key at file:/run/sa.json"


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        '{"type": "external_account"}',
        '{"type": "service_account"}',
        '{"type": "service_account", "client_email": "x", "token_uri": "x", "private_key": "-----BEGIN KEY-----"}',
        '{"type": "authorized_user"}',
    ],
)
def test_a_file_that_is_no_credentials_is_denied_without_what_stands_in_it(gcp: Gcp, text: str) -> None:
    store = using(gcp, {"method": "adc_file", "file": "file:/run/sa.json"}, lambda _: text)
    assert "file:/run/sa.json" in failing(gcp, Denied, store).message


def test_a_persons_login_is_refreshed_once_and_a_revoked_one_denied(gcp: Gcp, tokens: TokenServer) -> None:
    login = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": REFRESH}
    text = json.dumps({**login, "token_uri": f"http://{tokens.address}/token"})
    store = using(gcp, {"method": "adc_file", "file": "file:/run/adc.json"}, lambda _: text)
    assert store.read(CURRENT).version == ABSENT
    assert [request for request, _, _ in tokens.asked] == ["POST /token"]
    tokens.status = 400
    failing(gcp, Denied, using(gcp, {"method": "adc_file", "file": "file:/run/adc.json"}, lambda _: text))
    tokens.status, asked = 503, len(tokens.asked)
    failing(gcp, Transient, using(gcp, {"method": "adc_file", "file": "file:/run/adc.json"}, lambda _: text))
    assert len(tokens.asked) == asked + 1, "the SDK would ask three times"


# -- workload identity federation --------------------------------------------------------------------------------------


def federation(tmp_path: Path, address: str, **changed: Any) -> dict[str, str]:
    subject = tmp_path / "subject"
    subject.write_text(SUBJECT)
    info = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"http://{address}/v1/token",
        "credential_source": {"file": str(subject)},
    }
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**info, **changed}))
    return {"method": "workload_identity_federation", "config": str(config)}


def test_a_subject_token_is_exchanged_for_googles_token(gcp: Gcp, tokens: TokenServer, tmp_path: Path) -> None:
    store = using(gcp, federation(tmp_path, tokens.address))
    store.write(CURRENT, {"api_key": "one"}, store.read(CURRENT).version)
    ((request, body, _),) = tokens.asked
    assert request == "POST /v1/token"
    assert SUBJECT in body
    assert gcp.both() == ({"api_key": "one"},) * 2


@pytest.mark.parametrize(
    "source",
    [
        {"executable": {"command": "/bin/sh -c 'touch /tmp/ran'"}},
        {"environment_id": "aws1", "url": "http://169.254.169.254/"},
        {"certificate": {"use_default_certificate_config": True}},
        {},
        "text",
    ],
)
def test_a_config_that_would_run_a_program_or_read_variables_is_denied(
    gcp: Gcp, tokens: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any
) -> None:
    monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    store = using(gcp, federation(tmp_path, tokens.address, credential_source=source))
    assert "config.json" in failing(gcp, Denied, store).message
    assert tokens.asked == []


def test_a_subject_token_that_is_not_there_is_denied(gcp: Gcp, tokens: TokenServer, tmp_path: Path) -> None:
    store = using(gcp, federation(tmp_path, tokens.address))
    (tmp_path / "subject").unlink()
    failing(gcp, Denied, store)
    (tmp_path / "config.json").unlink()
    assert "cannot be read (FileNotFoundError)" in failing(gcp, Denied, store).message


# -- references --------------------------------------------------------------------------------------------------------


def test_a_reference_that_cannot_be_read_is_denied_before_any_request(gcp: Gcp) -> None:
    class Unresolvable(Exception):
        message, hint = "the environment variable TOKEN is not set", "export TOKEN"

    def unresolvable(_: str) -> str:
        raise Unresolvable

    for method, key in (("access_token", "token"), ("adc_file", "file")):
        auth = {"method": method, key: "env:TOKEN"}
        assert failing(gcp, Denied, using(gcp, auth, unresolvable)).hint == "export TOKEN"
        assert "is empty" in failing(gcp, Denied, using(gcp, auth, lambda _: "\n")).message
    assert not gcp.service.calls
