from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.policy import Policy, Window
from rotator.domain.wallclock import EARLIEST, LATEST, wall
from rotator.policy.reading import read_policy, read_window
from rotator.policy.windows import Allowed, Closed, Closure, may_act, next_open, opening_on
from tests.policy.strategies import any_instants, calm, instants, policies, steps, windows

HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def policy(window: str | None = None, *blackouts: str) -> Policy:
    settings: dict[str, object] = {"every": "30d", "blackout": list(blackouts)}
    return read_policy(settings | ({"window": window} if window else {}))


ORDINARY_AND_CHANGED_DAYS = [
    # an ordinary day
    ("09:00-16:00 Europe/Berlin", "2026-07-01", "2026-07-01T07:00Z", "2026-07-01T14:00Z"),
    ("22:00-04:00 Europe/Berlin", "2026-07-01", "2026-07-01T20:00Z", "2026-07-02T02:00Z"),
    # Berlin sets its clocks from 02:00 to 03:00
    ("02:00-03:00 Europe/Berlin", "2026-03-29", "2026-03-29T01:00Z", "2026-03-29T01:00Z"),
    ("02:15-02:45 Europe/Berlin", "2026-03-29", "2026-03-29T01:00Z", "2026-03-29T01:00Z"),
    ("01:30-02:30 Europe/Berlin", "2026-03-29", "2026-03-29T00:30Z", "2026-03-29T01:00Z"),
    ("02:30-03:30 Europe/Berlin", "2026-03-29", "2026-03-29T01:00Z", "2026-03-29T01:30Z"),
    ("22:00-04:00 Europe/Berlin", "2026-03-28", "2026-03-28T21:00Z", "2026-03-29T02:00Z"),
    ("Mon-Sun Europe/Berlin", "2026-03-29", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
    # and back from 03:00 to 02:00
    ("02:00-03:00 Europe/Berlin", "2026-10-25", "2026-10-25T00:00Z", "2026-10-25T02:00Z"),
    ("02:00-02:30 Europe/Berlin", "2026-10-25", "2026-10-25T00:00Z", "2026-10-25T00:30Z"),
    ("02:30-03:30 Europe/Berlin", "2026-10-25", "2026-10-25T00:30Z", "2026-10-25T02:30Z"),
    ("22:00-02:30 Europe/Berlin", "2026-10-24", "2026-10-24T20:00Z", "2026-10-25T00:30Z"),
    ("Mon-Sun Europe/Berlin", "2026-10-25", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
    # New York, from 02:00 to 03:00 and back from 02:00 to 01:00
    ("02:00-03:00 America/New_York", "2026-03-08", "2026-03-08T07:00Z", "2026-03-08T07:00Z"),
    ("01:00-04:00 America/New_York", "2026-03-08", "2026-03-08T06:00Z", "2026-03-08T08:00Z"),
    ("01:00-02:00 America/New_York", "2026-11-01", "2026-11-01T05:00Z", "2026-11-01T07:00Z"),
    ("01:30-01:45 America/New_York", "2026-11-01", "2026-11-01T05:30Z", "2026-11-01T05:45Z"),
    # Lord Howe, by half an hour: from 02:00 to 02:30 and back from 02:00 to 01:30
    ("02:00-02:30 Australia/Lord_Howe", "2026-10-04", "2026-10-03T15:30Z", "2026-10-03T15:30Z"),
    ("02:15-02:45 Australia/Lord_Howe", "2026-10-04", "2026-10-03T15:30Z", "2026-10-03T15:45Z"),
    ("01:30-02:00 Australia/Lord_Howe", "2026-04-05", "2026-04-04T14:30Z", "2026-04-04T15:30Z"),
    ("Mon-Sun Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00Z", "2026-04-05T13:30Z"),
    # Apia went from the end of the 29th to the beginning of the 31st
    ("Mon-Sun Pacific/Apia", "2011-12-29", "2011-12-29T10:00Z", "2011-12-30T10:00Z"),
    ("Mon-Sun Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z", "2011-12-30T10:00Z"),
    ("Mon-Sun Pacific/Apia", "2011-12-31", "2011-12-30T10:00Z", "2011-12-31T10:00Z"),
    ("22:00-04:00 Pacific/Apia", "2011-12-29", "2011-12-30T08:00Z", "2011-12-30T10:00Z"),
    ("22:00-04:00 Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z", "2011-12-30T14:00Z"),
]


@pytest.mark.parametrize(("window", "day", "starts", "ends"), ORDINARY_AND_CHANGED_DAYS)
def test_an_opening_goes_by_the_clock_on_the_wall(window: str, day: str, starts: str, ends: str) -> None:
    opening = opening_on(read_window(window), date.fromisoformat(day))
    assert (opening.starts, opening.ends) == (at(starts), at(ends))
    assert bool(opening) == (starts != ends)


@pytest.mark.parametrize(
    ("window", "blackouts", "asked", "opens"),
    [
        (None, (), "2026-07-01T12:00Z", "2026-07-01T12:00Z"),
        ("Mon-Fri 09:00-16:00 Europe/Berlin", (), "2026-07-01T12:00Z", "2026-07-01T12:00Z"),
        ("Mon-Fri 09:00-16:00 Europe/Berlin", (), "2026-07-01T07:00Z", "2026-07-01T07:00Z"),
        ("Mon-Fri 09:00-16:00 Europe/Berlin", (), "2026-07-01T14:00Z", "2026-07-02T07:00Z"),
        ("Mon-Fri 09:00-16:00 Europe/Berlin", (), "2026-07-03T14:00Z", "2026-07-06T07:00Z"),
        ("Fri 22:00-04:00 UTC", (), "2026-07-04T03:59:59Z", "2026-07-04T03:59:59Z"),
        ("Fri 22:00-04:00 UTC", (), "2026-07-04T04:00Z", "2026-07-10T22:00Z"),
        ("Fri 22:00-04:00 UTC", (), "2026-07-03T03:00Z", "2026-07-03T22:00Z"),
        # the opening on the day that lacks the hour is left out, the next one is a week later
        ("Sun 02:00-03:00 Europe/Berlin", (), "2026-03-28T12:00Z", "2026-04-05T00:00Z"),
        # the second 02:15 is not another opening of 02:00-02:30
        ("02:00-02:30 Europe/Berlin", (), "2026-10-25T01:15Z", "2026-10-26T01:00Z"),
        # but a clock that is set back closes nothing
        ("02:00-03:00 Europe/Berlin", (), "2026-10-25T01:00Z", "2026-10-25T01:00Z"),
        # the Friday that Apia does not have
        ("Fri Pacific/Apia", (), "2011-12-29T12:00Z", "2012-01-05T10:00Z"),
        (None, ("2026-12-20/2027-01-03",), "2026-12-19T23:59:59Z", "2026-12-19T23:59:59Z"),
        (None, ("2026-12-20/2027-01-03",), "2026-12-20T00:00Z", "2027-01-04T00:00Z"),
        ("Mon-Fri 09:00-16:00 Europe/Berlin", ("2026-12-20/2027-01-03",), "2026-12-18T15:00Z", "2027-01-04T08:00Z"),
        # a blackout's days are those of the window's zone
        ("Mon-Sun Pacific/Apia", ("2026-07-01",), "2026-06-30T10:59Z", "2026-06-30T10:59Z"),
        ("Mon-Sun Pacific/Apia", ("2026-07-01",), "2026-06-30T11:00Z", "2026-07-01T11:00Z"),
        # blackouts that touch, overlap and come in any order
        (None, ("2026-07-03/2026-07-04", "2026-07-01/2026-07-02", "2026-07-02/2026-07-03"), "2026-07-01T05:00Z",
         "2026-07-05T00:00Z"),
        # an opening that goes over midnight into a blackout is cut there, and its rest comes after it
        ("Fri 22:00-04:00 UTC", ("2026-07-04",), "2026-07-04T01:00Z", "2026-07-10T22:00Z"),
        # a blackout on the day that Apia does not have closes nothing
        ("Mon-Sun Pacific/Apia", ("2011-12-30",), "2011-12-30T10:00Z", "2011-12-30T10:00Z"),
    ],
)  # fmt: skip
def test_the_next_open_instant_is_in_the_window_and_in_no_blackout(
    window: str | None, blackouts: tuple[str, ...], asked: str, opens: str
) -> None:
    assert next_open(policy(window, *blackouts), at(asked)) == at(opens)
    assert next_open(policy(window, *blackouts), at(asked)).tzinfo is UTC


def test_nothing_closes_a_policy_without_window_and_blackouts() -> None:
    assert may_act(policy(), at("2026-07-04T03:00Z")) == Allowed()


def test_outside_the_window_we_may_not_act_and_hear_until_when() -> None:
    closed = may_act(policy("Mon-Fri 09:00-16:00 Europe/Berlin"), at("2026-07-04T12:00Z"))
    assert closed == Closed(
        by=Closure.WINDOW,
        until=at("2026-07-06T07:00Z"),
        why="outside the window Mon-Fri 09:00-16:00 Europe/Berlin",
    )


def test_in_a_blackout_we_may_not_act_although_the_window_is_open() -> None:
    closed = may_act(policy("Mon-Fri 09:00-16:00 Europe/Berlin", "2026-12-20/2027-01-03"), at("2026-12-21T12:00Z"))
    assert closed == Closed(
        by=Closure.BLACKOUT, until=at("2027-01-04T08:00Z"), why="in the blackout 2026-12-20/2027-01-03"
    )


@calm
@given(policies(), instants())
def test_we_may_act_exactly_when_the_next_open_instant_is_now(policy: Policy, now: datetime) -> None:
    opens = next_open(policy, now)
    assert opens >= now
    match may_act(policy, now):
        case Allowed():
            assert opens == now
        case Closed(until=until):
            assert until == opens > now
    assert may_act(policy, opens) == Allowed()


@calm
@given(policies(), instants(), st.floats(0, 1, exclude_max=True))
def test_nothing_is_open_before_the_next_open_instant(policy: Policy, now: datetime, share: float) -> None:
    opens = next_open(policy, now)
    between = now + (opens - now) * share
    assert next_open(policy, between) == opens


@calm
@given(policies(), any_instants())
def test_whatever_the_clock_says_there_is_an_answer(policy: Policy, now: datetime) -> None:
    assert isinstance(may_act(policy, now), Allowed | Closed)
    assert EARLIEST <= next_open(policy, now) <= LATEST + timedelta(days=30)


@calm
@given(windows(), instants())
def test_an_opening_lasts_from_the_first_sight_of_its_start_to_the_first_of_its_end(
    window: Window, now: datetime
) -> None:
    day = wall(now, window.tz).date()
    opening = opening_on(window, day)
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a reading of the wall clock
    seen = steps(window.tz, midnight.replace(tzinfo=UTC) - 26 * HOUR, range(4 * 24 * 60))
    starts = next(instant for instant, reading in seen if reading >= midnight + timedelta(minutes=window.opens))
    ends = next(instant for instant, reading in seen if reading >= midnight + timedelta(minutes=window.closes))
    assert (opening.starts, opening.ends) == (starts, ends)


@calm
@given(windows(), instants())
def test_the_opening_of_one_day_never_reaches_into_the_next_days(window: Window, now: datetime) -> None:
    day = wall(now, window.tz).date()
    today, tomorrow = opening_on(window, day), opening_on(window, day + timedelta(days=1))
    assert today.starts <= today.ends <= tomorrow.starts <= tomorrow.ends
