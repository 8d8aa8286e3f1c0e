"""Who is behind a package, asked of an index on a real socket: ok, bad or unknown, and never one for the other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.adapters.index.asking import PATIENCE, Index
from rotator.adapters.index.judging import judge_all
from rotator.adapters.index.project import parse
from rotator.domain.failures import Failure, Permanent
from rotator.domain.findings import SIGNALS, Signal, State
from rotator.domain.packages import NPM, Component
from tests.advisories.given import component
from tests.servers.api import Reply
from tests.servers.package_index import ACME, NAME, SIMPLE, PackageIndexStandIn
from tests.servers.process import reserved_port

pytestmark = pytest.mark.stand_in(NAME)

DAY = timedelta(days=1)
AT = datetime(2026, 3, 24, 12, tzinfo=UTC)
OLD, MINUTES = AT - 100 * DAY, AT - timedelta(minutes=81)
OTHERS = {"kind": "GitHub", "repository": "mallory/rocket", "workflow": "release.yml"}
OK, BAD, UNKNOWN = State.OK, State.BAD, State.UNKNOWN


@pytest.fixture
def server() -> Iterator[PackageIndexStandIn]:
    with PackageIndexStandIn() as server:
        yield server


def _never(seconds: float) -> None:
    pytest.fail(f"it wants to wait {seconds} s")


def ask(server: PackageIndexStandIn, *components: Component, sleep: Any = None, **more: Any) -> list[dict[str, Signal]]:
    index = Index(server.simple, sleep=sleep or _never)
    asked = components or (component("rocket", "2.0"),)
    found = judge_all(index, asked, at=AT, young=7 * DAY, without=more.get("without", frozenset()))
    return [{each.name: each for each in signals} for signals in found]


def states(signals: dict[str, Signal]) -> dict[str, State]:
    return {name: each.state for name, each in signals.items()}


def test_a_release_of_long_ago_by_the_same_publisher_is_ok(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "1.0", OLD, publisher=ACME)
    server.publish("rocket", "2.0", OLD + DAY, publisher=ACME)
    (found,) = ask(server)
    assert states(found) == dict.fromkeys(("vanished", "status", "young", "yanked", "provenance"), OK)
    assert found["provenance"].evidence == "published by GitHub acme/rocket, release.yml, as 1.0 was"


def test_what_was_taken_down_is_bad_and_nothing_else_of_it_is_ok(server: PackageIndexStandIn) -> None:
    server.publish("litellm", "1.82.6", OLD)
    server.publish("litellm", "1.82.8", MINUTES)
    server.take_down("litellm", "1.82.8")
    (found,) = ask(server, component("litellm", "1.82.8"))
    assert states(found) == {
        "vanished": BAD,
        "status": OK,
        "young": UNKNOWN,
        "yanked": UNKNOWN,
        "provenance": UNKNOWN,
    }


def test_a_version_without_a_file_is_gone_too(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "2.0", OLD)
    server.projects["rocket"].files.clear()
    assert ask(server)[0]["vanished"].state is BAD


@pytest.mark.parametrize("said", ["quarantined", "archived", "deprecated"])
def test_the_status_of_a_project_is_bad_with_its_reason(server: PackageIndexStandIn, said: str) -> None:
    server.publish("rocket", "2.0", OLD)
    server.projects["rocket"].status = {"status": said, "reason": "see the\x1b[31m issue"}
    signal = ask(server)[0]["status"]
    assert (signal.state, signal.evidence[:30]) == (BAD, f"the project is {said}: see the"[:30])


def test_a_status_that_nobody_knows_is_unknown(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "2.0", OLD)
    server.projects["rocket"].status = {"status": "sleeping"}
    assert ask(server)[0]["status"].state is UNKNOWN


@pytest.mark.parametrize(
    ("uploaded", "state"),
    [(MINUTES, BAD), (AT - 7 * DAY + timedelta(seconds=1), BAD), (AT - 7 * DAY, OK), (AT + DAY, BAD)],
)
def test_a_release_is_too_young_for_a_week(server: PackageIndexStandIn, uploaded: datetime, state: State) -> None:
    server.publish("rocket", "2.0", uploaded)
    assert ask(server)[0]["young"].state is state


def test_a_young_file_in_an_old_release_is_too_young(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "2.0", OLD)
    server.publish("rocket", "2.0", MINUTES, tag="cp311-cp311-linux_x86_64")
    assert ask(server)[0]["young"].state is BAD


@pytest.mark.parametrize("why", ["wrong file", True, ""])
def test_what_was_yanked_is_bad(server: PackageIndexStandIn, why: str | bool) -> None:
    server.change("rocket", server.publish("rocket", "2.0", OLD), yanked=why)
    signal = ask(server)[0]["yanked"]
    assert signal.state is BAD
    assert ("wrong file" in signal.evidence) is (why == "wrong file")


def test_a_release_without_attestation_after_one_with_it_is_bad(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "1.0", OLD, publisher=ACME)
    server.publish("rocket", "2.0", OLD + DAY)
    signal = ask(server)[0]["provenance"]
    assert (signal.state, signal.evidence) == (BAD, "1 of 1 files have no attestation; 1.0 had")


def test_one_file_without_attestation_among_others_is_bad(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "1.0", OLD, publisher=ACME)
    server.publish("rocket", "2.0", OLD + DAY, publisher=ACME)
    server.publish("rocket", "2.0", OLD + DAY, tag="cp311-cp311-linux_x86_64")
    assert ask(server)[0]["provenance"].state is BAD


def test_another_publisher_than_before_is_bad_and_both_are_named(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "1.0", OLD, publisher=ACME)
    server.publish("rocket", "2.0", OLD + DAY, publisher=OTHERS)
    signal = ask(server)[0]["provenance"]
    assert signal.state is BAD
    assert "mallory/rocket" in signal.evidence
    assert "acme/rocket" in signal.evidence


def test_a_later_release_says_nothing_of_an_earlier_one(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "2.0", OLD)
    server.publish("rocket", "3.0", OLD + DAY, publisher=ACME)
    signal = ask(server)[0]["provenance"]
    assert (signal.state, "nothing was lost" in signal.evidence) == (OK, True)


def test_a_patch_of_an_old_series_is_compared_with_what_was_uploaded_before_it(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "3.0", OLD, publisher=ACME)
    server.publish("rocket", "2.0", OLD + DAY)
    assert ask(server)[0]["provenance"].state is BAD


def test_attestations_at_another_host_are_not_fetched(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "1.0", OLD, publisher=ACME)
    file = server.publish("rocket", "2.0", OLD + DAY, publisher=ACME)
    server.change("rocket", file, provenance="https://elsewhere.example/provenance")
    signal = ask(server)[0]["provenance"]
    assert (signal.state, "another host" in signal.evidence) == (UNKNOWN, True)


@pytest.mark.parametrize("reply", [Reply(404), Reply(200, []), Reply(200, {"attestation_bundles": [{}]})])
def test_attestations_that_cannot_be_read_are_unknown(server: PackageIndexStandIn, reply: Reply) -> None:
    server.publish("rocket", "1.0", OLD, publisher=ACME)
    server.publish("rocket", "2.0", OLD + DAY, publisher=ACME)
    server.fail("GET /integrity/rocket-2.0", reply)
    assert ask(server)[0]["provenance"].state is UNKNOWN


def test_a_plain_mirror_tells_less_and_what_it_does_not_tell_is_unknown() -> None:
    with PackageIndexStandIn(api=1) as server:
        server.publish("rocket", "2.0", OLD, publisher=ACME)
        (found,) = ask(server)
    assert states(found) == {"vanished": OK, "status": UNKNOWN, "young": OK, "yanked": OK, "provenance": UNKNOWN}
    assert "API 1.1" in found["provenance"].evidence


def test_the_oldest_api_tells_no_versions_so_nothing_can_be_gone_from_it() -> None:
    with PackageIndexStandIn(api=0) as server:
        server.publish("rocket", "1.0", OLD)
        (found,) = ask(server)
    assert states(found) == dict.fromkeys(("vanished", "status", "young", "yanked", "provenance"), UNKNOWN) | {
        "vanished": UNKNOWN
    }


def test_an_index_that_leaves_out_when_files_were_uploaded_makes_nothing_old() -> None:
    with PackageIndexStandIn(leaves_out=frozenset({"upload-time"})) as server:
        server.publish("rocket", "2.0", OLD)
        assert ask(server)[0]["young"].state is UNKNOWN


def test_hashes_of_the_lockfile_are_held_against_the_indexs(server: PackageIndexStandIn) -> None:
    file = server.publish("rocket", "2.0", OLD)
    same = component("rocket", "2.0", hashes=(f"sha256:{file.sha256.upper()}",))
    other = component("rocket", "2.0", hashes=(f"sha256:{file.sha256}", f"sha256:{'0' * 64}"))
    weak = component("rocket", "2.0", hashes=("md5:0",))
    assert [each["hash"].state for each in ask(server, same, other, weak)] == [OK, BAD, UNKNOWN]
    assert "hash" not in ask(server)[0]


def test_a_project_that_is_not_there_is_unknown_it_may_never_have_been(server: PackageIndexStandIn) -> None:
    (found,) = ask(server, component("inhouse", "1.0"))
    assert set(states(found).values()) == {UNKNOWN}


def test_what_no_python_index_can_know_is_not_asked(server: PackageIndexStandIn) -> None:
    found = ask(server, component("left-pad", "1.0.0", NPM), component("rocket", "banana"), component("rocket", ""))
    assert {state for each in found for state in states(each).values()} == {UNKNOWN}
    assert server.asked == []


def test_signals_that_are_not_wanted_are_not_told_and_cost_no_request(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "1.0", OLD, publisher=ACME)
    server.publish("rocket", "2.0", OLD + DAY, publisher=OTHERS)
    (found,) = ask(server, without=frozenset({"provenance", "young"}))
    assert set(found) == {"vanished", "status", "yanked"}
    assert server.lines() == ["GET /simple/rocket"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, content=b"<!doctype html>", headers={"Content-Type": "text/html"}),
        Reply(200, {"message": "hello"}),
        Reply(200, {"meta": {"api-version": "2.0"}, "name": "rocket", "files": []}),
        Reply(200, {"meta": {"api-version": "1.4"}, "name": "other", "files": []}),
        Reply(500),
        Reply(302, headers={"Location": "http://127.0.0.2:9/"}),
    ],
)
def test_an_answer_that_is_none_is_unknown(server: PackageIndexStandIn, reply: Reply) -> None:
    server.fail("GET /simple/rocket", reply)
    assert set(states(ask(server)[0]).values()) == {UNKNOWN}


def test_an_index_that_answers_401_to_everybody_is_asked_a_few_times_and_no_more(server: PackageIndexStandIn) -> None:
    server.fail("GET", Reply(401), times=1000)
    found = ask(server, *(component(f"p{at}", "1.0") for at in range(100)))
    assert {state for each in found for state in states(each).values()} == {UNKNOWN}
    assert all("401" in signal.evidence for each in found for signal in each.values())
    assert PATIENCE <= len(server.asked) < 30
    assert not any("authorization" in each.headers for each in server.asked)


def test_an_index_that_wants_patience_gets_it_once_a_request(server: PackageIndexStandIn) -> None:
    server.publish("rocket", "2.0", OLD)
    server.fail("GET", Reply(429, headers={"Retry-After": "3600"}))
    pauses: list[float] = []
    assert ask(server, sleep=pauses.append)[0]["vanished"].state is OK
    assert pauses == [5.0]
    server.fail("GET", Reply(429), times=2)
    assert "429" in ask(server, sleep=pauses.append)[0]["vanished"].evidence


def test_without_a_network_everything_is_unknown() -> None:
    with reserved_port() as port:
        index = Index(f"http://127.0.0.1:{port}/simple")
        found = judge_all(index, [component()], at=AT, young=DAY, without=frozenset())
    assert {each.state for each in found[0]} == {UNKNOWN}


def test_an_address_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(Failure) as caught:
        Index("https://me:hunter2@index.example/simple/")
    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "files",
    [[None], [{}], [{"filename": 7, "hashes": [], "upload-time": "soon", "yanked": None, "provenance": 3}], ["x"]],
)
def test_files_that_are_told_wrongly_are_of_no_release(files: list[Any]) -> None:
    import json

    page = {"meta": {"api-version": "1.4"}, "name": "rocket", "files": files, "versions": [None, "x", "1.0"]}
    project = parse(json.dumps(page).encode(), "rocket")
    assert all(each.version is None and each.uploaded is None for each in project.files)


def test_a_page_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(Permanent):
        parse(b"[" * 100_000, "rocket")


def test_every_signal_says_what_it_means() -> None:
    assert all(SIGNALS.values())
    assert SIMPLE.endswith("+json")
