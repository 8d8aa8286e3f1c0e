"""Who is begun next: by order, as far as a provider has room, and nobody before his time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rotator.app.coming import Coming
from rotator.domain.credential import Credential, Principal
from rotator.domain.policy import Policy

ONE = Credential(
    name="one", provider="p", principal=Principal(name="one"), publish=(), policy=Policy(every=timedelta(days=30))
)
TWO = replace(ONE, name="two")
OTHER = replace(ONE, name="other", provider="q")


class Clock:
    """Time that goes on when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def always(provider: str) -> bool:
    return True


def test_they_come_in_their_order_whatever_their_provider() -> None:
    coming = Coming([ONE, OTHER, TWO])
    assert [coming.next(always) for _ in range(4)] == [ONE, OTHER, TWO, None]
    assert not coming


def test_a_provider_without_room_holds_up_no_other() -> None:
    coming = Coming([ONE, OTHER, TWO])
    assert coming.next(lambda provider: provider == "q") == OTHER
    assert coming.next(lambda provider: provider == "q") is None
    assert coming, "the others are still to come"


def test_who_could_not_be_begun_comes_again_behind_the_others_and_not_before_his_time() -> None:
    clock = Clock()
    coming = Coming([ONE, TWO], clock)
    assert coming.next(always) == ONE
    coming.again(ONE, timedelta(seconds=5))
    assert coming.next(always) == TWO
    assert (coming.next(always), coming.ready(), bool(coming)) == (None, frozenset(), True)
    clock.now += 5
    assert coming.ready() == {"p"}
    assert coming.next(always) == ONE
