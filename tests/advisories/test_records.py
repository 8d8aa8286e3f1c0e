"""One OSV record: what is needed of it is read strictly, and everything else may be anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.adapters.advisories.records import LONGEST_SUMMARY, Broken, parse, record
from rotator.domain.packages import PYPI, Package
from tests.advisories.given import about, osv

BROKEN: dict[str, tuple[Any, str]] = {
    "a list": ([], "has no id"),
    "no id": ({"modified": "2026-01-01T00:00:00Z"}, "has no id"),
    "an id with a line break": ({**osv(), "id": "a\nb"}, "has no id"),
    "no time": ({"id": "X-1"}, "does not say when it was modified"),
    "a naive time": ({**osv(), "modified": "2026-01-01T00:00:00"}, "for when it was modified"),
    "withdrawn at no time": ({**osv(), "withdrawn": "yes"}, "for when it was withdrawn"),
    "affected that is no list": ({**osv(), "affected": {}}, "'affected' that is no list"),
    "a package without a name": (
        {**osv(), "affected": [{"package": {"ecosystem": PYPI}}]},
        "without ecosystem or name",
    ),
    "a version that is a number": (osv("X-1", {**about(), "versions": [1]}), "no text"),
    "a range without a type": (osv("X-1", {**about(), "ranges": [{}]}), "a range without a type"),
    "an event that is a text": (osv("X-1", {**about(), "ranges": [{"type": "GIT", "events": ["0"]}]}), "an event"),
    "aliases that are numbers": ({**osv(), "aliases": [1]}, "no text"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_record_that_cannot_be_used_says_why(case: str) -> None:
    found, why = BROKEN[case]
    with pytest.raises(Broken, match=why):
        record(found)


def test_null_stands_for_nothing() -> None:
    found = record({**osv("X-1", {**about(), "ranges": None}), "aliases": None, "withdrawn": None, "summary": None})
    assert found.affected[0].any_version
    assert found.aliases == ()
    assert found.withdrawn is None


def test_names_are_written_the_one_way_and_suffixes_stand_apart() -> None:
    found = record(osv("X-1", about("Foo_Bar"), about("openssl", ecosystem="Debian:12")))
    assert [(each.package, each.suffix) for each in found.affected] == [
        (Package(PYPI, "foo-bar"), ""),
        (Package("Debian", "openssl"), "12"),
    ]


def test_an_entry_about_sources_alone_is_no_package() -> None:
    found = record(osv("X-1", {"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}, about()))
    assert [each.package.name for each in found.affected] == ["rocket"]


def test_times_are_utc_and_upstream_and_related_are_no_names_of_it() -> None:
    more = {"modified": "2026-01-01T01:00:00+01:00", "aliases": ["CVE-1"], "upstream": ["CVE-2"], "related": ["CVE-3"]}
    found = record({**osv("X-1"), **more})
    assert found.modified == datetime(2026, 1, 1, tzinfo=UTC)
    assert found.aliases == ("CVE-1",)


@pytest.mark.parametrize(
    "more",
    [
        {"id": "MAL-2026-1"},
        {"database_specific": {"malicious-packages-origins": [{"source": "x"}]}},
        {"database_specific": {"cwe_ids": ["CWE-506"]}},
        {"summary": "Malicious code in rocket (PyPI)"},
        {"summary": "Malware in rocket"},
        {"summary": "Two litellm versions published containing credential harvesting malware"},
    ],
)
def test_planted_code_is_told_from_a_mistake(more: dict[str, Any]) -> None:
    assert record({**osv(), **more}).malicious


@pytest.mark.parametrize(
    "more",
    [
        {"summary": "a malicious package can overwrite files when it is unpacked"},
        {"summary": "scanner does not find malware in nested archives"},
        {"database_specific": {"cwe_ids": ["CWE-22"], "malicious-packages-origins": []}},
        {"database_specific": "CWE-506"},
        {},
    ],
)
def test_a_mistake_is_not_taken_for_planted_code(more: dict[str, Any]) -> None:
    assert not record({**osv(), **more}).malicious


def test_a_summary_is_one_bounded_line_and_the_details_stand_in_for_it() -> None:
    assert record({**osv(), "details": "# The first line\nthe second"}).summary == "The first line"
    assert len(record({**osv(), "summary": "x" * 10_000}).summary) == LONGEST_SUMMARY


def test_a_file_may_hold_one_record_a_list_or_an_answer() -> None:
    for found in (osv("X-1"), [osv("X-1")], {"vulns": [osv("X-1")]}):
        assert [each.id for each in parse(json.dumps(found).encode())] == ["X-1"]


@pytest.mark.parametrize("content", [b"", b"<html>", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_json_is_broken(content: bytes) -> None:
    with pytest.raises(Broken, match="is no JSON"):
        parse(content)
