"""Looking at the config beside the turns, which go on meanwhile: with 100,000 credentials it takes half a minute."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from rotator.app.assembly import Assembly
from rotator.app.reloading import Outcome
from rotator.app.reloading_apart import ReloadingApart
from rotator.config.reading import Config
from rotator.ports import Observer


class Looking:
    """One look at a time. `done` is called, by another thread, when one is over. For one thread, as is each method."""

    def __init__(self, reloading: ReloadingApart, done: Callable[[], None]) -> None:
        self._reloading = reloading
        self._done = done
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="config")
        self._look: Future[Outcome] | None = None

    def first(self, observer: Observer, stopping: Callable[[], bool]) -> Config | None:
        """As `ReloadingApart.begin`; None once somebody stops it, whatever would have come of it."""
        begun = self._threads.submit(self._reloading.begin, observer)
        while not begun.done():
            if stopping():
                self._reloading.give_up()
            wait([begun], timeout=0.1)
        return None if stopping() else begun.result()

    @property
    def going(self) -> bool:
        """Whether a look has begun of which nobody has asked yet what came of it."""
        return self._look is not None

    def begin(self, assembly: Assembly) -> None:
        """Begin to look; only while none is `going`."""
        self._look = self._threads.submit(self._reloading.look, assembly)
        self._look.add_done_callback(lambda _: self._done())

    def outcome(self) -> Outcome | None:
        """What came of it, once; None while nothing did. Raises what looking raised."""
        if self._look is None or not self._look.done():
            return None
        look, self._look = self._look, None
        return look.result()

    def give_up(self) -> None:
        """End a look that goes on, whatever would have come of it. Twice: nothing more."""
        look, self._look = self._look, None
        while look is not None and not look.done():
            self._reloading.give_up()
            wait([look], timeout=0.1)  # it may just have been about to begin its process

    def close(self) -> None:
        """Look no more."""
        self.give_up()
        self._threads.shutdown()
