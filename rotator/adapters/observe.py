"""The observer over structlog: one line per commit, with one vocabulary of actions, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Rotation


class Quiet:
    """Hears everything and says nothing."""

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Nothing."""

    def alert(self, action: str, subject: str, message: str) -> None:
        """Nothing."""


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
