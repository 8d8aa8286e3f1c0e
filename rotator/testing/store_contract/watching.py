"""What a test sees: what many callers got at the same moment, and whether a failure shows a secret."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rotator.domain.failures import Failure

T = TypeVar("T")


def at_once(count: int, act: Callable[[int], T]) -> dict[int, T | Failure]:
    """What `act` returned or with which failure it ended, by number, when that many threads begin together."""
    start = threading.Barrier(count)

    def run(number: int) -> T | Failure:
        start.wait()
        try:
            return act(number)
        except Failure as failure:
            return failure

    with ThreadPoolExecutor(count) as pool:
        return dict(enumerate(pool.map(run, range(count))))


def secret_free(error: BaseException | None, secret: str) -> bool:
    """Whether neither an exception nor what it brings along, what its attributes hold included, shows a secret."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        attributes = [repr(each) + repr(getattr(each, "__dict__", "")) for each in vars(error).values()]
        if secret in " ".join([repr(error), *attributes]):
            return False
        error = error.__context__
    return True
