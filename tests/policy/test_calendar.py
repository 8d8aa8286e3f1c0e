import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.adapters.calendar import CronCalendar
from rotator.domain.policy import PolicyError
from rotator.domain.wallclock import LATEST, wall, zone
from rotator.policy.due import Calendar
from tests.policy.strategies import any_instants, calm, instants, refusal, zones

CALENDAR: Calendar = CronCalendar()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def times(line: str, after: str, name: str = "UTC", count: int = 1) -> list[datetime]:
    found: list[datetime] = []
    instant: datetime | None = at(after)
    while instant is not None and len(found) < count:
        instant = CALENDAR.next_cron(line, instant, zone(name))
        if instant is not None:
            found.append(instant)
    return found


@pytest.mark.parametrize(
    ("line", "after", "following"),
    [
        ("0 10 * * *", "2026-11-23T09:59:59Z", "2026-11-23T10:00Z"),
        ("0 10 * * *", "2026-11-23T10:00Z", "2026-11-24T10:00Z"),
        ("0 10 * * *", "2026-11-23T09:59:59.999999Z", "2026-11-23T10:00Z"),
        ("0 10 * * *", "2026-11-23T10:00:00.000001Z", "2026-11-24T10:00Z"),
        ("*/15 8-9 * * *", "2026-11-23T09:45Z", "2026-11-24T08:00Z"),
        ("0 0 1 JAN *", "2026-11-23T00:00Z", "2027-01-01T00:00Z"),
        ("0 0 29 2 *", "2026-11-23T00:00Z", "2028-02-29T00:00Z"),
        ("0 0 last * *", "2026-11-23T00:00Z", "2026-11-30T00:00Z"),
    ],
)
def test_the_next_time_is_the_first_strictly_after(line: str, after: str, following: str) -> None:
    assert times(line, after) == [at(following)]


@pytest.mark.parametrize(
    ("weekdays", "days"),
    [
        ("1", "Mon"),
        ("0", "Sun"),
        ("7", "Sun"),
        ("mon", "Mon"),
        ("1-5", "Mon Tue Wed Thu Fri"),
        ("5-7", "Fri Sat Sun"),
        ("0-2", "Mon Tue Sun"),
        ("fri-mon", "Mon Fri Sat Sun"),
        ("SUN,wed", "Wed Sun"),
        ("*/2", "Tue Thu Sat Sun"),
        ("1-5/2", "Mon Wed Fri"),
        ("0-7", "Mon Tue Wed Thu Fri Sat Sun"),
        ("*", "Mon Tue Wed Thu Fri Sat Sun"),
    ],
)
def test_weekdays_are_counted_as_crontab_does_from_sunday(weekdays: str, days: str) -> None:
    week = [
        each for each in times(f"0 10 * * {weekdays}", "2026-11-23T00:00Z", count=7) if each < at("2026-11-30T00:00Z")
    ]
    assert " ".join(each.strftime("%a") for each in week) == days


def test_a_line_that_names_a_day_of_the_month_and_a_weekday_fires_on_either() -> None:
    # crontab(5): "If both fields are restricted, the command will be run when either field matches the current time."
    found = times("0 10 1 * 1", "2026-11-24T00:00Z", count=4)
    assert [each.date().isoformat() for each in found] == ["2026-11-30", "2026-12-01", "2026-12-07", "2026-12-14"]


def test_a_field_that_begins_with_a_star_restricts_together_with_the_other() -> None:
    found = times("0 10 */2 * 1", "2026-11-01T00:00Z", count=3)
    assert all(each.strftime("%a") == "Mon" and each.day % 2 == 1 for each in found)


