"""What happened since the process began: counters and histograms, by family and labels. Any thread counts."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from rotator.adapters.metrics.families import EVENTS, MOST_SERIES, OTHER, Kind


@dataclass(slots=True)
class Histogram:
    """How many values there were in each bucket, the last one without end, and their sum."""

    buckets: list[int]
    sum: float = 0.0


Labels = tuple[str, ...]


class Counts:
    """Numbers of this process. They never go back, so one is kept for all assemblies that follow each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: defaultdict[str, dict[Labels, float]] = defaultdict(dict)
        self._histograms: defaultdict[str, dict[Labels, Histogram]] = defaultdict(dict)

    def count(self, name: str, *labels: str) -> None:
        """One more. Raises `KeyError` for a family that there is not."""
        family = EVENTS[name]
        assert family.kind is Kind.COUNTER
        assert len(labels) == len(family.labels)
        with self._lock:
            series = self._counters[name]
            labels = _within(series, labels)
            series[labels] = series.get(labels, 0.0) + 1

    def expect(self, name: str, *labels: str) -> None:
        """Let there be a counter that nothing was counted for yet. Twice: nothing more. Raises `KeyError`.

        Prometheus sees that a counter grows, and not that one comes to be: the first failure would raise no alert.
        """
        assert len(labels) == len(EVENTS[name].labels)
        with self._lock:
            series = self._counters[name]
            if len(series) < MOST_SERIES - 1:
                series.setdefault(labels, 0.0)

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """A duration; one below zero, of a clock that was set back, counts as none. Raises `KeyError`."""
        family = EVENTS[name]
        assert family.kind is Kind.HISTOGRAM
        assert len(labels) == len(family.labels)
        value = max(seconds, 0.0)
        with self._lock:
            series = self._histograms[name]
            labels = _within(series, labels)
            histogram = series.setdefault(labels, Histogram([0] * (len(family.buckets) + 1)))
            histogram.buckets[bisect_left(family.buckets, value)] += 1
            histogram.sum += value

    def counters(self, name: str) -> dict[Labels, float]:
        """The values of one family as they are now."""
        with self._lock:
            return dict(self._counters[name])

    def histograms(self, name: str) -> dict[Labels, Histogram]:
        """The same."""
        with self._lock:
            found = self._histograms[name]
            return {labels: Histogram(list(each.buckets), each.sum) for labels, each in found.items()}


def _within(series: Mapping[Labels, object], labels: Labels) -> Labels:
    if labels in series or len(series) < MOST_SERIES - 1:
        return labels
    return (OTHER,) * len(labels)


PROCESS = Counts()
"""The numbers of this very process."""
