"""Everything together: what is found, what could not be judged, and that the one is never taken for the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.adapters.advisories.records import record
from rotator.adapters.advisories.sources import read_feed
from rotator.adapters.index.asking import Index
from rotator.app.auditing import Against, Audit, audit
from rotator.app.own_environment import OWN
from rotator.app.own_installation import Audited, own_installation
from rotator.domain.advisories import Feed
from rotator.domain.findings import Imported, Judged, Match, Signal, State, Unjudged
from rotator.domain.packages import NPM, PYPI, Component, Inventory, Package
from tests.advisories.given import about, component, osv, real_feed
from tests.servers.package_index import PackageIndexStandIn

AT = datetime(2026, 3, 30, tzinfo=UTC)


def feed(*records: dict[str, Any], **more: Any) -> Feed:
    known = records or (osv("OTHER-1", about("other", versions=["1"])),)
    return Feed(origin="test", advisories=tuple(record(each) for each in known), **more)


def inventory(*components: Component, consumer: str = "agents", kind: str = "uv.lock", **more: Any) -> Inventory:
    return Inventory(consumer=consumer, kind=kind, origin=f"{consumer}.lock", since=AT, components=components, **more)


def held(*inventories: Inventory, against: Against | None = None, **more: Any) -> Audit:
    return audit(Audited(inventories=inventories, **more), against or Against(at=AT, feed=feed()))


def against(*records: dict[str, Any], **more: Any) -> Against:
    return Against(at=AT, feed=feed(*records), **more)


def test_all_known_and_fresh_and_nothing_found_is_clean() -> None:
    result = held(inventory(component()))
    assert (result.code, result.findings, result.unknown) == (0, (), 0)


def test_findings_that_are_complete_are_1() -> None:
    result = held(inventory(component()), against=against(osv("GHSA-1", about(versions=["1.0"]))))
    assert result.code == 1
    assert [each.ids for each in result.findings] == [("GHSA-1",)]


@pytest.mark.parametrize(
    ("inventories", "given"),
    [
        ((inventory(),), Against(at=AT, feed=feed())),
        ((inventory(component(), gaps=("line 3: rocket is not pinned",)),), Against(at=AT, feed=feed())),
        ((inventory(component(version="banana")),), Against(at=AT, feed=feed())),
        ((inventory(component("other", version="")),), Against(at=AT, feed=feed())),
        ((inventory(component("left-pad", "1.0.0", NPM)),), Against(at=AT, feed=feed())),
        ((inventory(component()),), Against(at=AT, feed=Feed(origin="x", advisories=()))),
        ((inventory(component()),), Against(at=AT + timedelta(days=5), feed=feed())),
        ((inventory(component()),), Against(at=AT - timedelta(days=300), feed=feed())),
        ((inventory(component()),), Against(at=AT, feed=feed(broken=(("a.json", "is no JSON"),)))),
        (
            (inventory(component()),),
            Against(
                at=AT, feed=feed(), imported=(Imported(tool="t", origin="f", unjudged=(Unjudged(what="x", why="y"),)),)
            ),
        ),
    ],
    ids=[
        "an empty inventory",
        "an inventory with gaps",
        "a version that is none",
        "no version told",
        "an ecosystem that the feed does not know",
        "an empty feed",
        "a feed a week old",
        "a feed of the future",
        "a broken record",
        "what another tool skipped",
    ],
)
def test_what_could_not_be_judged_is_never_clean(inventories: tuple[Inventory, ...], given: Against) -> None:
    result = held(*inventories, against=given)
    assert result.code == 3
    assert result.unknown >= 1
    assert result.findings == ()


def test_a_feed_is_stale_a_week_after_its_last_change_and_not_a_second_before() -> None:
    last = datetime(2026, 3, 26, 9, 53, 17, tzinfo=UTC)
    week = timedelta(days=7)
    assert not held(inventory(component()), against=Against(at=last + week, feed=feed())).stale
    assert held(inventory(component()), against=Against(at=last + week + timedelta(seconds=1), feed=feed())).stale


def test_with_results_of_others_alone_every_inventory_is_unjudged() -> None:
    imported = (Imported(tool="pip-audit", origin="results.json"),)
    result = held(
        inventory(component()), inventory(component(), consumer="b"), against=Against(at=AT, imported=imported)
    )
    assert result.code == 3
    assert [(each.what, each.why) for each in result.unjudged] == [
        ("agents", "only other tools' results were read"),
        ("b", "only other tools' results were read"),
    ]
    assert held(inventory(component()), against=replace(against(), imported=imported)).code == 0


def test_findings_stay_when_something_else_could_not_be_judged() -> None:
    given = against(osv("GHSA-1", about(versions=["1.0"])))
    result = held(inventory(component(), component("x", "banana")), against=given)
    assert (result.code, len(result.findings)) == (3, 1)


def test_a_version_that_is_none_may_still_be_listed_as_affected() -> None:
    result = held(inventory(component(version="banana")), against=against(osv("X-1", about(versions=["banana"]))))
    assert [each.ids for each in result.findings] == [("X-1",)]


def test_malicious_comes_first_then_the_rotators_own() -> None:
    records = (
        osv("GHSA-1", about("a", versions=["1"])),
        osv("GHSA-2", about("b", versions=["1"])),
        osv("MAL-1", about("c", versions=["1"])),
    )
    result = held(
        inventory(component("a", "1"), component("c", "1")),
        inventory(component("b", "1"), consumer=OWN, kind="site-packages"),
        against=against(*records),
    )
    assert [(each.package.name, each.malicious, each.ours) for each in result.findings] == [
        ("c", True, False),
        ("b", False, True),
        ("a", False, False),
    ]


def test_one_thing_in_many_inventories_is_one_finding_that_names_them() -> None:
    given = against(osv("GHSA-1", about(versions=["1.0"])))
    result = held(inventory(component(), consumer="a"), inventory(component(), consumer="b"), against=given)
    assert [each.where for each in result.findings] == [("a", "b")]


def test_what_another_tool_says_joins_what_ours_say_by_an_alias() -> None:
    theirs = Match(
        package=Package(PYPI, "rocket"), version="1.0", ids=("CVE-1", "MAL-9"), source="osv-scanner", malicious=True
    )
    given = against(osv("GHSA-1", about(versions=["1.0"]), aliases=["CVE-1"], summary="ours"))
    given = replace(given, imported=(Imported(tool="osv-scanner", origin="scan.json", matches=(theirs,)),))
    (found,) = held(inventory(component()), against=given).findings
    assert found.ids == ("MAL-9", "GHSA-1", "CVE-1")
    assert (found.malicious, found.summary) == (True, "ours")
    assert found.sources == ("advisories", "osv-scanner")
    assert set(found.where) == {"agents", "scan.json"}


def test_certainty_of_one_record_is_enough_where_another_cannot_tell() -> None:
    git = about(GIT=[{"introduced": "0"}])
    given = against(osv("GHSA-1", git, aliases=["CVE-1"]), osv("PYSEC-1", about(versions=["1.0"]), aliases=["CVE-1"]))
    result = held(inventory(component()), against=given)
    assert (result.code, len(result.findings), result.unjudged) == (1, 1, ())
    alone = held(inventory(component()), against=against(osv("GHSA-1", git)))
    assert (alone.code, [each.ids for each in alone.unjudged]) == (3, [("GHSA-1",)])


def test_what_was_withdrawn_is_told_and_does_not_count() -> None:
    back = osv("GHSA-1", about(versions=["1.0"]), withdrawn="2026-01-01T00:00:00Z")
    result = held(inventory(component()), against=against(back))
    assert (result.code, [each.id for each in result.withdrawn]) == (0, ["GHSA-1"])


def signals(**states: State) -> tuple[Judged, ...]:
    return (
        Judged(
            package=Package(PYPI, "rocket"),
            version="1.0",
            where=("agents",),
            signals=tuple(Signal(name, state, "because") for name, state in states.items()),
        ),
    )


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ({"start": State.OK}, 0),
        ({"start": State.BAD}, 1),
        ({"start": State.UNKNOWN}, 3),
        ({"start": State.BAD, "young": State.UNKNOWN}, 3),
    ],
)
def test_a_bad_signal_is_a_finding_and_an_unknown_one_is_neither_good_nor_bad(states: Any, code: int) -> None:
    assert held(inventory(component()), judged=signals(**states)).code == code


def test_a_signal_that_is_not_wanted_does_not_count() -> None:
    given = replace(against(), without=frozenset({"start"}))
    assert held(inventory(component()), judged=signals(start=State.BAD), against=given).code == 0


@pytest.mark.stand_in("package index")
def test_an_index_is_asked_of_everything_but_what_is_installed_from_its_sources() -> None:
    with PackageIndexStandIn() as server:
        for name in ("rocket", "inhouse"):
            server.publish(name, "1.0")
        own = inventory(component(), component("inhouse"), consumer=OWN, kind="site-packages")
        given = Against(at=AT, index=Index(server.simple))
        result = held(own, against=given, sources=frozenset({(OWN, Package(PYPI, "inhouse"))}))
        assert server.lines() == ["GET /simple/rocket"]
        assert (result.code, result.from_sources) == (0, ("inhouse",))
        server.asked.clear()
        held(own, inventory(component("inhouse")), against=given, sources=frozenset({(OWN, Package(PYPI, "inhouse"))}))
        assert sorted(server.lines()) == ["GET /simple/inhouse", "GET /simple/rocket"], "a consumer has it otherwise"


@pytest.mark.stand_in("package index")
@pytest.mark.parametrize("kind", ["uv.lock", "site-packages"])
def test_what_comes_from_git_is_unknown_and_shields_no_copy_of_it_from_an_index(kind: str) -> None:
    with PackageIndexStandIn() as server:
        server.publish("rocket", "1.0")
        given = Against(at=AT, index=Index(server.simple))
        result = held(inventory(component(elsewhere="git", hashed=True), kind=kind), against=given)
        assert (result.code, server.lines()) == (3, [])
        (judged,) = result.judged
        assert {(each.state, each.evidence) for each in judged.signals} == {
            (State.UNKNOWN, "from git: no index knows it")
        }
        both = held(inventory(component(elsewhere="git"), kind=kind), inventory(component(hashed=True)), against=given)
        assert server.lines() == ["GET /simple/rocket"]
        assert [{each.state for each in judged.signals} for judged in both.judged] == [{State.OK}, {State.UNKNOWN}]


@pytest.mark.stand_in("package index")
@pytest.mark.parametrize("elsewhere", ["editable", "directory", "path", "virtual"])
def test_what_is_our_own_by_one_lockfile_is_asked_for_where_another_has_it_from_an_index(elsewhere: str) -> None:
    with PackageIndexStandIn() as server:
        given = Against(at=AT, index=Index(server.simple))
        own = inventory(component(elsewhere=elsewhere))
        assert (held(own, against=given).code, server.lines()) == (0, [])
        sources = frozenset({("agents", Package(PYPI, "rocket"))})
        assert held(own, inventory(component()), against=given, sources=sources).code == 3
        assert server.lines() == ["GET /simple/rocket"]


@pytest.mark.stand_in("package index")
@pytest.mark.parametrize(("hashed", "state"), [(True, State.OK), (False, State.BAD), (None, State.UNKNOWN)])
def test_hashes_are_a_lockfiles_matter(hashed: bool | None, state: State) -> None:
    with PackageIndexStandIn() as server:
        server.publish("rocket", "1.0")
        given = Against(at=AT, index=Index(server.simple))
        (judged,) = held(inventory(component(hashed=hashed)), against=given).judged
        assert {each.name: each.state for each in judged.signals}["hashes"] is state
        (judged,) = held(inventory(component(hashed=hashed), kind="site-packages"), against=given).judged
        assert "hashes" not in {each.name for each in judged.signals}


def test_the_rotators_own_environment_is_the_first_inventory_and_its_drivers_follow() -> None:
    own = own_installation(None, at=AT)
    assert own.inventories[0].consumer == OWN
    names = {each.package.name for each in own.inventories[0].components}
    assert {"rotator", "urllib3", "cryptography"} <= names
    (aws,) = [each for each in own.inventories if each.consumer == "store aws"]
    assert {"rotator", "boto3"} <= {each.package.name for each in aws.components}
    assert (OWN, Package(PYPI, "rotator")) in own.sources


@pytest.mark.parametrize(
    ("version", "malicious"), [("1.82.6", False), ("1.82.7", True), ("1.82.8", True), ("1.83.0", False)]
)
def test_litellm_by_its_real_records(version: str, malicious: bool) -> None:
    given = Against(at=AT, feed=read_feed(str(real_feed())))
    found = held(inventory(component("litellm", version)), against=given).findings
    planted = [each.ids for each in found if each.malicious]
    assert planted == ([("MAL-2026-2144", "PYSEC-2026-2")] if malicious else [])
