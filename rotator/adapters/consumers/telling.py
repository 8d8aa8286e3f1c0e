"""The consumers port: several consumers at the same time, each in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from datetime import timedelta
from time import monotonic

from rotator.adapters.consumers.kinds import Teller
from rotator.domain.consumers import Heard, News
from rotator.domain.failures import Failure, Permanent, Transient
from rotator.ports import Way

MOST_AT_ONCE = 16


class Telling:
    """Implements `rotator.ports.Consumers`. `tellers`: those that can be told, by name. Used by many threads."""

    def __init__(self, tellers: Mapping[str, Teller], timeout: timedelta) -> None:
        self._tellers = tellers
        self._timeout = timeout.total_seconds()

    def way(self, consumer: str) -> Way | None:
        """How it is told; None where the config says nothing of it."""
        teller = self._tellers.get(consumer)
        return None if teller is None else Way(kind=teller.kind, spread=teller.spread)

    def tell(self, consumers: Sequence[str], news: News) -> Mapping[str, Heard | Failure]:
        """Tell all at the same time; who does not answer in time was not told, as far as anybody knows."""
        if len(consumers) == 1:
            return {consumers[0]: self._tell(consumers[0], news)}
        pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="telling")
        until = monotonic() + self._timeout
        told = {consumer: pool.submit(self._tell, consumer, news) for consumer in consumers}
        answers = {consumer: _in_time(future, until) for consumer, future in told.items()}
        pool.shutdown(wait=False, cancel_futures=True)
        return answers

    def _tell(self, consumer: str, news: News) -> Heard | Failure:
        teller = self._tellers.get(consumer)
        if teller is None:
            return Permanent("the config no longer says how it is told")
        try:
            return teller.by.tell(consumer, news)
        except Failure as failure:
            return failure
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are told and the rotation goes on
            return Transient(f"telling it went wrong ({type(error).__name__})")


def _in_time(future: Future[Heard | Failure], until: float) -> Heard | Failure:
    try:
        return future.result(max(0.0, until - monotonic()))
    except TooLate:
        return Transient("it did not answer in time")
