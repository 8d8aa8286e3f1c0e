"""Samples and counts as Prometheus and OpenMetrics write them, by prometheus-client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString

from rotator.adapters.metrics.cleaning import cleaned
from rotator.adapters.metrics.counting import Counts
from rotator.adapters.metrics.families import EVENTS, STATE, Family, Kind, Sample, bounded

LONGEST_ACCEPT = 1000


class Exposition:
    """All metrics at one moment as text. Any thread may ask.

    `state` gives the samples of `STATE` and takes as long as it does; it must not raise. `counts`: None, where what
    this process did is not worth telling, because it ends.
    """

    def __init__(self, state: Callable[[], Sequence[Sample]], counts: Counts | None) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_State(state))
        if counts is not None:
            self._registry.register(_Counted(counts))
            ProcessCollector(registry=self._registry)

    def __call__(self, accept: str = "") -> tuple[str, bytes]:
        """The content type and the text, in the best format that a client accepts."""
        try:
            encode, content_type = choose_encoder(accept[:LONGEST_ACCEPT])
        except (ValueError, TypeError):  # a version that is no number
            encode, content_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
        return content_type, encode(self._registry)


class _State(Collector):
    def __init__(self, state: Callable[[], Sequence[Sample]]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        by_name: dict[str, list[Sample]] = {}
        for sample in self._state():
            by_name.setdefault(sample.name, []).append(sample)
        for family in STATE.values():
            if family.name in by_name:
                yield _gauge(family, by_name[family.name])


class _Counted(Collector):
    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        for family in EVENTS.values():
            yield _histogram(family, self._counts) if family.kind is Kind.HISTOGRAM else _counter(family, self._counts)


def _gauge(family: Family, samples: Sequence[Sample]) -> Metric:
    found = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for each in bounded(_once(samples)):
        found.add_metric(each.labels, each.value)
    return found


def _once(samples: Iterable[Sample]) -> list[Sample]:
    """Each label set once: two that are alike when they are cleaned would be refused by whoever reads them."""
    found: dict[tuple[str, ...], Sample] = {}
    for each in samples:
        labels = tuple(map(cleaned, each.labels))
        value = each.value + found[labels].value if labels in found else each.value
        found[labels] = Sample(each.name, labels, value)
    return list(found.values())


def _counter(family: Family, counts: Counts) -> Metric:
    found = CounterMetricFamily(family.name, family.help, labels=family.labels)
    for each in _once(Sample(family.name, labels, value) for labels, value in counts.counters(family.name).items()):
        found.add_metric(each.labels, each.value)
    return found


def _histogram(family: Family, counts: Counts) -> Metric:
    found = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    bounds = [*map(floatToGoString, family.buckets), "+Inf"]
    for labels, each in counts.histograms(family.name).items():
        cumulative = list(zip(bounds, accumulate(each.buckets), strict=True))
        found.add_metric(tuple(map(cleaned, labels)), cumulative, each.sum)
    return found
