"""A real SMTP server (aiosmtpd) on loopback: STARTTLS or TLS at once, logins, refusals; it keeps the mails."""

from __future__ import annotations

import ssl
from asyncio.base_events import Server
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(slots=True)
class MailServer:
    """What came. `refuse`: the answer to a mail instead of taking it, and `strange`, addresses that are not taken."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    refuse: str = ""
    strange: tuple[str, ...] = ()

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails as a mail program reads them."""
        return [message_from_bytes(cast(bytes, each.content), policy=default) for each in self.envelopes]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the address, but a strange one."""
        if address in self.strange:
            return "550 nobody here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the mail, or refuse it."""
        if self.refuse:
            return self.refuse
        self.envelopes.append(envelope)
        self.encrypted.append(server.transport is not None and server.transport.get_extra_info("cipher") is not None)
        return "250 taken"

    def login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """`rotator` with `hunter2` alone."""
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        self.logins.append(given)
        return AuthResult(success=given == ("rotator", "hunter2"), handled=False)


class _AnyPort(Controller):
    """It connects to itself to see that it is there, so it must know the port that it got."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server(
    context: ssl.SSLContext | None = None, *, implicit: bool = False, login: bool = False
) -> Iterator[MailServer]:
    """One server. `context`: it offers STARTTLS, or with `implicit` talks TLS alone; `login`: it wants one."""
    served = MailServer()
    controller = _AnyPort(
        served,
        hostname="127.0.0.1",
        port=0,
        ssl_context=context if implicit else None,
        tls_context=context if not implicit else None,
        authenticator=served.login,
        auth_required=login,
        auth_require_tls=context is not None and not implicit,
        ready_timeout=60.0,
    )
    controller.start()
    served.port = controller.port
    try:
        yield served
    finally:
        controller.stop()
