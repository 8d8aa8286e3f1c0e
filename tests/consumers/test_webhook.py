"""Webhooks on real sockets: signed as the specification says, told by the same id, and never waited for too long."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.adapters.consumers import SettingsError
from rotator.domain.consumers import Happened, Heard
from rotator.domain.failures import Failure, Permanent, Transient
from tests.consumers.news import NEWS, NOW, tell, telling
from tests.consumers.receiver import Post, Receiver, Reply
from tests.servers.process import reserved_port

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(b"x" * 24).decode()


def _secret(reference: str) -> str:
    assert reference == "file:whsec"
    return SECRET


def test_it_is_signed_as_the_specification_says() -> None:
    with Receiver() as receiver:
        heard = tell({"webhook": receiver.url, "secret": "file:whsec"}, resolve=_secret)
    (post,) = receiver.posts
    assert heard == Heard("")
    assert post.authentic(SECRET)
    assert not post.authentic(OTHER)
    assert not replace(post, body=post.body + b" ").authentic(SECRET)
    assert not replace(post, headers={**post.headers, "webhook-id": "msg_1"}).authentic(SECRET)
    assert post.headers["content-type"] == "application/json"


def test_the_signatures_of_the_specification_s_own_example_are_known() -> None:
    """The vector of the specification's reference libraries, so that the test's own verification can be believed."""
    post = Post(
        path="/",
        headers={
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        body=b'{"test": 2432232314}',
        at=1614265330.0,
    )
    assert post.authentic("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def test_it_says_what_happened_where_and_no_value() -> None:
    with Receiver() as receiver:
        tell({"webhook": receiver.url})
    assert receiver.posts[0].json == {
        "type": "credential.rotated",
        "timestamp": "2026-11-25T10:00:00Z",
        "data": {
            "credential": "openai-prod",
            "rotation": "r1",
            "consumer": "web",
            "stores": [
                {"store": "vault", "ref": "ai/openai", "version": "7"},
                {"store": "aws", "ref": "prod/openai", "version": None},
            ],
        },
    }


def test_the_same_news_has_the_same_id_and_body_and_other_news_another_id() -> None:
    with Receiver(lambda _: Reply(status=503)) as receiver:
        for _ in range(3):
            assert isinstance(tell({"webhook": receiver.url}), Transient)
        back = replace(NEWS, what=Happened.PUT_BACK)
        later = replace(NEWS, at=NOW + timedelta(microseconds=1))
        another = replace(NEWS, rotation="r2")
        for news in (back, later, another):
            tell({"webhook": receiver.url}, news)
        telling(web={"webhook": receiver.url}, cron={"webhook": receiver.url}).tell(["cron"], NEWS)
    ids = [post.id for post in receiver.posts]
    assert len(set(ids[:3])) == len({post.body for post in receiver.posts[:3]}) == 1
    assert len(set(ids[2:])) == 5
    assert not any("." in each for each in ids), "the signed text is divided by it"


def test_while_the_secret_is_replaced_it_is_signed_with_both() -> None:
    with Receiver() as receiver:
        tell({"webhook": receiver.url, "secret": "file:whsec"}, resolve=lambda _: f"{SECRET} {OTHER}")
    assert receiver.posts[0].authentic(SECRET)
    assert receiver.posts[0].authentic(OTHER)


def test_without_a_secret_it_is_not_signed_and_check_says_so() -> None:
    with Receiver() as receiver:
        tell({"webhook": receiver.url})
    assert "webhook-signature" not in receiver.posts[0].headers
    teller = telling(web={"webhook": receiver.url})._tellers["web"]
    assert teller.by.remarks() == ("its webhook is not signed, so anybody can tell it; give it a secret",)


@pytest.mark.parametrize("secret", ["", "hunter2-hunter2", "whsec_!!!", "whsec_" + base64.b64encode(b"short").decode()])
def test_a_secret_of_another_form_is_refused_and_not_shown(secret: str) -> None:
    with Receiver() as receiver:
        answer = tell({"webhook": receiver.url, "secret": "file:whsec"}, resolve=lambda _: secret)
    if secret:
        assert isinstance(answer, Transient)
        assert "hunter2" not in answer.message + answer.hint
        assert receiver.posts == []


def test_a_reference_that_cannot_be_read_is_a_failure_of_this_consumer() -> None:
    def unreadable(_: str) -> str:
        raise Transient("its secret: file:/x cannot be read", "check it")

    with Receiver() as receiver:
        answer = tell({"webhook": receiver.url, "secret": "file:whsec"}, resolve=unreadable)
    assert isinstance(answer, Transient)
    assert answer.message == "its secret: file:/x cannot be read"
    assert receiver.posts == []


# -- answers ----------------------------------------------------------------------------------------------------------


def test_what_it_answers_is_given_back_bounded() -> None:
    with Receiver(lambda _: Reply(status=200, body=b"ack1_" + b"0" * 64 + b"x" * 1_000_000)) as receiver:
        heard = tell({"webhook": receiver.url})
    assert isinstance(heard, Heard)
    assert heard.answer.startswith("ack1_000")
    assert len(heard.answer) == 16_384
    assert "ack1_" not in repr(heard)


def test_a_redirect_is_not_followed() -> None:
    with Receiver() as elsewhere, Receiver() as receiver:
        receiver.reply = lambda _: Reply(status=307, headers=(("Location", elsewhere.url),))
        answer = tell({"webhook": receiver.url})
    assert isinstance(answer, Permanent)
    assert elsewhere.posts == []


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Transient), (404, Transient), (429, Transient), (503, Transient), (410, Permanent)]
)
def test_any_other_status_means_that_it_did_not_hear(status: int, kind: type[Failure]) -> None:
    with Receiver(lambda _: Reply(status=status, body=b"sk-in-the-answer")) as receiver:
        answer = tell({"webhook": receiver.url})
    assert type(answer) is kind
    assert str(status) in answer.message
    assert "sk-in-the-answer" not in repr(vars(answer))


@pytest.mark.parametrize(("text", "seconds"), [("7", 7), ("99999", 3600), ("999999999", None), ("soon", None)])
def test_when_to_come_back_is_heard_within_bounds(text: str, seconds: int | None) -> None:
    with Receiver(lambda _: Reply(status=429, headers=(("Retry-After", text),))) as receiver:
        answer = tell({"webhook": receiver.url})
    assert isinstance(answer, Transient)
    assert answer.retry_after == (timedelta(seconds=seconds) if seconds is not None else None)


def test_an_answer_byte_by_byte_is_not_waited_for_beyond_the_timeout() -> None:
    with Receiver(lambda _: Reply(status=200, body=b"x" * 1000, drip=0.05)) as receiver:
        began = time.monotonic()
        answer = tell({"webhook": receiver.url}, timeout=0.5)
        took = time.monotonic() - began
    assert isinstance(answer, Transient)
    assert took < 10


def test_headers_without_end_are_not_waited_for_either() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drips() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not over.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=drips)
    thread.start()
    began = time.monotonic()
    answer = tell({"webhook": f"http://127.0.0.1:{server.getsockname()[1]}/"}, timeout=0.5)
    took = time.monotonic() - began
    over.set()
    thread.join()
    server.close()
    assert isinstance(answer, Transient)
    assert took < 10


def test_nobody_there_and_nonsense_are_transient() -> None:
    with reserved_port() as port:
        assert isinstance(tell({"webhook": f"http://127.0.0.1:{port}/"}), Transient)


# -- where to ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://agents.internal/rotated",
        "http://127.0.0.1.example.com/",
        "http://10.0.0.1/",
        "https://user:hunter2@agents.internal/",
        "ftp://127.0.0.1/",
        "https:///nowhere",
        "https://agents.internal:0/",
        "https://agents.internal:99999/",
        "https://agents.internal/#hunter2",
        "hunter2",
        "https://[hunter2/",
    ],
)
def test_only_https_or_this_machine_and_what_is_refused_is_not_shown(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        telling(web={"webhook": url})
    assert "hunter2" not in caught.value.message + caught.value.hint
    assert "hunter2" not in repr(caught.value.__context__)


@pytest.mark.parametrize(
    "url", ["https://agents.internal/x?y=z", "http://localhost:8080", "http://[::1]:9/", "http://127.9.9.9/"]
)
def test_these_may_be_told(url: str) -> None:
    assert telling(web={"webhook": url}).way("web") is not None


def test_a_server_whose_certificate_nobody_signed_hears_nothing(tmp_path: Path) -> None:
    context, ca = _certificate(tmp_path)
    heard: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serves() -> None:
        for _ in range(2):
            connection, _ = server.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    heard.append(secure.recv(65536))
                    while not heard[-1].endswith(b"}}"):
                        heard[-1] += secure.recv(65536)
                    secure.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            except OSError:
                connection.close()

    thread = threading.Thread(target=serves)
    thread.start()
    url = f"https://127.0.0.1:{server.getsockname()[1]}/"
    assert isinstance(tell({"webhook": url}), Transient)
    assert heard == []
    assert tell({"webhook": url, "ca": str(ca)}) == Heard("")
    thread.join()
    server.close()
    assert heard[0].startswith(b"POST / HTTP/1.1\r\n")


def _certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    import ipaddress
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "ca.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return context, pem
