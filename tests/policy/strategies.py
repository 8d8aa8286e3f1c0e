"""Policies, zones and instants for property tests, aimed at the days on which clocks change."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo

from hypothesis import settings
from hypothesis import strategies as st

from rotator.domain.policy import MINUTES, Blackout, Policy, PolicyError, Window

calm = settings(deadline=None, database=None)

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",  # changed at midnight until 2019
    "Africa/Casablanca",  # sets its clocks back for Ramadan
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # changes by half an hour
    "Antarctica/Troll",  # changes by two hours
    "Pacific/Apia",  # has no 2011-12-30
)

CHANGES = (
    datetime(2011, 12, 30, 10, tzinfo=UTC),
    datetime(2018, 11, 4, 3, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
)


EXTREMES = tuple(
    each.replace(tzinfo=UTC)
    for each in (datetime.min, datetime(1, 1, 2), datetime(9999, 12, 30), datetime.max)  # noqa: DTZ001, DTZ901
)


def zones() -> st.SearchStrategy[str]:
    return st.sampled_from(ZONES)


def instants() -> st.SearchStrategy[datetime]:
    near = st.builds(
        lambda change, minutes: change + timedelta(minutes=minutes),
        st.sampled_from(CHANGES),
        st.integers(-3 * MINUTES, 3 * MINUTES),
    )
    anywhere = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
    return near | anywhere.map(lambda each: each.replace(microsecond=0))


def any_instants() -> st.SearchStrategy[datetime]:
    """Whatever a broken clock may say."""
    return st.sampled_from(EXTREMES) | st.datetimes(timezones=st.just(UTC)) | instants()


def windows() -> st.SearchStrategy[Window]:
    days = st.frozensets(st.integers(0, 6), min_size=1)

    def build(days: frozenset[int], opens: int, length: int, zone: str) -> Window:
        return Window(days=days, opens=opens, closes=opens + length, zone=zone)

    hours = st.builds(build, days, st.integers(0, MINUTES - 1), st.integers(1, MINUTES - 1), zones())
    whole = st.builds(build, days, st.just(0), st.just(MINUTES), zones())
    return hours | whole


def blackouts() -> st.SearchStrategy[tuple[Blackout, ...]]:
    def build(first: date, days: int) -> Blackout:
        return Blackout(first=first, last=first + timedelta(days=days))

    days = st.sampled_from(CHANGES).flatmap(
        lambda each: st.integers(-9, 9).map(lambda n: each.date() + timedelta(days=n))
    )
    return st.lists(st.builds(build, days, st.integers(0, 12)), max_size=4).map(tuple)


def policies(schedule: Callable[[], st.SearchStrategy[dict[str, object]]] | None = None) -> st.SearchStrategy[Policy]:
    schedules = (schedule or periods)()
    jitters = st.none() | st.floats(0, 0.9)
    return st.builds(
        lambda schedule, jitter, window, blackouts: Policy(
            **schedule, jitter=jitter, window=window, blackouts=blackouts, overlap=timedelta(0)
        ),
        schedules,
        jitters,
        st.none() | windows(),
        blackouts(),
    )


def periods() -> st.SearchStrategy[dict[str, object]]:
    return st.integers(1, 400 * 24).map(lambda hours: {"every": timedelta(hours=hours)})


def crons() -> st.SearchStrategy[dict[str, object]]:
    lines = ("0 10 * * 1", "30 2 * * *", "*/20 * * * *", "0 0 1 * 5", "45 1 29 2 *", "0 12 30 * *")
    return st.sampled_from(lines).map(lambda line: {"cron": line})


def steps(tz: tzinfo, start: datetime, minutes: range) -> list[tuple[datetime, datetime]]:
    """Walk through instants as somebody looking at a clock would: each with its naive reading."""
    walk = [start + timedelta(minutes=each) for each in minutes]
    return [(each, each.astimezone(tz).replace(tzinfo=None)) for each in walk]


def refusal(read: Callable[[], object]) -> PolicyError | None:
    """Read something; the refusal if it was refused, so that anything else that is raised fails the test."""
    try:
        read()
    except PolicyError as refused:
        return refused
    return None
