"""How all credentials stand, in one pass that is kept for a while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from rotator.adapters.calendar import CronCalendar
from rotator.app.assembly import Assembly
from rotator.app.listing import Listing, Wanted, listing
from rotator.app.seeing import Scope
from rotator.app.steering import steer
from rotator.app.surveying import Standing, State, Survey, Surveys, survey
from rotator.config.errors import ConfigError
from rotator.config.reading import read_config
from rotator.domain.records import CredentialRow, Verb
from rotator.ports import Change
from rotator.testing.journal_contract.values import rotation
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import make

ALL = Scope()
DAY = timedelta(days=1)
NAMES = ("fresh", "old", "held", "behind", "rotating", "unknown", "keyless")


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path_factory.mktemp("survey"), keyserver, NAMES)
        scene.credential("old", owner="team-ml")
        with closing(Assembly(config=read_config(scene.config, calendar=CronCalendar()))) as found:
            _fill(found, found.clock.now())
            yield found


def _fill(assembly: Assembly, now: datetime) -> None:
    def save(name: str, age: timedelta, **more: object) -> None:
        known = {"current": "k", "current_since": now - age, "next_due": now - age + 30 * DAY}
        assembly.journal.save(CredentialRow(**{"name": name, **known, **more}), now, Change())  # type: ignore[arg-type]

    save("fresh", 3 * DAY)
    save("old", 33 * DAY)
    save("held", 12 * DAY, held=True)
    save("behind", 6 * DAY, drift=("vault:a",))
    save("keyless", DAY, current=None, current_since=None)
    save("gone from the config", DAY)
    save("gone", DAY)
    assembly.journal.begin(rotation("r1", "rotating", started_at=now, next_at=now, since=now), Change())


def test_each_has_its_state_and_the_share_of_its_age(assembly: Assembly) -> None:
    found = {each.name: (each.state, each.share) for each in survey(assembly).standings}
    assert found.keys() == set(NAMES)
    assert {name: state for name, (state, _) in found.items()} == {
        "fresh": State.FRESH,
        "old": State.OLD,
        "held": State.HELD,
        "behind": State.BEHIND,
        "rotating": State.ROTATING,
        "unknown": State.UNKNOWN,
        "keyless": State.UNKNOWN,
    }
    assert found["fresh"][1] == pytest.approx(0.1, abs=0.01)
    assert found["old"][1] == pytest.approx(1.1, abs=0.01)
    assert found["unknown"][1] is None


def test_the_worst_come_first_and_what_nobody_knows_before_what_is_young(assembly: Assembly) -> None:
    names = [each.name for each in survey(assembly).standings]
    assert names == ["old", "keyless", "rotating", "unknown", "held", "behind", "fresh"]


def test_they_are_counted_and_what_the_config_lacks_is_a_stranger(assembly: Assembly) -> None:
    found = survey(assembly).counts(ALL)
    assert (found.total, found.fresh, found.strangers) == (7, 1, 1)
    assert found.soon == 1, "the old one"


def test_who_sees_some_owners_credentials_sees_and_counts_no_others(assembly: Assembly) -> None:
    mine = Scope(frozenset({"team-ml"}))
    found = survey(assembly)
    assert [each.name for each in found.seen(mine)] == ["old"]
    assert (found.counts(mine).total, found.counts(mine).strangers) == (1, 0)
    assert listing(found, mine, Wanted(text="fresh")).number == 0


def test_it_is_looked_through_by_text_owner_and_state_and_page_by_page(assembly: Assembly) -> None:
    found = survey(assembly)
    assert [each.name for each in listing(found, ALL, Wanted(text="OLD")).shown] == ["old"]
    assert [each.name for each in listing(found, ALL, Wanted(owner="team-ml")).shown] == ["old"]
    assert [each.name for each in listing(found, ALL, Wanted(state="on hold")).shown] == []
    first = listing(found, ALL, Wanted(), limit=3)
    second = listing(found, ALL, Wanted(), after=first.after or "", limit=3)
    third = listing(found, ALL, Wanted(), after=second.after or "", limit=3)
    assert [*first.shown, *second.shown, *third.shown] == list(found.standings)
    assert (first.first, second.first, third.first, third.after) == (1, 4, 7, None)
    assert listing(found, ALL, Wanted(), after="gone", limit=3).shown == first.shown


def test_a_page_goes_on_where_its_last_one_was_although_that_was_rotated_meanwhile() -> None:
    now = datetime.now(UTC)

    def standing(name: str, share: float) -> Standing:
        return Standing(name, "", "ks", State.FRESH, now, now, DAY, share)

    def paged(found: list[Standing], after: str) -> Listing:
        ordered = tuple(sorted(found, key=lambda each: each.rank))
        return listing(Survey(at=now, config=None, standings=ordered, strangers=0), ALL, Wanted(), after=after)  # type: ignore[arg-type]

    before = [standing(f"c{number:03}", 1 - number / 1000) for number in range(300)]
    first = paged(before, "")
    last = first.shown[-1].name
    after = [standing(last, 0.0) if each.name == last else each for each in before]
    second = paged(after, first.after or "")
    assert [each.name for each in second.shown] == [f"c{number:03}" for number in range(100, 200)]


def test_a_kept_one_is_given_at_once_and_the_next_one_is_made_beside(assembly: Assembly) -> None:
    now, may_go_on = [0.0], threading.Event()

    def assembly_of() -> Assembly:
        assert threading.current_thread().name != "survey" or may_go_on.wait(60)
        return assembly

    surveys = Surveys(assembly_of, seconds=lambda: now[0])
    may_go_on.set()
    first = surveys.latest(30)
    assert first is not None
    assert surveys.latest(0) is first
    may_go_on.clear()
    now[0] = 10_000.0
    assert surveys.latest(0) is first, "nobody waits for the next one"
    may_go_on.set()
    _wait_until(lambda: surveys.latest(0) is not first)


def test_after_an_act_the_next_who_asks_has_it_taken_anew(assembly: Assembly) -> None:
    surveys = Surveys(lambda: assembly, seconds=lambda: 0.0)
    first = surveys.latest(30)
    assert first is not None
    assert surveys.latest(0) is first
    surveys.over()
    surveys.latest(0)
    _wait_until(lambda: surveys._kept is not first)


def test_one_that_nobody_asks_for_again_is_let_go_and_made_anew(assembly: Assembly) -> None:
    first = again = None
    for unasked in (0.2, 5.0):  # a busy machine may let it go before it is given at all
        surveys = Surveys(lambda: assembly, unasked=unasked)
        if (first := surveys.latest(30)) is None:
            continue
        _wait_until(lambda: surveys._kept is None)  # noqa: B023
        if (again := surveys.latest(30)) is not None:
            break
    assert first is not None
    assert again is not None
    assert again is not first


def test_what_is_amiss_is_told_as_it_is_now(assembly: Assembly) -> None:
    surveys = Surveys(lambda: assembly)
    assert [row.name for row in surveys.amiss(assembly)] == ["behind", "held"]
    steer(assembly, "fresh", Verb.HOLD, "an audit")
    assert [row.name for row in surveys.amiss(assembly)] == ["behind", "fresh", "held"]
    steer(assembly, "fresh", Verb.RELEASE, "it is over")
    assert [row.name for row in surveys.amiss(assembly)] == ["behind", "held"]


def test_of_a_journal_that_is_away_nothing_is_said(assembly: Assembly) -> None:
    class Away:
        config = assembly.config

        @property
        def opened(self) -> None:
            raise ConfigError("the journal is away", "wait")

    surveys = Surveys(Away)  # type: ignore[arg-type]
    assert surveys.latest(30) is None


def _wait_until(true: object) -> None:
    for _ in range(600):
        if true():  # type: ignore[operator]
            return
        threading.Event().wait(0.05)
    raise AssertionError("it never was so")
