"""A notice by mail, by the standard library's client. Encrypted with a verified certificate, or to this machine.

A server that does not offer STARTTLS gets neither a password nor a mail. Headers are made by `email`, which encodes
what is not ASCII and refuses line breaks; addresses were checked when the config was read.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import partial
from typing import Any

from rotator.adapters.notifying.partly import Partly
from rotator.adapters.notifying.texts import identity, plain, title
from rotator.domain.failures import Denied, Failure, Permanent, Transient
from rotator.domain.notices import Notice
from rotator.exchanges import arriving, seconds_until

STARTTLS, IMPLICIT = "starttls", "implicit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A mail server. `tls`: `starttls`, `implicit`, or anything else for none."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: Callable[[], str] | None = None  # asked for each time
    ca: str | None = None


class MailSender:
    """One server and who gets the mails."""

    def __init__(self, server: Server, sender: str, to: tuple[str, ...], timeout: timedelta) -> None:
        self._server = server
        self._sender = sender
        self._to = to
        self._timeout = timeout.total_seconds()
        self.where = f"mail by {server.host}"

    def remarks(self) -> tuple[str, ...]:
        """What is worth knowing; raises a `Failure` where its password cannot be read."""
        if self._server.password is not None:
            self._server.password()
        return () if self._server.tls in (STARTTLS, IMPLICIT) else ("its mails are not encrypted, to this machine",)

    def send(self, notice: Notice, dropped: int) -> None:
        """One mail to all of them. Raises a `Failure`. Twice: another mail, the same id."""
        mail = self.mail(notice, dropped)
        password = self._server.password() if self._server.password is not None else None
        try:
            self._send(mail, password)
        except Failure:
            raise
        except (OSError, smtplib.SMTPException) as error:
            failure = _failure(error)
        else:
            return
        raise failure  # without the client's own error, which holds what was sent

    def mail(self, notice: Notice, dropped: int = 0) -> EmailMessage:
        """The mail. All of the same trouble are one thread."""
        domain = self._sender.rpartition("@")[2]
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._to)
        mail["Subject"] = title(notice)
        mail["Date"] = format_datetime(notice.at)
        mail["Message-ID"] = f"<{identity(notice)}@{domain}>"
        mail["References"] = f"<{notice.key}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers it
        mail.set_content(plain(notice, dropped))
        return mail

    def _send(self, mail: EmailMessage, password: str | None) -> None:
        server = self._server
        context = ssl.create_default_context(cafile=server.ca) if server.tls in (STARTTLS, IMPLICIT) else None
        client: _InTime
        # else it would ask the name service who we are, and wait for that without a bound
        name = socket.gethostname() or "localhost"
        if server.tls == IMPLICIT:
            client = _Encrypted(timeout=self._timeout, context=context, local_hostname=name)
        else:
            client = _InTime(timeout=self._timeout, local_hostname=name)
        client._host = server.host  # type: ignore[attr-defined] # the name that its certificate must have
        with closing(client):
            self._talk(client, mail, context, password)

    def _talk(
        self, client: smtplib.SMTP, mail: EmailMessage, context: ssl.SSLContext | None, password: str | None
    ) -> None:
        server = self._server
        code, _ = client.connect(server.host, server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, b"")
        if server.tls == STARTTLS:
            client.ehlo_or_helo_if_needed()
            if not client.has_extn("starttls"):
                raise Permanent(f"{server.host} does not offer STARTTLS, and nothing was sent", "tls: implicit?")
            client.starttls(context=context)
        if password is not None:
            client.login(server.user, password)
        refused = client.send_message(mail, from_addr=self._sender, to_addrs=list(self._to))
        if refused:
            who = f"{len(refused)} of {len(self._to)}"
            raise Partly(f"{server.host} does not take mail for {who} addresses", "look at to:")
        _quietly(client.quit)


class _InTime(smtplib.SMTP):
    """`timeout`: the seconds left of those that it was made with, for all that is said, however the answers drip."""

    @property
    def timeout(self) -> float:
        return seconds_until(self._until)

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def _get_socket(self, *args: Any) -> socket.socket:
        made: socket.socket = super()._get_socket(*args)  # type: ignore[misc] # where it connects
        made.settimeout(self.timeout)  # for a handshake
        return made

    def send(self, s: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(self.timeout)
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        sock = self.sock
        if sock is not None and self.file is None:
            self.file = arriving(sock, self._until)
        answer = super().getreply()
        if sock is not None:
            sock.settimeout(self.timeout)  # for a handshake that may follow
        return answer


class _Encrypted(smtplib.SMTP_SSL, _InTime):
    pass


def _quietly(end: Callable[[], object]) -> None:
    """The mail is taken by then."""
    try:
        end()
    except (OSError, smtplib.SMTPException):
        return


def _failure(error: Exception) -> Failure:
    """What became of it, without anything that the server said: that may repeat what it was sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Permanent(f"its mail server's certificate is not believed ({error.verify_message})", "ca: FILE?")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Denied(f"its mail server refuses the login ({error.smtp_code})", "look at user: and password:")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Permanent("its mail server lacks what is needed for a login", "look at its settings")
    wording = partial("its mail server {} ({})".format)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in error.recipients.values()})
        words = wording("takes mail for none of the addresses", ", ".join(map(str, codes)))
        return Transient(words) if any(400 <= code < 500 for code in codes) else Permanent(words, "look at to:")
    if isinstance(error, smtplib.SMTPResponseException):
        kind = Transient if error.smtp_code < 500 else Permanent
        return kind(wording("refuses", error.smtp_code))
    return Transient(wording("gave no answer", type(error).__name__))
