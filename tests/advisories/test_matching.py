"""Whether a record is about a version: what OSV's schema says, by table and against packaging's own specifiers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rotator.adapters.advisories.matching import judge
from rotator.adapters.advisories.records import record
from rotator.adapters.advisories.versions import key
from rotator.domain.packages import NPM, PYPI
from tests.advisories.given import about, osv

YES, NO, UNKNOWN = True, False, None

FROM_1_TO_2 = [{"introduced": "1.0"}, {"fixed": "2.0"}]
TWICE = [{"fixed": "2.0"}, {"introduced": "3.0"}, {"introduced": "1.0"}, {"last_affected": "3.1"}]

CASES: dict[str, tuple[dict[str, Any], str, bool | None]] = {
    "the first version of a range is in it": (about(ECOSYSTEM=FROM_1_TO_2), "1.0", YES),
    "the fixed one is not": (about(ECOSYSTEM=FROM_1_TO_2), "2.0", NO),
    "a candidate for the fixed one is": (about(ECOSYSTEM=FROM_1_TO_2), "2.0rc1", YES),
    "one before the first is not": (about(ECOSYSTEM=FROM_1_TO_2), "0.9", NO),
    "introduced at 0 is from the beginning on": (about(ECOSYSTEM=[{"introduced": "0"}]), "0.0.1.dev1", YES),
    "introduced at 0 is before every version": (about(ECOSYSTEM=[{"introduced": "0"}, {"fixed": "1"}]), "0a1", YES),
    "introduced at 0.0 is not": (about(ECOSYSTEM=[{"introduced": "0.0"}, {"fixed": "1"}]), "0a1", NO),
    "the last affected one is affected": (
        about(ECOSYSTEM=[{"introduced": "0"}, {"last_affected": "1.0"}]),
        "1.0",
        YES,
    ),
    "the next one is not": (about(ECOSYSTEM=[{"introduced": "0"}, {"last_affected": "1.0"}]), "1.0.post1", NO),
    "one version alone may be the first and the last": (
        about(ECOSYSTEM=[{"last_affected": "1.0"}, {"introduced": "1.0"}]),
        "1.1",
        NO,
    ),
    "events in any order: in the first stretch": (about(ECOSYSTEM=TWICE), "1.5", YES),
    "events in any order: between the two": (about(ECOSYSTEM=TWICE), "2.5", NO),
    "events in any order: in the second": (about(ECOSYSTEM=TWICE), "3.1", YES),
    "events in any order: behind it": (about(ECOSYSTEM=TWICE), "3.2", NO),
    "a limit ends what is known": (about(ECOSYSTEM=[{"introduced": "0"}, {"limit": "2.0"}]), "2.0", NO),
    "below the limit": (about(ECOSYSTEM=[{"introduced": "0"}, {"limit": "2.0"}]), "1.9", YES),
    "no limit": (about(ECOSYSTEM=[{"introduced": "0"}, {"limit": "*"}]), "9", YES),
    "versions alone, as records of malicious packages have them": (about(versions=["1.82.7", "1.82.8"]), "1.82.8", YES),
    "versions alone, another one": (about(versions=["1.82.7", "1.82.8"]), "1.82.6", NO),
    "versions are compared, not their texts": (about(versions=["1.0"]), "1.0.0", YES),
    "somebody's build of a listed version": (about(versions=["2.1.0"]), "2.1.0+cpu", YES),
    "somebody's build of the last affected one": (
        about(ECOSYSTEM=[{"introduced": "0"}, {"last_affected": "2.1.0"}]),
        "2.1.0+cpu",
        YES,
    ),
    "neither ranges nor versions: the package itself": (about(), "1.0", YES),
    "the package itself, in a version that is none": (about(), "latest", YES),
    "commits alone say nothing of versions": (about(GIT=[{"introduced": "0"}, {"fixed": "abc"}]), "1.0", UNKNOWN),
    "commits beside versions: listed": (about(versions=["1.0"], GIT=[{"introduced": "0"}]), "1.0", YES),
    "commits beside versions: not listed": (about(versions=["1.0"], GIT=[{"introduced": "0"}]), "1.1", NO),
    "a version that is none": (about(ECOSYSTEM=FROM_1_TO_2), "banana", UNKNOWN),
    "a version that is none, and listed so": (about(versions=["banana"]), "banana", YES),
    "no version told": (about(ECOSYSTEM=FROM_1_TO_2), "", UNKNOWN),
    "a version of endless digits": (about(ECOSYSTEM=FROM_1_TO_2), "9" * 5000, UNKNOWN),
    "a range with an event that is no version": (
        about(ECOSYSTEM=[{"introduced": "0"}, {"fixed": "soon"}]),
        "1.0",
        UNKNOWN,
    ),
    "a range with an event that nobody knows": (
        about(ECOSYSTEM=[{"introduced": "0"}, {"reverted": "1.0"}]),
        "1.0",
        UNKNOWN,
    ),
    "a range that never begins": (about(ECOSYSTEM=[{"fixed": "2.0"}]), "1.0", UNKNOWN),
    "a range that cannot be read beside a list that has it": (
        about(versions=["1.0"], ECOSYSTEM=[{"introduced": "x"}]),
        "1.0",
        YES,
    ),
    "a range that cannot be read beside a list that has it not": (
        about(versions=["1.0"], ECOSYSTEM=[{"introduced": "x"}]),
        "1.1",
        UNKNOWN,
    ),
    "npm": (about(ecosystem=NPM, SEMVER=[{"introduced": "1.0.0"}, {"fixed": "1.2.0"}]), "1.1.9", YES),
    "npm: a candidate for the fixed one": (
        about(ecosystem=NPM, SEMVER=[{"introduced": "0"}, {"fixed": "1.2.0"}]),
        "1.2.0-rc.1",
        YES,
    ),
    "npm: the fixed one, whoever built it": (
        about(ecosystem=NPM, SEMVER=[{"introduced": "0"}, {"fixed": "1.2.0"}]),
        "1.2.0+build.7",
        NO,
    ),
    "npm: two numbers are no version": (about(ecosystem=NPM, SEMVER=[{"introduced": "0"}]), "1.2", UNKNOWN),
    "an ecosystem whose order is not known here": (
        about(ecosystem="Debian:12", ECOSYSTEM=[{"introduced": "0"}, {"fixed": "1.2-3"}]),
        "1.2-2",
        UNKNOWN,
    ),
    "an ecosystem whose order is not known here, listed": (
        about(ecosystem="Debian:12", versions=["1.2-2"]),
        "1.2-2",
        YES,
    ),
    "an ecosystem whose order is not known here, not listed": (
        about(ecosystem="Debian:12", versions=["1.2-2"]),
        "1.2-3",
        NO,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_record_is_about_a_version(case: str) -> None:
    affected, version, expected = CASES[case]
    verdict = judge(record(osv("X-1", affected)).affected[0], version)
    assert verdict.affected is expected
    assert bool(verdict.why) is (expected is UNKNOWN)


def test_the_next_version_that_mends_it_is_told() -> None:
    twice = about(ECOSYSTEM=[{"introduced": "0"}, {"fixed": "1.9"}, {"introduced": "2"}, {"fixed": "2.4"}])
    affected = record(osv("X-1", twice)).affected[0]
    assert judge(affected, "1.0").fixed == ("1.9",)
    assert judge(affected, "2.1").fixed == ("2.4",)


numbers = st.integers(0, 4)
versions = st.builds(
    lambda release, rest: ".".join(map(str, release)) + rest,
    st.lists(numbers, min_size=1, max_size=3),
    st.sampled_from(["", "", "", "a1", "b2", "rc1", ".post1", ".dev3"]),
)


@given(stretches=st.lists(st.tuples(versions, versions), min_size=1, max_size=3), version=versions, data=st.data())
def test_ranges_hold_what_packaging_says(stretches: list[tuple[str, str]], version: str, data: st.DataObject) -> None:
    bounds = [Version(each) for stretch in stretches for each in stretch]
    assume(len(set(bounds)) == len(bounds))
    bounds.sort()
    assume("0" not in map(str, bounds[1:]))  # it is before every version: a record with one before it is none
    pairs = list(zip(bounds[::2], bounds[1::2], strict=True))
    last = data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    events = []
    expected = False
    for (start, end), closed in zip(pairs, last, strict=True):
        events += [{"introduced": str(start)}, {"last_affected" if closed else "fixed": str(end)}]
        # `<` and `>` of a specifier leave candidates and posts of their own version out; an order does not
        from_on = "" if str(start) == "0" else f">={start},"  # OSV's 0 is before every version, 0a1 too
        within = SpecifierSet(f"{from_on}<={end}").contains(version, prereleases=True)
        expected |= within and (closed or Version(version) != end)
    shuffled = data.draw(st.permutations(events))
    affected = record(osv("X-1", about(ECOSYSTEM=shuffled))).affected[0]
    assert judge(affected, version).affected is expected


@given(listed=st.lists(versions, min_size=1, max_size=5), version=versions)
def test_lists_hold_what_packaging_says(listed: list[str], version: str) -> None:
    affected = record(osv("X-1", about(versions=listed))).affected[0]
    assert judge(affected, version).affected is any(
        SpecifierSet(f"=={each}").contains(version, True) for each in listed
    )


def test_npm_versions_are_ordered_as_the_specification_orders_its_examples() -> None:
    before = [f"1.0.0-{each}" for each in ("alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1")]
    order = [*before, "1.0.0", "2.0.0", "2.1.0", "2.1.1"]
    keys = [each for each in (key(NPM, text) for text in order) if each is not None]
    assert len(keys) == len(order)
    assert keys == sorted(keys)
    assert len(set(keys)) == len(order)


@pytest.mark.parametrize("text", ["1.0", "01.0.0", "1.0.0-", "1.0.0.0", "^1.0.0", "latest", "1.0.٣", "x" * 10_000])
def test_what_is_no_npm_version_has_no_place_in_the_order(text: str) -> None:
    assert key(NPM, text) is None


@given(st.text())
def test_no_text_is_too_strange_for_a_version(text: str) -> None:
    for ecosystem in (PYPI, NPM):
        affected = record(osv("X-1", about(ecosystem=ecosystem, ECOSYSTEM=[{"introduced": "0"}]))).affected[0]
        assert judge(affected, text).affected is not False
