from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.adapters.calendar import CronCalendar
from rotator.domain.policy import Policy
from rotator.domain.wallclock import LATEST
from rotator.policy.due import (
    CATCH_UP,
    LEAST_LEEWAY,
    MOST_LEEWAY,
    Adoption,
    caught_up,
    deadline,
    first_due,
    mended,
    next_due,
    place_in_spread,
)
from rotator.policy.reading import read_policy, read_window
from rotator.policy.windows import Allowed, may_act, next_open
from tests.policy.strategies import EXTREMES, any_instants, calm, crons, instants, periods, policies

CALENDAR = CronCalendar()
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


class NobodyAsks:
    def next_cron(self, expression: str, after: datetime, tz: tzinfo) -> datetime | None:
        raise AssertionError(f"asked for {expression} after {after} in {tz}")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def policy(**settings: object) -> Policy:
    return read_policy({"jitter": "0%", **settings})


def due(policy: Policy, rotated_at: datetime, now: datetime = NOW, credential: str = "openai-prod") -> datetime:
    return next_due(policy, credential, rotated_at=rotated_at, now=now, calendar=CALENDAR)


def always_open(policy: Policy) -> Policy:
    """Without closures, but with cron still read in its zone."""
    if policy.window is None:
        return replace(policy, blackouts=())
    return replace(policy, blackouts=(), window=read_window(f"Mon-Sun {policy.window.zone}"))


def names() -> st.SearchStrategy[str]:
    return st.text(min_size=1, max_size=20)


def any_policies() -> st.SearchStrategy[Policy]:
    return policies(periods) | policies(crons)


def test_without_jitter_a_credential_is_due_exactly_one_period_after_its_rotation() -> None:
    rotated = NOW - 10 * DAY
    assert due(policy(every="30d"), rotated) == rotated + 30 * DAY


def test_a_period_is_elapsed_time_also_when_clocks_change() -> None:
    rotated = at("2026-03-28T12:00Z")
    window = policy(every="2d", window="Mon-Sun Europe/Berlin")
    assert due(window, rotated, rotated) == rotated + 2 * DAY


def test_jitter_pulls_a_period_earlier_and_never_beyond_its_share() -> None:
    spread = policy(every="30d", jitter="10%")
    dues = [due(spread, NOW, credential=f"credential-{n}") - NOW for n in range(1000)]
    assert all(27 * DAY <= each <= 30 * DAY for each in dues)
    assert max(dues) - min(dues) > 2.9 * DAY
    assert len(set(dues)) > 990


def test_the_same_credential_has_the_same_place_in_every_replica_and_release() -> None:
    assert place_in_spread("openai-prod") == pytest.approx(0.7824961901273291)
    assert place_in_spread("openai-prod") != place_in_spread("openai-test")


def test_places_are_spread_evenly() -> None:
    tenths = [0] * 10
    for n in range(10_000):
        tenths[int(place_in_spread(f"credential-{n}") * 10)] += 1
    assert all(850 < each < 1150 for each in tenths)


@pytest.mark.parametrize(
    ("settings", "rotated", "opens"),
    [
        ({"every": "30d"}, "2026-10-01T00:00Z", "2026-11-23T10:00Z"),
        ({"every": "30d"}, "2020-01-01T00:00Z", "2026-11-23T10:00Z"),
        ({"every": "30d", "window": "Tue UTC"}, "2020-01-01T00:00Z", "2026-11-24T00:00Z"),
        ({"cron": "0 9 * * *"}, "2026-11-20T12:00Z", "2026-11-23T10:00Z"),
    ],
)
def test_times_that_were_missed_are_caught_up_at_the_next_open_instant(
    settings: dict[str, object], rotated: str, opens: str
) -> None:
    assert due(policy(**settings), at(rotated)) == at(opens)


@pytest.mark.parametrize("settings", [{"every": "30d"}, {"cron": "0 9 * * *", "overlap": "1h"}])
def test_however_many_times_were_missed_one_rotation_catches_up(settings: dict[str, object]) -> None:
    late = policy(**settings)
    caught_up = due(late, NOW - 1000 * DAY)
    assert caught_up == NOW
    assert due(late, caught_up) > NOW


