"""The queue before a target: nobody waits for it, few go singly, many as one, and what is lost is counted and said."""

from __future__ import annotations

import threading
from dataclasses import replace

from rotator.adapters.notifying.partly import Partly
from rotator.adapters.notifying.target import Target
from rotator.domain.failures import Failure, Permanent, Transient
from rotator.domain.notices import Notice
from tests.notifying.made import QUICK, Everything, Heard, notice, until


def _target(heard: Heard, said: list[str] | None = None, memory: Everything | None = None) -> Target:
    words = said if said is not None else []
    return Target("ops", heard, memory or Everything(), lambda name, why: words.append(f"{name}: {why}"), QUICK)


def test_few_go_out_one_by_one_and_the_same_trouble_once() -> None:
    heard = Heard()
    target = _target(heard)
    for name in ("a", "b", "a", "a"):
        target.offer(notice(name))
    assert [each.subject for each in heard.wait(2)] == ["a", "b"]
    target.close(10)
    assert len(heard.got) == 2
    assert (target.count.delivered, target.count.dropped) == (2, 0)


def at_once(target: Target, name: str) -> None:
    """Offer forty before its thread takes any of them in hand."""
    with target._changed:
        for number in range(40):
            target.offer(notice(f"{name}-{number}"))


def test_many_at_once_become_one_and_what_follows_within_the_minute_one_more() -> None:
    heard = Heard()
    target = _target(heard)
    at_once(target, "first")
    heard.wait(1)
    at_once(target, "second")
    first, second = heard.wait(2)
    target.close(10)
    assert (first.what, second.what) == ("40 notices", "40 notices")
    assert len(heard.got) == 2
    assert "first-0" in first.words
    assert target.count.delivered == 80


def test_what_fails_is_tried_again_with_what_came_meanwhile() -> None:
    failures: list[Failure | None] = [Transient("away"), Transient("away"), None, None]
    heard = Heard(lambda _: failures.pop(0))
    target = _target(heard)
    target.offer(notice("a"))
    until(lambda: target.count.failures >= 1)
    target.offer(notice("b"))
    assert [each.subject for each in heard.wait(2)] == ["a", "b"]
    target.close(10)
    assert target.count.failures == 2


def test_what_never_succeeds_is_dropped_counted_and_said_to_the_log_and_later_to_the_target() -> None:
    broken, said = [True], list[str]()
    heard = Heard(lambda _: Transient("away", "look") if broken[0] else None)
    target = _target(heard, said)
    target.offer(notice("a"))
    until(lambda: target.count.dropped == 1)
    until(lambda: bool(said))
    assert said == ["ops: 1 notices dropped: away; look"]
    assert target.count.failures == len(QUICK.again) + 1
    broken[0] = False
    target.offer(notice("a"))  # it was never told, so it is news
    heard.wait(1)
    target.close(10)
    assert heard.dropped == [1]


def test_what_will_never_work_is_not_tried_again() -> None:
    said = list[str]()
    heard = Heard(lambda _: Permanent("gone", "remove it"))
    target = _target(heard, said)
    target.offer(notice("a"))
    until(lambda: bool(said))
    target.close(10)
    assert target.count.failures == 1


def test_a_queue_that_is_full_drops_and_counts_and_nobody_waits() -> None:
    free, began = threading.Event(), threading.Event()

    def hang(_: Notice) -> Failure | None:
        began.set()
        free.wait(30)
        return None

    heard = Heard(hang)
    target = _target(heard)
    target.offer(notice("first"))
    assert began.wait(30)
    for number in range(QUICK.most + 7):
        target.offer(notice(f"more-{number}"))
    assert target.count.dropped == 7
    free.set()
    heard.wait(2)
    target.close(10)
    assert heard.got[1].what == f"{QUICK.most} notices"
    assert heard.dropped[1] == 7


def test_one_that_hangs_holds_up_no_other_and_is_left_behind_at_the_end() -> None:
    free, said = threading.Event(), list[str]()

    def hang(_: Notice) -> Failure | None:
        free.wait(30)
        return None

    stuck, other = _target(Heard(hang), said), Heard()
    well = _target(other)
    for target in (stuck, well):
        target.offer(notice("a"))
    assert [each.subject for each in other.wait(1)] == ["a"]
    stuck.offer(notice("b"))
    stuck.close(0.2)
    assert said == ["ops: 2 notices dropped: the rotator ended before it was delivered"]
    free.set()
    well.close(10)


