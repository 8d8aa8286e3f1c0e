"""One advisory of a feed: all of its names, what they say together, and what of it cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.adapters.advisories.records import record
from rotator.app.advised import Advised, Listed, advised, described
from rotator.config.errors import ConfigError
from rotator.domain.advisories import Feed
from rotator.domain.codec import decode, encode
from rotator.domain.incidents import Incident
from tests.advisories.given import about, component, osv

NOW = datetime(2026, 3, 27, tzinfo=UTC)
WEEK = timedelta(days=7)
ROCKET = about("Rocket", versions=["1.0"])


def feed(*records: dict[str, Any], broken: int = 0) -> Feed:
    lost = tuple((f"{number}.json", "is no JSON") for number in range(broken))
    return Feed(origin="all.zip", advisories=tuple(record(each) for each in records), broken=lost)


def found(name: str, *records: dict[str, Any], broken: int = 0, at: datetime = NOW) -> Advised:
    return advised(feed(*records, broken=broken), name, at=at, stale=WEEK)


def bad(result: Advised, version: str, name: str = "rocket") -> bool | None:
    verdicts = [Listed(each).meets(component(name, version)) for each in result.affected]
    return True if True in verdicts else None if None in verdicts else False


def test_all_records_that_are_names_of_one_thing_count_and_the_earliest_publication() -> None:
    result = found(
        "GHSA-1",
        osv("MAL-1", ROCKET, aliases=["CVE-1"], published="2026-03-24T12:00:00Z"),
        osv("GHSA-1", about("rocket", versions=["2.0"]), aliases=["CVE-1"], published="2026-03-24T11:00:00Z"),
        osv("MAL-2", about("rocket", versions=["3.0"])),
    )
    assert set(result.ids) == {"GHSA-1", "MAL-1", "CVE-1"}
    assert result.ids[0] == "GHSA-1"
    assert [bad(result, version) for version in ("1.0", "2.0", "3.0")] == [True, True, False]
    assert result.published == datetime(2026, 3, 24, 11, tzinfo=UTC)


def test_an_alias_that_has_no_record_of_its_own_finds_those_that_name_it() -> None:
    assert found("cve-1", osv("MAL-1", ROCKET, aliases=["CVE-1"])).ids == ("CVE-1", "MAL-1")


def test_ranges_count_by_the_order_of_versions() -> None:
    result = found("X", osv("X", about("rocket", ECOSYSTEM=[{"introduced": "1.82.7"}, {"fixed": "1.83.0"}])))
    assert [bad(result, each) for each in ("1.82.6", "1.82.10", "1.83", "nonsense")] == [False, True, False, None]
    assert bad(result, "1.82.8", "another") is False


def test_what_is_withdrawn_is_refused_and_the_record_that_stands_is_named() -> None:
    gone = osv("MAL-1", ROCKET, withdrawn="2026-03-25T00:00:00Z", aliases=["GHSA-2"])
    with pytest.raises(ConfigError) as caught:
        found("MAL-1", gone)
    assert caught.value.message == "MAL-1 was withdrawn at 2026-03-25T00:00:00Z"
    with pytest.raises(ConfigError) as caught:
        found("mal-1", gone, osv("GHSA-2", ROCKET))
    assert caught.value.hint == "GHSA-2 stands: name that one"


def test_what_is_withdrawn_joins_no_names() -> None:
    gone = osv("MAL-9", about("innocent"), withdrawn="2026-03-25T00:00:00Z", aliases=["MAL-1"])
    assert found("MAL-1", osv("MAL-1", ROCKET), gone).ids == ("MAL-1",)


def test_a_record_without_packages_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        found("MAL-1", osv("MAL-1"))
    assert caught.value.message == "MAL-1 names no package"


def test_that_records_could_not_be_read_is_said_where_the_id_is_not_found() -> None:
    with pytest.raises(ConfigError) as caught:
        found("MAL-1", osv("MAL-7", ROCKET), broken=3)
    assert caught.value.message == "'all.zip' has no advisory 'MAL-1'; 3 of its records cannot be read"
    assert caught.value.hint == "did you mean MAL-7?"


def test_fresh_and_whole_records_are_not_doubted_and_others_are() -> None:
    record_of_it = osv("MAL-1", ROCKET)
    assert found("MAL-1", record_of_it).doubtful is False
    old = found("MAL-1", record_of_it, at=NOW + timedelta(days=730))
    assert old.doubtful
    assert old.notes[0].startswith("the advisories are 730d 14h old, of 2026-03-26T09:53:17Z")
    assert found("MAL-1", record_of_it, broken=1).doubtful


def test_a_publication_that_cannot_be_read_breaks_no_record() -> None:
    assert found("MAL-1", osv("MAL-1", ROCKET, published="some day")).published is None


def test_what_it_is_about_is_told_short_and_each_package_once() -> None:
    many = about("rocket", versions=[f"1.{number}" for number in range(9)])
    spans = about("comet", ECOSYSTEM=[{"introduced": "0"}, {"fixed": "2"}])
    result = found("X", osv("X", many, about("rocket", versions=["1.0"]), spans, about("moon")))
    assert described(result.affected) == (
        "rocket 1.0, 1.1, 1.2, 1.3 and 5 more",
        "comet introduced 0 fixed 2",
        "moon in any version",
    )


def test_what_was_matched_comes_back_from_the_record_as_it_was() -> None:
    result = found("X", osv("X", ROCKET, about("comet", ECOSYSTEM=[{"introduced": "0"}, {"fixed": "2"}])))
    incident = Incident(id="inc-1", opened_at=NOW, names=(), affected=result.affected, advisories=result.ids)
    assert decode(Incident, encode(incident)) == incident
