"""What a store's driver must do where two credentials and a colleague share a document, as tests to inherit.

    class TestMine(SharedDocumentContract):
        @pytest.fixture
        def store(self) -> Store: ...            # as for `StoreContract`
        @pytest.fixture
        def colleague(self) -> Colleague: ...

Most tools that people have read a document, change it and write it back, and so lose what was written meanwhile; no
driver can prevent that. So the colleague edits between our looks and our writes, which is the worst that a driver must
bear, and never within a write.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict
from rotator.ports import ABSENT, Store
from rotator.testing.store_contract import Colleague
from rotator.testing.wired import WiredStore

FIELDS = ("ONE", "TWO")
ROUNDS = 6
ATTEMPTS = 50
"""A write that is a conflict so often, with one other writer and a colleague, never comes through."""


class Desk:
    """The colleague at work: edits a field of their own, alone; how often is in `edits`."""

    def __init__(self, colleague: Colleague, ref: str) -> None:
        self._colleague, self._ref = colleague, ref
        self._free = threading.Condition()
        self._writing = 0
        self.edits = 0

    def edit(self) -> None:
        """Wait until nobody writes, and edit; then look whether everything that was there still is."""
        with self._free:
            self._free.wait_for(lambda: self._writing == 0)
            before = self._colleague.look(self._ref)
            assert before.get("OTHER", "edit 0") == f"edit {self.edits}", "an edit of the colleague was lost"
            self.edits += 1
            self._colleague.edit(self._ref, "OTHER", f"edit {self.edits}")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep the colleague from editing until the end of the context; two may write at the same time."""
        with self._free:
            self._writing += 1
        try:
            yield
        finally:
            with self._free:
                self._writing -= 1
                self._free.notify_all()


class SharedDocumentContract:
    """For every store that can be read. Each test begins with an empty one."""

    @pytest.fixture
    def store(self) -> Store:
        """The driver under test."""
        raise NotImplementedError

    @pytest.fixture
    def colleague(self) -> Colleague:
        """Somebody else."""
        raise NotImplementedError

    @pytest.fixture
    def ref(self) -> str:
        """Where nothing is."""
        return "team/service"

    @pytest.fixture
    def wired(self, store: Store) -> Store:
        """The driver behind the codec."""
        return WiredStore(store)

    def test_two_credentials_in_one_document_rotate_one_after_the_other_and_nobody_loses_anything(
        self, wired: Store, colleague: Colleague, ref: str
    ) -> None:
        desk = Desk(colleague, ref)
        for number in range(ROUNDS):
            for field in FIELDS:
                promote(wired, desk, ref, field, number)
        assert colleague.look(ref) == expected(ROUNDS - 1, desk)
        assert wired.places(ref) == ()

    def test_two_credentials_in_one_document_rotate_at_the_same_time_and_nobody_loses_anything(
        self, wired: Store, colleague: Colleague, ref: str
    ) -> None:
        desk, start = Desk(colleague, ref), threading.Barrier(len(FIELDS))

        def rotate(field: str) -> None:
            for number in range(ROUNDS):
                start.wait(timeout=60)
                try:
                    promote(wired, desk, ref, field, number)
                except BaseException:
                    start.abort()  # nobody waits for us
                    raise

        with ThreadPoolExecutor(len(FIELDS)) as pool:
            failures = [each.exception() for each in [pool.submit(rotate, field) for field in FIELDS]]
        assert [each for each in failures if not isinstance(each, threading.BrokenBarrierError | None)] == []
        assert colleague.look(ref) == expected(ROUNDS - 1, desk)
        assert wired.places(ref) == ()

    def test_when_one_of_two_credentials_leaves_a_document_everything_of_the_others_stays(
        self, wired: Store, colleague: Colleague, ref: str
    ) -> None:
        desk = Desk(colleague, ref)
        for field in FIELDS:
            promote(wired, desk, ref, field, 0)
        leaving = current(ref, FIELDS[0])
        version = wired.read(leaving).version
        desk.edit()
        for _ in range(ATTEMPTS):
            try:
                wired.remove(leaving, version)
                break
            except Conflict:
                version = wired.read(leaving).version
        left = expected(0, desk)
        del left[FIELDS[0]]
        assert colleague.look(ref) == left


def promote(store: Store, desk: Desk, ref: str, field: str, number: int) -> None:
    """As the engine does: pending, look, compare-and-set, read back; every look finds our own last value."""
    pending, place = Place(ref=ref, kind=PlaceKind.PENDING, of=f"{field}-{number}"), current(ref, field)
    hidden = store.write(pending, {"value.secret": text(field, number)}, ABSENT)
    for attempt in range(ATTEMPTS):
        stored = store.read(place)
        assert (stored.fields or None) == (None if number == 0 else {field: text(field, number - 1)})
        if attempt == 0:
            desk.edit()
        try:
            with desk.writing():
                store.write(place, {field: text(field, number)}, stored.version)
            break
        except Conflict:
            continue
    assert store.read(place).fields == {field: text(field, number)}
    store.remove(pending, hidden)


def current(ref: str, field: str) -> Place:
    """What consumers of one credential read."""
    return Place(ref=ref, kind=PlaceKind.CURRENT, fields=(field,))


def text(field: str, number: int) -> str:
    """The value of a field after so many rounds."""
    return f"value {number} of {field}"


def expected(number: int, desk: Desk) -> dict[str, str]:
    """The whole document after so many rounds."""
    return {**{field: text(field, number) for field in FIELDS}, "OTHER": f"edit {desk.edits}"}
