"""A notice by mail, to a real SMTP server: encrypted or not at all, and whole whatever the words hold."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.adapters.notifying.mail import MailSender, Server
from rotator.adapters.notifying.partly import Partly
from rotator.domain.failures import Denied, Failure, Permanent, Transient
from rotator.domain.notices import Notice
from tests.notifying.made import notice
from tests.servers.certificate import self_signed
from tests.servers.mail import mail_server

ENOUGH = timedelta(seconds=20)


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    """A server's side, and the file of the authority that made its certificate."""
    public, private = self_signed(tmp_path, "mail", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, str(public)


def send(
    port: int,
    what: Notice | None = None,
    *,
    tls: str = "none-on-loopback-only",
    ca: str | None = None,
    password: str | None = None,
    host: str = "127.0.0.1",
    to: tuple[str, ...] = ("oncall@example.org",),
    timeout: timedelta = ENOUGH,
) -> None:
    login = {} if password is None else {"user": "rotator", "password": lambda: password}
    server = Server(host=host, port=port, tls=tls, ca=ca, **login)  # type: ignore[arg-type]
    MailSender(server, "rotator@example.org", to, timeout).send(what or notice(), 0)


def test_a_mail_says_what_happened_and_the_command_that_mends_it() -> None:
    with mail_server() as server:
        send(server.port, to=("a@example.org", "b@example.org"))
    (mail,), (envelope,) = server.mails, server.envelopes
    assert mail["Subject"] == "[critical] app: a rotation is stuck"
    assert (mail["From"], mail["To"]) == ("rotator@example.org", "a@example.org, b@example.org")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert (envelope.mail_from, envelope.rcpt_tos) == ("rotator@example.org", ["a@example.org", "b@example.org"])
    text = mail.get_content()
    assert "no room at the provider" in text
    assert "\n    rotator resume app" in text.replace("\r", "")
    assert mail.get_content_type() == "text/plain"


def test_the_end_of_a_trouble_is_in_its_thread_and_has_no_command() -> None:
    with mail_server() as server:
        send(server.port)
        send(server.port, notice().ended(notice().at + timedelta(minutes=5)))
    first, over = server.mails
    assert first["References"] == over["References"]
    assert first["Message-ID"] != over["Message-ID"]
    assert over["Subject"].startswith("[resolved] app")
    assert "rotator resume" not in over.get_content()


def test_starttls_is_verified_and_the_login_goes_through_it_alone(tls: tuple[ssl.SSLContext, str]) -> None:
    context, ca = tls
    with mail_server(context, login=True) as server:
        send(server.port, tls="starttls", ca=ca, password="hunter2")
    assert server.encrypted == [True]
    assert server.logins == [("rotator", "hunter2")]
    assert len(server.mails) == 1


def test_tls_from_the_first_byte(tls: tuple[ssl.SSLContext, str]) -> None:
    context, ca = tls
    with mail_server(context, implicit=True) as server:
        send(server.port, tls="implicit", ca=ca)
    assert server.encrypted == [True]


@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_a_certificate_that_is_not_believed_gets_neither_login_nor_mail(
    how: str, tls: tuple[ssl.SSLContext, str]
) -> None:
    refused = pytest.raises(Permanent, match="certificate is not believed")
    with mail_server(tls[0], implicit=how == "implicit") as server, refused:
        send(server.port, tls=how, password="hunter2")
    assert (server.logins, server.mails) == ([], [])


def test_a_certificate_of_another_host_is_not_believed(tls: tuple[ssl.SSLContext, str]) -> None:
    context, ca = tls
    with mail_server(context) as server, pytest.raises(Permanent, match="certificate is not believed"):
        send(server.port, tls="starttls", ca=ca, host="localhost")
    assert server.mails == []


def test_a_server_that_does_not_offer_starttls_gets_nothing() -> None:
    with mail_server() as server, pytest.raises(Permanent, match="does not offer STARTTLS, and nothing was sent"):
        send(server.port, tls="starttls", password="hunter2")
    assert (server.logins, server.mails) == ([], [])


def test_a_login_that_is_refused_says_so_without_the_password(tls: tuple[ssl.SSLContext, str]) -> None:
    context, ca = tls
    with mail_server(context, login=True) as server, pytest.raises(Denied, match=r"refuses the login \(535\)") as found:
        send(server.port, tls="starttls", ca=ca, password="wrong-one")
    assert "wrong-one" not in found.value.message + found.value.hint
    assert server.mails == []


@pytest.mark.parametrize(("answer", "kind"), [("451 later", Transient), ("554 never hunter2", Permanent)])
def test_a_refused_mail_is_tried_again_or_not_as_the_server_says(answer: str, kind: type[Failure]) -> None:
    with mail_server() as server:
        server.refuse = answer
        with pytest.raises(kind, match=f"refuses.*{answer[:3]}") as found:
            send(server.port)
    assert "hunter2" not in str(found.value)


def test_an_address_that_is_not_taken_is_said_even_where_another_one_is() -> None:
    with mail_server() as server:
        server.strange = ("gone@example.org",)
        with pytest.raises(Partly, match="1 of 2 addresses"):
            send(server.port, to=("a@example.org", "gone@example.org"))
        with pytest.raises(Permanent, match="none of the addresses"):
            send(server.port, to=("gone@example.org",))


def test_a_server_that_hangs_or_drips_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Transient, match="gave no answer"):
        send(silent.getsockname()[1], timeout=timedelta(seconds=0.3))
    over = threading.Event()

    def drip(listening: socket.socket) -> None:
        with suppress(OSError), listening.accept()[0] as connection:
            while not over.wait(0.05):
                connection.sendall(b"2")

    with socket.create_server(("127.0.0.1", 0)) as dripping:
        thread = threading.Thread(target=drip, args=(dripping,))
        thread.start()
        with pytest.raises(Failure):
            send(dripping.getsockname()[1], timeout=timedelta(seconds=0.3))
        over.set()
        dripping.shutdown(socket.SHUT_RDWR)
        thread.join()


HOSTILE = "x\r\nBcc: thief@example.org\r\n\r\n@everyone <script> [a](https://evil.example) `rm -rf` \u202e\x1b[2J #all"


def test_hostile_words_make_no_header_no_link_and_no_mention() -> None:
    bad = notice(subject="app\r\nBcc: thief@example.org", words=HOSTILE, hint=HOSTILE, what="a rotation\r\nis stuck")
    with mail_server() as server:
        send(server.port, bad)
    (mail,), (envelope,) = server.mails, server.envelopes
    assert mail["Bcc"] is None
    assert envelope.rcpt_tos == ["oncall@example.org"]
    assert "\n" not in mail["Subject"]
    text = mail.get_content()
    for mark in ("@everyone", "https://", "<script>", "[a]", "\u202e", "\x1b", "`"):
        assert mark not in text
    assert not [line for line in text.splitlines() if line.startswith("Bcc")]


def test_words_in_any_script_arrive_as_they_are() -> None:
    with mail_server() as server:
        send(server.port, notice(subject="größe-日本", words="Schlüssel läuft ab ✓", what="Überlauf"))
    (mail,) = server.mails
    assert mail["Subject"] == "[critical] größe-日本: Überlauf"
    assert "Schlüssel läuft ab ✓" in mail.get_content()


def test_a_line_that_ends_a_mail_ends_none() -> None:
    with mail_server() as server:
        send(server.port, notice(words=".", hint=".\r\nQUIT"))
    assert "rotator resume app" in server.mails[0].get_content()
