"""Calls of ports at the same time, each in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from rotator.domain.failures import Failure

T = TypeVar("T")


class Threads:
    """Implements `rotator.ports.Together`: made once for a process, and used by all its rotations.

    The caller makes the first call itself, and afterwards whichever of the others no thread has begun: so nobody waits
    for a thread, however many ask, and `most` bounds how much is done at once, never whether it is. A thread is started
    when there is something for it to do; they end with the process.
    """

    def __init__(self, most: int) -> None:
        """`most`: threads, beside those of the callers."""
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="together")

    def run(self, calls: Sequence[Callable[[], T]]) -> tuple[T | Failure, ...]:
        """As the port says."""
        others = [self._pool.submit(_made, call) for call in calls[1:]]
        made = [_made(call) for call in calls[:1]]
        made += [_ended(future, call) for future, call in zip(others, calls[1:], strict=True)]
        return tuple(_unless_defect(each) for each in made)


def _made(call: Callable[[], T]) -> T | Exception:
    """What it returned or raised: of several, none may be lost because another raised."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - raised when all are over
        return error


def _ended(future: Future[T | Exception], call: Callable[[], T]) -> T | Exception:
    return _made(call) if future.cancel() else future.result()


def _unless_defect(made: T | Exception) -> T | Failure:
    if isinstance(made, Exception) and not isinstance(made, Failure):
        raise made
    return made
