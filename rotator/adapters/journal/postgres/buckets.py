"""The turns of an account, given out by the database: all replicas together keep under its rate.

A turn is an instant; turns are `interval` apart. Who asks for several at once pays one round trip for them. What is
lost when the database crashes is a few turns, so nothing here waits for its disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text

from rotator.adapters.journal.rows import MICROSECOND
from rotator.adapters.journal.session import Session, Statement

_RESERVE = Statement(
    text("""
WITH was AS (
    SELECT clock.at, GREATEST(free_at, paused_until, clock.at) AS turn
    FROM rate_bucket, (SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS at) AS clock
    WHERE account = :account FOR UPDATE OF rate_bucket
), given AS (
    SELECT at, turn, GREATEST(0, LEAST(
        CAST(:count AS BIGINT), 1 + FLOOR((at + CAST(:patience AS BIGINT) - turn) / CAST(:interval AS NUMERIC))
    )) AS many FROM was
), taken AS (
    UPDATE rate_bucket SET free_at = given.turn + given.many * CAST(:interval AS BIGINT)
    FROM given WHERE account = :account AND given.many > 0
)
SELECT CAST(turn - at AS BIGINT), CAST(many AS BIGINT), set_config('synchronous_commit', 'off', true) FROM given
""")
)
_PAUSE = Statement(
    text("""
UPDATE rate_bucket SET paused_until = GREATEST(
    paused_until, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) + CAST(:duration AS BIGINT)
) WHERE account = :account
""")
)
_MAKE = Statement(text("INSERT INTO rate_bucket (account, free_at) VALUES (:account, 0) ON CONFLICT DO NOTHING"))


@dataclass(frozen=True, slots=True)
class Granted:
    """`count` turns, the first one in `wait`; of none, `wait` says when there would have been one."""

    wait: timedelta
    count: int


def reserve(session: Session, account: str, count: int, interval: timedelta, patience: timedelta) -> Granted:
    """Up to `count` turns, the last one within `patience`. Twice: further ones. An unknown account begins now."""
    values = {
        "account": account,
        "count": count,
        "interval": interval // MICROSECOND,
        "patience": patience // MICROSECOND,
    }
    found = session.one(_RESERVE, values)
    if found is None:
        session.run(_MAKE, {"account": account})
        found = session.all(_RESERVE, values)[0]
    return Granted(found[0] * MICROSECOND, found[1])


def pause(session: Session, account: str, duration: timedelta) -> None:
    """No turn for so long; a longer pause stays."""
    session.run(_MAKE, {"account": account})
    session.run(_PAUSE, {"account": account, "duration": duration // MICROSECOND})
