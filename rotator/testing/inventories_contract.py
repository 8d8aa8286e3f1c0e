"""What every implementation of `rotator.ports.Inventories` must do, as tests: inherit it and give a fixture.

class TestMine(InventoriesContract):
    @pytest.fixture
    def inventories(self) -> Iterator[Inventories]:
        yield a fresh and empty one
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.domain.packages import NPM, PYPI, Component, Inventory, Package
from rotator.ports import Inventories

NOW = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
LITELLM, LEFT_PAD = Package.of(PYPI, "litellm"), Package.of(NPM, "left-pad")


def components(*versions: str, **fields: Any) -> tuple[Component, ...]:
    """litellm in these versions, and left-pad."""
    others = (Component(package=LEFT_PAD, version="1.3.0", hashed=None),)
    return (*(Component(package=LITELLM, version=each, hashed=True, **fields) for each in versions), *others)


def inventory(*versions: str, **fields: Any) -> Inventory:
    """What agents-api has from `NOW` on."""
    given = {"consumer": "agents-api", "kind": "uv.lock", "origin": "agents/uv.lock", "since": NOW, **fields}
    return Inventory(**{"components": components(*versions), **given})


def bare(one: Inventory, **fields: Any) -> Inventory:
    """As `history` gives it."""
    return replace(one, components=(), **fields)


def only(one: Inventory, package: Package, **fields: Any) -> Inventory:
    """As `holding` gives it."""
    return replace(one, components=tuple(each for each in one.components if each.package == package), **fields)


def whole(one: Inventory, **fields: Any) -> Inventory:
    """As `at` gives it."""
    return replace(one, components=tuple(sorted(one.components, key=Component.place)), **fields)


class InventoriesContract:
    """The contract of `rotator.ports.Inventories`."""

    def test_what_was_recorded_is_there_as_it_was(self, inventories: Inventories) -> None:
        one = inventory("1.82.8", gaps=("uv.lock:3: 'a' has no version", "an ünusual"), until=NOW + DAY, commit="c1")
        elsewhere = Component(package=LITELLM, version="", hashed=False, elsewhere="git")
        two = inventory(consumer="web", components=(elsewhere,))
        assert inventories.record([one, two], NOW) == 2
        assert inventories.history() == (bare(one), bare(two))
        assert inventories.at(NOW) == (whole(one), whole(two))
        assert inventories.holding([LITELLM]) == (only(one, LITELLM), only(two, LITELLM))

    def test_nothing_recorded_is_nothing_known(self, inventories: Inventories) -> None:
        assert inventories.record([], NOW) == 0
        assert inventories.history() == inventories.holding([LITELLM]) == inventories.at(NOW) == ()

    def test_recording_twice_the_same_changes_nothing(self, inventories: Inventories) -> None:
        one = inventory("1.82.6")
        assert inventories.record([one], NOW) == 1
        assert inventories.record([one], NOW) == 0
        assert inventories.record([replace(one, since=NOW + DAY)], NOW + DAY) == 0
        assert inventories.record([replace(one, components=tuple(reversed(one.components)))], NOW) == 0
        assert inventories.history() == (bare(one),)

    def test_a_later_record_of_the_same_file_ends_the_one_before(self, inventories: Inventories) -> None:
        first, second = inventory("1.82.6"), inventory("1.82.8", since=NOW + DAY)
        inventories.record([first], NOW)
        inventories.record([second], NOW + DAY)
        assert inventories.history() == (bare(first, until=NOW + DAY), bare(second))
        assert inventories.at(NOW + DAY / 2) == (whole(first, until=NOW + DAY),)
        assert inventories.at(NOW + DAY) == (whole(second),)
        assert inventories.at(NOW - DAY) == ()
        found = inventories.holding([LITELLM])
        assert [(each.components[0].version, each.until) for each in found] == [("1.82.6", NOW + DAY), ("1.82.8", None)]

    def test_what_was_there_once_and_comes_back_is_recorded_again(self, inventories: Inventories) -> None:
        versions = ("1.82.6", "1.82.8", "1.82.6")
        for day, version in enumerate(versions):
            assert inventories.record([inventory(version, since=NOW + day * DAY)], NOW) == 1
        assert [each.since for each in inventories.history()] == [NOW, NOW + DAY, NOW + 2 * DAY]

    def test_other_gaps_are_another_record(self, inventories: Inventories) -> None:
        inventories.record([inventory("1.82.6")], NOW)
        assert inventories.record([inventory("1.82.6", since=NOW + DAY, gaps=("one",))], NOW) == 1
        assert [each.gaps for each in inventories.history()] == [(), ("one",)]

    @pytest.mark.parametrize("other", [{"consumer": "web"}, {"origin": "web/uv.lock"}])
    def test_another_consumer_or_file_ends_nothing(self, inventories: Inventories, other: dict[str, str]) -> None:
        inventories.record([inventory("1.82.6")], NOW)
        inventories.record([inventory("1.82.8", since=NOW + DAY, **other)], NOW + DAY)
        assert [each.until for each in inventories.history()] == [None, None]
        assert len(inventories.at(NOW + DAY)) == 2

    def test_one_that_is_recorded_late_stands_where_it_belongs(self, inventories: Inventories) -> None:
        late, early = inventory("1.82.8", since=NOW + DAY), inventory("1.82.6")
        inventories.record([late], NOW)
        inventories.record([early], NOW)
        assert inventories.history() == (bare(early, until=NOW + DAY), bare(late))

    def test_versions_of_a_history_may_hold_at_the_same_time(self, inventories: Inventories) -> None:
        main = inventory("1.82.6", commit="c1", until=NOW + 3 * DAY)
        branch = inventory("1.82.8", commit="c2", since=NOW + DAY)
        assert inventories.record([main, branch], NOW) == 2
        assert inventories.at(NOW + 2 * DAY) == (whole(main), whole(branch))

    def test_more_is_known_of_a_commit_later_and_then_the_last_word_counts(self, inventories: Inventories) -> None:
        tip = inventory("1.82.8", commit="c1")
        ended = replace(tip, until=NOW + DAY)
        assert inventories.record([tip], NOW) == 1
        assert inventories.record([ended], NOW) == 1
        assert inventories.record([ended], NOW) == 0
        assert inventories.history() == (bare(ended),)
        assert inventories.holding([LITELLM]) == (only(ended, LITELLM),)

    def test_a_look_ends_the_open_versions_of_a_history(self, inventories: Inventories) -> None:
        tip, seen = inventory("1.82.8", commit="c1"), inventory("1.83.0", since=NOW + DAY)
        inventories.record([tip], NOW)
        inventories.record([seen], NOW)
        assert inventories.history() == (bare(tip, until=NOW + DAY), bare(seen))
        assert inventories.record([tip], NOW) == 0

    def test_a_look_of_before_a_commit_was_known_does_not_end_it(self, inventories: Inventories) -> None:
        """A commit begins earlier than it was made, so somebody may have looked in between and seen the one before."""
        seen = inventory("1.82.6", since=NOW)
        tip = inventory("1.82.8", since=NOW - DAY, commit="c1")
        inventories.record([seen], NOW)
        inventories.record([tip], NOW + DAY)
        assert inventories.history() == (bare(tip), bare(seen))
        assert inventories.holding([LITELLM])[0].until is None
        later = inventory("1.83.0", since=NOW + 2 * DAY)
        assert inventories.record([later], NOW + 2 * DAY) == 1
        assert [each.until for each in inventories.history()] == [NOW + 2 * DAY, NOW + 2 * DAY, None]

    def test_what_is_seen_again_after_a_commit_says_otherwise_is_new_and_ends_it(
        self, inventories: Inventories
    ) -> None:
        stale = inventory("1.82.8", since=NOW - DAY, commit="c1")
        inventories.record([inventory("1.83.0")], NOW)
        inventories.record([stale], NOW)
        assert inventories.record([inventory("1.83.0", since=NOW + DAY)], NOW + DAY) == 1
        assert inventories.history()[0] == bare(stale, until=NOW + DAY)
        assert inventories.record([inventory("1.83.0", since=NOW + 2 * DAY)], NOW + 2 * DAY) == 0

    def test_a_commit_that_is_recorded_again_still_ends_with_the_look_of_before(self, inventories: Inventories) -> None:
        tip = inventory("1.82.8", commit="c1")
        inventories.record([tip, inventory("1.83.0", since=NOW + DAY)], NOW)
        again = replace(tip, since=NOW - DAY)
        assert inventories.record([again], NOW) == 1
        assert inventories.history()[0] == bare(again, until=NOW + DAY)

    def test_a_look_that_sees_the_last_commit_is_nothing_new(self, inventories: Inventories) -> None:
        inventories.record([inventory("1.82.8", commit="c1")], NOW)
        assert inventories.record([inventory("1.82.8", since=NOW + DAY)], NOW) == 0

    def test_a_look_that_sees_what_a_commit_replaced_is_new(self, inventories: Inventories) -> None:
        replaced = inventory("1.82.6", commit="c1", until=NOW + 2 * DAY)
        inventories.record([replaced, inventory("1.82.8", commit="c2", since=NOW + DAY / 2)], NOW)
        assert inventories.record([inventory("1.82.6", since=NOW + DAY)], NOW) == 1

    def test_without_components_it_is_there_all_the_same(self, inventories: Inventories) -> None:
        broken = inventory(components=(), gaps=("uv.lock:1: it is empty",))
        inventories.record([broken], NOW)
        assert inventories.history() == inventories.at(NOW) == (broken,)
        assert inventories.holding([LITELLM]) == ()

    def test_one_package_is_not_another_of_its_name(self, inventories: Inventories) -> None:
        inventories.record([inventory("1.82.8")], NOW)
        assert inventories.holding([Package.of(NPM, "litellm")]) == ()
        assert inventories.holding([]) == ()
        assert len(inventories.holding([LITELLM, LEFT_PAD])[0].components) == 2

    def test_the_same_component_with_and_without_hashes_is_two(self, inventories: Inventories) -> None:
        variants = tuple(Component(package=LITELLM, version="1.0", hashed=each) for each in (True, False, None))
        inventories.record([inventory(components=variants)], NOW)
        (found,) = inventories.at(NOW)
        assert set(found.components) == set(variants)

    def test_one_consumer_is_asked_for_alone(self, inventories: Inventories) -> None:
        inventories.record([inventory("1.82.6"), inventory("1.82.6", consumer="web")], NOW)
        assert [each.consumer for each in inventories.history("web")] == ["web"]
        assert [each.consumer for each in inventories.at(NOW, "web")] == ["web"]
        assert inventories.history("nobody") == inventories.at(NOW, "nobody") == ()

    def test_all_or_none_are_recorded(self, inventories: Inventories) -> None:
        backwards = inventory("1.82.8", consumer="web", until=NOW - DAY)
        with pytest.raises(ValueError, match="ends before it begins"):
            inventories.record([inventory("1.82.6"), backwards], NOW)
        with pytest.raises(TypeError):
            inventories.record([inventory("1.82.6", since=NOW.replace(tzinfo=None))], NOW)
        assert inventories.history() == ()

    def test_many_who_record_the_same_at_the_same_moment_record_it_once(self, inventories: Inventories) -> None:
        with ThreadPoolExecutor(8) as threads:
            counts = list(threads.map(lambda _: inventories.record([inventory("1.82.6")], NOW), range(16)))
        assert sorted(counts) == [0] * 15 + [1]
        assert len(inventories.history()) == 1

    def test_a_thousand_packages_are_kept(self, inventories: Inventories) -> None:
        many = tuple(Component(package=Package.of(NPM, f"p{n}"), version=str(n)) for n in range(1000))
        inventories.record([inventory(components=many)], NOW)
        (found,) = inventories.at(NOW)
        assert set(found.components) == set(many)
