"""What GitHub tells of leaks: believed by its signature alone, bounded, and taken in once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from rotator.adapters.github_signatures import PublicKeys, is_hmac
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.github_leaks import LARGEST, GithubLeaks, Refused
from rotator.app.leak_intake import take
from rotator.config.values import GithubLeaks as Settings
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import Scene, make
from tests.servers.api import Listener

pytestmark = pytest.mark.stand_in("API provider: keyserver")
BODY = b'[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]'
ID = "ab" * 32


class Meta:
    """GitHub's meta endpoint, with the keys of the test."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.keys = {ID: self.private.public_key()}
        self.asked = 0
        self.status = 200
        meta = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                meta.asked += 1
                body = json.dumps({"public_keys": [meta.entry(each) for each in meta.keys]}).encode()
                self.send_response(meta.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/meta/public_keys/secret_scanning"

    def entry(self, identifier: str) -> dict[str, Any]:
        form, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        pem = self.keys[identifier].public_bytes(form, kind).decode()
        return {"key_identifier": identifier, "key": pem, "is_current": True}

    def sign(self, body: bytes) -> str:
        return base64.b64encode(self.private.sign(body, ec.ECDSA(hashes.SHA256()))).decode()

    def headers(self, body: bytes, identifier: str = ID) -> dict[str, str]:
        return {"Github-Public-Key-Identifier": identifier, "Github-Public-Key-Signature": self.sign(body)}


@pytest.fixture
def meta() -> Iterator[Meta]:
    """One that runs."""
    found = Meta()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver) -> Scene:
    """One credential, adopted, and a webhook's secret."""
    made = make(tmp_path, keyserver, names=("a",))
    assert made.say("adopt", "a").code == 0
    (tmp_path / "hook").touch(mode=0o600)
    (tmp_path / "hook").write_text("It's a Secret to Everybody")
    return made


@pytest.fixture
def assembly(scene: Scene, meta: Meta) -> Iterator[Assembly]:
    """The scene's config, to which GitHub may tell both ways."""
    scene.rewrite(leaks={"github": {"secret": "file:hook", "keys": meta.url}})
    made = Assembly(config=load_config(scene.config))
    yield made
    made.close()


SHARED = "It's a Secret to Everybody"


def hub(body: bytes, secret: str = SHARED) -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def test_the_documentation_s_own_example_fits() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert is_hmac(b"Hello, World!", signature, "It's a Secret to Everybody")
    assert not is_hmac(b"Hello, World?", signature, "It's a Secret to Everybody")
    assert not is_hmac(b"Hello, World!", signature, "another")
    assert not is_hmac(b"Hello, World!", signature.upper(), "It's a Secret to Everybody")
    assert not is_hmac(b"", "sha256=" + hmac.new(b"", b"", "sha256").hexdigest(), "")


def test_a_partner_s_message_opens_an_incident_and_the_same_again_is_no_news(
    assembly: Assembly, scene: Scene, meta: Meta
) -> None:
    value = scene.published("a")
    body = json.dumps([{"token": value, "type": "x", "url": "https://github.com/o/r", "source": "commit"}]).encode()
    github = GithubLeaks(lambda: assembly)
    report = github.verified(body, meta.headers(body))
    assert report is not None
    intake = take(assembly, report)
    assert (intake.new, list(intake.exposed)) == (True, ["a"])
    assert value not in intake.words()
    assert github.verified(body, meta.headers(body)) is None
    after_a_restart = GithubLeaks(lambda: assembly).verified(body, meta.headers(body))
    assert after_a_restart is not None
    assert not take(assembly, after_a_restart).new
    github.forget(body)
    assert github.verified(body, meta.headers(body)) is not None


def test_an_alert_s_webhook_has_no_value_so_that_nobody_can_say_whose_it_is(assembly: Assembly) -> None:
    alert = {"number": 7, "secret_type": "openai_api_key", "html_url": "https://github.com/o/r/security/7"}
    body = json.dumps({"action": "created", "alert": alert, "repository": {}}).encode()
    report = GithubLeaks(lambda: assembly).verified(body, hub(body))
    assert report is not None
    intake = take(assembly, report)
    assert intake.incident is not None
    assert not intake.complete
    assert "openai_api_key (https://github.com/o/r/security/7)" in intake.doubtful[0]
    assert not take(assembly, report).new


