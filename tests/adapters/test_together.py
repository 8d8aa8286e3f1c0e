"""Calls in threads: all at the same time, none lost, and nobody who waits for somebody else's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import pytest

from rotator.adapters.together import Threads
from rotator.domain.failures import Denied, Failure, LeaseOver, Transient

PATIENCE = 60.0


def meeting(count: int) -> Callable[[], int]:
    """A call that ends only when so many of it are under way at the same time."""
    everybody = threading.Barrier(count, timeout=PATIENCE)
    return everybody.wait


def raising(error: Exception) -> Callable[[], str]:
    def fail() -> str:
        raise error

    return fail


def started() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name.startswith("together")}


def test_all_calls_are_under_way_at_the_same_time() -> None:
    answers = Threads(4).run([meeting(5)] * 5)
    assert sorted(answer for answer in answers if isinstance(answer, int)) == [0, 1, 2, 3, 4]


def test_the_answers_come_in_the_order_of_the_calls() -> None:
    def slowly(number: int) -> Callable[[], int]:
        def answer() -> int:
            sleep(0.02 * (3 - number))
            return number

        return answer

    assert Threads(4).run([slowly(number) for number in range(4)]) == (0, 1, 2, 3)
    assert Threads(4).run([]) == ()


def test_a_failure_is_the_answer_of_its_call_alone() -> None:
    down, denied = Transient("down"), Denied("no")
    assert Threads(2).run([raising(down), lambda: "v1", raising(denied)]) == (down, "v1", denied)
    assert Threads(2).run([raising(down)]) == (down,)


@pytest.mark.parametrize("at", range(3))
def test_what_is_no_failure_is_raised_when_all_are_over(at: int) -> None:
    over: list[int] = []

    def late() -> str:
        sleep(0.05)
        over.append(1)
        return "v1"

    calls = [late, late]
    calls.insert(at, raising(LeaseOver()))
    with pytest.raises(LeaseOver):
        Threads(2).run(calls)
    assert over == [1, 1]


def test_a_single_call_is_made_by_who_asks() -> None:
    assert Threads(4).run([threading.get_ident]) == (threading.get_ident(),)


def test_no_thread_is_started_before_there_is_something_for_it_to_do() -> None:
    before = started()
    together = Threads(4)
    together.run([threading.get_ident])
    assert started() <= before
    together.run([meeting(3)] * 3)
    assert len(started() - before) == 2


def test_callers_outnumber_the_threads_and_none_waits_for_another() -> None:
    """Every caller holds on to its first call until all have begun, so that no thread can be free for them."""
    callers, together = 16, Threads(1)
    everybody = meeting(callers)

    def ask(_: int) -> tuple[object, ...]:
        return together.run([everybody, lambda: "a", lambda: "b", lambda: "c"])

    with ThreadPoolExecutor(callers) as pool:
        answers = list(pool.map(ask, range(callers), timeout=PATIENCE))
    assert {answer[1:] for answer in answers} == {("a", "b", "c")}


def test_a_thread_that_hangs_holds_up_nobody_else() -> None:
    together, begun, hangs = Threads(1), threading.Event(), threading.Event()

    def hang() -> bool:
        begun.set()
        return hangs.wait(PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(together.run, [lambda: begun.wait(PATIENCE), hang])
        assert begun.wait(PATIENCE)
        began = monotonic()
        assert together.run([lambda: 1, lambda: 2, lambda: 3]) == (1, 2, 3)
        assert monotonic() - began < PATIENCE / 2
        hangs.set()
        assert stuck.result(PATIENCE) == (True, True)


def test_the_failure_is_the_very_one_that_was_raised() -> None:
    failure = Failure("x")
    assert Threads(1).run([lambda: 1, raising(failure)])[1] is failure
