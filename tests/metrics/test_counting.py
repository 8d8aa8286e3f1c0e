"""What happens is counted where it happens, and shown as two formats that parsers take."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.adapters.limits import LimitedProvider
from rotator.adapters.metrics.cleaning import LONGEST, cleaned
from rotator.adapters.metrics.counting import Counts
from rotator.adapters.metrics.exposing import Exposition
from rotator.adapters.metrics.families import MOST_SERIES, OTHER, Sample, bounded
from rotator.adapters.metrics.hearing import Counting, OfProvider, expect
from rotator.app.metrics import Metrics
from rotator.domain.failures import Denied, Failure, Transient
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Phase
from rotator.testing.journal_contract.values import NOW, rotation
from tests.cli.scene import NAME
from tests.metrics.reading import OPENMETRICS, total, values


@pytest.fixture
def counts() -> Counts:
    return Counts()


def test_a_phase_and_a_rotation_that_ended_are_counted_with_how_long_they_took(counts: Counts) -> None:
    row = rotation("r1", phase=Phase.DONE, ended_at=NOW + timedelta(seconds=90))
    moved = Event(
        kind=EventKind.PHASE, action="phase", subject="done", detail={"from": "sweeping", "seconds": "12.000"}
    )
    proven = Event(kind=EventKind.OBSERVATION, action="proven", subject="key-1", detail={"proof": "refused"})
    failed = Event(kind=EventKind.OUTCOME, action="delete", subject="key-1", detail={"result": "transient"})
    Counting(counts, {"openai": "vendor"}.get).committed(row, (failed, proven, moved))  # type: ignore[arg-type]
    assert counts.counters("rotator_rotations_ended_total") == {("vendor", "scheduled", "done"): 1}
    assert counts.counters("rotator_deaths_total") == {("vendor", "refused"): 1}
    assert counts.counters("rotator_effects_total") == {("delete", "transient"): 1}
    phases = counts.histograms("rotator_phase_duration_seconds")
    assert phases["scheduled", "sweeping"].sum == 12
    assert counts.histograms("rotator_rotation_duration_seconds")["scheduled", "done"].sum == 90


def test_what_gets_stuck_is_counted_and_is_no_end(counts: Counts) -> None:
    row = rotation("r1", phase=Phase.STUCK)
    stuck = Event(kind=EventKind.PHASE, action="phase", subject="stuck", detail={"from": "minting", "seconds": "-3"})
    Counting(counts, lambda name: "").committed(row, (stuck,))
    assert counts.counters("rotator_rotations_parked_total") == {("unknown", "scheduled"): 1}
    assert counts.counters("rotator_rotations_ended_total") == {}
    assert counts.histograms("rotator_phase_duration_seconds")["scheduled", "minting"].sum == 0


def test_an_alert_is_counted_by_a_word_that_is_known(counts: Counts) -> None:
    counting = Counting(counts, lambda name: "")
    counting.alert("needs a key", NAME, "text for people")
    counting.alert('a driver\'s own "word"\n', NAME, "")
    assert counts.counters("rotator_alerts_total") == {("needs a key",): 1, ("unknown",): 1}


def test_a_value_is_counted_up_to_the_bound_that_it_reaches(counts: Counts) -> None:
    for seconds in (0.5, 0.6, 10**9):
        counts.observe("rotator_phase_duration_seconds", seconds, "manual", "live")
    found = counts.histograms("rotator_phase_duration_seconds")["manual", "live"]
    assert (found.buckets[0], found.buckets[1], found.buckets[-1]) == (1, 1, 1)


def test_a_family_that_there_is_not_cannot_be_counted(counts: Counts) -> None:
    with pytest.raises(KeyError):
        counts.count("rotator_misspelt_total")


def test_series_without_end_become_one(counts: Counts) -> None:
    for number in range(3 * MOST_SERIES):
        counts.count("rotator_alerts_total", f"word {number}")
    found = counts.counters("rotator_alerts_total")
    assert len(found) == MOST_SERIES
    assert found[OTHER,] == 2 * MOST_SERIES + 1
    samples = [Sample("rotator_orphans", ("p", f"o{number}"), number) for number in range(2 * MOST_SERIES)]
    kept = bounded(samples)
    assert len(kept) == MOST_SERIES
    assert sum(each.value for each in kept) == sum(each.value for each in samples)
    assert kept[-1].labels == (OTHER, OTHER)


def test_times_and_ages_of_the_rest_are_not_added_up() -> None:
    def rest(name: str) -> float:
        found = bounded([Sample(name, ("p", f"o{number}"), 1000.0 + number) for number in range(2 * MOST_SERIES)])
        return found[-1].value

    assert rest("rotator_unproven_death_timestamp_seconds") == 1000.0 + MOST_SERIES
    assert rest("rotator_oldest_key_age_seconds") == 1000.0 + MOST_SERIES
    firsts = [Sample("rotator_next_due_timestamp_seconds", ("p", f"o{n}"), 1000.0 + n) for n in range(2 * MOST_SERIES)]
    kept = bounded(firsts)
    assert min(each.value for each in kept) == 1000.0
    assert kept[-1].value == 1000.0 + MOST_SERIES - 1


class Refusing:
    """A driver every call of which fails."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure

    def keys(self, principal: object) -> object:
        raise self.failure