@pytest.mark.parametrize("action", ["resolved", "revoked", "assigned"])
def test_what_tells_of_no_leak_is_taken_and_nothing_is_done(action: str, assembly: Assembly) -> None:
    body = json.dumps({"action": action, "alert": {"secret_type": "x", "html_url": "y"}}).encode()
    ping = json.dumps({"zen": "x", "hook_id": 1}).encode()
    github = GithubLeaks(lambda: assembly)
    assert github.verified(body, hub(body)) is None
    assert github.verified(ping, hub(ping)) is None


def _status(assembly: Assembly, body: bytes, headers: dict[str, str]) -> int:
    with pytest.raises(Refused) as found:
        GithubLeaks(lambda: assembly).verified(body, headers)
    assert "some_token" not in found.value.message
    return int(found.value.status)


def test_whoever_is_not_github_gets_nothing(assembly: Assembly, meta: Meta) -> None:
    good = meta.headers(BODY)
    assert _status(assembly, BODY, {}) == 401
    assert _status(assembly, BODY + b" ", good) == 401
    assert _status(assembly, BODY, hub(BODY, "wrong")) == 401
    assert _status(assembly, BODY, {**good, "Github-Public-Key-Identifier": "cd" * 32}) == 401
    assert _status(assembly, BODY, {**good, "Github-Public-Key-Identifier": "../../x"}) == 401
    assert _status(assembly, BODY, {**good, "Github-Public-Key-Signature": "!"}) == 401
    assert _status(assembly, BODY, {**good, "Github-Public-Key-Signature": "A" * 10_000}) == 401
    # a wrong signature of one kind is not made good by a right one of the other
    assert _status(assembly, BODY, {**good, **hub(BODY, "wrong")}) == 401
    assert GithubLeaks(lambda: assembly).verified(BODY, good) is not None


def test_a_key_that_is_not_of_that_curve_verifies_nothing(assembly: Assembly, meta: Meta) -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    meta.keys[ID] = other.public_key()  # type: ignore[assignment]
    signature = base64.b64encode(other.sign(BODY)).decode()
    headers = {"Github-Public-Key-Identifier": ID, "Github-Public-Key-Signature": signature}
    assert _status(assembly, BODY, headers) == 401


def test_what_is_too_long_or_no_json_is_refused(assembly: Assembly) -> None:
    assert _status(assembly, b"x" * (LARGEST + 1), {}) == 413
    rubbish = b"rubbish"
    assert _status(assembly, rubbish, hub(rubbish)) == 400
    assert _status(assembly, BODY, {**hub(BODY), "Content-Type": "application/x-www-form-urlencoded"}) == 415


def test_without_a_word_in_the_config_there_is_nothing(assembly: Assembly) -> None:
    assembly.config = replace(assembly.config, github_leaks=None)
    assert _status(assembly, BODY, hub(BODY)) == 404
    assembly.config = replace(assembly.config, github_leaks=Settings())
    assert _status(assembly, BODY, hub(BODY)) == 401


def test_the_keys_are_fetched_once_and_for_a_made_up_identifier_not_each_time(meta: Meta) -> None:
    now = [0.0]
    keys = PublicKeys(meta.url, lambda: now[0])
    assert keys.signed(BODY, ID, meta.sign(BODY))
    for number in range(20):
        assert not keys.signed(BODY, f"{number:064x}", meta.sign(BODY))
    assert meta.asked == 1
    now[0] = 61.0
    new = "ef" * 32
    meta.keys[new] = meta.private.public_key()
    assert keys.signed(BODY, new, meta.sign(BODY))
    assert meta.asked == 2


def test_while_the_keys_cannot_be_had_the_old_ones_count_and_without_any_it_is_said(
    assembly: Assembly, meta: Meta
) -> None:
    meta.status = 503
    assert _status(assembly, BODY, meta.headers(BODY)) == 503
    meta.status = 200
    now = [0.0]
    keys = PublicKeys(meta.url, lambda: now[0])
    assert keys.signed(BODY, ID, meta.sign(BODY))
    meta.status, now[0] = 500, 4000.0
    assert keys.signed(BODY, ID, meta.sign(BODY))
    assert meta.asked == 3


def test_a_secret_that_cannot_be_read_verifies_nothing(assembly: Assembly, scene: Scene) -> None:
    (scene.folder / "hook").unlink()
    assert _status(assembly, BODY, hub(BODY, "")) == 503
