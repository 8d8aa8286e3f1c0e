"""The queue and the thread before one target: nobody waits for it, and what cannot be delivered is counted and said.

Notices that come at about the same time go out one by one while they are few, and as one that sums them up when they
are many. What fails is tried again after growing pauses, together with what came meanwhile. What is given up at last
takes nothing else with it, and what was refused for good is held back for the longest of these pauses.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from rotator.adapters.notifying.partly import Partly
from rotator.domain.failures import Failure, Permanent, Transient
from rotator.domain.notices import Notice, summed_up


class Sender(Protocol):
    """One way of telling somebody. `where`: in words, without a secret."""

    where: str

    def send(self, notice: Notice, dropped: int) -> None:
        """Once, within a bounded time. Raises a `Failure`; `Partly` where it counts as told.

        `dropped`: so many before it were, which is said.
        """
        ...

    def remarks(self) -> tuple[str, ...]:
        """What is worth knowing, for `rotator check`; raises a `Failure` where it cannot work."""
        ...


class Memory(Protocol):
    """What a target was told already. Never raises: what cannot be remembered is told again."""

    def news(self, notices: Sequence[Notice]) -> Sequence[Notice]:
        """Those of them that the target was not told yet, each trouble once."""
        ...

    def told(self, notices: Sequence[Notice]) -> None:
        """These were delivered."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds. `gather`: what comes within it is looked at together; `again`: the pauses before each further attempt.

    `singly`: so many go out one by one, and no more than that within `minute`.
    """

    gather: float = 2.0
    singly: int = 5
    minute: float = 60.0
    again: tuple[float, ...] = (1.0, 10.0, 60.0, 600.0, 3600.0)
    most: int = 20_000


@dataclass(slots=True)
class Count:
    """What became of notices so far, in numbers."""

    delivered: int = 0
    dropped: int = 0
    failures: int = 0


class Target:
    """One sender and its thread. `offer` may be called by any thread, never waits long and never raises."""

    def __init__(
        self,
        name: str,
        sender: Sender,
        memory: Memory,
        dropped: Callable[[str, str], None],
        pace: Pace | None = None,
    ) -> None:
        """`dropped`: hears the name and the words when something is given up. It must not raise."""
        self.name = name
        self.count = Count()
        self._sender = sender
        self._memory = memory
        self._dropped = dropped
        self._pace = pace or Pace()
        self._held = max(self._pace.again, default=0.0)
        self._waiting: deque[Notice] = deque()
        self._in_hand: list[Notice] = []  # taken from the queue, and not yet delivered or given up
        self._failed = 0  # so many of the first in hand failed together
        self._refused: dict[str, float] = {}  # by key, when it was refused for good
        self._unsaid = 0  # dropped, and not yet told to the target itself
        self._sent: deque[float] = deque(maxlen=self._pace.singly)
        self._closing = self._handed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"notices for {name}", daemon=True)
        self._thread.start()

    def offer(self, notice: Notice) -> None:
        """Queue it. With a full queue the new one is dropped: those before it say that something is wrong."""
        with self._changed:
            if self._closing or len(self._waiting) >= self._pace.most:
                self.count.dropped += 1
                self._unsaid += 1
                return
            self._waiting.append(notice)
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Deliver what is there once more, for at most so long; what is left is dropped, and said. Twice: nothing."""
        with self._changed:
            already, self._closing = self._closing, True
            self._changed.notify()
        self._thread.join(seconds)
        if already:
            return
        with self._changed:
            left = len(self._waiting) + (len(self._in_hand) if self._thread.is_alive() else 0)
            self._waiting.clear()
        if left:
            self._give_up(left, "the rotator ended before it was delivered")

    def hand_over(self) -> tuple[Notice, ...]:
        """End at once; returns what is not delivered, for whoever takes its place. Twice: nothing.

        One that is being sent just now is among it: rather told twice than never.
        """
        with self._changed:
            self._closing = self._handed = True
            left = (*self._in_hand, *self._waiting)
            self._in_hand = []
            self._waiting.clear()
            self._changed.notify()
        return left

    # -- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        attempts = 0
        while True:
            self._gather(attempts)
            if self._handed or (not self._in_hand and self._closing):
                return
            failure = self._deliver()
            if failure is None:
                attempts = 0
                continue
            attempts += 1
            self.count.failures += 1
            if isinstance(failure, Permanent) or attempts > len(self._pace.again) or self._closing:
                self._drop(failure)
                attempts = 0

    def _gather(self, attempts: int) -> None:
        """Take in hand what came, and what comes soon after; where something failed, once the pause is over."""
        with self._changed:
            if attempts:
                self._wait_until(monotonic() + self._pace.again[attempts - 1])
            elif not self._in_hand:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                self._wait_until(monotonic() + self._pace.gather)
                if not self._room():
                    self._wait_until(self._sent[0] + self._pace.minute)
            self._in_hand += self._waiting
            self._waiting.clear()

    def _room(self) -> int:
        """How many may go out one by one now."""
        since = monotonic() - self._pace.minute
        return self._pace.singly - sum(at > since for at in self._sent)

    def _wait_until(self, end: float) -> None:
        while not self._closing and (left := end - monotonic()) > 0:
            self._changed.wait(left)

    def _deliver(self) -> Failure | None:
        """Send what is in hand; what is left of it begins with what failed."""
        news = [each for each in self._memory.news(self._in_hand) if not self._held_back(each)]
        if len(news) > max(1, self._room()):
            news = [summed_up(news)]
        while True:
            with self._changed:
                if not self._handed:
                    self._in_hand = [one for each in news for one in each.each]
            if not news or self._handed:
                return None
            failure = self._sent_one(news[0])
            if failure is not None:
                self._failed = len(news[0].each)
                return failure
            self._memory.told(news.pop(0).each)

    def _held_back(self, notice: Notice) -> bool:
        at = self._refused.get(notice.key)
        return at is not None and monotonic() - at < self._held

    def _sent_one(self, notice: Notice) -> Failure | None:
        unsaid = self._unsaid
        try:
            self._sender.send(notice, unsaid)
        except Partly as partly:
            self._dropped(self.name, f"told in part: {_words(partly)}")
        except Failure as failure:
            return failure
        except Exception as error:  # noqa: BLE001 - the thread must live on; its text may hold anything
            return Transient(f"telling it went wrong ({type(error).__name__})")
        with self._changed:
            self._unsaid -= unsaid
            # one that sums up others takes all the room: what comes after it is summed up, too
            self._sent.extend([monotonic()] * (self._pace.singly if notice.stands_for else 1))
            self.count.delivered += len(notice.each)
        return None

    def _drop(self, failure: Failure) -> None:
        """Give up what failed, and at the end all that is in hand."""
        with self._changed:
            number = len(self._in_hand) if self._closing else self._failed
            gone, self._in_hand = self._in_hand[:number], self._in_hand[number:]
        if isinstance(failure, Permanent):
            now = monotonic()
            self._refused = {key: at for key, at in self._refused.items() if now - at < self._held}
            self._refused |= {each.key: now for each in gone}
        if gone:
            self._give_up(len(gone), _words(failure))

    def _give_up(self, number: int, why: str) -> None:
        with self._changed:
            self.count.dropped += number
            self._unsaid += number
        self._dropped(self.name, f"{number} notices dropped: {why}")


def _words(failure: Failure) -> str:
    return failure.message + (f"; {failure.hint}" if failure.hint else "")
