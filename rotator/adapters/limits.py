"""Limits as decorators of ports: a bulkhead so that one slow account cannot eat all threads, and a token bucket.

Replicas share the bucket of an account through their database. A limit stands between an intent and its effect, so
it waits for `patience` at most; then it raises `Transient`, which means that nothing was sent, with the time at which
it is this caller's turn. What a server says of a throttle pauses the bucket for everybody.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Protocol

from rotator.domain.credential import Principal
from rotator.domain.failures import Failure, Transient
from rotator.domain.keys import Capabilities, Key, KeyState, Minted, MintRequest, Verdict
from rotator.domain.made import Made
from rotator.domain.secret import Secret
from rotator.ports import Provider, trail_of

PATIENCE = timedelta(milliseconds=250)
LONGEST_PAUSE = timedelta(hours=1)
"""What a server's word or an unexplained throttle can pause a bucket for; then it is asked again."""
LONGEST_LINE = timedelta(minutes=1)
"""How far ahead turns are given out."""
AT_ONCE = 16
"""Turns that are asked for together."""
BUSY = timedelta(seconds=1)
"""When to come back to a full bulkhead; how long its calls take is not known."""

Clock = Callable[[], float]
Sleep = Callable[[float], None]
THROTTLED_HERE, THROTTLED_THERE = "limit", "provider"
"""Who kept a call back: a limit of ours, or whoever was called."""


class Hears(Protocol):
    """Told of what became of calls, by the thread that made them. Must not raise."""

    def throttled(self, by: str) -> None:
        """A call was kept back: `THROTTLED_HERE` or `THROTTLED_THERE`."""
        ...

    def failed(self, reason: str) -> None:
        """A call that was sent failed: the failure's type, as a word."""
        ...


class Deaf:
    """Hears nothing."""

    def throttled(self, by: str) -> None:
        """Nothing."""

    def failed(self, reason: str) -> None:
        """Nothing."""


class Bucket:
    """A token bucket that holds one token: requests are spread evenly, `rate` a second; None: without a limit.

    `clock` gives seconds that never go back. Who waits inside goes in the order in which he came. Who is refused is
    told a turn of his own, so that those who wait outside do not all come back at once.
    """

    def __init__(self, rate: float | None, clock: Clock = time.monotonic, sleep: Sleep = time.sleep) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = self._paused_until = self._line = clock()
        self._inside = 0  # who wait for the turn that they have
        self._pauses = 0
        self._streak = 0  # of throttles that did not say how long
        self._streak_at = self._next

    @property
    def interval(self) -> float:
        """Seconds between two turns; 0 without a limit."""
        return self._interval

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return self._inside

    @property
    def paused(self) -> float:
        """Seconds for which nobody has a turn; 0 without a pause."""
        return max(0.0, self._paused_until - self._clock())

    def take(self, patience: float) -> None:
        """Return when a request may be sent. Raises `Transient` when that is more than `patience` seconds away."""
        give_up = self._clock() + patience
        while not self._sat_out(*self._turn_before(give_up)):
            pass  # a pause that came meanwhile took the turn away

    def _turn_before(self, give_up: float) -> tuple[float, int]:
        """A turn, and how many pauses there were when it was given."""
        with self._lock:
            now = self._clock()
            turn = max(self._next, self._paused_until, now)
            if turn <= give_up or turn == now:
                self._next = turn + self._interval
                return turn, self._pauses
            self._line = min(max(self._line, turn) + self._interval, turn + LONGEST_LINE.total_seconds())
            told = timedelta(seconds=self._line - now)
        raise Transient("the rate limit is reached", retry_after=told, throttled=True)

    def _sat_out(self, turn: float, pauses: int) -> bool:
        """Sleep until the turn; whether it still is one."""
        wait = turn - self._clock()
        if wait <= 0:
            return True
        with self._lock:
            self._inside += 1
        try:
            self._sleep(wait)
        finally:
            with self._lock:
                self._inside -= 1
        return pauses == self._pauses

    def heard(self, failure: Transient, sent_at: float) -> None:
        """Pause for as long as a server asks; for a throttle without a word 1 s, 2 s, 4 s … while it lasts."""
        if not failure.throttled and failure.retry_after is None:
            return
        with self._lock:
            now = self._clock()
            pause = failure.retry_after
            if pause is None:
                if sent_at < self._streak_at:
                    return  # sent before the last pause began, so it tells nothing new
                self._streak, self._streak_at = self._streak + 1, now
                pause = timedelta(seconds=2 ** min(self._streak - 1, 12))
            pause = min(pause, LONGEST_PAUSE)
            self._paused_until = max(self._paused_until, now + pause.total_seconds())
            self._next = max(self._paused_until, now + self._interval)  # whoever has a turn already asks for another
            self._pauses += 1
        self._tell(pause)

    def _tell(self, pause: timedelta) -> None:
        """Nobody else shares this bucket."""

    def went_well(self) -> None:
        """An answer came: the throttle is over."""
        self._streak = 0


class Granted(Protocol):
    """`count` turns, the first one in `wait`; of none, `wait` says when there would have been one."""

    @property
    def wait(self) -> timedelta: ...

    @property
    def count(self) -> int: ...


class Turns(Protocol):
    """Gives out turns to all who share an account. Raises `Transient`, and then nobody has one."""

    def reserve(self, account: str, count: int, interval: timedelta, patience: timedelta) -> Granted:
        """Up to `count` turns, `interval` apart, the last one within `patience`."""
        ...

    def pause(self, account: str, duration: timedelta) -> None:
        """Nobody has a turn for so long."""
        ...