@pytest.mark.parametrize(
    ("line", "name", "after", "following"),
    [
        # ten o'clock on the wall, whatever the offset
        ("0 10 * * *", "Europe/Berlin", "2026-03-28T00:00Z", ["2026-03-28T09:00Z", "2026-03-29T08:00Z"]),
        # Berlin has no 02:30: at the skip, and the day after as usual
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        # Berlin has 02:30 twice: once
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:00Z", ["2026-10-26T01:30Z"]),
        ("0 * * * *", "Europe/Berlin", "2026-10-24T23:30Z", ["2026-10-25T00:00Z", "2026-10-25T02:00Z"]),
        ("0,30 * * * *", "Europe/Berlin", "2026-03-29T00:45Z", ["2026-03-29T01:00Z", "2026-03-29T01:30Z"]),
        ("30 2 * * *", "America/New_York", "2026-03-07T12:00Z", ["2026-03-08T07:00Z", "2026-03-09T06:30Z"]),
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00Z", ["2026-11-01T05:30Z", "2026-11-02T06:30Z"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00Z", ["2026-10-03T15:30Z", "2026-10-04T15:15Z"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00Z", ["2026-04-04T14:45Z", "2026-04-05T15:15Z"]),
        # Apia has no 30th: once at the skip, although the 31st begins there too
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T23:00Z", ["2011-12-30T10:00Z", "2011-12-30T22:00Z"]),
        ("0 0 * * *", "Pacific/Apia", "2011-12-29T23:00Z", ["2011-12-30T10:00Z", "2011-12-31T10:00Z"]),
    ],
)  # fmt: skip
def test_a_skipped_time_fires_at_the_skip_and_a_repeated_one_once(
    line: str, name: str, after: str, following: list[str]
) -> None:
    assert times(line, after, name, len(following)) == [at(each) for each in following]


@pytest.mark.parametrize("line", ["0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_a_line_without_any_time_has_none(line: str) -> None:
    assert CALENDAR.next_cron(line, at("2026-11-23T00:00Z"), UTC) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "@daily",
        "0 10 * *",
        "0 10 * * 1 2026",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "* * * * mo",
        "* * * * monday",
        "* * * * 1,",
        "* * * * 1-",
        "*/0 * * * *",
        "* * * * */0",
        "5-1 * * * *",
        "? * * * *",
        "1.5 * * * *",
        "٥ * * * *",
        "\x00 * * * *",
    ],
)
def test_what_is_no_crontab_line_is_refused_in_two_parts(line: str) -> None:
    with pytest.raises(PolicyError, match="is not a crontab line") as caught:
        CALENDAR.next_cron(line, at("2026-11-23T00:00Z"), UTC)
    assert "five fields" in caught.value.hint
    assert caught.value.message.isprintable()


def lines() -> st.SearchStrategy[str]:
    minutes = st.sampled_from(["*", "0", "30", "*/20", "5,45"])
    hours = st.sampled_from(["*", "0", "2", "1-3", "*/6"])
    days = st.sampled_from(["*", "1", "29-31", "*/5"])
    months = st.sampled_from(["*", "3", "oct-dec"])
    weekdays = st.sampled_from(["*", "0", "sat-sun", "1-5"])
    return st.tuples(minutes, hours, days, months, weekdays).map(" ".join)


@calm
@given(lines(), zones(), instants())
def test_times_come_one_after_the_other_and_read_as_the_line_says_unless_skipped(
    line: str, name: str, after: datetime
) -> None:
    tz = zone(name)
    found = [after]
    for _ in range(4):
        following = CALENDAR.next_cron(line, found[-1], tz)
        assert following is not None
        found.append(following)
    assert all(earlier < later for earlier, later in pairwise(found))
    hour = line.split()[1]
    for instant in found[1:]:
        skipped = wall(instant, tz) - wall(instant - timedelta(minutes=1), tz) != timedelta(minutes=1)
        assert skipped or hour != "2" or wall(instant, tz).hour == 2


@calm
@given(lines(), zones(), instants(), st.timedeltas(timedelta(0), timedelta(days=40)))
def test_asking_later_never_gives_an_earlier_time(line: str, name: str, after: datetime, later: timedelta) -> None:
    one = CALENDAR.next_cron(line, after, zone(name))
    other = CALENDAR.next_cron(line, after + later, zone(name))
    assert one is not None
    assert other is not None
    assert one <= other
    assert one == other or one <= after + later


@calm
@given(lines(), zones(), any_instants())
def test_whatever_the_clock_says_there_is_an_answer(line: str, name: str, after: datetime) -> None:
    found = CALENDAR.next_cron(line, after, zone(name))
    assert found is None or min(after, LATEST - timedelta(days=9000)) < found < LATEST


@calm
@given(st.text(alphabet="0123456789*/-,LW?# monsuast\n", max_size=20) | st.text(max_size=20))
def test_whatever_is_written_for_a_line_is_one_or_refused(text: str) -> None:
    refused = refusal(lambda: CALENDAR.next_cron(text, at("2026-11-23T00:00Z"), UTC))
    assert refused is None or (refused.message.isprintable() and refused.hint)


def test_apscheduler_is_not_imported_before_a_line_is_asked_about() -> None:
    script = (
        "import sys; from rotator.adapters.calendar import CronCalendar; CronCalendar()\n"
        "sys.exit(any(name.startswith(('apscheduler', 'tzlocal')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-B", "-c", script], timeout=60, check=False).returncode == 0


def test_behind_the_last_believable_year_no_line_fires() -> None:
    assert CALENDAR.next_cron("* * * * *", datetime(9999, 12, 30, tzinfo=UTC), zone("America/New_York")) is None
