"""A feed against components: names of one thing are one finding, and what was taken back says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.adapters.advisories.matcher import Matcher, unreadable
from rotator.adapters.advisories.records import record
from rotator.adapters.advisories.sources import read_feed
from rotator.domain.advisories import Feed
from rotator.domain.aliases import Aliases
from rotator.domain.packages import NPM
from tests.advisories.given import about, component, osv, real_feed


def matcher(*records: dict[str, Any]) -> Matcher:
    return Matcher(Feed(origin="test", advisories=tuple(record(each) for each in records)))


@pytest.fixture(scope="module")
def real() -> Matcher:
    return Matcher(read_feed(str(real_feed())))


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8"])
def test_both_real_records_of_litellm_are_one_malicious_thing(real: Matcher, version: str) -> None:
    found = [each for each in real.matches(component("litellm", version)) if each.malicious]
    assert {each.ids for each in found} == {("MAL-2026-2144", "PYSEC-2026-2")}
    assert all(each.sure for each in found)
    assert len(found) == 2, "one by its range, one by its list"


@pytest.mark.parametrize("version", ["1.82.6", "1.83.0"])
def test_the_releases_before_and_after_are_clean_of_it(real: Matcher, version: str) -> None:
    assert not [each for each in real.matches(component("LiteLLM", version)) if each.malicious or not each.sure]


def test_aliases_that_meet_in_a_third_record_are_one_thing() -> None:
    found = matcher(
        osv("GHSA-1", about(versions=["1.0"]), aliases=["CVE-1"]),
        osv("PYSEC-1", about(versions=["1.0"]), aliases=["CVE-2"]),
        osv("CVE-3", aliases=["CVE-1", "CVE-2"]),
        osv("GHSA-9", about(versions=["1.0"]), related=["CVE-1"], upstream=["CVE-2"]),
    ).matches(component())
    everything = ("CVE-1", "CVE-2", "CVE-3", "GHSA-1", "PYSEC-1")
    assert [each.ids for each in found] == [everything, everything, ("GHSA-9",)]


def test_a_record_is_malicious_by_the_name_that_it_has_elsewhere() -> None:
    (found,) = matcher(osv("GHSA-1", about(), aliases=["MAL-2026-1"])).matches(component())
    assert found.malicious


def test_a_name_that_was_taken_back_makes_nothing_malicious_and_joins_nothing() -> None:
    back = osv("MAL-1", about(), aliases=["GHSA-1", "GHSA-2"], withdrawn="2026-01-01T00:00:00Z")
    both = matcher(back, osv("GHSA-1", about(), aliases=["MAL-1"]), osv("GHSA-2", about()))
    found = list(both.matches(component()))
    assert [(each.ids, each.malicious) for each in found] == [(("GHSA-1", "MAL-1"), False), (("GHSA-2",), False)]
    assert [each.id for each in both.withdrawn(component())] == ["MAL-1"]


def test_planted_code_in_one_package_does_not_blame_another_of_the_same_advisory() -> None:
    both = matcher(osv("MAL-1", about("evil"), aliases=["CVE-1"]), osv("GHSA-1", about("victim"), aliases=["CVE-1"]))
    assert [each.malicious for each in both.matches(component("evil"))] == [True]
    assert [each.malicious for each in both.matches(component("victim"))] == [False]


def test_names_in_other_spellings_meet() -> None:
    assert list(matcher(osv("X-1", about("Foo.Bar__baz"))).matches(component("foo-bar_baz")))


def test_packages_of_one_name_in_two_ecosystems_do_not() -> None:
    one = matcher(osv("X-1", about("left-pad", ecosystem=NPM)))
    assert not list(one.matches(component("left-pad")))
    assert list(one.matches(component("left-pad", "1.0.0", NPM)))


def test_a_release_of_a_distribution_is_another_one_than_the_next() -> None:
    one = matcher(osv("X-1", about("openssl", ecosystem="Debian:12")))
    assert list(one.matches(component("openssl", "3", "Debian:12")))
    assert list(one.matches(component("openssl", "3", "Debian"))), "which release it is of, it does not say"
    assert not list(one.matches(component("openssl", "3", "Debian:11")))


def test_what_names_no_version_is_flagged() -> None:
    (found,) = matcher(osv("X-1", about())).matches(component())
    assert found.any_version


def test_a_version_that_is_none_cannot_be_told_and_is_not_clear() -> None:
    (found,) = matcher(osv("X-1", about(versions=["1.0"]))).matches(component(version="banana"))
    assert not found.sure
    assert unreadable(component(version="banana"))
    assert not unreadable(component(version="1.0"))


def test_one_record_of_the_future_does_not_keep_a_feed_fresh() -> None:
    at = datetime(2026, 4, 1, tzinfo=UTC)
    feed = Feed(
        origin="x",
        advisories=(record(osv("X-1")), record({**osv("X-2"), "modified": "2099-01-01T00:00:00Z"})),
    )
    newest = feed.newest(at)
    assert newest is not None
    assert at - newest > timedelta(days=5)
    assert Feed(origin="x", advisories=()).newest(at) is None


def test_ids_that_were_joined_in_any_order_are_one_set() -> None:
    aliases = Aliases()
    aliases.join(["a", "b"])
    aliases.join(["c", "d"])
    aliases.join(["e"])
    aliases.join(["d", "a"])
    assert sorted(aliases.sets().values()) == [("a", "b", "c", "d"), ("e",)]
    assert aliases.root("b") == aliases.root("c")
