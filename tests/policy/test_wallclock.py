import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rotator
from rotator.domain.times import UnreadableError
from rotator.domain.wallclock import EARLIEST, LATEST, believable, first_reading, wall, zone
from tests.policy.strategies import any_instants, calm, instants, steps, zones


@pytest.mark.parametrize(
    ("name", "reading", "instant"),
    [
        ("Europe/Berlin", "2026-03-29T01:59", "2026-03-29T00:59Z"),
        ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00Z"),
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:00Z"),
        ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00Z"),
        ("Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00Z"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30Z"),
        ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00Z"),
        ("America/New_York", "2026-03-08T02:59", "2026-03-08T07:00Z"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30Z"),
        ("America/New_York", "2026-11-01T02:00", "2026-11-01T07:00Z"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30Z"),
        ("Australia/Lord_Howe", "2026-10-04T02:30", "2026-10-03T15:30Z"),
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45Z"),
        ("Australia/Lord_Howe", "2026-04-05T02:00", "2026-04-04T15:30Z"),
        ("Pacific/Apia", "2011-12-29T23:59", "2011-12-30T09:59Z"),
        ("Pacific/Apia", "2011-12-30T00:00", "2011-12-30T10:00Z"),
        ("Pacific/Apia", "2011-12-30T17:00", "2011-12-30T10:00Z"),
        ("Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00Z"),
    ],
)
def test_a_reading_stands_for_the_first_instant_at_which_the_clock_has_reached_it(
    name: str, reading: str, instant: str
) -> None:
    assert first_reading(datetime.fromisoformat(reading), zone(name)) == datetime.fromisoformat(instant)


@calm
@given(zones(), instants())
def test_nobody_looking_at_the_clock_saw_the_reading_earlier(name: str, instant: datetime) -> None:
    tz = zone(name)
    reading = wall(instant, tz)
    first = first_reading(reading, tz)
    assert wall(first, tz) >= reading
    earlier = steps(tz, first - timedelta(seconds=1), range(-26 * 60, 1))
    assert all(seen < reading for _, seen in earlier)


@calm
@given(zones(), instants(), st.timedeltas(timedelta(0), timedelta(days=3)))
def test_later_readings_never_stand_for_earlier_instants(name: str, instant: datetime, later: timedelta) -> None:
    tz = zone(name)
    reading = wall(instant, tz)
    assert first_reading(reading, tz) <= first_reading(reading + later, tz)


@calm
@given(any_instants())
def test_every_instant_is_brought_to_where_sums_do_not_overflow(instant: datetime) -> None:
    assert EARLIEST <= believable(instant) <= LATEST
    assert not EARLIEST <= instant <= LATEST or believable(instant) == instant


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berlni", "did you mean Europe/Berlin?"),
        ("europe/berlinn", "did you mean Europe/Berlin?"),
        ("Europe", None),
        ("localtime", None),
        ("", None),
        ("../../etc/passwd", None),
        ("/etc/passwd", None),
        ("Europe/Berlin\x00", None),
        ("+02:00", "Europe/Berlin or UTC"),
    ],
)
def test_a_zone_that_nobody_knows_is_refused_with_the_nearest_name(name: str, hint: str | None) -> None:
    with pytest.raises(UnreadableError, match="no time zone is called") as caught:
        zone(name)
    assert caught.value.hint if hint is None else hint in caught.value.hint


def test_a_machine_without_time_zone_data_still_knows_utc_and_says_what_to_install() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from rotator.domain.wallclock import zone\n"
        "assert str(zone('UTC')) == 'UTC'\n"
        "try: zone('Europe/Berlin')\n"
        "except ValueError as error: print(error.hint)\n"
    )
    root = Path(rotator.__file__).parent.parent
    # -S leaves out site-packages, where the package tzdata might be.
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, str(root)],
        env={**os.environ, "PYTHONTZPATH": "", "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "this machine has no time zone data: install the Python package tzdata"


def test_utc_is_the_plain_one() -> None:
    assert zone("UTC") is UTC
