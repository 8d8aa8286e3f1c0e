"""Idempotency keys: a request that is sent again is answered again, and not done again."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from rotator.api.problems import Problem

MOST = 1000
LONGEST = 100


@dataclass(slots=True)
class _Done:
    digest: str
    answer: dict[str, Any] | None = None
    over: threading.Event = field(default_factory=threading.Event)


class Reused(Problem):
    """The key came with another request."""

    def __init__(self) -> None:
        super().__init__(422, "this Idempotency-Key came with another request", "take a new key")


class AtWork(Problem):
    """The same request is not done yet."""

    def __init__(self) -> None:
        super().__init__(409, "the same request is still at work", "the same request again, a little later")


class Once:
    """Remembers the last answers of this process. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Hashable, str], _Done] = OrderedDict()

    def __call__(
        self,
        caller: Hashable,
        key: str | None,
        request: tuple[str, dict[str, Any]],
        do: Callable[[], dict[str, Any]],
        *,
        patience: float = 0.0,
    ) -> dict[str, Any]:
        """What `do` returns, or returned when this caller sent this key before. Without a key it is always done.

        `request`: the path and the body. `patience`: seconds that an earlier one is waited for; it holds a thread. What
        fails is not remembered. Raises `Reused`, and `AtWork` while an earlier one is not over.
        """
        if key is None:
            return do()
        digest = hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()
        end = monotonic() + patience
        while (earlier := self._enter((caller, key), digest)) is not None:
            if earlier.answer is not None:
                return earlier.answer
            if not earlier.over.wait(max(0.0, end - monotonic())):
                raise AtWork
        try:
            answer = do()
        except BaseException:
            self._end((caller, key), None)
            raise
        self._end((caller, key), _Done(digest, answer))
        return answer

    def _end(self, whose: tuple[Hashable, str], done: _Done | None) -> None:
        with self._lock:
            begun = self._known.pop(whose, None)
            if done is not None:
                self._known[whose] = done
        if begun is not None:
            begun.over.set()

    def _enter(self, whose: tuple[Hashable, str], digest: str) -> _Done | None:
        """The earlier one; None: there was none, and this one has begun."""
        with self._lock:
            known = self._known.get(whose)
            if known is None:
                self._known[whose] = _Done(digest)
                if len(self._known) > MOST:
                    self._known.popitem(last=False)
                return None
            if known.digest != digest:
                raise Reused
            return known
