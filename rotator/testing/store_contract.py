"""What every store's driver must do, as tests to inherit. They run on the driver's real server, through the codec.

    class TestMine(StoreContract):
        @pytest.fixture
        def store(self) -> Store: ...            # the driver, on an empty store
        @pytest.fixture
        def colleague(self) -> Colleague: ...    # somebody else who reads and writes there, without the rotator

Two more may be given: `lose_answer`, without which those tests are skipped, and `REFUSED`, the names of the values in
`VALUES` that the store cannot hold and refuses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import ClassVar, Protocol, TypeVar

import pytest

from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Failure, Permanent, Transient
from rotator.ports import ABSENT, Store
from rotator.testing.wired import WiredStore

T = TypeVar("T")

VALUES: Mapping[str, str] = {
    "plain": "sk-proj-0123456789abcdefABCDEF",
    "empty": "",
    "url": "postgresql://app_a:s3cr3t%40x@db:5432/app?sslmode=verify-full#x",
    "base64": "aGVsbG8+/+8=",
    "spaces": "  two words and a blank at the end ",
    "single quote": "it's",
    "double quote": 'say "please"',
    "both quotes": """it's "both" of them""",
    "dollar": "pa$$word$HOME",
    "backtick": "a`id`b",
    "expansion": "a${HOME}b",
    "backslash": r"C:\new\table",
    "two backslashes": r"\\server\share" + "\\",
    "number sign": "before # not a comment",
    "equals": "=a=b=",
    "json": '{"api_key": "x", "n": [1, null]}',
    "newline": "first\nINJECTED=second",
    "ends in a newline": "-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n",
    "carriage return": "first\r\nsecond\r",
    "tab": "a\tb",
    "null": "a\0b",
    "escape": "a\x1b[31mb",
    "line separator": "a\u2028INJECTED=b",
    "unicode": "pässwörd-ключ-鍵-🔑",
    "null as text": "null",
    "number": "0123",
    "long": "x" * 100_000,
    "half of a character": "\ud83d",
    "too long": "x" * 200_000,
}
NOWHERE = frozenset({"half of a character", "too long"})
"""What no store takes."""

ODD_NAMES = ("app_a@51c9", "projects/p/keys/1", "..", ".", "a%2Fb", "ключ 1", "UPPER+lower=,", "key", "~")
"""Ids of keys as providers make them, and worse."""

