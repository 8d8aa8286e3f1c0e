"""Documents: the fields of others in them, and whatever text is a value."""

from __future__ import annotations

import pytest

from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Permanent
from rotator.ports import ABSENT, Store
from rotator.testing.store_contract.given import Colleague, GivenDocuments
from rotator.testing.store_contract.values import NOWHERE, VALUES, both, too_long_for
from rotator.testing.store_contract.watching import secret_free
from rotator.testing.wired import WiredStore


class Documents(GivenDocuments):
    """What is ours in a document that is not ours alone, and what may stand there."""

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