class SharedBucket(Bucket):
    """A bucket that several processes share. One thread asks for all that wait, so a round trip serves many.

    Turns are asked for when somebody waits for them, and never ahead: what nobody uses would be lost to the others.
    """

    def __init__(
        self, account: str, rate: float, turns: Turns, clock: Clock = time.monotonic, sleep: Sleep = time.sleep
    ) -> None:
        super().__init__(rate, clock, sleep)
        self._account = account
        self._turns = turns
        self._asking = threading.Lock()
        self._given: deque[float] = deque()

    def take(self, patience: float) -> None:
        """As `Bucket.take`; `Transient` also when whoever gives out turns does not answer."""
        with self._lock:
            self._inside += 1
        try:
            wait = self._turn(patience) - self._clock()
        finally:
            with self._lock:
                self._inside -= 1
        if wait > 0:
            self._sleep(wait)

    def _turn(self, patience: float) -> float:
        give_up = self._clock() + patience
        if not self._asking.acquire(timeout=max(0.0, patience)):
            raise Transient("the rate limit is reached", retry_after=BUSY, throttled=True)
        try:
            while self._given and self._given[0] < self._clock() - self._interval:
                self._given.popleft()  # whoever waited for it has given up; used late it would come with another
            if not self._given:
                self._ask(give_up)
            return self._given.popleft()
        finally:
            self._asking.release()

    def _ask(self, give_up: float) -> None:
        asked, interval = self._clock(), timedelta(seconds=self._interval)
        left = timedelta(seconds=max(0.0, give_up - asked))
        granted = self._turns.reserve(self._account, min(self._inside, AT_ONCE), interval, left)
        now, first = self._clock(), granted.wait.total_seconds()
        if granted.count:
            # Counted from the answer: later than the turn is right, earlier is not.
            self._given.extend(now + first + each * self._interval for each in range(granted.count))
            return
        with self._lock:
            free = now + first
            self._line = min(max(self._line, free) + self._interval, free + LONGEST_LINE.total_seconds())
            turn = timedelta(seconds=self._line - now)
        raise Transient("the rate limit is reached", retry_after=turn, throttled=True)

    def _tell(self, pause: timedelta) -> None:
        with suppress(Failure):  # this process pauses nevertheless, and the journal says by itself that it is down
            self._turns.pause(self._account, pause)


class Limits:
    """The limits of one account: at most `parallel` calls at a time, spread by `bucket`."""

    def __init__(
        self,
        *,
        parallel: int,
        bucket: Bucket,
        patience: timedelta = PATIENCE,
        clock: Clock = time.monotonic,
        hears: Hears | None = None,
    ) -> None:
        self._hears = hears or Deaf()
        self._room = threading.BoundedSemaphore(parallel)
        self._bucket = bucket
        self._patience = patience.total_seconds()
        self._clock = clock

    @contextmanager
    def one_call(self) -> Iterator[None]:
        """Around every call that sends something. Raises `Transient` when it may not be sent now."""
        entered = self._clock()
        if not self._room.acquire(timeout=self._patience):
            self._hears.throttled(THROTTLED_HERE)
            raise Transient("as many calls as allowed are under way", retry_after=BUSY, throttled=True)
        try:
            self._take(self._patience - (self._clock() - entered))
            with self._listening():
                yield
        finally:
            self._room.release()

    def _take(self, patience: float) -> None:
        try:
            self._bucket.take(patience)
        except Transient:
            self._hears.throttled(THROTTLED_HERE)
            raise

    @contextmanager
    def _listening(self) -> Iterator[None]:
        sent_at = self._clock()
        try:
            yield
        except Failure as failure:
            self._hears.failed(type(failure).__name__.lower())
            if isinstance(failure, Transient):
                if failure.throttled:
                    self._hears.throttled(THROTTLED_THERE)
                self._bucket.heard(failure, sent_at)
            raise
        self._bucket.went_well()


class LimitedProvider:
    """A `Provider` within the limits of its account; made once for all principals of it.

    rate: requests a second, None: no limit. bucket: one made by the caller, instead. patience: how long a call may be
    kept waiting; the driver's own timeout and this together must stay below the longest request that the lease allows.
    """

    def __init__(
        self,
        inner: Provider,
        *,
        parallel: int,
        rate: float | None = None,
        bucket: Bucket | None = None,
        patience: timedelta = PATIENCE,
        clock: Clock = time.monotonic,
        sleep: Sleep = time.sleep,
        hears: Hears | None = None,
    ) -> None:
        self._inner = inner
        self.bucket = bucket or Bucket(rate, clock, sleep)
        self._limits = Limits(parallel=parallel, bucket=self.bucket, patience=patience, clock=clock, hears=hears)

    def capabilities(self, principal: Principal) -> Capabilities:
        return self._inner.capabilities(principal)

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        with self._limits.one_call():
            return self._inner.mint(principal, request)

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        with self._limits.one_call():
            return self._inner.keys(principal)

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        with self._limits.one_call():
            return self._inner.verify(principal, value)

    def identify(self, principal: Principal, value: Secret) -> str | None:
        with self._limits.one_call():
            return self._inner.identify(principal, value)

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        with self._limits.one_call():
            self._inner.set_state(principal, key_id, state)

    def check_admin(self, principal: Principal) -> None:
        with self._limits.one_call():
            self._inner.check_admin(principal)

    def trail(self, principal: Principal, since: datetime) -> tuple[Made, ...]:
        with self._limits.one_call():
            return trail_of(self._inner, principal, since)
