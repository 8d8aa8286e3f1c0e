"""The observer over structlog: one line per commit, with one vocabulary of actions, on standard error."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Rotation


class Quiet:
    """Hears everything and says nothing."""

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Nothing."""

    def alert(self, action: str, subject: str, message: str) -> None:
        """Nothing."""


class Fan:
    """Tells several observers; one that fails does not keep the others from hearing."""

    def __init__(self, *observers: Any) -> None:
        self._observers = observers

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Tell all."""
        for each in self._observers:
            each.committed(row, events)

    def alert(self, action: str, subject: str, message: str) -> None:
        """Tell all."""
        for each in self._observers:
            each.alert(action, subject, message)


class Listener:
    """Calls functions: for progress on a terminal."""

    def __init__(
        self, changed: Callable[[Rotation, Sequence[Event]], None], alerted: Callable[[str, str, str], None]
    ) -> None:
        self._changed = changed
        self._alerted = alerted
        self._lock = threading.Lock()

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Pass on, one at a time."""
        with self._lock:
            self._changed(row, events)

    def alert(self, action: str, subject: str, message: str) -> None:
        """Pass on, one at a time."""
        with self._lock:
            self._alerted(action, subject, message)


class Log:
    """Structured lines. structlog is imported when the log is made."""

    def __init__(self, level: str = "info") -> None:
        import structlog

        structlog.configure(
            processors=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.add_log_level,
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
            cache_logger_on_first_use=True,
        )
        self._log = structlog.get_logger()
        self._intents = level == "debug"

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """A line per event; intents only at level debug, because an outcome follows."""
        for event in events:
            if event.kind is EventKind.INTENT and not self._intents:
                continue
            self._log.info(
                event.action,
                kind=event.kind.value,
                subject=event.subject,
                credential=row.credential,
                rotation=row.id,
                fence=row.fence,
                **{f"detail_{name}": text for name, text in event.detail.items()},
            )

    def alert(self, action: str, subject: str, message: str) -> None:
        """A warning."""
        self._log.warning(action, subject=subject, message=message)
