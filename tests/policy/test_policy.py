import string
from dataclasses import FrozenInstanceError, replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.policy import STANDARD, AtMaxOverlap, Blackout, Policy, PolicyError, Window
from rotator.policy.reading import read_blackout, read_policy, read_window
from tests.policy.strategies import blackouts, calm, refusal, windows

MON_TO_FRI = frozenset(range(5))
ALL_DAYS = frozenset(range(7))


def hours(opens: float, closes: float, days: frozenset[int] = ALL_DAYS, zone: str = "UTC") -> Window:
    return Window(days=days, opens=int(opens * 60), closes=int(closes * 60), zone=zone)


def test_the_policy_of_the_manual_is_read_as_written() -> None:
    assert read_policy(
        {
            "every": "30d",
            "jitter": "10%",
            "window": "Mon-Fri 09:00-16:00 Europe/Berlin",
            "blackout": ["2026-12-20/2027-01-03"],
            "overlap": "24h",
            "min_overlap": "1h",
            "quiet_for": "1h",
            "max_overlap": "7d",
            "at_max_overlap": "hold",
            "compromise_grace": "60s",
        }
    ) == Policy(
        every=timedelta(days=30),
        jitter=0.1,
        window=hours(9, 16, MON_TO_FRI, "Europe/Berlin"),
        blackouts=(Blackout(first=date(2026, 12, 20), last=date(2027, 1, 3)),),
        overlap=timedelta(hours=24),
        min_overlap=timedelta(hours=1),
        quiet_for=timedelta(hours=1),
        max_overlap=timedelta(days=7),
        at_max_overlap=AtMaxOverlap.HOLD,
        compromise_grace=timedelta(seconds=60),
    )


def test_a_policy_that_says_only_how_often_has_the_same_values() -> None:
    written = read_policy({"every": "30d", "jitter": "10%", "overlap": "24h", "quiet_for": "1h", "max_overlap": "7d"})
    assert replace(read_policy({"every": "30d"}), jitter=0.1) == written
    assert read_policy({"every": "30d"}) == STANDARD
    assert STANDARD.spread == pytest.approx(0.1)


def test_cron_is_not_spread_unless_asked() -> None:
    assert read_policy({"cron": "0 10 * * 1"}).spread == 0
    assert read_policy({"cron": "0 10 * * 1", "jitter": "50%"}).spread == pytest.approx(0.5)