BAD_REFS = ("", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\nb", "a\0b")


class Colleague(Protocol):
    """Somebody who owns other fields of the documents and has tools of their own."""

    def edit(self, ref: str, field: str, text: str) -> None:
        """Set one field, making the document if need be."""
        ...

    def look(self, ref: str) -> Mapping[str, str]:
        """What a consumer finds: every field of the document; none when there is no document."""
        ...


LoseAnswer = Callable[[], AbstractContextManager[Store]]


class StoreContract:
    """For every store. Each test begins with an empty one."""

    REFUSED: ClassVar[frozenset[str]] = frozenset()
    """Names of `VALUES` that this store refuses besides those that no store takes."""

    @pytest.fixture
    def store(self) -> Store:
        """The driver under test."""
        raise NotImplementedError

    @pytest.fixture
    def colleague(self) -> Colleague:
        """Somebody else."""
        raise NotImplementedError

    @pytest.fixture
    def lose_answer(self) -> LoseAnswer:
        """A store on the same place whose next change takes effect, within the context, while its answer is lost."""
        pytest.skip("answers of this store cannot be lost")

    @pytest.fixture
    def ref(self) -> str:
        """Where nothing is."""
        return "team/service"

    @pytest.fixture
    def neighbours(self, ref: str) -> tuple[str, ...]:
        """References that resemble `ref`, as far as the store has such: what is beside, above and beneath it."""
        return (f"{ref}/deeper", f"{ref}2", ref.rpartition("/")[0])

    @pytest.fixture
    def wired(self, store: Store) -> Store:
        """The driver behind the codec."""
        return WiredStore(store)

    @pytest.fixture
    def current(self, ref: str) -> Place:
        """What consumers read: two fields of a document that may have others."""
        return Place(ref=ref, kind=PlaceKind.CURRENT, fields=("API_KEY", "USER"))

    @pytest.fixture(params=[PlaceKind.PENDING, PlaceKind.PREVIOUS])
    def private(self, ref: str, request: pytest.FixtureRequest) -> Place:
        """What consumers cannot read."""
        return Place(ref=ref, kind=request.param, of="key@1/2")

    @pytest.fixture(params=list(PlaceKind))
    def place(self, ref: str, request: pytest.FixtureRequest) -> Place:
        """One of each kind."""
        if request.param is PlaceKind.CURRENT:
            return Place(ref=ref, kind=PlaceKind.CURRENT, fields=("API_KEY", "USER"))
        return Place(ref=ref, kind=request.param, of="0mk3r7")

    # -- reading and writing -------------------------------------------------------------------------------------------

    def test_what_a_store_can_do_is_always_the_same(self, wired: Store) -> None:
        assert wired.capabilities() == wired.capabilities()

    def test_an_absent_place_has_no_version_and_no_fields(self, wired: Store, place: Place) -> None:
        for _ in range(2):
            stored = wired.read(place)
            assert (stored.version, stored.fields) == (ABSENT, None)
        assert wired.places(place.ref) == ()

    def test_what_was_written_is_read_with_the_version_that_the_write_returned(
        self, wired: Store, place: Place
    ) -> None:
        version = wired.write(place, both("one"), ABSENT)
        assert version != ABSENT
        for _ in range(2):
            stored = wired.read(place)
            assert (stored.version, stored.fields) == (version, both("one"))

    def test_a_write_that_is_repeated_is_a_conflict_and_changes_nothing(self, wired: Store, place: Place) -> None:
        first = wired.write(place, both("one"), ABSENT)
        with pytest.raises(Conflict):
            wired.write(place, both("one"), ABSENT)
        second = wired.write(place, both("two"), first)
        with pytest.raises(Conflict):
            wired.write(place, both("three"), first)
        stored = wired.read(place)
        assert (stored.version, stored.fields) == (second, both("two"))

    def test_a_version_that_never_was_is_a_conflict_and_makes_nothing(self, wired: Store, place: Place) -> None:
        for never in ("7", "no version of ours"):
            with pytest.raises(Conflict):
                wired.write(place, both("one"), never)
        assert wired.read(place).version == ABSENT
        assert wired.places(place.ref) == ()

    def test_the_same_value_written_again_is_a_new_version_and_the_old_one_is_refused_for_ever(
        self, wired: Store, place: Place
    ) -> None:
        versions = [wired.write(place, both("one"), ABSENT)]
        for text in ("one", "two", "one", "one"):
            versions.append(wired.write(place, both(text), versions[-1]))
        assert len(set(versions)) == len(versions)
        for stale in (ABSENT, *versions[:-1]):
            with pytest.raises(Conflict):
                wired.write(place, both("stalled"), stale)
        stored = wired.read(place)
        assert (stored.version, stored.fields) == (versions[-1], both("one"))

    def test_a_place_that_was_removed_and_made_again_refuses_its_old_versions(self, wired: Store, place: Place) -> None:
        first = wired.write(place, both("one"), ABSENT)
        second = wired.write(place, both("two"), first)
        wired.remove(place, second)
        third = wired.write(place, both("one"), wired.read(place).version)
        fourth = wired.write(place, both("two"), third)
        for stale in {first, second, third} - {fourth}:
            with pytest.raises(Conflict):
                wired.write(place, both("stalled"), stale)
        assert wired.read(place).fields == both("two")

    # -- places beside each other --------------------------------------------------------------------------------------

    def test_a_private_place_changes_nothing_that_consumers_see(
        self, wired: Store, colleague: Colleague, current: Place, private: Place
    ) -> None:
        hidden = wired.write(private, {"value.secret": "hidden"}, ABSENT)
        assert wired.read(current).version == ABSENT
        assert colleague.look(current.ref) == {}
        version = wired.write(current, both("one"), ABSENT)
        hidden = wired.write(private, {"value.secret": "other", "key_id": "k"}, hidden)
        assert wired.read(current).version == version
        assert colleague.look(current.ref) == both("one")
        wired.remove(current, version)
        stored = wired.read(private)
        assert (stored.version, stored.fields) == (hidden, {"value.secret": "other", "key_id": "k"})

    def test_a_private_place_holds_what_was_written_last_and_nothing_older(self, wired: Store, private: Place) -> None:
        version = wired.write(private, {"value.secret": "one", "value.user": "u", "key_id": ""}, ABSENT)
        wired.write(private, {"value.secret": "two"}, version)
        assert wired.read(private).fields == {"value.secret": "two"}

    def test_private_places_are_listed_by_reference(self, wired: Store, ref: str, neighbours: tuple[str, ...]) -> None:
        for each in (ref, *neighbours):
            for kind in (PlaceKind.PENDING, PlaceKind.PREVIOUS):
                wired.write(Place(ref=each, kind=kind, of=f"of {each}"), {"value.secret": "x"}, ABSENT)
        for each in (ref, *neighbours):
            wanted = {(each, PlaceKind.PENDING, f"of {each}"), (each, PlaceKind.PREVIOUS, f"of {each}")}
            assert {(place.ref, place.kind, place.of) for place in wired.places(each)} == wanted
        assert wired.places("nobody/here") == ()

    @pytest.mark.parametrize("of", ODD_NAMES)
    def test_a_key_with_an_odd_name_has_a_place_of_its_own(self, wired: Store, ref: str, of: str) -> None:
        place = Place(ref=ref, kind=PlaceKind.PREVIOUS, of=of)
        version = wired.write(place, {"value.secret": of}, ABSENT)
        assert wired.read(place).fields == {"value.secret": of}
        assert [each.of for each in wired.places(ref)] == [of]
        wired.remove(place, version)
        assert wired.places(ref) == ()

    def test_a_listed_place_can_be_read_and_removed(self, wired: Store, private: Place) -> None:
        wired.write(private, {"value.secret": "x"}, ABSENT)
        (listed,) = wired.places(private.ref)
        stored = wired.read(listed)
        assert stored.fields == {"value.secret": "x"}
        wired.remove(listed, stored.version)
        assert wired.read(private).version == ABSENT

    @pytest.mark.parametrize("bad", BAD_REFS)
    def test_a_reference_that_leads_elsewhere_is_refused(self, wired: Store, bad: str) -> None:
        for place in (
            Place(ref=bad, kind=PlaceKind.CURRENT, fields=("API_KEY",)),
            Place(ref=bad, kind=PlaceKind.PENDING, of="r"),
        ):
            with pytest.raises(Permanent):
                wired.read(place)
            with pytest.raises(Permanent):
                wired.write(place, {"API_KEY": "x"}, ABSENT)
            with pytest.raises(Permanent):
                wired.remove(place, ABSENT)
        with pytest.raises(Permanent):
            wired.places(bad)

    # -- what belongs to others ----------------------------------------------------------------------------------------

    def test_fields_of_others_are_neither_read_nor_changed(
        self, wired: Store, colleague: Colleague, current: Place
    ) -> None:
        colleague.edit(current.ref, "OTHER", "theirs")
        stored = wired.read(current)
        assert stored.fields is None
        version = wired.write(current, both("one"), stored.version)
        assert colleague.look(current.ref) == {"OTHER": "theirs", **both("one")}
        version = wired.write(current, both("two"), version)
        assert wired.read(current).fields == both("two")
        wired.remove(current, version)
        assert colleague.look(current.ref) == {"OTHER": "theirs"}
        assert wired.read(current).fields is None

    def test_a_change_of_another_field_in_between_is_never_lost(
        self, wired: Store, colleague: Colleague, current: Place
    ) -> None:
        colleague.edit(current.ref, "OTHER", "theirs")
        version = wired.write(current, both("one"), wired.read(current).version)
        colleague.edit(current.ref, "OTHER", "theirs, changed")
        try:
            wired.write(current, both("two"), version)
        except Conflict:  # a store whose versions are of whole documents; else it does not matter
            assert wired.read(current).fields == both("one")
            wired.write(current, both("two"), wired.read(current).version)
        assert colleague.look(current.ref) == {"OTHER": "theirs, changed", **both("two")}

    def test_a_change_of_our_field_in_between_is_a_conflict(
        self, wired: Store, colleague: Colleague, current: Place
    ) -> None:
        for before in (ABSENT, None):
            version = wired.read(current).version if before is None else before
            colleague.edit(current.ref, "API_KEY", f"foreign after {version}")
            with pytest.raises(Conflict):
                wired.write(current, both("one"), version)
            with pytest.raises(Conflict):
                wired.remove(current, version)
            assert wired.read(current).fields == {"API_KEY": f"foreign after {version}"}

    def test_two_credentials_share_a_document(self, wired: Store, colleague: Colleague, current: Place) -> None:
        neighbour = Place(ref=current.ref, kind=PlaceKind.CURRENT, fields=("NEIGHBOUR",))
        ours = wired.write(current, both("one"), ABSENT)
        theirs = wired.write(neighbour, {"NEIGHBOUR": "n"}, wired.read(neighbour).version)
        with pytest.raises(Conflict):
            wired.write(current, both("stalled"), ABSENT)
        assert wired.read(current).fields == both("one")
        wired.remove(neighbour, theirs)
        assert colleague.look(current.ref) == both("one")
        wired.remove(current, wired.read(current).version)
        assert colleague.look(current.ref) == {}
        with pytest.raises(Conflict):
            wired.write(current, both("stalled"), ours)

    # -- removing ------------------------------------------------------------------------------------------------------

    def test_removing_twice_or_what_is_not_there_does_nothing(self, wired: Store, place: Place) -> None:
        wired.remove(place, ABSENT)
        wired.remove(place, "7")
        version = wired.write(place, both("one"), wired.read(place).version)
        wired.remove(place, version)
        wired.remove(place, version)
        assert wired.read(place).fields is None
        assert wired.places(place.ref) == ()

    def test_a_place_that_changed_is_not_removed(self, wired: Store, place: Place) -> None:
        first = wired.write(place, both("one"), ABSENT)
        second = wired.write(place, both("two"), first)
        for stale in (first, ABSENT):
            with pytest.raises(Conflict):
                wired.remove(place, stale)
        stored = wired.read(place)
        assert (stored.version, stored.fields) == (second, both("two"))

    def test_a_document_with_nothing_left_is_gone_for_consumers(
        self, wired: Store, colleague: Colleague, current: Place
    ) -> None:
        wired.remove(current, wired.write(current, both("one"), ABSENT))
        assert colleague.look(current.ref) == {}

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

    # -- values --------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", sorted(VALUES))
    def test_a_value_is_read_back_as_it_was_written_or_refused(
        self, store: Store, colleague: Colleague, current: Place, name: str
    ) -> None:
        colleague.edit(current.ref, "OTHER", "theirs")
        version = store.write(current, both("one"), store.read(current).version)
        fields = {"API_KEY": VALUES[name], "USER": "after"}
        if name in NOWHERE | self.REFUSED | too_long_for(store):
            with pytest.raises(Permanent) as refusal:
                store.write(current, fields, version)
            assert VALUES[name] not in refusal.value.message + refusal.value.hint
            assert store.read(current).version == version
            assert colleague.look(current.ref) == {"OTHER": "theirs", **both("one")}
            return
        version = store.write(current, fields, version)
        stored = WiredStore(store).read(current)
        assert (stored.version, stored.fields) == (version, fields)
        assert colleague.look(current.ref) == {"OTHER": "theirs", **fields}

    @pytest.mark.parametrize("name", sorted(VALUES))
    def test_a_private_place_takes_every_value_that_is_text(self, store: Store, private: Place, name: str) -> None:
        fields = {"value.secret": VALUES[name], "value.user": "u"}
        if name in NOWHERE | too_long_for(store):
            with pytest.raises(Permanent):
                store.write(private, fields, ABSENT)
            assert store.read(private).version == ABSENT
            return
        store.write(private, fields, ABSENT)
        assert WiredStore(store).read(private).fields == fields

    def test_nothing_that_can_be_printed_shows_a_value(self, store: Store, place: Place) -> None:
        version = store.write(place, both("hidden-value"), ABSENT)
        shown = [repr(store), str(store), repr(store.read(place)), version]
        with pytest.raises(Conflict) as conflict:
            store.write(place, both("hidden-value-2"), ABSENT)
        assert "hidden-value" not in " ".join([*shown, repr(conflict.value), conflict.value.hint])
        assert secret_free(conflict.value, "hidden-value")


def both(text: str) -> dict[str, str]:
    """The two fields of the `current` place with the same text in both, so that a torn reading shows."""
    return {"API_KEY": text, "USER": text}


def too_long_for(store: Store) -> frozenset[str]:
    """The names of the values that the store says it has no room for."""
    room = store.capabilities().max_bytes
    return frozenset(name for name, text in VALUES.items() if room is not None and len(text) > room)


def at_once(count: int, act: Callable[[int], T]) -> dict[int, T | Failure]:
    """What `act` returned or with which failure it ended, by number, when that many threads begin together."""
    start = threading.Barrier(count)

    def run(number: int) -> T | Failure:
        start.wait()
        try:
            return act(number)
        except Failure as failure:
            return failure

    with ThreadPoolExecutor(count) as pool:
        return dict(enumerate(pool.map(run, range(count))))


def secret_free(error: BaseException | None, secret: str) -> bool:
    """Whether neither an exception nor what it brings along, what its attributes hold included, shows a secret."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        attributes = [repr(each) + repr(getattr(each, "__dict__", "")) for each in vars(error).values()]
        if secret in " ".join([repr(error), *attributes]):
            return False
        error = error.__context__
    return True
