"""Many callers at the same moment, and answers that are lost on their way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from rotator.domain.credential import Place
from rotator.domain.failures import Conflict, Transient
from rotator.ports import ABSENT, Store
from rotator.testing.store_contract.given import Colleague, GivenDocuments, LoseAnswer
from rotator.testing.store_contract.values import both
from rotator.testing.store_contract.watching import at_once


class Together(GivenDocuments):
    """Of many writers one wins, and a change whose answer was lost has happened once."""

    # -- at the same time ----------------------------------------------------------------------------------------------

    def test_of_eight_writers_of_one_version_one_wins(self, wired: Store, place: Place) -> None:
        version = ABSENT
        for turn in range(3):
            outcomes = at_once(8, lambda n: wired.write(place, both(f"{turn} {n}"), version))  # noqa: B023
            winners = {n: new for n, new in outcomes.items() if isinstance(new, str)}
            losers = [failure for failure in outcomes.values() if not isinstance(failure, str)]
            assert len(winners) == 1, outcomes
            assert {type(failure) for failure in losers} == {Conflict}
            ((winner, version),) = winners.items()
            stored = wired.read(place)
            assert (stored.version, stored.fields) == (version, both(f"{turn} {winner}"))

    def test_no_update_is_lost_when_four_count(self, wired: Store, place: Place) -> None:
        def count(_: int) -> None:
            done = 0
            while done < 5:
                stored = wired.read(place)
                number = int((stored.fields or {"API_KEY": "0"})["API_KEY"])
                try:
                    wired.write(place, {"API_KEY": str(number + 1)}, stored.version)
                except Conflict:
                    continue
                done += 1

        assert set(at_once(4, count).values()) == {None}
        assert wired.read(place).fields == {"API_KEY": "20"}

    def test_eight_who_remove_the_same_leave_nothing_and_disturb_nobody(self, wired: Store, place: Place) -> None:
        version = wired.write(place, both("one"), ABSENT)
        outcomes = at_once(8, lambda _: wired.remove(place, version))
        assert {type(each) for each in outcomes.values()} <= {type(None), Conflict}
        assert None in outcomes.values()
        assert wired.read(place).fields is None
        assert wired.places(place.ref) == ()

    def test_a_reader_beside_a_writer_never_sees_half_of_a_change(
        self, wired: Store, colleague: Colleague, current: Place
    ) -> None:
        version, torn, over = wired.write(current, both("0"), ABSENT), list[object](), threading.Event()

        def read() -> None:
            while not over.is_set():
                for found in (wired.read(current).fields, colleague.look(current.ref)):
                    if found is None or set(found) != {"API_KEY", "USER"} or found["API_KEY"] != found["USER"]:
                        torn.append(found)

        with ThreadPoolExecutor(2) as pool:
            readers = [pool.submit(read) for _ in range(2)]
            try:
                for number in range(25):
                    version = wired.write(current, both(str(number)), version)
            finally:
                over.set()
            for reader in readers:
                reader.result()
        assert torn == []

    # -- answers that are lost -----------------------------------------------------------------------------------------

    def test_a_write_whose_answer_was_lost_has_happened_once(
        self, wired: Store, place: Place, lose_answer: LoseAnswer
    ) -> None:
        before = wired.write(place, both("one"), ABSENT)
        with lose_answer() as lossy, pytest.raises(Transient):
            lossy.write(place, both("two"), before)
        stored = wired.read(place)
        assert stored.fields == both("two")
        assert stored.version not in (ABSENT, before)
        with pytest.raises(Conflict):
            wired.write(place, both("two"), before)
        assert wired.read(place) == stored

    def test_a_first_write_whose_answer_was_lost_has_happened_once(
        self, wired: Store, place: Place, lose_answer: LoseAnswer
    ) -> None:
        with lose_answer() as lossy, pytest.raises(Transient):
            lossy.write(place, both("one"), ABSENT)
        stored = wired.read(place)
        assert stored.fields == both("one")
        with pytest.raises(Conflict):
            wired.write(place, both("one"), ABSENT)
        assert wired.read(place) == stored

    def test_a_removal_whose_answer_was_lost_is_finished_by_looking_again(
        self, wired: Store, place: Place, lose_answer: LoseAnswer
    ) -> None:
        version = wired.write(place, both("one"), ABSENT)
        with lose_answer() as lossy, pytest.raises(Transient):
            lossy.remove(place, version)
        stored = wired.read(place)
        assert not stored.fields
        if stored.fields is not None:
            wired.remove(place, stored.version)
        assert wired.read(place).fields is None
        assert wired.places(place.ref) == ()
