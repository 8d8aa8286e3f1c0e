"""What no driver may stumble over, as tests to inherit: a network that loses, and servers that answer anything.

    class TestMine(BadInput):
        @pytest.fixture
        def subject(self, …) -> Subject: ...

Each is one driver before one server on a real socket; mints are counted at the server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import pytest

from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, Denied, Failure, Permanent, Transient
from rotator.domain.keys import KeyState, Minted
from rotator.ports import Provider
from rotator.testing.provider_trial import Trial
from rotator.testing.wired import WiredProvider
from tests.sdk.canned_server import Canned, reply
from tests.servers.ordering import Ordered
from tests.servers.process import reserved_port
from tests.servers.proxy import LOSES_THE_REQUEST, Fault, FaultProxy, Kind, met

TIMEOUT = timedelta(seconds=60)
ADMINS_CALLS = ("mint", "list", "delete")
CALLS = (*ADMINS_CALLS, "verify")
HTML = b"<html><body>Bad gateway <script>alert(1)</script></body></html>"
UGLY = "\x1b[31m$(reboot)\r\n</title><script>" + "x" * 5000


class Drive(Protocol):
    """Makes the driver, with a good admin credential, for a server at this port of loopback."""

    def __call__(self, port: int, timeout: timedelta) -> Provider: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One driver, one server, one fresh principal.

    `order`: what the next "mint", "list", "delete" or "verify" is answered, however often it is sent. `refusal`: an
    error of the vendor's form with a text in it. `mint_of`: bytes of a mint's request and of no other's.
    `unusable`: an answer to a mint whose value holds a line break.
    `sent`: what the server is shown in place of the admin's `secrets`, where that is something else.
    """

    drive: Drive
    port: int
    principal: Principal
    order: Callable[[str, Ordered], None]
    mints: Callable[[], int]
    mint_of: bytes
    refusal: Callable[[int, str], Ordered]
    unusable: Ordered
    secrets: Collection[str] = ()
    sent: Callable[[], Collection[str]] | None = None

    def trial(self, port: int | None = None, timeout: timedelta = TIMEOUT) -> Trial:
        """The driver behind the codec."""
        return Trial(WiredProvider(self.drive(port or self.port, timeout)), self.principal, set(self.secrets))