def test_a_policy_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        STANDARD.every = None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("Mon-Fri 09:00-16:00 Europe/Berlin", hours(9, 16, MON_TO_FRI, "Europe/Berlin")),
        ("mon,WED 9:00-16:30 UTC", hours(9, 16.5, frozenset({0, 2}))),
        ("Fri-Mon 00:00-24:00 UTC", hours(0, 24, frozenset({4, 5, 6, 0}))),
        ("Sat,Sun UTC", hours(0, 24, frozenset({5, 6}))),
        ("Mon-Tue,Fri UTC", hours(0, 24, frozenset({0, 1, 4}))),
        ("22:00-04:00 UTC", hours(22, 28)),
        ("Fri 22:00-00:00 UTC", hours(22, 24, frozenset({4}))),
        ("Fri 22:00-24:00 UTC", hours(22, 24, frozenset({4}))),
        ("  Sun-Sun\t02:00-03:00   Pacific/Apia ", hours(2, 3, frozenset({6}), "Pacific/Apia")),
    ],
)
def test_a_window_is_days_then_hours_then_a_zone(text: str, window: Window) -> None:
    assert read_window(text) == window


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "is not a window", "Mon-Fri 09:00-16:00"),
        ("Europe/Berlin", "is not a window", "Mon-Fri 09:00-16:00"),
        ("always", "is not a window", "Mon-Fri 09:00-16:00"),
        ("Mon-Fri 9-16 UTC", "is not a window", "Mon-Fri 09:00-16:00"),
        ("Mon-Fri 09:00-16:00 UTC please", "is not a window", "Mon-Fri 09:00-16:00"),
        ("Mon-Fri 09:00-16:60 UTC", "is not a window", "Mon-Fri 09:00-16:00"),
        ("Mon-Fri-Sun 09:00-16:00 UTC", "is not a window", "Mon-Fri 09:00-16:00"),
        ("Mon-Fri 09:00-16:00", "names no time zone", "Europe/Berlin"),
        ("09:00-16:00", "names no time zone", "Europe/Berlin"),
        ("Mon-Fri", "names no time zone", "Europe/Berlin"),
        ("Mon-Fri 09:00-25:00 UTC", "hours that no clock shows", "09:00-16:00"),
        ("Mon-Fri 24:00-02:00 UTC", "hours that no clock shows", "09:00-16:00"),
        ("Mon-Fri 09:00-09:00 UTC", "closes when it opens", "leave the hours out"),
        ("Mon-Fri 09:00-16:00 Europe/Belrin", "no time zone is called 'Europe/Belrin'", "Europe/Berlin"),
        ("Mon-Fri 09:00-16:00 +01:00", "no time zone is called", "Europe/Berlin"),
    ],
)
def test_what_is_no_window_is_refused_in_two_parts(text: str, message: str, hint: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_window(text)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "fields",
    [
        {"days": frozenset()},
        {"days": frozenset({7})},
        {"opens": -1},
        {"opens": 1440, "closes": 1500},
        {"opens": 540, "closes": 540},
        {"opens": 540, "closes": 539},
        {"opens": 540, "closes": 540 + 1440},
        {"opens": 540, "closes": 540 + 1441},
        {"zone": "Nowhere"},
    ],
)
def test_a_window_that_makes_no_sense_cannot_be_made(fields: dict[str, object]) -> None:
    sound: dict[str, object] = {"days": MON_TO_FRI, "opens": 540, "closes": 960, "zone": "UTC"}
    with pytest.raises(PolicyError):
        Window(**{**sound, **fields})  # type: ignore[arg-type]


@calm
@given(windows())
def test_a_written_window_reads_as_itself(window: Window) -> None:
    assert read_window(str(window)) == window


@pytest.mark.parametrize(
    "text",
    [
        "Mon-Fri 09:00-16:00 Europe/Berlin",
        "Mon,Wed-Thu 22:00-24:00 UTC",
        "Fri 22:00-04:00 UTC",
        "Sat-Sun UTC",
        "Mon-Sun 00:00-23:59 UTC",
    ],
)
def test_a_window_is_shown_as_people_write_it(text: str) -> None:
    assert str(read_window(text)) == text


@calm
@given(blackouts())
def test_a_written_blackout_reads_as_itself(days: tuple[Blackout, ...]) -> None:
    assert tuple(read_blackout(str(each)) for each in days) == days


