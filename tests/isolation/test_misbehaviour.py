"""A driver that dies, hangs, floods or lies to its parent: the call fails as it must, and the next one is answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.adapters.isolation.processes import NotStarted
from rotator.adapters.isolation.provider import IsolatedProvider
from rotator.domain.failures import Ambiguous, Failure, Permanent, Transient
from rotator.domain.keys import MintRequest
from tests.isolation.children import SVC, Start, needs_sandbox
from tests.isolation.hostile import MISBEHAVIOURS, SECRET
from tests.isolation.strangers import HOSTILE, install

pytestmark = needs_sandbox
SECONDS = 3.0
"""Of the longest request: what a hanging driver costs."""


@pytest.fixture
def misbehaving(strangers: Path, start: Start) -> Callable[[str], IsolatedProvider]:
    install(strangers, "hostile", {"hostile_driver.py": HOSTILE}, driver="hostile_driver:Hostile")
    return lambda how: start("hostile", {"attempt": how}, seconds=SECONDS)


@pytest.mark.parametrize("how", sorted(set(MISBEHAVIOURS) - {"answer_for_others"}))
def test_a_mint_of_unknown_outcome_is_ambiguous_and_the_next_call_is_answered(
    how: str, misbehaving: Callable[[str], IsolatedProvider]
) -> None:
    provider = misbehaving(how)
    began = time.monotonic()
    with pytest.raises(Ambiguous) as caught:
        provider.mint(SVC, MintRequest(mark="m"))
    assert time.monotonic() - began < 10 * SECONDS
    _plain(caught.value)
    provider.check_admin(SVC)


@pytest.mark.parametrize("how", ["die", "say_rubbish", "break_down"])
def test_anything_else_is_transient(how: str, misbehaving: Callable[[str], IsolatedProvider]) -> None:
    provider = misbehaving(how)
    for _ in range(2):
        with pytest.raises(Transient) as caught:
            provider.keys(SVC)
        _plain(caught.value)
    provider.check_admin(SVC)


def test_an_answer_to_another_call_is_no_answer(misbehaving: Callable[[str], IsolatedProvider]) -> None:
    with pytest.raises(Ambiguous) as caught:
        misbehaving("answer_for_others").mint(SVC, MintRequest(mark="m"))
    _plain(caught.value)


def test_a_failure_that_only_a_mint_may_have_is_not_believed_elsewhere(
    misbehaving: Callable[[str], IsolatedProvider],
) -> None:
    from rotator.domain.keys import KeyState

    with pytest.raises(Transient):
        misbehaving("break_down").set_state(SVC, "k1", KeyState.DELETED)


def test_a_driver_that_ends_while_it_is_made_is_not_started(misbehaving: Callable[[str], IsolatedProvider]) -> None:
    with pytest.raises(NotStarted):
        misbehaving("end while it is made")


def test_a_probe_at_a_host_that_is_not_the_driver_s_is_refused(strangers: Path, start: Start) -> None:
    install(strangers, "hostile", {"hostile_driver.py": HOSTILE}, driver="hostile_driver:Hostile")
    settings = {"probe": "https://evil.example/collect", "hosts": ["api.example.com"]}
    with pytest.raises(Permanent, match=r"evil\.example, which is not among its hosts"):
        start("hostile", settings).capabilities(SVC)
    settings = {"probe": "https://api.example.com/models", "hosts": ["api.example.com"]}
    assert start("hostile", settings).capabilities(SVC).probe is not None


def test_a_path_that_the_settings_do_not_mention_is_not_granted(strangers: Path, start: Start) -> None:
    from rotator.adapters.isolation.keeping import NotMade

    wanted = HOSTILE.replace('paths=tuple(settings.get("paths", ()))', 'paths=("/etc/rotator/installation.key",)')
    assert wanted != HOSTILE
    install(strangers, "hostile", {"hostile_driver.py": wanted}, driver="hostile_driver:Hostile")
    with pytest.raises(NotMade, match=r"wants /etc/rotator/installation.key, which its settings do not mention"):
        start("hostile", {"attempt": "fork"})


def _plain(failure: Failure) -> None:
    """A line for people, without what the driver said in secret."""
    assert failure.message
    assert failure.message.isprintable()
    assert SECRET not in failure.message + failure.hint


def test_a_defect_is_told_with_its_place_in_the_driver_and_with_none_of_its_words(
    misbehaving: Callable[[str], IsolatedProvider],
) -> None:
    with pytest.raises(Transient, match=r"broke: KeyError at hostile_driver\.py:\d+$") as caught:
        misbehaving("break_down").keys(SVC)
    assert "isolation: off" in caught.value.hint
