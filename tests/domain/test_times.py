from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.times import (
    LONGEST,
    UnreadableError,
    format_duration,
    format_percentage,
    format_time,
    parse_duration,
    parse_percentage,
    parse_time,
    quoted,
    roughly,
)


def refusal(parse: Callable[[str], object], text: str) -> UnreadableError | None:
    try:
        parse(text)
    except UnreadableError as refused:
        return refused
    return None


calm = settings(deadline=None, database=None)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0s", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(days=1)),
        ("30d", timedelta(days=30)),
        ("36500d", LONGEST),
    ],
)
def test_a_duration_is_one_number_and_one_unit(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", "30", "d", "1h30m", "-1d", "1.5h", "30D", "30 d", " 30d", "30d\n", "٣d", "1w", "1e3s", "9" * 5000 + "s"],
)
def test_what_is_no_duration_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UnreadableError, match="is not a duration") as caught:
        parse_duration(text)
    assert "30d" in caught.value.hint
    assert len(caught.value.message) < 120


@pytest.mark.parametrize("text", ["36501d", "9999999999d", "9999999999s"])
def test_a_duration_of_more_than_a_century_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="too long"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=90), "90s"),
        (timedelta(minutes=15), "15m"),
        (timedelta(hours=1), "1h"),
        (timedelta(hours=36), "36h"),
        (timedelta(days=7), "7d"),
    ],
)
def test_a_duration_is_written_in_its_largest_whole_unit(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@pytest.mark.parametrize("duration", [timedelta(seconds=-1), timedelta(milliseconds=1), timedelta(days=-3)])
def test_a_duration_without_a_written_form_is_not_written(duration: timedelta) -> None:
    with pytest.raises(ValueError, match="whole seconds"):
        format_duration(duration)


@calm
@given(st.integers(0, int(LONGEST.total_seconds())))
def test_a_written_duration_reads_as_itself(seconds: int) -> None:
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(milliseconds=400), "0s"),
        (timedelta(seconds=59), "59s"),
        (timedelta(seconds=61), "1m 1s"),
        (timedelta(minutes=3), "3m"),
        (timedelta(days=29, hours=18, minutes=59), "29d 18h"),
        (timedelta(days=2, minutes=59), "2d"),
        (-timedelta(hours=5, minutes=30), "5h 30m"),
    ],
)
def test_a_distance_in_time_is_shown_in_two_units(duration: timedelta, text: str) -> None:
    assert roughly(duration) == text


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23T10:00:00Z", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("2026-11-23t10:00:00z", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("2026-11-23T10:00:00+01:00", datetime(2026, 11, 23, 9, tzinfo=UTC)),
        ("2026-11-23T10:00:00-05:30", datetime(2026, 11, 23, 15, 30, tzinfo=UTC)),
        ("2026-11-23T10:00:00.25Z", datetime(2026, 11, 23, 10, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-11-23T10:00:00.123456789Z", datetime(2026, 11, 23, 10, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_into_utc(text: str, instant: datetime) -> None:
    assert parse_time(text) == instant
    assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["2026-11-23T10:00:00", "2026-11-23T10:00:00.5"])
def test_a_naive_time_is_refused_and_told_what_it_lacks(text: str) -> None:
    with pytest.raises(UnreadableError, match="names no time zone") as caught:
        parse_time(text)
    assert "+01:00" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-23",
        "2026-11-23 10:00:00Z",
        "20261123T100000Z",
        "2026-W48-1T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-23T10:00Z",
        "2026-11-23T24:00:01Z",
        "2016-12-31T23:59:60Z",
        "2026-11-23T10:00:00+25:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-11-23T10:00:00Z\n",
        "٢٠٢٦-11-23T10:00:00Z",
    ],
)
def test_what_is_no_rfc_3339_time_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 11, 23, 10, tzinfo=UTC), "2026-11-23T10:00:00Z"),
        (datetime(2026, 11, 23, 10, tzinfo=timezone(timedelta(hours=-5))), "2026-11-23T15:00:00Z"),
        (datetime(2026, 11, 23, 10, 0, 0, 5, tzinfo=UTC), "2026-11-23T10:00:00.000005Z"),
    ],
)
def test_an_instant_is_written_in_utc(instant: datetime, text: str) -> None:
    assert format_time(instant) == text


def test_a_naive_time_is_never_written() -> None:
    with pytest.raises(ValueError, match="no instant"):
        format_time(datetime(2026, 11, 23, 10))  # noqa: DTZ001 - that is what is refused


@calm
@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])))
def test_a_written_time_reads_as_itself(instant: datetime) -> None:
    try:
        text = format_time(instant)
    except OverflowError:
        return
    assert parse_time(text) == instant


@pytest.mark.parametrize(
    ("text", "share"), [("0%", 0.0), ("10%", 0.1), ("2.5%", 0.025), ("100%", 1.0), ("99.999999%", 0.99999999)]
)
def test_a_percentage_is_read_as_a_share(text: str, share: float) -> None:
    assert parse_percentage(text) == pytest.approx(share, abs=1e-12)
    assert format_percentage(share) == text


@pytest.mark.parametrize("text", ["", "10", "0.1", "%", "101%", "100.5%", "-1%", "10 %", "1e1%", "nan%", "١٠%", "10%%"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="is not a percentage") as caught:
        parse_percentage(text)
    assert "10%" in caught.value.hint


@calm
@given(st.integers(0, 100_000_000))
def test_a_written_percentage_reads_as_itself(millionths: int) -> None:
    share = millionths / 100_000_000
    assert parse_percentage(format_percentage(share)) == pytest.approx(share, abs=1e-12)


@calm
@given(st.text(max_size=30))
def test_no_text_at_all_makes_anything_but_a_value_or_a_refusal(text: str) -> None:
    for parse in (parse_duration, parse_time, parse_percentage):
        refused = refusal(parse, text)
        assert refused is None or (refused.message.isprintable() and refused.hint)


def test_what_somebody_else_wrote_is_shown_on_one_short_line() -> None:
    assert quoted("a\nb\x1b[31m") == r"'a\nb\x1b[31m'"
    assert len(quoted("x" * 10_000)) < 70
    assert quoted(30) == "'30'"
