"""Objects that only one thread may touch, for all others to use: each call is made there, and waited for.

Playwright leaves an event loop running in its thread, beside which nothing else in that thread can have one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

LONGEST = 300
"""Seconds that a call may take."""


class OwnThread:
    """The thread. `ours`: whether an object is one of those that only it may touch."""

    def __init__(self, ours: Callable[[object], bool]) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._ours = ours
        self._thread: int | None = None

    def run(self, call: Callable[[], Any]) -> Any:
        """What it returns, usable by any thread."""
        if threading.get_ident() == self._thread:  # a handler of an event
            return call()

        def there() -> Any:
            self._thread = threading.get_ident()
            return call()

        return self.shared(self._pool.submit(there).result(LONGEST))

    def shared(self, value: Any) -> Any:
        """The same, for any thread."""
        if isinstance(value, list):
            return [self.shared(each) for each in value]
        return Shared(value, self) if self._ours(value) else value

    def end(self) -> None:
        """No calls any more."""
        self._pool.shutdown()


class Shared:
    """One of those objects."""

    def __init__(self, inner: Any, thread: OwnThread) -> None:
        self.__dict__.update(_inner=inner, _own=thread)

    def __getattr__(self, name: str) -> Any:
        inner, own = self.__dict__["_inner"], self.__dict__["_own"]
        if callable(getattr(type(inner), name, None)):
            return lambda *given, **named: own.run(lambda: getattr(inner, name)(*given, **named))
        return own.run(lambda: getattr(inner, name))
