"""A connection that never waits longer than a request may take, on either side.

A network that swallows everything answers nothing, so each wait ends here; what was begun ends there, because a process
that was stopped or cut off in the middle of a transaction would keep all others from its rows.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.adapt import Buffer, Dumper

from rotator.adapters.journal.postgres.address import Address

RV = TypeVar("RV")

_LOOK = 0.1
"""Seconds between looks whether the time is over; psycopg's own."""
_SETTINGS = """
SELECT set_config(name, value, false) FROM (VALUES
    ('statement_timeout', %(statement)s), ('lock_timeout', %(lock)s), ('transaction_timeout', %(transaction)s),
    ('idle_in_transaction_session_timeout', %(still)s), ('tcp_user_timeout', %(request)s),
    ('tcp_keepalives_idle', %(seconds)s), ('tcp_keepalives_interval', %(seconds)s), ('tcp_keepalives_count', '2'),
    ('default_transaction_read_only', %(reading)s),
    ('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END)
) AS settings (name, value) JOIN pg_settings AS known USING (name)
"""
SHARES = {"still": 0.5, "lock": 0.7, "statement": 0.9, "request": 1.0, "transaction": 2.0}
"""Of a request's time: who stands still in a transaction has gone before those who wait for his rows give up, and the

server says so before we stop listening. `transaction_timeout` is known from PostgreSQL 17 on.
"""

logging.getLogger("psycopg").addHandler(logging.NullHandler())


class NoAnswer(psycopg.OperationalError):
    """The time was over; whoever has waited so long does not try again at once."""


class Untyped(Dumper):
    """A number as text whose type the server finds: else each size of number, and NULL, makes another statement."""

    def dump(self, obj: Any) -> Buffer:
        return str(obj).encode()


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """In autocommit mode: transactions are begun by name. `limit`: seconds that one answer may take."""

    limit: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = _LOOK, timeout: float | None = None) -> RV:
        """As psycopg does; when the time is over the connection is closed, for nobody knows what else comes."""
        try:
            return super().wait(gen, interval, self.limit if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:
            self.close()
        raise NoAnswer("no answer in time")


def connect(address: Address, request: timedelta, *, reading: bool = False) -> Connection:
    """Log in. `request`: the longest that connecting, and one answer later, may take; at least 2 s to connect.

    `reading`: what comes cannot write. Raises `psycopg.Error`, and what asking for the password raises.
    """
    password = {} if address.password is None else {"password": address.password()}
    seconds = request.total_seconds()
    given: dict[str, Any] = {
        **address.parameters,
        **password,
        "connect_timeout": max(2, int(seconds)),
        "keepalives": 1,
        "keepalives_idle": max(1, int(seconds)),
        "keepalives_interval": max(1, int(seconds / 2)),
        "keepalives_count": 2,
        "tcp_user_timeout": int(seconds * 1000),
    }
    connection = Connection.connect(autocommit=True, **given)
    try:
        connection.limit = seconds
        connection.adapters.register_dumper(int, Untyped)
        times = {name: str(int(seconds * share * 1000)) for name, share in SHARES.items()}
        others = {"seconds": str(max(1, int(seconds))), "reading": "on" if reading else "off"}
        connection.execute(_SETTINGS, times | others)
    except BaseException:
        connection.close()
        raise
    return connection
