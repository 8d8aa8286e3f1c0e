"""The newest events of one chain, however long it is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from rotator.app.timeline import KEY_WORDS, STORE_WORDS
from rotator.domain.records import ChainedEvent, EventKind
from rotator.ports import Journal

A_PAGE, MOST = 5000, 50_000
"""Events that are read at once, and those of one rotation that are read through."""
DRAWN = 2000
"""Events of one rotation that a timeline tells."""
_TOLD = frozenset({"phase", "withdraw", *STORE_WORDS, *KEY_WORDS})


@dataclass(frozen=True, slots=True)
class Course:
    """What a rotation's page tells. `drawn`: what its timeline shows; `newest`: of all; `hidden`: before."""

    drawn: tuple[ChainedEvent, ...]
    newest: tuple[ChainedEvent, ...]
    hidden: int


def tail(journal: Journal, chain: str, most: int) -> tuple[ChainedEvent, ...]:
    """Up to `most` of the newest, in their order. Of a long chain the end is searched for, and the rest is not read."""
    found = journal.events(chain, limit=most)
    if len(found) < most or not found:
        return found
    last, step = found[-1].seq, 1 << most.bit_length()
    while further := journal.events(chain, after=last + step - 1, limit=1):
        last, step = further[0].seq, step * 2
    while step > 1:
        step //= 2
        further = journal.events(chain, after=last + step - 1, limit=1)
        last = further[0].seq if further else last
    return journal.events(chain, after=max(last - most, 0), limit=most)


def course(journal: Journal, rotation: str, shown: int) -> Course:
    """All of a rotation's chain read through, as far as `MOST`; then its end. `shown`: how many of the newest."""
    drawn: deque[ChainedEvent] = deque(maxlen=DRAWN)
    newest: deque[ChainedEvent] = deque(maxlen=shown)
    last = 0
    while last < MOST and (found := journal.events(rotation, after=last, limit=A_PAGE)):
        last = found[-1].seq
        drawn.extend(each for each in found if each.event.action in _TOLD and each.event.kind is not EventKind.INTENT)
        newest.extend(found)
    if last >= MOST:
        newest.extend(each for each in tail(journal, rotation, shown) if each.seq > last)
    return Course(tuple(drawn), tuple(newest), newest[0].seq - 1 if newest else 0)
