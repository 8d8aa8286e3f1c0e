"""An observer that counts: how long phases and rotations took, how effects went, what people were told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rotator.adapters.metrics.counting import Counts
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Phase, Rotation
from rotator.domain.vocabulary import ACTIONS

UNKNOWN = "unknown"
STARTED = "started"
LOSSES = ("gone", "overdue", "not started")
REASONS = ("transient", "conflict", "denied", "permanent", "capfull", "undecidable", "ambiguous")
"""The types of failures of a port, as words."""
THROTTLES = ("limit", "provider")


class Counting:
    """Implements `rotator.ports.Observer`. `provider_of`: the provider of a credential; empty where none is known."""

    def __init__(self, counts: Counts, provider_of: Callable[[str], str]) -> None:
        self._counts = counts
        self._provider_of = provider_of

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Count what this commit tells."""
        for event in events:
            if event.kind is EventKind.PHASE and event.action == "phase":
                self._moved(row, event)
            elif event.kind is EventKind.OUTCOME:
                self._counts.count("rotator_effects_total", event.action, event.detail.get("result", "ok"))
            elif event.action == "proven":
                self._counts.count("rotator_deaths_total", self._provider(row), event.detail.get("proof", UNKNOWN))
        if row.phase.terminal:  # an operator's word ends one without a step
            self._ended(row)

    def alert(self, action: str, subject: str, message: str) -> None:
        """Count it by its word alone."""
        self._counts.count("rotator_alerts_total", action if action in ACTIONS else UNKNOWN)

    def _moved(self, row: Rotation, event: Event) -> None:
        mode, left = row.mode.value, event.detail.get("from", UNKNOWN)
        seconds = _number(event.detail.get("seconds"))
        if seconds is not None:
            self._counts.observe("rotator_phase_duration_seconds", seconds, mode, left)
        if event.subject == Phase.STUCK:
            self._counts.count("rotator_rotations_parked_total", self._provider(row), mode)

    def _ended(self, row: Rotation) -> None:
        mode, outcome = row.mode.value, row.phase.value
        self._counts.count("rotator_rotations_ended_total", self._provider(row), mode, outcome)
        if row.ended_at is not None:
            took = (row.ended_at - row.started_at).total_seconds()
            self._counts.observe("rotator_rotation_duration_seconds", took, mode, outcome)

    def _provider(self, row: Rotation) -> str:
        return self._provider_of(row.credential) or UNKNOWN


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


class OfProvider:
    """Counts what became of one provider's calls: what `rotator.adapters.limits` tells."""

    def __init__(self, counts: Counts, provider: str) -> None:
        self._counts = counts
        self._provider = provider

    def throttled(self, by: str) -> None:
        """A call was kept back."""
        self._counts.count("rotator_provider_throttled_total", self._provider, by)

    def failed(self, reason: str) -> None:
        """A call failed."""
        self._counts.count("rotator_provider_failures_total", self._provider, reason)


class OfStore:
    """Counts the failures of one store's calls: what `rotator.adapters.named` tells."""

    def __init__(self, counts: Counts, store: str) -> None:
        self._counts = counts
        self._store = store

    def __call__(self, reason: str) -> None:
        """A call failed."""
        self._counts.count("rotator_store_failures_total", self._store, reason)


class OfDrivers:
    """Counts what becomes of drivers' processes: what `rotator.adapters.isolation` tells."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def __call__(self, kind: str, driver: str, what: str) -> None:
        """One was started, or lost."""
        if what == STARTED:
            self._counts.count("rotator_driver_starts_total", kind, driver)
        else:
            self._counts.count("rotator_driver_losses_total", kind, driver, what)


def expect(counts: Counts, providers: Iterable[str], stores: Iterable[str]) -> None:
    """Let there be the counters of failures of these from the beginning. Twice: nothing more."""
    for kind, family, names in (
        ("provider", "rotator_provider_failures_total", list(providers)),
        ("store", "rotator_store_failures_total", list(stores)),
    ):
        for name in names:
            for reason in REASONS:
                counts.expect(family, name, reason)
            for loss in LOSSES:
                counts.expect("rotator_driver_losses_total", kind, name, loss)
            for by in THROTTLES if kind == "provider" else ():
                counts.expect("rotator_provider_throttled_total", name, by)
