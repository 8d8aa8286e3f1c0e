"""What PostgreSQL and libpq say, in the words of `rotator.domain.failures`."""

from __future__ import annotations

import re

import psycopg

from rotator.adapters.journal.errors import (
    RESTORE,
    CannotOpen,
    Damaged,
    NotAJournal,
    NotWritable,
)
from rotator.adapters.journal.postgres.address import Address, shown
from rotator.domain.failures import Failure, Permanent, Transient

GOES_ON = "it goes on by itself when the database answers"
_LATER = {
    # By SQLSTATE, or its class of two characters.
    "40": "the database ended one of two transactions that waited for each other",
    "53": "the database has no room: disk, memory or connections",
    "55P03": "another process kept a row for too long",
    "57014": "the database took too long",
    "57": "the database shuts down or starts up",
    "58": "the disk of the database fails",
    "08": "the connection to the database was lost",
    "25P03": "the database ended a transaction that stood still",
    "25P04": "the database ended a transaction that took too long",
    "25006": "the database is read-only: a standby, or one that is being replaced",
}
_OF_ALL = ("53", "57", "58", "08", "25")
"""Classes of what concerns a whole batch and not one piece of work."""


def spoils_all(error: BaseException) -> bool:
    """Whether it is the database, and not what it was asked for."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return str(state).startswith(_OF_ALL)


def failure_of(error: psycopg.Error) -> Failure:
    """The failure that a port may raise for this error. What is lost in mid-commit may have been written or not."""
    state = error.sqlstate
    if state is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Transient("the connection to the database was lost", GOES_ON)
    for key in (state or "", (state or "")[:2]):
        if key in _LATER:
            return Transient(_LATER[key], GOES_ON)
    if state == "42501":
        return Permanent("the database does not allow it", "grant this user the tables of the journal")
    if (state or "").startswith("XX"):
        return Permanent("the journal is damaged", RESTORE)
    said = f"{state or 'no code'}, {error.diag.constraint_name or type(error).__name__}"
    return Permanent(f"the journal refuses: {said}", "this is a defect of the rotator; nothing was written")


def refusal(address: Address, error: psycopg.Error) -> Failure:
    """Why a connection was not opened, or why what it was opened for failed. libpq gives no code, only English text."""
    if error.sqlstate == "42501":
        return no_permission(address)
    if error.sqlstate is not None or not isinstance(error, psycopg.OperationalError):
        return failure_of(error)
    text = " ".join(str(error).split())
    if re.search(r"password authentication failed|no password supplied|SCRAM|fe_sendauth", text):
        message = f"the database refuses the password of {address.user}"
        return CannotOpen(message, "see password: beneath state:, and the user in its URL")
    if found := re.search(r"(role|database) \"[^\"]*\" does not exist", text):
        what = f"database {address.database}" if found[1] == "database" else f"user {address.user}"
        return NotAJournal(f"{address.server} has no {what}", f"make it there, or mend the URL of state: {_MAKE}")
    if re.search(r"pg_hba\.conf|authentication|not permitted to log in|permission denied for database", text):
        hint = "see pg_hba.conf there, and the user's rights"
        return CannotOpen(f"{address.server} does not let {address.user} in", hint)
    if re.search(r"SSL|certificate|TLS", text):
        hint = "see sslmode and sslrootcert in the URL of state"
        return CannotOpen(f"no TLS as asked for with {address.server}: {_last(text)}", hint)
    if "starting up" in text or "shutting down" in text or "too many" in text or "remaining connection slots" in text:
        return Transient(f"{address.server} lets nobody in now: {_last(text)}", GOES_ON)
    if "read-only" in text or "not a primary" in text or "recovery" in text:
        return standby(address)
    return Transient(f"{address.server} cannot be reached: {_last(text)}", "is it running, and can it be reached?")


_MAKE = "createdb -O USER DATABASE"


def no_permission(address: Address) -> CannotOpen:
    """The user may log in, and no more."""
    hint = f"grant it: CREATE SCHEMA AUTHORIZATION {address.user}, or GRANT ALL ON SCHEMA public"
    return NotWritable(f"{address.user} may not make tables in database {shown(address)}", hint)


def standby(address: Address) -> CannotOpen:
    """It can be read and not written."""
    hint = "name the primary, or all of them and target_session_attrs=read-write"
    return NotWritable(f"{address.server} is a read-only standby", hint)


def damaged(address: Address) -> Damaged:
    """The tables are not what they should be."""
    return Damaged(f"the journal in database {shown(address)} is damaged", RESTORE)


def _last(text: str) -> str:
    """The part of libpq's text that says why; the parts before it repeat where."""
    reason = re.split(r"failed: ", text)[-1].split(" Is the server")[0].split(" Multiple connection")[0]
    return reason.removeprefix("FATAL: ").strip()[:160].lower() or "no reason was given"