@pytest.mark.parametrize(
    ("settings", "rotated", "opens"),
    [
        # cron is read in the zone of the window: ten o'clock in Berlin, in summer and in winter
        ({"cron": "0 10 * * 1", "window": "Mon-Sun Europe/Berlin"}, "2026-10-19T08:00Z", "2026-10-26T09:00Z"),
        ({"cron": "0 10 * * 1"}, "2026-10-19T10:00Z", "2026-10-26T10:00Z"),
        # and waits for the window where it fires outside
        ({"cron": "0 3 * * *", "window": "09:00-16:00 UTC"}, "2026-11-24T00:00Z", "2026-11-24T09:00Z"),
        ({"cron": "0 3 * * *", "blackout": ["2026-11-24"]}, "2026-11-24T00:00Z", "2026-11-25T00:00Z"),
    ],
)
def test_cron_is_due_at_its_next_time_or_when_the_window_opens(
    settings: dict[str, object], rotated: str, opens: str
) -> None:
    assert due(policy(**settings), at(rotated), now=at(rotated)) == at(opens)


def test_jitter_puts_cron_later_and_never_as_late_as_its_next_time() -> None:
    spread = policy(cron="0 10 * * 1", jitter="50%")
    first = at("2026-11-30T10:00Z")
    dues = [due(spread, NOW, credential=f"credential-{n}") - first for n in range(500)]
    assert all(timedelta(0) <= each <= 3.5 * DAY for each in dues)
    assert max(dues) > 3.4 * DAY


def test_a_cron_that_never_fires_is_due_as_late_as_can_be_and_not_at_once() -> None:
    assert due(policy(cron="0 0 30 2 *"), NOW) == LATEST


def test_a_policy_with_a_period_never_asks_the_calendar() -> None:
    every = read_policy({"every": "30d", "window": "Mon-Fri 09:00-16:00 Europe/Berlin"})
    assert NOW < next_due(every, "a", rotated_at=NOW, now=NOW, calendar=NobodyAsks()) <= NOW + 33 * DAY
    assert NOW < first_due(every, "a", Adoption(at=NOW), now=NOW, calendar=NobodyAsks()) <= NOW + 33 * DAY
    assert mended(every, "a", due_at=NOW, now=NOW, calendar=NobodyAsks()) == NOW


@pytest.mark.parametrize(
    ("settings", "created", "scheduled"),
    [
        # a key that is younger than the period waits until it is not
        ({"every": "30d"}, "2026-11-13T10:00Z", "2026-12-13T10:00Z"),
        # one that is older is due at once where nothing is spread
        ({"every": "30d"}, "2020-01-01T00:00Z", "2026-11-23T10:00Z"),
        ({"every": "30d"}, None, "2026-11-23T10:00Z"),
        # cron's times before the adoption are nobody's concern
        ({"cron": "0 9 * * *"}, "2020-01-01T00:00Z", "2026-11-24T09:00Z"),
        ({"cron": "0 9 * * *"}, None, "2026-11-24T09:00Z"),
        # a provider whose clock is ahead makes no key younger than its adoption
        ({"every": "30d"}, "2036-01-01T00:00Z", "2026-12-23T10:00Z"),
    ],
)
def test_an_adopted_credential_is_due_by_its_keys_age(
    settings: dict[str, object], created: str | None, scheduled: str
) -> None:
    adoption = Adoption(at=NOW, key_created_at=at(created) if created else None)
    first = first_due(policy(**settings), "openai-prod", adoption, now=NOW, calendar=CALENDAR)
    assert first == at(scheduled)


