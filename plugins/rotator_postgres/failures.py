"""What PostgreSQL and the network say, in the words of the ports.

SQLSTATEs: PostgreSQL documentation, appendix A. A server's text is data: bounded, and without a verifier.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Iterator

from pg8000.exceptions import DatabaseError, InterfaceError
from scramp import ScramException  # type: ignore[import-untyped]

from rotator.sdk import Conflict, Denied, Failure, Permanent, Transient

CLIENT_ERRORS = (DatabaseError, InterfaceError, ScramException, OSError, LookupError, ValueError, struct.error)
"""What pg8000 raises: the last three where something else than PostgreSQL answers."""

PASSWORD_REFUSED = "28P01"  # noqa: S105
LOGIN_REFUSED = "28000"
NOT_PERMITTED = "42501"
_RACES = ("23505", "42710", "42704", "40001", "40P01")
_PASSING = ("08", "25", "53", "55", "57", "58")
_LONGEST = 200


class Said(Exception):
    """An error that the server sent: its SQLSTATE, its text, and whether it ended the session with it."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.code = fields.get("C", "")
        text = fields.get("M", "")
        if self.code == NOT_PERMITTED and "D" in fields:
            text += f": {fields['D'].rstrip('.')}"
        self.text = "…" if "SCRAM-SHA-256$" in text else "".join(c if c.isprintable() else "?" for c in text)[:_LONGEST]
        super().__init__(self.text)
        self.fatal = fields.get("V", fields.get("S", "")) != "ERROR"

    def __str__(self) -> str:
        return f"PostgreSQL says: {self.text} ({self.code})"


def said(error: BaseException) -> Said | None:
    """The server's own word, if that is what happened; pg8000 may have hidden it behind its failure to say goodbye."""
    for each in _chain(error):
        if isinstance(each, DatabaseError) and each.args and isinstance(each.args[0], dict) and each.args[0].get("C"):
            return Said(each.args[0])
    return None


def failure_said(word: Said) -> Failure:
    """What an error of the server means for a call of the admin's."""
    code, text = word.code, str(word)
    if code == NOT_PERMITTED:
        return Denied(text, "`rotator check` names the grants that are needed", permission=word.text)
    if code in _RACES or (code == "XX000" and word.text.startswith("tuple concurrently")):
        return Conflict(f"somebody else changed the role at the same time; {text}")
    if code == "25006":
        return Transient(text, "host must be the primary server")
    if code[:2] in _PASSING:
        return Transient(text)
    if code == "3D000":
        return Permanent(text, "correct the setting database")
    return Permanent(text)


def failure_to_log_in(word: Said, user: str) -> Failure:
    """What an error of the server means that ends the admin's login."""
    if word.code in (PASSWORD_REFUSED, LOGIN_REFUSED):
        hint = "check user, the admin credential and pg_hba.conf"
        return Denied(f"the admin {user} cannot log in; {word}", hint, permission="LOGIN")
    if word.code == NOT_PERMITTED:
        return Denied(f"the admin {user} cannot log in; {word}", "GRANT CONNECT ON DATABASE", permission="CONNECT")
    return failure_said(word)


def failure_of_network(error: BaseException, where: str) -> Failure:
    """What happened when it was not the server that spoke."""
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, Failure):
            return each
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
        hint = "name the authority's file in ca, and as host what the certificate is for"
        return Denied(f"the certificate of {where} is not trusted", hint, permission="TLS")
    if any(isinstance(each, TimeoutError) for each in chain):
        return Transient(f"{where} did not answer in time")
    if any(isinstance(each, ConnectionRefusedError) for each in chain):
        return Transient(f"nobody listens at {where}", "check host and port")
    if any(isinstance(each, InterfaceError) and str(each).startswith("Authentication method") for each in chain):
        hint = "pg_hba.conf must ask this role for scram-sha-256 from here"
        return Denied(
            f"{where} asks for another proof than a password", hint, permission="scram-sha-256 in pg_hba.conf"
        )
    if isinstance(error, OSError | InterfaceError):
        return Transient(f"the connection to {where} broke")
    return Transient(f"what answers at {where} is not understood", "check that it is PostgreSQL itself")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
