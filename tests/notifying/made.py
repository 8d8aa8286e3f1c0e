"""Notices, and targets without a journal, for tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from rotator.adapters.notifying.target import Pace
from rotator.domain.failures import Failure
from rotator.domain.notices import Notice, Severity

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
QUICK = Pace(gather=0.05, minute=0.5, again=(0.05, 0.05, 0.05), most=50)


def notice(subject: str = "app", **more: object) -> Notice:
    """One that needs a person."""
    given: dict[str, object] = {
        "kind": "stuck",
        "severity": Severity.CRITICAL,
        "subject": subject,
        "what": "a rotation is stuck",
        "words": "no room at the provider",
        "hint": "delete one",
        "command": f"rotator resume {subject}",
        "at": NOW,
    }
    return Notice(**{**given, **more})  # type: ignore[arg-type]


class Everything:
    """A memory that forgets nothing within the process."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def news(self, notices: Sequence[Notice]) -> Sequence[Notice]:
        """Each trouble once."""
        return [each for each in {each.key: each for each in notices}.values() if each.key not in self.keys]

    def told(self, notices: Sequence[Notice]) -> None:
        """Keep it."""
        self.keys |= {each.key for each in notices}


class Heard:
    """A sender that keeps what it is given. `answer` may raise a failure."""

    where = "a list"

    def __init__(self, answer: Callable[[Notice], Failure | None] = lambda _: None) -> None:
        self.got: list[Notice] = []
        self.dropped: list[int] = []
        self._answer = answer
        self._changed = threading.Condition()

    def send(self, notice: Notice, dropped: int) -> None:
        """Keep it, or fail."""
        failure = self._answer(notice)
        if failure is not None:
            raise failure
        with self._changed:
            self.got.append(notice)
            self.dropped.append(dropped)
            self._changed.notify_all()

    def remarks(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def wait(self, number: int) -> list[Notice]:
        """Until so many came; fails loudly where they never do."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.got) >= number, timeout=30), f"{len(self.got)} came"
        return list(self.got)


def until(settled: Callable[[], bool]) -> None:
    """Until it is so; fails where it never is."""
    end = time.monotonic() + 30
    while not settled():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)