@pytest.mark.parametrize("created", [None, NOW - 1000 * DAY])
def test_many_old_keys_adopted_at_once_do_not_come_due_at_once(created: datetime | None) -> None:
    adoption = Adoption(at=NOW, key_created_at=created)
    spread = policy(every="30d", jitter="10%")
    dues = [first_due(spread, f"credential-{n}", adoption, now=NOW, calendar=CALENDAR) for n in range(1000)]
    assert all(NOW <= each <= NOW + 3 * DAY for each in dues)
    by_hour = Counter((each - NOW) // timedelta(hours=1) for each in dues)
    assert len(by_hour) == 72
    assert max(by_hour.values()) < 30


def test_a_key_that_is_adopted_young_enough_does_not_get_too_old_by_being_spread() -> None:
    spread = policy(every="30d", jitter="50%")
    adoption = Adoption(at=NOW, key_created_at=NOW - 29 * DAY)
    dues = [first_due(spread, f"credential-{n}", adoption, now=NOW, calendar=CALENDAR) for n in range(100)]
    assert all(NOW <= each <= NOW + DAY for each in dues)
    assert min(dues) < max(dues) == NOW + DAY


def test_asking_again_later_does_not_put_the_first_rotation_off() -> None:
    spread = policy(every="30d", jitter="10%")
    adoption = Adoption(at=NOW)
    first = first_due(spread, "openai-prod", adoption, now=NOW, calendar=CALENDAR)
    again = first_due(spread, "openai-prod", adoption, now=NOW + 5 * DAY, calendar=CALENDAR)
    assert NOW < first < NOW + 3 * DAY
    assert again == NOW + 5 * DAY
    before = first_due(spread, "openai-prod", adoption, now=first - SECOND, calendar=CALENDAR)
    assert before == first


def test_a_rotation_in_the_future_counts_as_one_of_this_moment() -> None:
    assert due(policy(every="30d"), at("2036-01-01T00:00Z")) == NOW + 30 * DAY


def test_an_adoption_in_the_future_counts_as_one_of_this_moment() -> None:
    adoption = Adoption(at=at("2036-01-01T00:00Z"))
    assert first_due(policy(every="30d"), "openai-prod", adoption, now=NOW, calendar=CALENDAR) == NOW
    assert first_due(policy(cron="0 9 * * *"), "openai-prod", adoption, now=NOW, calendar=CALENDAR) < NOW + DAY


def test_a_clock_that_jumped_ahead_makes_a_credential_due_once() -> None:
    ahead = at("2126-01-01T00:00Z")
    assert due(policy(every="30d"), NOW, now=ahead) == ahead
    assert due(policy(every="30d"), ahead, now=ahead) == ahead + 30 * DAY


def test_a_due_time_from_a_clock_that_ran_ahead_is_brought_back_once_and_then_kept() -> None:
    every = policy(every="30d")
    once = mended(every, "a", due_at=at("2126-01-31T00:00Z"), now=NOW, calendar=CALENDAR)
    assert once == NOW + 30 * DAY
    assert mended(every, "a", due_at=once, now=NOW + 5 * DAY, calendar=CALENDAR) == once
    assert mended(every, "a", due_at=once, now=NOW + 50 * DAY, calendar=CALENDAR) == once


def test_a_blackout_that_puts_a_cron_off_makes_its_leeway_no_shorter() -> None:
    weekly = policy(cron="0 10 * * 1", blackout=["2027-12-18/2028-01-02"])
    found = deadline(weekly, "a", rotated_at=at("2027-12-13T10:05Z"), calendar=CALENDAR)
    assert found.due == at("2028-01-03T00:00Z")
    assert found.latest - found.due == 7 * DAY / 20


def test_a_clock_that_is_set_back_a_day_lets_no_time_of_a_cron_be_met_twice() -> None:
    weekly = policy(cron="30 2 * * 0")
    met, following = at("2027-02-14T02:30Z"), at("2027-02-21T02:30Z")
    for hours in range(24):
        now = met - timedelta(hours=hours, minutes=1)
        assert mended(weekly, "a", due_at=following, now=now, calendar=CALENDAR) == following
    ahead = at("2029-02-18T02:30Z")
    assert mended(weekly, "a", due_at=ahead, now=met - DAY, calendar=CALENDAR) == met


@calm
@given(any_policies(), names(), instants(), instants())
def test_a_credential_is_never_due_in_the_past_nor_while_closed(
    policy: Policy, credential: str, rotated_at: datetime, now: datetime
) -> None:
    answer = due(policy, rotated_at, now, credential)
    assert answer >= now
    assert may_act(policy, answer) == Allowed()
    scheduled = due(always_open(policy), rotated_at, now, credential)
    assert answer == next_open(policy, scheduled)
    assert answer == due(policy, rotated_at, now, credential)


@calm
@given(policies(periods), names(), instants())
def test_a_period_is_never_exceeded_nor_shortened_by_more_than_its_jitter(
    policy: Policy, credential: str, rotated_at: datetime
) -> None:
    assert policy.every is not None
    waits = due(always_open(policy), rotated_at, rotated_at, credential) - rotated_at
    assert policy.every * (1 - policy.spread) - SECOND <= waits <= policy.every


@calm
@given(any_policies(), names(), instants(), instants(), instants())
def test_a_later_rotation_never_makes_a_credential_due_earlier(
    policy: Policy, credential: str, one: datetime, other: datetime, now: datetime
) -> None:
    earlier, later = sorted((one, other))
    assert due(policy, earlier, now, credential) <= due(policy, later, now, credential)


@calm
@given(any_policies(), names(), instants(), instants())
def test_a_due_time_that_can_be_right_is_kept(
    policy: Policy, credential: str, rotated_at: datetime, now: datetime
) -> None:
    kept = due(policy, rotated_at, now, credential)
    assert mended(policy, credential, due_at=kept, now=now, calendar=CALENDAR) == kept


@calm
@given(any_policies(), names(), instants())
def test_every_rotation_is_followed_by_a_later_one(policy: Policy, credential: str, start: datetime) -> None:
    rotated = start
    for _ in range(5):
        following = due(policy, rotated, rotated, credential)
        assert following > rotated
        rotated = following


@pytest.mark.parametrize(
    "settings", [{"every": "36500d"}, {"every": "30d", "window": "Mon Pacific/Apia"}, {"cron": "0 9 * * *"}]
)
@pytest.mark.parametrize("now", EXTREMES)
@pytest.mark.parametrize("rotated", EXTREMES)
def test_a_clock_at_the_end_of_time_breaks_nothing(
    settings: dict[str, object], rotated: datetime, now: datetime
) -> None:
    answer = due(policy(**settings), rotated, now)
    assert min(now, LATEST) <= answer <= LATEST + 30 * DAY


@calm
@given(any_policies(), names(), any_instants(), any_instants(), st.none() | any_instants())
def test_whatever_the_clocks_say_there_is_an_answer(
    policy: Policy, credential: str, adopted_at: datetime, now: datetime, created: datetime | None
) -> None:
    adoption = Adoption(at=adopted_at, key_created_at=created)
    latest = LATEST + 30 * DAY
    first = first_due(policy, credential, adoption, now=now, calendar=CALENDAR)
    following = due(policy, adopted_at, now, credential)
    assert first <= latest
    assert following <= latest
    assert min(first, following) >= min(now, LATEST)


@given(any_policies(), names(), instants(), st.timedeltas(CATCH_UP, timedelta(days=400)))
def test_what_was_missed_long_ago_is_due_within_an_hour_of_being_open(
    policy: Policy, credential: str, now: datetime, late: timedelta
) -> None:
    due_at = caught_up(policy, credential, due_at=now - late, now=now)
    assert next_open(policy, now) <= due_at <= next_open(policy, now + CATCH_UP)
    assert isinstance(may_act(policy, due_at), Allowed)


@given(any_policies(), names(), instants(), st.timedeltas(SECOND, CATCH_UP - SECOND))
def test_what_was_missed_just_now_is_not_put_off(
    policy: Policy, credential: str, now: datetime, late: timedelta
) -> None:
    assert caught_up(policy, credential, due_at=now - late, now=now) == now - late


def test_many_that_were_missed_together_are_not_due_together() -> None:
    minutes = {
        (caught_up(policy(every="30d"), f"key-{each}", due_at=NOW - DAY, now=NOW) - NOW) // timedelta(minutes=1)
        for each in range(600)
    }
    assert minutes == set(range(60))


@given(any_policies(), names(), instants())
def test_a_deadline_comes_behind_the_warning_and_the_warning_behind_the_due_time(
    policy: Policy, credential: str, start: datetime
) -> None:
    until = deadline(policy, credential, rotated_at=start, calendar=CALENDAR)
    assert until.due == next_due(policy, credential, rotated_at=start, now=start, calendar=CALENDAR)
    assert until.due < until.warn < until.latest
    assert LEAST_LEEWAY <= until.latest - until.due <= MOST_LEEWAY


def test_a_deadline_leaves_a_twentieth_of_the_period() -> None:
    until = deadline(policy(every="20d", jitter="0%"), "a", rotated_at=NOW, calendar=CALENDAR)
    assert until.due == NOW + 20 * DAY
    assert until.warn == NOW + 20.5 * DAY
    assert until.latest == NOW + 21 * DAY
