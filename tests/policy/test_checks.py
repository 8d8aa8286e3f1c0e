from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given

from rotator.adapters.calendar import CronCalendar
from rotator.domain.policy import Policy, PolicyError
from rotator.policy.checks import check
from rotator.policy.reading import read_policy
from tests.policy.strategies import calm, instants, periods, policies

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
CALENDAR = CronCalendar()


@pytest.mark.parametrize(
    "settings",
    [
        {"every": "30d"},
        {"cron": "0 10 * * 1"},
        {"cron": "0 10 * * 1,2"},
        {"cron": "0 0 29 2 *"},
        {"cron": "0 0 30 2 1"},
        {"cron": "0 * * * *", "overlap": "30m"},
        {"every": "30d", "window": "Sun 02:00-03:00 Europe/Berlin", "blackout": ["2026-12-20/2027-01-03"]},
        {"every": "30d", "blackout": ["2026-01-01/2026-12-31"]},
    ],
)
def test_a_policy_that_can_be_kept_passes(settings: dict[str, object]) -> None:
    check(read_policy(settings), now=NOW, calendar=CALENDAR)


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"cron": "0 0 30 2 *"}, 'the cron "0 0 30 2 *" never fires', "name a day that exists"),
        ({"cron": "0 0 31 4,6,9,11 *"}, "never fires", "name a day that exists"),
        ({"cron": "0 10 * *"}, "is not a crontab line", "five fields"),
        ({"cron": "every monday"}, "is not a crontab line", "five fields"),
        ({"cron": "0 25 * * *"}, "is not a crontab line", "five fields"),
        ({"cron": "0 10 * * 8"}, "is not a crontab line", "five fields"),
        ({"cron": "0 10 * * *"}, 'the cron "0 10 * * *" fires again within overlap', "shorten overlap"),
        ({"cron": "* * * * *", "overlap": "1m"}, "fires again within overlap", "shorten overlap"),
        (
            {"every": "30d", "blackout": ["2026-01-01/2027-12-31"]},
            "the policy stays closed for more than a year from 2026-01-01 on",
            "use hold",
        ),
        (
            {"every": "30d", "blackout": ["2027-01-01/2027-12-31", "2026-06-01/2026-12-31"]},
            "the policy stays closed for more than a year from 2026-06-01 on",
            "use hold",
        ),
        (
            # between these blackouts there are days, but none that the window has
            {"every": "30d", "window": "Mon UTC", "blackout": ["2026-01-06/2026-12-27", "2026-12-28/2027-01-12"]},
            "the window Mon UTC stays closed for more than a year from 2026-01-06 on",
            "shorten the blackouts",
        ),
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused_in_two_parts(
    settings: dict[str, object], message: str, hint: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        check(read_policy(settings), now=NOW, calendar=CALENDAR)
    assert message in caught.value.message
    assert hint in caught.value.hint


@calm
@given(policies(periods), instants())
def test_short_blackouts_never_close_a_window_for_good(policy: Policy, now: datetime) -> None:
    check(policy, now=now, calendar=CALENDAR)


def test_a_check_does_not_depend_on_the_day_it_is_made() -> None:
    yearly = read_policy({"cron": "0 0 29 2 *"})
    for days in range(0, 3000, 97):
        check(yearly, now=NOW + timedelta(days=days), calendar=CALENDAR)
