"""Places: read, written under their version, beside each other, and removed."""

from __future__ import annotations

import pytest

from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Permanent
from rotator.ports import ABSENT, Store
from rotator.testing.store_contract.given import Colleague, GivenDocuments
from rotator.testing.store_contract.values import BAD_REFS, ODD_NAMES, both


class Places(GivenDocuments):
    """`read`, `write`, `remove` and `places`, one caller at a time."""

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
