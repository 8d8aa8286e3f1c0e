"""What goes wrong between a driver and an HTTP API, as tests to inherit: one place for all drivers of stand-ins.

class TestMine(HttpFaults):
    @pytest.fixture
    def case(self) -> Iterator[Case]: ...       # a fresh stand-in with one principal, and how its driver is made
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, Denied, Failure, Permanent, Transient
from rotator.domain.keys import KeyState, MintRequest
from rotator.domain.secret import Secret
from rotator.ports import Provider
from rotator.testing.wired import WiredProvider
from tests.sdk.canned_server import Canned, reply
from tests.servers.api import Reply, StandIn
from tests.servers.process import reserved_port
from tests.servers.proxy import LOSES_THE_REQUEST, Fault, FaultProxy, Kind, met

LONG = timedelta(seconds=60)
HOSTILE = ["a\x1b[2J\r\nb", "$(reboot); `id` && rm -rf /", "<script>alert(1)</script>", "x" * 5000, "\u202egnp.exe"]
HTML = Reply(200, content=b"<!doctype html><p>sign in", headers={"Content-Type": "text/html"})
ELSEWHERE = {"Location": "https://elsewhere.example/collect"}


@dataclass
class Case:
    """One driver and its stand-in.

    drive: the driver at this origin (`http://host:port`), with this admin credential and timeout.
    reader: an admin credential that may look and not change, where the API knows such; else None.
    mint_line, list_line: how the lines of these requests begin.
    minted: the body of a mint's answer whose value is this.
    seed: a key that somebody made, under this name, and of it the id and the value.
    """

    server: StandIn
    principal: Principal
    admin: str
    drive: Callable[[str, str, timedelta], Provider]
    mint_line: str
    list_line: str
    permission: str
    minted: Callable[[str], Any]
    seed: Callable[[str], tuple[str, str]]
    reader: str | None = None
    minted_status: int = 200

    def driver(self, origin: str | None = None, admin: str | None = None, timeout: timedelta = LONG) -> Provider:
        """Through the codec, as the engine has it."""
        return WiredProvider(self.drive(origin or self.server.url, admin or self.admin, timeout))

    def mints(self) -> int:
        """Requests to mint that reached the server."""
        return sum(line.startswith(self.mint_line) for line in self.server.lines())

    def calls(self, driver: Provider, value: str) -> dict[str, Callable[[], object]]:
        """Everything that a driver may be asked."""
        key = Secret({"secret": value})
        return {
            "mint": lambda: driver.mint(self.principal, MintRequest(mark="rot-m")),
            "keys": lambda: driver.keys(self.principal),
            "check_admin": lambda: driver.check_admin(self.principal),
            "verify": lambda: driver.verify(self.principal, key),
            "delete": lambda: driver.set_state(self.principal, "key-of-nobody", KeyState.DELETED),
        }


def fails(kind: type[Failure], call: Callable[[], object], *secrets: str) -> Failure:
    """The failure, which is exactly this one and shows none of these."""
    return told(kind, failure_of(call), *secrets)


def failure_of(call: Callable[[], object]) -> Failure:
    """Whatever it is."""
    with pytest.raises(Failure) as caught:
        call()
    return caught.value


def told(kind: type[Failure], failure: Failure, *secrets: str) -> Failure:
    """The failure, which is exactly this one and shows none of these."""
    assert type(failure) is kind, failure
    shown = "".join(traceback.format_exception(failure)) + repr(vars(failure))
    assert not [True for secret in secrets if secret in shown], "a failure shows a secret"
    assert failure.message.isprintable()
    assert len(failure.message) < 500
    return failure


class HttpFaults:
    """For every driver that speaks JSON over HTTP."""

    @pytest.fixture
    def case(self) -> Iterator[Case]:
        """A subclass's."""
        raise NotImplementedError

    # -- one mint ------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", Kind)
    def test_a_mint_is_one_request_counted_at_the_server_whatever_the_network_loses(
        self, case: Case, kind: Kind
    ) -> None:
        fault = Fault(kind=kind, request=case.mint_line.encode())

        def mint(proxy: FaultProxy, timeout: timedelta) -> tuple[Failure, int]:
            before, driver = case.mints(), case.driver(f"http://127.0.0.1:{proxy.port}", timeout=timeout)
            return failure_of(lambda: driver.mint(case.principal, MintRequest(mark="rot-m"))), before

        failure, before = met(case.server.host, case.server.port, fault, mint)
        told(Ambiguous, failure, case.admin)
        assert case.mints() - before == (0 if kind in LOSES_THE_REQUEST else 1)

    def test_a_mint_that_cannot_be_sent_made_nothing(self, case: Case) -> None:
        with reserved_port() as port:
            driver = case.driver(f"http://127.0.0.1:{port}")
            fails(Transient, lambda: driver.mint(case.principal, MintRequest(mark="rot-m")), case.admin)
        assert case.mints() == 0

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (Reply(401, {"error": {"message": "no"}}), Denied),
            (Reply(403, {"error": {"message": "no"}}), Denied),
            (Reply(429, {}), Transient),
            (Reply(429, {}, {"Retry-After": "7"}), Transient),
            (Reply(500, {"error": {"message": "oops"}}), Ambiguous),
            (Reply(503, content=b"<html>"), Ambiguous),
            (HTML, Ambiguous),
            (Reply(403, content=b"<html>"), Ambiguous),
            (Reply(200, content=b'{"half'), Ambiguous),
            (Reply(200, []), Ambiguous),
            (Reply(302, None, ELSEWHERE), Permanent),
            (Reply(307, None, ELSEWHERE), Permanent),
            (Reply(400, {"error": {"message": "the policy of this organisation forbids keys"}}), Permanent),
        ],
        ids=lambda each: f"{each.status}" if isinstance(each, Reply) else each.__name__,
    )
    def test_a_mint_is_one_request_whatever_is_answered(self, case: Case, answer: Reply, kind: type[Failure]) -> None:
        case.server.fail(case.mint_line, answer, times=9)
        request = MintRequest(mark="rot-m")
        failure = fails(kind, lambda: case.driver().mint(case.principal, request), case.admin)
        assert case.mints() == 1
        if isinstance(failure, Denied):
            assert failure.permission == case.permission
        if answer.status == 429:
            assert isinstance(failure, Transient)
            assert failure.throttled
            assert failure.retry_after == (timedelta(seconds=7) if answer.headers else None)
        if answer.status == 400:
            assert "the policy of this organisation forbids keys" in failure.message

    def test_a_500_after_the_effect_is_ambiguous_and_the_key_is_found_by_its_mark(self, case: Case) -> None:
        case.server.spoil(case.mint_line, Reply(500, {"error": {"message": "oops"}}))
        driver = case.driver()
        fails(Ambiguous, lambda: driver.mint(case.principal, MintRequest(mark="rot-lost")), case.admin)
        assert [key.mark for key in driver.keys(case.principal)] == ["rot-lost"]
        assert case.mints() == 1

    @pytest.mark.parametrize("value", ["sk-two\nlines", "sk-nul\x00", "sk with blanks", "", "sk-" + "x" * 10_000])
    def test_a_minted_value_that_is_none_is_ambiguous_and_not_shown(self, case: Case, value: str) -> None:
        case.server.spoil(case.mint_line, Reply(case.minted_status, case.minted(value)))
        secrets = (case.admin, *([value] if value else []))
        fails(Ambiguous, lambda: case.driver().mint(case.principal, MintRequest(mark="rot-m")), *secrets)

    # -- who may not ---------------------------------------------------------------------------------------------------

    def test_an_admin_credential_that_may_only_look_is_told_what_it_lacks(self, case: Case) -> None:
        if case.reader is None:
            pytest.skip("this API's admin credentials may do everything or nothing")
        key_id, _ = case.seed("seeded")
        driver = case.driver(admin=case.reader)
        driver.check_admin(case.principal)
        changes: list[Callable[[], object]] = [
            lambda: driver.mint(case.principal, MintRequest(mark="rot-m")),
            lambda: driver.set_state(case.principal, key_id, KeyState.DELETED),
        ]
        for change in changes:
            failure = fails(Denied, change, case.reader)
            assert isinstance(failure, Denied)
            assert failure.permission == case.permission
        assert [key.id for key in driver.keys(case.principal)] == [key_id]

    # -- looking and changing ------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("what", ["keys", "check_admin", "verify", "delete"])
    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (Reply(429, {}, {"Retry-After": "7"}), Transient),
            (Reply(429, {}), Transient),
            (Reply(500, {"error": {"message": "oops"}}), Transient),
            (Reply(401, content=b"<html>"), Transient),
            (HTML, Transient),
            (Reply(302, None, ELSEWHERE), Permanent),
        ],
        ids=["429 with", "429 without", "500", "401 in html", "html", "redirect"],
    )
    def test_trouble_says_nothing_of_a_key(self, case: Case, what: str, answer: Reply, kind: type[Failure]) -> None:
        _, value = case.seed("seeded")
        case.server.fail("", answer, times=20)
        failure = fails(kind, case.calls(case.driver(), value)[what], case.admin, value)
        if isinstance(failure, Transient) and answer.status == 429:
            assert failure.throttled
            assert failure.retry_after == (timedelta(seconds=7) if answer.headers else None)

    @pytest.mark.parametrize("what", ["keys", "check_admin", "verify", "delete", "mint"])
    def test_credentials_do_not_follow_a_redirect_to_another_host(self, case: Case, what: str) -> None:
        _, value = case.seed("seeded")
        with Canned([reply(200, {})]) as elsewhere:
            case.server.fail("", Reply(307, None, {"Location": f"{elsewhere.url}/v1"}), times=20)
            driver = case.driver()
            fails(Permanent, case.calls(driver, value)[what], case.admin, value)
            assert elsewhere.got == []
        assert len(case.server.asked) == 1

    @pytest.mark.parametrize("what", ["keys", "check_admin", "verify", "delete", "mint"])
    @pytest.mark.parametrize("status", [400, 401, 403, 409, 500])
    def test_a_secret_in_an_error_is_not_in_the_failure(self, case: Case, what: str, status: int) -> None:
        _, value = case.seed("seeded")
        words = f"wrong key {case.admin} or {value}"
        case.server.fail("", Reply(status, {"error": {"message": words, "code": words}}), times=20)
        driver = case.driver()
        calls = case.calls(driver, value)
        secrets = (value,) if what == "verify" else (case.admin,)
        try:
            calls[what]()
        except Failure as failure:
            shown = "".join(traceback.format_exception(failure)) + repr(vars(failure))
            assert not [True for secret in secrets if secret in shown], "a failure shows a secret"
        else:
            assert what == "verify", "only a verdict may come of an error"

    # -- lists ---------------------------------------------------------------------------------------------------------

    def test_ten_thousand_keys_are_listed_over_all_pages(self, case: Case) -> None:
        made = {case.seed(f"key {number}")[0] for number in range(10_000)}
        listed = case.driver().keys(case.principal)
        assert len(listed) == len(made)
        assert {key.id for key in listed} == made
        assert case.server.lines().count(case.list_line) <= 101

    def test_a_list_without_an_end_is_given_up(self, case: Case) -> None:
        for number in range(150):
            case.seed(f"key {number}")
        with Canned([self._first_page(case)]) as canned:
            fails(Transient, lambda: case.driver(canned.url).keys(case.principal), case.admin)
            assert len(canned.got) <= 1_000

    @staticmethod
    def _first_page(case: Case) -> bytes:
        case.driver().keys(case.principal)
        first = next(asked for asked in case.server.asked if asked.line == case.list_line)
        return reply(200, case.server.answer(first).body)

    @pytest.mark.parametrize("name", HOSTILE, ids=["control", "shell", "html", "long", "backwards"])
    def test_what_people_call_their_keys_is_bounded_and_without_control_characters(self, case: Case, name: str) -> None:
        key_id, _ = case.seed(name)
        (key,) = case.driver().keys(case.principal)
        assert key.id == key_id
        for text in (key.mark or "", key.hint):
            assert text.isprintable()
            assert len(text) <= 200

    def test_a_driver_shows_no_secret(self, case: Case) -> None:
        driver = case.drive(case.server.url, case.admin, LONG)
        shown = repr(driver) + "".join(repr(each) for each in vars(driver).values())
        assert case.admin not in shown
