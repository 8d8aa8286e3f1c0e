"""What the driver of a store that cannot be read must do, as tests to inherit; they run through the codec.

    class TestMine(WriteOnlyStoreContract):
        @pytest.fixture
        def store(self) -> Store: ...            # the driver, where nothing is yet at `ref`
        @pytest.fixture
        def reader(self) -> Reader: ...          # who sees what consumers read, and may write it by hand

`lose_answer` may be given, as for `StoreContract`; `REFUSED` names the values in `VALUES` that the store refuses.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import pytest

from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Failure, Permanent, Transient
from rotator.ports import ABSENT, Store
from rotator.testing.store_contract.given import GivenStore, LoseAnswer
from rotator.testing.store_contract.values import VALUES
from rotator.testing.store_contract.watching import at_once, secret_free


class Reader(Protocol):
    """Where consumers are."""

    def look(self, ref: str, field: str) -> str | None:
        """What they read; None where there is nothing."""
        ...

    def edit(self, ref: str, field: str, text: str) -> None:
        """Somebody writes it by other means, at another moment than anything before."""
        ...


class WriteOnlyStoreContract(GivenStore):
    """For every store whose capabilities say `readable=False`."""

    REFUSED: ClassVar[frozenset[str]] = frozenset({"half of a character", "too long", "long"})

    @pytest.fixture
    def reader(self) -> Reader:
        """Where consumers are."""
        raise NotImplementedError

    @pytest.fixture
    def ref(self) -> str:
        """Where nothing is."""
        return "acme/api"

    @pytest.fixture
    def place(self, ref: str) -> Place:
        """One secret."""
        return Place(ref=ref, kind=PlaceKind.CURRENT, fields=("API_KEY",))

    # -- reading -------------------------------------------------------------------------------------------------------

    def test_it_says_that_it_cannot_be_read_and_only_detects(self, wired: Store) -> None:
        for _ in range(2):
            assert (wired.capabilities().readable, wired.capabilities().exact) == (False, False)

    def test_an_absent_place_has_no_version(self, wired: Store, place: Place) -> None:
        for _ in range(2):
            assert (wired.read(place).version, wired.read(place).fields) == (ABSENT, None)

    def test_what_was_written_is_there_for_consumers_and_for_nobody_else(
        self, wired: Store, place: Place, reader: Reader
    ) -> None:
        version = wired.write(place, {"API_KEY": "one"}, ABSENT)
        assert version != ABSENT
        for _ in range(2):
            stored = wired.read(place)
            assert (stored.version, stored.fields) == (version, None)
        assert reader.look(place.ref, "API_KEY") == "one"

    def test_no_other_kind_of_place_exists(self, wired: Store, ref: str) -> None:
        for kind in (PlaceKind.PENDING, PlaceKind.PREVIOUS):
            private = Place(ref=ref, kind=kind, of="r1")
            with pytest.raises(Permanent):
                wired.read(private)
            with pytest.raises(Permanent):
                wired.write(private, {"value.secret": "x"}, ABSENT)
            with pytest.raises(Permanent):
                wired.remove(private, ABSENT)
        assert wired.places(ref) == ()

    # -- writing -------------------------------------------------------------------------------------------------------

    def test_every_write_is_a_version_of_its_own_and_an_older_one_is_refused(
        self, wired: Store, place: Place, reader: Reader
    ) -> None:
        versions = [ABSENT]
        for text in ("one", "one", "two"):
            versions.append(wired.write(place, {"API_KEY": text}, versions[-1]))
        assert len(set(versions)) == len(versions)
        for stale in (*versions[:-1], "no version of ours"):
            with pytest.raises(Conflict):
                wired.write(place, {"API_KEY": "stalled"}, stale)
        assert (wired.read(place).version, reader.look(place.ref, "API_KEY")) == (versions[-1], "two")

    def test_what_somebody_else_wrote_is_a_conflict_and_stays(self, wired: Store, place: Place, reader: Reader) -> None:
        for before in (ABSENT, None):
            version = wired.read(place).version if before is None else before
            reader.edit(place.ref, "API_KEY", f"foreign after {version}")
            assert wired.read(place).version != version
            with pytest.raises(Conflict):
                wired.write(place, {"API_KEY": "ours"}, version)
            with pytest.raises(Conflict):
                wired.remove(place, version)
            assert reader.look(place.ref, "API_KEY") == f"foreign after {version}"

    def test_several_fields_are_several_secrets_with_one_version(self, wired: Store, ref: str, reader: Reader) -> None:
        place = Place(ref=ref, kind=PlaceKind.CURRENT, fields=("USER", "API_KEY"))
        turned = Place(ref=ref, kind=PlaceKind.CURRENT, fields=("API_KEY", "USER"))
        version = wired.write(place, {"API_KEY": "one", "USER": "me"}, ABSENT)
        assert (reader.look(ref, "API_KEY"), reader.look(ref, "USER")) == ("one", "me")
        assert wired.read(turned).version == version
        reader.edit(ref, "USER", "somebody")
        assert wired.read(place).version != version
        with pytest.raises(Conflict):
            wired.write(place, {"API_KEY": "two", "USER": "me"}, version)

    def test_removing_twice_or_what_is_not_there_does_nothing(self, wired: Store, place: Place, reader: Reader) -> None:
        wired.remove(place, ABSENT)
        version = wired.write(place, {"API_KEY": "one"}, ABSENT)
        wired.remove(place, version)
        wired.remove(place, version)
        assert (reader.look(place.ref, "API_KEY"), wired.read(place).version) == (None, ABSENT)
        wired.write(place, {"API_KEY": "two"}, ABSENT)
        assert reader.look(place.ref, "API_KEY") == "two"

    def test_eight_who_write_at_once_leave_one_of_their_values(
        self, wired: Store, place: Place, reader: Reader
    ) -> None:
        before = wired.write(place, {"API_KEY": "before"}, ABSENT)
        outcomes = at_once(8, lambda n: wired.write(place, {"API_KEY": f"text {n}"}, before))
        failures = {type(each) for each in outcomes.values() if isinstance(each, Failure)}
        assert failures <= {Conflict, Transient}
        assert reader.look(place.ref, "API_KEY") in {f"text {n}" for n in outcomes}
        assert wired.read(place).version not in (ABSENT, before)

    def test_a_write_whose_answer_was_lost_has_happened_and_its_version_is_another_one(
        self, wired: Store, place: Place, reader: Reader, lose_answer: LoseAnswer
    ) -> None:
        before = wired.write(place, {"API_KEY": "one"}, ABSENT)
        with lose_answer() as lossy, pytest.raises(Transient):
            lossy.write(place, {"API_KEY": "two"}, before)
        assert reader.look(place.ref, "API_KEY") == "two"

    # -- values --------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", sorted(VALUES))
    def test_a_value_arrives_as_it_was_written_or_is_refused(
        self, store: Store, place: Place, reader: Reader, name: str
    ) -> None:
        if name in self.REFUSED:
            with pytest.raises(Permanent) as refusal:
                store.write(place, {"API_KEY": VALUES[name]}, ABSENT)
            assert VALUES[name] not in refusal.value.message + refusal.value.hint or not VALUES[name]
            assert secret_free(refusal.value, VALUES[name] or "never there")
            assert (reader.look(place.ref, "API_KEY"), store.read(place).version) == (None, ABSENT)
            return
        store.write(place, {"API_KEY": VALUES[name]}, ABSENT)
        assert reader.look(place.ref, "API_KEY") == VALUES[name]

    def test_nothing_that_can_be_printed_shows_a_value(self, store: Store, place: Place) -> None:
        version = store.write(place, {"API_KEY": "hidden-value"}, ABSENT)
        with pytest.raises(Conflict) as conflict:
            store.write(place, {"API_KEY": "hidden-value-2"}, ABSENT)
        assert "hidden-value" not in " ".join([repr(store), version, repr(conflict.value), conflict.value.hint])
        assert secret_free(conflict.value, "hidden-value")
