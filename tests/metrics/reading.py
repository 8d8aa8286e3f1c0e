"""An exposition as values, read by prometheus-client's own parsers."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

from rotator.app.metrics import Metrics

Values = dict[str, dict[tuple[tuple[str, str], ...], float]]
OPENMETRICS = "application/openmetrics-text;version=1.0.0"


def values(metrics: Metrics, accept: str = "") -> Values:
    """By name of the sample and its labels."""
    content_type, text = metrics.exposition(accept)
    read = read_openmetrics if content_type.startswith("application/openmetrics-text") else read_plain
    found: Values = {}
    for family in read(text.decode()):
        for sample in family.samples:
            series = found.setdefault(sample.name, {})
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in series, f"{sample.name} is there twice"
            series[labels] = sample.value
    return found


def total(found: Values, name: str, **labels: str) -> float:
    """The sum of a sample's series that have these labels; 0 where there are none."""
    return sum(value for each, value in found.get(name, {}).items() if labels.items() <= dict(each).items())