@pytest.mark.parametrize(
    ("failure", "failed", "throttled"),
    [
        (Denied("no"), {("p", "denied"): 1.0}, {}),
        (Transient("429", throttled=True), {("p", "transient"): 1.0}, {("p", "provider"): 1.0}),
    ],
    ids=["denied", "throttled"],
)
def test_calls_that_fail_are_counted_by_reason(
    counts: Counts, failure: Failure, failed: object, throttled: object
) -> None:
    limited = LimitedProvider(Refusing(failure), parallel=1, hears=OfProvider(counts, "p"))  # type: ignore[arg-type]
    with pytest.raises(type(failure)):
        limited.keys(None)  # type: ignore[arg-type]
    assert counts.counters("rotator_provider_failures_total") == failed
    assert counts.counters("rotator_provider_throttled_total") == throttled


def test_a_call_that_our_own_limit_keeps_back_is_counted_and_no_failure_of_the_provider(counts: Counts) -> None:
    patience = timedelta(0)
    hears = OfProvider(counts, "p")
    limited = LimitedProvider(Refusing(Denied("no")), parallel=1, rate=0.001, patience=patience, hears=hears)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(Failure):
            limited.keys(None)  # type: ignore[arg-type]
    assert counts.counters("rotator_provider_throttled_total") == {("p", "limit"): 1}
    assert counts.counters("rotator_provider_failures_total") == {("p", "denied"): 1}


def test_failures_are_there_before_the_first_so_that_it_is_seen_as_growth(counts: Counts) -> None:
    expect(counts, ["p"], ["s"])
    assert counts.counters("rotator_provider_failures_total")["p", "denied"] == 0
    counts.count("rotator_provider_failures_total", "p", "denied")
    expect(counts, ["p"], ["s"])
    assert counts.counters("rotator_provider_failures_total")["p", "denied"] == 1
    assert counts.counters("rotator_driver_losses_total")["store", "s", "gone"] == 0


HOSTILE = 'a"b\\c\nd\x1b[31m\x00\u202e\ud800' + "x" * 5000


@pytest.mark.parametrize("accept", ["", OPENMETRICS], ids=["plain", "OpenMetrics"])
def test_hostile_labels_are_bounded_and_read_back_as_one_line(counts: Counts, accept: str) -> None:
    counts.count("rotator_alerts_total", HOSTILE)
    state = [Sample("rotator_foreign_keys", (HOSTILE,), 2), Sample("rotator_foreign_keys", (HOSTILE + "y",), 3)]
    shown = Exposition(lambda: state, counts)
    found = values(shown_by(shown), accept)
    ((labels,),) = found["rotator_foreign_keys"]
    assert found["rotator_foreign_keys"][labels,] == 5
    assert labels == ("provider", cleaned(HOSTILE))
    assert len(labels[1]) == LONGEST
    assert labels[1].isprintable()
    assert total(found, "rotator_alerts_total", action=cleaned(HOSTILE)) == 1


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/openmetrics-text;version=x.y",
        "application/openmetrics-text;version=99.0.0;escaping=none\x00",
        "text/plain;version=\u0663",
        "," * 9000,
    ],
)
def test_whatever_a_client_accepts_it_gets_an_answer(counts: Counts, accept: str) -> None:
    content_type, text = Exposition(lambda: (), counts)(accept)
    assert content_type.startswith(("text/plain", "application/openmetrics-text"))
    assert content_type.isascii()
    assert b"rotator_phase_duration_seconds" in text


def shown_by(shown: Exposition) -> Metrics:
    """Something that is asked as `Metrics` is."""

    class Shown:
        def exposition(self, accept: str = "") -> tuple[str, bytes]:
            return shown(accept)

    return Shown()  # type: ignore[return-value]