def test_a_blackout_may_be_one_day() -> None:
    assert read_blackout("2026-12-24") == Blackout(first=date(2026, 12, 24), last=date(2026, 12, 24))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2027-01-03/2026-12-20", "the blackout 2027-01-03/2026-12-20 ends before it begins"),
        ("2026-02-30", "is not a range of days"),
        ("2026-12-20/", "is not a range of days"),
        ("/2026-12-20", "is not a range of days"),
        ("2026-12-20/2026-12-21/2026-12-22", "is not a range of days"),
        ("20261220", "is not a range of days"),
        ("2026-12-20T00:00:00Z", "is not a range of days"),
        ("Christmas", "is not a range of days"),
        ("2026-01-01/9999-12-31", "lies too far away"),
        ("0001-01-01/2026-01-01", "lies too far away"),
    ],
)
def test_what_is_no_blackout_is_refused(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_blackout(text)
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({}, "a policy needs either every or cron", "every: 30d"),
        ({"every": "30d", "cron": "0 10 * * 1"}, "a policy needs either every or cron", "every: 30d"),
        ({"every": "30d", "quiet_for": "8d"}, "quiet_for, 8d, is longer than max_overlap, 7d", "shorten quiet_for"),
        (
            {"every": "30d", "min_overlap": "25h"},
            "min_overlap, 1d 1h, is longer than overlap, 1d",
            "only shorten an overlap",
        ),
        ({"every": "30d", "overlap": "8d"}, "overlap, 8d, is longer than max_overlap, 7d", "shorten overlap"),
        (
            {"every": "30d", "max_overlap": "12h"},
            "overlap, 1d, is longer than max_overlap, 12h",
            "lengthen max_overlap",
        ),
        ({"every": "30d", "jitter": "100%"}, "jitter is a share", "10%"),
        ({"every": "24h", "jitter": "0%"}, "every, 1d, is not longer than overlap, 1d", "shorten overlap"),
        ({"every": "26h"}, "every, 1d 2h less its jitter of 10%, is not longer than overlap, 1d", "rotate less often"),
        ({"every": "0s", "overlap": "0s"}, "every is out of range", "1s"),
        ({"every": "monthly"}, "every: 'monthly' is not a duration", "30d"),
        ({"every": 30}, "every: '30' is not text", "quotes"),
        ({"every": "30d", "jitter": 0.1}, "jitter: '0.1' is not text", "quotes"),
        ({"every": "30d", "jitter": "0.1"}, "jitter: '0.1' is not a percentage", "10%"),
        ({"every": "30d", "window": "Mon-Fri 09:00-16:00"}, "window: the window", "Europe/Berlin"),
        ({"every": "30d", "blackout": "2026-12-20"}, "blackout: '2026-12-20' is not a list", "2026-12-20/2027-01-03"),
        ({"every": "30d", "blackout": [date(2026, 12, 20)]}, "blackout: a blackout is not text", "quotes"),
        ({"every": "30d", "blackout": ["2027-01-03/2026-12-20"]}, "blackout: the blackout", "the earlier day first"),
        ({"every": "30d", "at_max_overlap": "kill"}, "at_max_overlap: 'kill' is not known", "hold or retire"),
        ({"every": "30d", "cron": None}, "cron: 'None' is not text", "quotes"),
        ({"evry": "30d"}, "'evry' is no setting of a policy", "did you mean every?"),
        ({"every": "30d", "zzz": "1"}, "'zzz' is no setting of a policy", "at_max_overlap"),
    ],
)
def test_a_policy_that_cannot_be_is_refused_in_two_parts(settings: dict[str, object], message: str, hint: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read_policy(settings)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert not caught.value.message.endswith(".")


@pytest.mark.parametrize(
    "fields",
    [
        {"overlap": timedelta(seconds=-1)},
        {"min_overlap": timedelta(seconds=-1)},
        {"quiet_for": timedelta(seconds=-1)},
        {"compromise_grace": timedelta(seconds=-1)},
        {"max_overlap": timedelta(days=40_000)},
        {"every": timedelta(days=40_000)},
        {"jitter": -0.1},
        {"jitter": float("nan")},
    ],
)
def test_a_policy_that_cannot_be_is_not_made_past_the_reader_either(fields: dict[str, object]) -> None:
    with pytest.raises(PolicyError):
        replace(STANDARD, **fields)  # type: ignore[arg-type]


def test_an_overlap_of_nothing_is_a_policy_too() -> None:
    policy = read_policy({"every": "1h", "overlap": "0s", "quiet_for": "0s", "max_overlap": "0s"})
    assert policy.overlap == policy.max_overlap == timedelta(0)


NEAR_MISSES = st.text(alphabet="MonTueFriSat,-:/ 0123456789%dhms*UTC", max_size=24) | st.text(alphabet=string.printable)
VALUES = NEAR_MISSES | st.none() | st.integers() | st.floats() | st.dates() | st.lists(NEAR_MISSES, max_size=2)
NAMES = st.sampled_from(
    ["every", "cron", "jitter", "window", "blackout", "overlap", "quiet_for", "max_overlap", "at_max_overlap", "x"]
)


@calm
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_whatever_is_written_is_a_policy_or_refused_in_words(settings: dict[str, object]) -> None:
    refused = refusal(lambda: read_policy(settings))
    assert refused is None or (refused.message.isprintable() and refused.hint.isprintable() and refused.hint)


@calm
@given(NEAR_MISSES)
def test_whatever_is_written_for_a_window_is_one_or_refused_in_words(text: str) -> None:
    refused = refusal(lambda: read_window(text))
    assert refused is None or (refused.message.isprintable() and refused.hint)