def test_closing_delivers_what_is_queued_and_a_second_time_does_nothing() -> None:
    heard = Heard()
    target = _target(heard)
    target.offer(notice("a"))
    target.close(10)
    target.close(10)
    target.offer(notice("late"))
    assert [each.subject for each in heard.got] == ["a"]
    assert target.count.dropped == 1


def test_a_sender_with_a_defect_ends_no_thread() -> None:
    class Defect(Heard):
        def send(self, notice: Notice, dropped: int) -> None:
            if notice.subject == "bad":
                raise ValueError("hunter2")
            super().send(notice, dropped)

    heard, said = Defect(), list[str]()
    target = _target(heard, said)
    target.offer(notice("bad"))
    until(lambda: bool(said))
    target.offer(notice("good"))
    assert [each.subject for each in heard.wait(1)] == ["good"]
    target.close(10)
    assert "hunter2" not in "".join(said)
    assert "ValueError" in said[0]


def test_what_began_and_what_is_over_are_told_apart() -> None:
    heard = Heard()
    target = _target(heard)
    target.offer(notice("a"))
    target.offer(replace(notice("b"), over=True))
    assert [each.over for each in heard.wait(2)] == [False, True]
    target.close(10)


def test_one_that_the_target_refuses_takes_no_other_with_it() -> None:
    said = list[str]()
    heard = Heard(lambda each: Permanent("refused") if each.subject == "a" else None)
    target = _target(heard, said)
    for name in ("a", "b", "c"):
        target.offer(notice(name))
    assert [each.subject for each in heard.wait(2)] == ["b", "c"]
    target.close(10)
    assert said == ["ops: 1 notices dropped: refused"]


def test_one_that_never_gets_through_takes_no_other_with_it() -> None:
    heard = Heard(lambda each: Transient("away") if each.subject == "a" else None)
    target = _target(heard)
    for name in ("a", "b", "c"):
        target.offer(notice(name))
    assert [each.subject for each in heard.wait(2)] == ["b", "c"]
    target.close(10)
    assert target.count.dropped == 1


def test_what_was_refused_for_good_is_held_back_for_a_while() -> None:
    said = list[str]()
    heard = Heard(lambda each: Permanent("refused") if each.subject == "a" else None)
    slow = replace(QUICK, again=(3600.0,))
    target = Target("ops", heard, Everything(), lambda name, why: said.append(why), slow)
    target.offer(notice("a"))
    until(lambda: bool(said))
    for name in ("a", "b", "a"):
        target.offer(notice(name))
    heard.wait(1)
    target.close(10)
    assert target.count.failures == 1
    assert len(said) == 1


def test_what_some_took_is_told_and_said_to_the_log() -> None:
    said, asked = list[str](), list[str]()

    def partly(each: Notice) -> Failure | None:
        asked.append(each.subject)
        return Partly("1 of 2 addresses did not take it", "look at to:")

    target = _target(Heard(partly), said)
    target.offer(notice("a"))
    until(lambda: bool(said))
    target.offer(notice("a"))
    target.offer(notice("b"))
    until(lambda: len(said) == 2)
    target.close(10)
    assert asked == ["a", "b"]
    assert said[0] == "ops: told in part: 1 of 2 addresses did not take it; look at to:"
    assert (target.count.delivered, target.count.dropped) == (2, 0)


def test_what_one_could_not_deliver_is_handed_over_and_not_dropped() -> None:
    said = list[str]()
    target = Target(
        "ops",
        Heard(lambda _: Transient("away")),
        Everything(),
        lambda name, why: said.append(why),
        replace(QUICK, again=(3600.0,)),
    )
    target.offer(notice("a"))
    until(lambda: target.count.failures == 1)
    target.offer(notice("b"))
    assert [each.subject for each in target.hand_over()] == ["a", "b"]
    assert target.hand_over() == ()
    assert (said, target.count.dropped, target.count.failures) == ([], 0, 1)
