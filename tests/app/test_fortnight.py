"""What comes due on each of the next fourteen days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import cast

from rotator.app.fortnight import DAYS, MOST_NAMED, Fortnight, fortnight
from rotator.app.seeing import Scope
from rotator.app.surveying import Standing, State, Survey
from rotator.config.reading import Config
from rotator.domain.credential import Credential, Principal
from rotator.domain.policy import Blackout, Policy, Window

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)  # a Thursday
ALL = Scope()
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OPEN = Policy(every=30 * DAY)
OFFICE = Window(days=frozenset(range(5)), opens=9 * 60, closes=16 * 60, zone="Europe/Berlin")
WEEKDAYS = Policy(every=30 * DAY, window=OFFICE)
FROZEN = Policy(every=30 * DAY, window=OFFICE, blackouts=(Blackout(first=date(2026, 11, 30), last=date(2026, 12, 2)),))


def shown(*found: tuple[str, Policy, datetime | None, State], scope: Scope = ALL) -> Fortnight:
    specs = {
        name: Credential(
            name=name, provider="ks", principal=Principal(name=name), publish=(), policy=policy, owner=name[:1]
        )
        for name, policy, _, _ in found
    }
    config = cast(Config, SimpleNamespace(credentials=specs, policies=dict.fromkeys(specs, "standard"), broken={}))
    standings = tuple(Standing(name, name[:1], "ks", state, NOW, due, 30 * DAY, 0.5) for name, _, due, state in found)
    return fortnight(Survey(at=NOW, config=config, standings=standings, strangers=0), scope, NOW)


def by_day(found: Fortnight) -> dict[str, list[str]]:
    return {day.day.isoformat(): [each.name for each in day.named] for day in found.days if day.number}


def test_each_is_on_its_day_and_every_day_is_there() -> None:
    found = shown(("a", OPEN, NOW + HOUR, State.FRESH), ("b", OPEN, NOW + 3 * DAY, State.FRESH))
    assert by_day(found) == {"2026-11-26": ["a"], "2026-11-29": ["b"]}
    assert len(found.days) == DAYS


def test_what_is_due_already_is_todays_and_what_is_later_than_a_fortnight_is_nobodys() -> None:
    found = shown(("late", OPEN, NOW - 9 * DAY, State.OLD), ("far", OPEN, NOW + 14 * DAY, State.FRESH))
    assert by_day(found) == {"2026-11-26": ["late"]}
    assert found.overdue == 1


def test_a_closed_window_moves_it_to_the_day_on_which_that_opens() -> None:
    saturday = NOW + 2 * DAY
    (due,) = shown(("a", WEEKDAYS, saturday, State.FRESH)).days[4].named
    assert due.at == datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert (due.moved, due.zone) == (True, "Europe/Berlin")


def test_a_freeze_moves_it_behind_its_last_day_and_is_said_on_each_of_its_days() -> None:
    found = shown(("a", FROZEN, NOW + 4 * DAY, State.FRESH))
    assert by_day(found) == {"2026-12-03": ["a"]}
    frozen = [day.day.day for day in found.days if day.freezes]
    assert frozen == [30, 1, 2]
    assert found.days[4].freezes == ("standard is frozen 2026-11-30/2026-12-02",)


def test_the_day_is_the_one_of_the_policys_zone() -> None:
    night = Policy(every=30 * DAY, window=Window(days=frozenset(range(7)), opens=0, closes=24 * 60, zone="Asia/Tokyo"))
    found = shown(("a", night, datetime(2026, 11, 27, 20, tzinfo=UTC), State.FRESH))
    assert by_day(found) == {"2026-11-28": ["a"]}


def test_where_many_come_due_they_are_counted_by_provider() -> None:
    many = [(f"a{each}", OPEN, NOW + DAY, State.FRESH) for each in range(MOST_NAMED + 1)]
    day = shown(*many).days[1]
    assert (day.number, day.named, day.providers) == (MOST_NAMED + 1, (), {"ks": MOST_NAMED + 1})


def test_of_what_is_held_or_unknown_no_day_is_promised() -> None:
    found = shown(("h", OPEN, NOW, State.HELD), ("u", OPEN, None, State.UNKNOWN))
    assert (found.total, found.away, found.unknown) == (0, 1, 1)


def test_others_credentials_are_not_counted() -> None:
    found = shown(("a", OPEN, NOW, State.FRESH), ("b", FROZEN, NOW, State.FRESH), scope=Scope(frozenset({"a"})))
    assert found.total == 1
    assert not any(day.freezes for day in found.days)
