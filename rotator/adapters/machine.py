"""The machine's clock and randomness."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_VALUE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class MachineClock:
    """The clock port over this machine."""

    def now(self) -> datetime:
        """The instant, in UTC."""
        return datetime.now(UTC)

    def boottime(self) -> float:
        """`CLOCK_BOOTTIME` where there is one: the monotonic clock of Linux stops while the machine sleeps."""
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class RandomIds:
    """The ids port over the operating system's randomness."""

    def rotation(self, now: datetime) -> str:
        """Nine characters of milliseconds and seven of chance: 35 bits within one millisecond."""
        count = int(now.timestamp() * 1000)
        text = ""
        for _ in range(9):
            count, digit = divmod(count, 32)
            text = _LETTERS[digit] + text
        return text + "".join(secrets.choice(_LETTERS) for _ in range(7))

    def value(self, length: int = 40) -> str:
        """Letters and digits only, so that it needs no quoting anywhere: 238 bits in 40 characters."""
        return "".join(secrets.choice(_VALUE) for _ in range(length))
