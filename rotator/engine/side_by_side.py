"""Courses in several places, side by side: what they ask of their stores is asked at the same time.

They go on in rounds. In one round all look that want to, and nobody writes before everybody has looked; then all write,
their intents in one commit, so that from the first promotion to the last it takes no longer than the slowest store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Generic, TypeVar

from rotator.domain.credential import Publication
from rotator.domain.failures import Failure
from rotator.engine import places
from rotator.engine.recorded import Recorded
from rotator.engine.requests import Course, Read, Write
from rotator.ports import Stored

T = TypeVar("T")


class _Traveller(Generic[T]):
    """Who is on a course: what it wants next, None when it has come to the end, and how that was."""

    def __init__(self, course: Course[T]) -> None:
        self._course = course
        self._ended: list[T] = []
        self._failure: Failure | None = None
        self.wants: Read | Write | None = None
        self._go(partial(next, course))

    def answered(self, answer: Stored | str | Failure) -> None:
        """Go on to the next request."""
        if isinstance(answer, Failure):
            self._go(partial(self._course.throw, answer))
        else:
            self._go(partial(self._course.send, answer))

    def _go(self, on: Callable[[], Read | Write]) -> None:
        self.wants = None
        try:
            self.wants = on()
        except StopIteration as end:
            self._ended.append(end.value)
        except Failure as failure:
            self._failure = failure

    def result(self) -> T:
        """What the course returned; raises the failure in which it ended."""
        if self._failure is not None:
            raise self._failure
        return self._ended[0]


def on_every_place(
    rotation: Recorded,
    course: Callable[[Publication], Course[T]],
    *,
    settles: bool = False,
    among: Callable[[Recorded], Iterator[Publication]] = places.not_left_behind,
) -> list[T]:
    """A course in each place; what they returned, in the order in which they ended.

    As `places.on_every_place`: a failure stops a scheduled rotation when the round is over, so before anything is
    written if it was a look; in an emergency the others go on.
    """
    under_way = {each: _Traveller(course(each)) for each in tuple(among(rotation))}
    results: list[T] = []
    failures: list[Failure | None] = []
    while under_way:
        for publication in [each for each, traveller in under_way.items() if traveller.wants is None]:
            ended = under_way.pop(publication)

            def tell(_: Publication, ended: _Traveller[T] = ended) -> None:
                results.append(ended.result())

            failures.append(places.on_one_place(rotation, publication, tell, settles=settles))
        _round(rotation, under_way.values())
    places.raise_first(rotation, failures)
    return results


def together(rotation: Recorded, courses: Sequence[Course[T]]) -> tuple[T, ...]:
    """Every course to its end, whatever becomes of the others; then the first failure is raised."""
    travellers = [_Traveller(each) for each in courses]
    while any(each.wants for each in travellers):
        _round(rotation, travellers)
    return tuple(each.result() for each in travellers)


def alone(rotation: Recorded, course: Course[T]) -> T:
    """One course by itself; raises what it raises."""
    return together(rotation, (course,))[0]


def _round(rotation: Recorded, travellers: Collection[_Traveller[T]]) -> None:
    """One request of each that wants to look, or of each that wants to write when nobody looks any more."""
    looking = [(each, each.wants) for each in travellers if isinstance(each.wants, Read)]
    writing = [(each, each.wants) for each in travellers if isinstance(each.wants, Write)]
    answers: Sequence[Stored | str | Failure]
    if looking:
        asking, answers = [each for each, _ in looking], rotation.read_together([read for _, read in looking])
    elif writing:
        asking, answers = [each for each, _ in writing], rotation.write_together([write for _, write in writing])
    else:
        return
    for traveller, answer in zip(asking, answers, strict=True):
        traveller.answered(answer)
