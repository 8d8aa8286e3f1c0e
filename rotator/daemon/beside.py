"""What stands beside the rotations and outlives a reload: who tells people, metrics, and the API."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from rotator.app.assembly import Assembly
from rotator.app.metrics import Metrics
from rotator.app.notifying import Notifier
from rotator.config.api_listening import Listening
from rotator.config.errors import ConfigError
from rotator.config.values import MetricsConfig
from rotator.dashboard.opening import server_of
from rotator.domain.records import Event
from rotator.domain.rotation import Rotation

LOOK = 30.0
"""Seconds from one look at what stands to the next."""


class Shown(Protocol):
    """Metrics at an address."""

    def close(self) -> None:
        """No more."""
        ...


class Served(Protocol):
    """The API."""

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        ...

    def start(self) -> None:
        """From now on. Raises `ConfigError`."""
        ...

    def stop(self) -> None:
        """No more. Twice: nothing more."""
        ...

    def renew(self) -> None:
        """Take up a certificate that was renewed. Raises `ConfigError`."""
        ...


class Early:
    """Keeps the alerts of before there is anybody who tells people."""

    def __init__(self) -> None:
        self._alerts: list[tuple[str, str, str]] = []

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Nothing: no rotation goes on so early."""

    def alert(self, action: str, subject: str, message: str) -> None:
        """Keep it."""
        self._alerts.append((action, subject, message))

    def taken(self) -> list[tuple[str, str, str]]:
        """What was kept, once."""
        taken, self._alerts = self._alerts, []
        return taken


class Beside:
    """`current`: the assembly that counts now; its observer is set by `follow`, which one thread calls, and `close`.

    A thread of its own looks every `look` seconds whether all is there that should be: also while the daemon waits
    for its journal, or for the effects in hand.
    """

    def __init__(self, current: Callable[[], Assembly], *, look: float = LOOK) -> None:
        self._current = current
        self.early = Early()
        self._look = look
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._looking: threading.Thread | None = None
        self._told: frozenset[str] = frozenset()  # what was told of as missing
        self._notifier: Notifier | None = None
        self._metrics: Metrics | None = None
        self._shown: MetricsConfig | None = None
        self._listener: Shown | None = None
        self._listening: Listening | None = None
        self._server: Served | None = None

    def follow(self) -> None:
        """Another assembly counts now.

        Raises `ConfigError` where something cannot listen as the first config says; of a later one it is told.
        """
        assembly = self._current()
        if self._notifier is None:
            self._notifier = Notifier(self._current)
        else:
            self._notifier.refresh()
        assembly.observer = self._notifier.observer
        for each in self.early.taken():
            assembly.observer.alert(*each)
        if self._looking is not None:
            self._told = frozenset()
            config = assembly.config
            self._tell(lambda: self._show(config.metrics), lambda: self._serve(config.api))
            return
        self._show(assembly.config.metrics)
        self._serve(assembly.config.api)
        self._looking = threading.Thread(target=self._look_now_and_then, name="beside", daemon=True)
        self._looking.start()

    def close(self) -> None:
        """Deliver what is queued, and show nothing more. Twice: nothing more."""
        self._closing.set()
        if self._looking is not None:
            self._looking.join()
        self._serve(None)
        self._show(None)
        if self._notifier is not None:
            self._notifier.close()
            self._notifier = None

    def _look_now_and_then(self) -> None:
        while not self._closing.wait(self._look):
            try:
                self._again()
            except Exception as error:  # noqa: BLE001 - the next look may do better
                self._current().defect("the daemon", error)

    def _again(self) -> None:
        """What is gone, and what was renewed."""
        config = self._current().config
        self._tell(
            lambda: self._show(config.metrics),
            lambda: self._serve(config.api) if self._server is None or not self._server.alive else None,
            lambda: self._server.renew() if self._server is not None else None,
        )

    def _tell(self, *steps: Callable[[], None]) -> None:
        """Do each; of what cannot be had it is told once, until it can."""
        missing: dict[str, str] = {}
        with self._lock:
            for step in steps:
                try:
                    step()
                except ConfigError as error:
                    missing[error.message] = error.hint
            new, self._told = missing.keys() - self._told, frozenset(missing)
        for message in sorted(new):
            self._current().told.alert("cannot listen", "the daemon", f"{message} — {missing[message]}")

    def _serve(self, wanted: Listening | None) -> None:
        """As wanted, or else as before. Raises `ConfigError`."""
        before, old = self._listening, self._server
        if wanted == before and (old is None or old.alive):
            return
        new = server_of(self._current, wanted) if wanted is not None else None
        if old is not None:
            old.stop()
        try:
            if new is not None:
                new.start()
            self._server, self._listening = new, wanted
        except ConfigError:
            if before is not None and before != wanted:
                with suppress(ConfigError):  # it is tried again with the next look
                    self._server = server_of(self._current, before)
                    self._server.start()
            raise

    def _show(self, wanted: MetricsConfig | None) -> None:
        if wanted == self._shown:
            return
        if self._listener is not None:
            self._listener.close()
        self._listener = self._shown = None
        if wanted is not None:
            self._metrics = self._metrics or Metrics(self._current)
            self._listener, self._shown = self._metrics.serve(wanted), wanted
