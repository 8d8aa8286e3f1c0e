"""Looks wait for their turn; effects do not, because nothing may stand between them and their intent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.app.patient import LONGEST, PatientProvider
from rotator.domain.credential import Principal
from rotator.domain.failures import Transient
from rotator.domain.keys import Key, KeyState, Minted, MintRequest, Verdict
from rotator.domain.secret import Secret
from rotator.testing.wired import WiredProvider

WHO = Principal(name="p")


class Throttled(WiredProvider):
    """A provider that lets the caller in after so many refusals; it counts the calls."""

    def __init__(self, refusals: int, *, throttled: bool = True) -> None:
        self.left = refusals
        self.calls = 0
        self.throttled = throttled

    def _turn(self) -> None:
        self.calls += 1
        if self.left > 0:
            self.left -= 1
            raise Transient("the rate limit is reached", retry_after=timedelta(seconds=3), throttled=self.throttled)

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        self._turn()
        return ()

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        self._turn()
        return Verdict.WORKS

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        self._turn()

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        self._turn()
        raise AssertionError("nobody asks so often")


def test_a_look_waits_as_long_as_it_is_told() -> None:
    inner, slept = Throttled(2), list[float]()
    assert PatientProvider(inner, slept.append).keys(WHO) == ()
    assert slept == [3.0, 3.0]


def test_a_look_does_not_wait_for_ever() -> None:
    inner, slept = Throttled(10_000), list[float]()
    with pytest.raises(Transient):
        PatientProvider(inner, slept.append).verify(WHO, Secret({"secret": "s"}))
    assert 0 < sum(slept) <= LONGEST.total_seconds()


def test_what_is_no_throttle_is_told_at_once() -> None:
    inner, slept = Throttled(1, throttled=False), list[float]()
    with pytest.raises(Transient):
        PatientProvider(inner, slept.append).keys(WHO)
    assert slept == []
    assert inner.calls == 1


def test_an_effect_is_never_sent_twice() -> None:
    inner, slept = Throttled(2), list[float]()
    patient = PatientProvider(inner, slept.append)
    with pytest.raises(Transient):
        patient.set_state(WHO, "key-1", KeyState.DELETED)
    with pytest.raises(Transient):
        patient.mint(WHO, MintRequest(mark="m"))
    assert (inner.calls, slept) == (2, [])