class BadInput:
    """For every driver that speaks to somebody over HTTP."""

    @pytest.fixture
    def subject(self) -> Subject:
        raise NotImplementedError

    @pytest.mark.parametrize("kind", Kind)
    def test_a_mint_is_at_most_one_request_whatever_the_network_does(self, subject: Subject, kind: Kind) -> None:
        calm = subject.trial()

        def mint(proxy: FaultProxy, timeout: timedelta) -> tuple[Failure | None, int]:
            request, before = calm.request(), subject.mints()
            driver = subject.trial(proxy.port, timeout).provider
            return _failure_of(lambda: driver.mint(subject.principal, request)), before

        failure, before = met("127.0.0.1", subject.port, Fault(kind=kind, request=subject.mint_of), mint)
        with calm.fails(Ambiguous):
            _raise(failure)
        assert subject.mints() - before == (0 if kind in LOSES_THE_REQUEST else 1)

    def test_a_mint_that_cannot_be_sent_made_nothing(self, subject: Subject) -> None:
        request = subject.trial().request()
        with reserved_port() as port:
            trial = subject.trial(port)
            with trial.fails(Transient):
                trial.provider.mint(trial.principal, request)
        assert subject.mints() == 0

    @pytest.mark.parametrize(("header", "pause"), [({"Retry-After": "7"}, timedelta(seconds=7)), ({}, None)])
    @pytest.mark.parametrize("call", CALLS)
    def test_a_throttle_says_how_long_or_not_and_nothing_was_done(
        self, subject: Subject, call: str, header: dict[str, str], pause: timedelta | None
    ) -> None:
        trial = subject.trial()
        does = _call(trial, call)
        before = subject.mints()
        subject.order(call, Ordered(status=429, body=b"{}", headers=header))
        with pytest.raises(Transient) as caught:
            does()
        assert (caught.value.throttled, caught.value.retry_after) == (True, pause)
        assert subject.mints() - before <= 1

    def test_an_error_after_the_effect_of_a_mint_is_ambiguous(self, subject: Subject) -> None:
        trial = subject.trial()
        request = trial.request()
        subject.order("mint", Ordered(status=500, body=b"{}", acted=True))
        with trial.fails(Ambiguous):
            trial.provider.mint(trial.principal, request)
        assert subject.mints() == 1
        assert len(trial.live()) == 1

    @pytest.mark.parametrize("status", [200, 404, 502])
    @pytest.mark.parametrize("call", CALLS)
    def test_a_page_of_html_proves_nothing(self, subject: Subject, call: str, status: int) -> None:
        trial = subject.trial()
        does = _call(trial, call)
        subject.order(call, Ordered(status=status, body=HTML, headers={"Content-Type": "text/html"}))
        with trial.fails(Ambiguous if call == "mint" else Transient):
            does()

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    @pytest.mark.parametrize("call", CALLS)
    def test_no_redirect_is_followed_with_credentials(self, subject: Subject, call: str, status: int) -> None:
        trial = subject.trial()
        does = _call(trial, call)
        with Canned([reply(200, {})]) as elsewhere:
            subject.order(call, Ordered(status=status, headers={"Location": f"{elsewhere.url}/"}))
            with trial.fails(Permanent):
                does()
            assert elsewhere.got == []

    @pytest.mark.parametrize("status", [400, 403, 500])
    @pytest.mark.parametrize("call", CALLS)
    def test_a_secret_in_an_error_is_not_repeated(self, subject: Subject, call: str, status: int) -> None:
        trial = subject.trial()
        value, does = _prepared(trial, call)
        trial.provider.check_admin(trial.principal)
        sent = subject.secrets if subject.sent is None else subject.sent()
        trial.secrets.update(sent)
        shown = value.value.parts().values() if value is not None and call == "verify" else sent
        subject.order(call, subject.refusal(status, " ".join([*shown, UGLY])))
        failure = _failure_of(does)
        if call == "verify" and status != 500:  # where it may be a verdict
            assert failure is None or not isinstance(failure, Ambiguous)
        else:
            assert failure is not None
        if failure is not None:
            trial.shows_no_secret(failure)
            assert failure.message.isprintable()

    @pytest.mark.parametrize("call", ADMINS_CALLS)
    def test_without_the_permission_it_is_denied_and_named(self, subject: Subject, call: str) -> None:
        trial = subject.trial()
        does = _call(trial, call)
        subject.order(call, subject.refusal(403, UGLY))
        with pytest.raises(Denied) as caught:
            does()
        assert caught.value.permission
        assert caught.value.message.isprintable()
        assert len(caught.value.message) < 500

    def test_a_value_with_a_line_break_is_never_a_key(self, subject: Subject) -> None:
        trial = subject.trial()
        request = trial.request()
        subject.order("mint", subject.unusable)
        with trial.fails(Ambiguous, Permanent):
            trial.provider.mint(trial.principal, request)


def _prepared(trial: Trial, call: str) -> tuple[Minted | None, Callable[[], object]]:
    """The call, and the key that it is about, if it needs one."""
    if call == "mint":
        request = trial.request()
        return None, lambda: trial.provider.mint(trial.principal, request)
    if call == "list":
        return None, lambda: trial.provider.keys(trial.principal)
    minted = trial.mint()
    if call == "verify":
        return minted, lambda: trial.provider.verify(trial.principal, minted.value)
    return minted, lambda: trial.provider.set_state(trial.principal, minted.key_id, KeyState.DELETED)


def _raise(failure: Failure | None) -> None:
    if failure is not None:
        raise failure


def _failure_of(does: Callable[[], object]) -> Failure | None:
    try:
        does()
    except Failure as failure:
        return failure
    return None


def _call(trial: Trial, call: str) -> Callable[[], object]:
    return _prepared(trial, call)[1]
