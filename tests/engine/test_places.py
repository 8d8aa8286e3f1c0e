"""What a place holds, what is left behind, and where a value is found."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.domain.credential import PlaceKind
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.rotation import Mode, OldKey, Rotation
from rotator.domain.secret import Secret
from rotator.engine import places
from rotator.engine.recorded import Recorded
from rotator.ports import Stored
from tests.engine.small_world import TIMING, SmallWorld, kept

OTHER = Secret({"secret": "sk-somebody-else"})


@pytest.fixture
def small() -> SmallWorld:
    return SmallWorld()


def left(rotation: Recorded) -> list[str]:
    return [each.store for each in rotation.row.stores if each.left_behind is not None]


# -- what is current -------------------------------------------------------------------------------------------------


def test_the_current_value_of_a_known_key_names_the_key(small: SmallWorld) -> None:
    value = small.publish("k1")
    found = places.current(small.begin(), small.spec.publish[0])
    assert (found.value, found.foreign, found.empty) == (value, False, False)
    assert found.key is not None
    assert found.key.key_id == "k1"


def test_a_value_that_no_key_of_this_credential_had_is_foreign(small: SmallWorld) -> None:
    small.publish()
    entry = small.spec.publish[0]
    small.store["vault"].put(entry.place, entry.render(OTHER))
    found = places.current(small.begin(), entry)
    assert found.foreign
    assert found.key is None


def test_fields_that_are_no_rendering_are_foreign(small: SmallWorld) -> None:
    small.publish()
    small.store["vault"].put(small.spec.publish[0].place, {"OTHER": "x", "API_KEY": ""})
    assert places.current(small.begin(), small.spec.publish[0]).foreign


@pytest.mark.parametrize("fields", [{}, {"API_KEY": ""}, None])
def test_a_place_without_any_text_is_empty_and_not_foreign(small: SmallWorld, fields: dict[str, str] | None) -> None:
    if fields is not None:
        small.store["vault"].put(small.spec.publish[0].place, fields)
    found = places.current(small.begin(), small.spec.publish[0])
    assert found.empty
    assert not found.foreign


def test_what_was_found_shows_no_value(small: SmallWorld) -> None:
    small.publish("k1")
    rotation = small.begin()
    found = places.current(rotation, small.spec.publish[0])
    assert "sk-k1" not in repr(found)
    assert "sk-k1" not in repr(rotation.read(small.spec.publish[0], small.spec.publish[0].place))


# -- documents of ours -----------------------------------------------------------------------------------------------


def test_a_document_gives_back_the_value_and_whose_it_is(small: SmallWorld) -> None:
    value = Secret({"user": "app", "secret": "x", "value.": "odd"})
    written = kept(value, "k7", "r1")
    assert places.document_value(Stored(version="1", fields=written)) == value
    assert (written["key_id"], written["rotation"]) == ("k7", "r1")


@pytest.mark.parametrize("fields", [None, {}, {"key_id": "k7", "rotation": "r1"}, {"secret": "x"}])
def test_a_document_without_a_value_has_none(fields: dict[str, str] | None) -> None:
    assert places.document_value(Stored(version="1", fields=fields)) is None


# -- over all places -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [Transient("down"), Denied("no"), Permanent("never"), Conflict("raced")])
def test_a_scheduled_rotation_stops_at_the_first_place_that_fails(small: SmallWorld, failure: Failure) -> None:
    small.publish()
    rotation, served = small.begin(), list[str]()

    def act(entry: object) -> None:
        served.append("called")
        raise failure

    with pytest.raises(type(failure)):
        places.on_every_place(rotation, act)
    assert served == ["called"]
    assert left(rotation) == []
    assert all(each.trouble_since is None for each in rotation.row.stores)


@pytest.mark.parametrize("failure", [Transient("down"), Denied("no"), Permanent("never")])
def test_in_an_emergency_the_others_are_served_before_the_failing_one_is_reported(
    small: SmallWorld, failure: Failure
) -> None:
    small.publish()
    small.store["vault"].down = failure
    rotation = small.begin(Mode.COMPROMISE)
    with pytest.raises(Transient):
        places.on_every_place(rotation, lambda entry: void(rotation.read(entry, entry.place)))
    assert ("read", "file", "current") in small.trace
    assert left(rotation) == []


def void(_: object) -> None:
    return None


def test_in_an_emergency_a_place_that_fails_for_store_wait_is_left_behind_and_named(small: SmallWorld) -> None:
    small.publish()
    small.store["vault"].down = Transient("connection refused")
    rotation = small.begin(Mode.COMPROMISE)

    def look() -> None:
        places.on_every_place(rotation, lambda entry: void(rotation.read(entry, entry.place)))

    for _ in range(2):
        with pytest.raises(Transient):
            look()
        small.clock.move(TIMING.store_wait - timedelta(seconds=1) if not left(rotation) else timedelta(0))
    small.clock.move(timedelta(seconds=1))
    look()
    assert left(rotation) == ["vault"]
    assert rotation.row.store("vault", "app").left_behind == "connection refused"
    assert rotation.credential.drift == ("vault:app",)
    small.trace.clear()
    look()
    assert small.trace == [("read", "file", "current")]


def test_why_a_place_is_left_behind_shows_no_value_whatever_its_store_says(small: SmallWorld) -> None:
    value = small.publish("k1")
    rotation = small.begin(Mode.COMPROMISE)
    assert places.find_value(rotation, rotation.known["k1"]) == value
    small.store["file"].down = Transient("cannot parse sk-k1")

    def look() -> None:
        places.on_every_place(rotation, lambda entry: void(rotation.read(entry, entry.place)))

    with pytest.raises(Transient):
        look()
    small.clock.move(TIMING.store_wait)
    look()
    assert left(rotation) == ["file"]
    rotation.commit()
    assert "sk-k1" not in repr((small.committed(), small.journal.events()))


def test_trouble_that_passes_begins_anew(small: SmallWorld) -> None:
    small.publish()
    rotation = small.begin(Mode.COMPROMISE)

    def look() -> None:
        places.on_every_place(rotation, lambda entry: void(rotation.read(entry, entry.place)), settles=True)

    for down in (Transient("down"), None, Transient("down")):
        small.store["vault"].down = down
        if down is None:
            look()
            assert rotation.row.store("vault", "app").trouble_since is None
        else:
            with pytest.raises(Transient):
                look()
        small.clock.move(TIMING.store_wait - timedelta(seconds=1))
    with pytest.raises(Transient):
        look()
    assert left(rotation) == []


def test_the_last_place_is_never_left_behind(small: SmallWorld) -> None:
    small.publish()
    rotation = small.begin(Mode.COMPROMISE)
    for store in small.store.values():
        store.down = Transient("down")
    with pytest.raises(Transient):
        places.on_every_place(rotation, lambda entry: void(rotation.read(entry, entry.place)))
    small.clock.move(TIMING.store_wait)
    with pytest.raises(Permanent, match="no store takes the new key"):
        places.on_every_place(rotation, lambda entry: void(rotation.read(entry, entry.place)))
    assert len(left(rotation)) < len(small.stores)


# -- where a value is found ------------------------------------------------------------------------------------------


def known(rotation: Recorded, key_id: str) -> Secret | None:
    """As the next owner of the row finds it: what this one saw before does not count."""
    anew = Recorded(rotation.row, rotation.spec, rotation.world, claimed_at=rotation.world.clock.boottime())
    return places.find_value(anew, anew.known[key_id])


def test_a_value_is_found_in_whatever_place_has_it(small: SmallWorld) -> None:
    value = small.publish("k1")
    rotation = small.begin()
    first, second = small.spec.publish
    assert known(rotation, "k1") == value
    small.store["vault"].held.clear()
    assert known(rotation, "k1") == value
    small.store["file"].held.clear()
    small.store["file"].put(second.previous("k1"), kept(value, "k1", "r0"))
    assert known(rotation, "k1") == value
    small.store["file"].held.clear()
    small.store["vault"].put(first.pending(rotation.row.id), kept(value, "k1", rotation.row.id))
    assert known(rotation, "k1") == value
    small.store["vault"].held.clear()
    assert known(rotation, "k1") is None


def test_a_document_under_the_right_name_with_another_value_is_not_that_key_s(small: SmallWorld) -> None:
    small.publish("k1")
    rotation = small.begin()
    for entry in small.spec.publish:
        small.store[entry.store].held.clear()
        small.store[entry.store].put(entry.previous("k1"), kept(OTHER, "k1", "r0"))
    assert known(rotation, "k1") is None


def test_a_value_is_missing_only_when_every_place_could_be_read(small: SmallWorld) -> None:
    value = small.publish("k1")
    rotation = small.begin()
    small.store["vault"].down = Transient("down")
    assert known(rotation, "k1") == value
    small.store["file"].held.clear()
    with pytest.raises(Transient):
        known(rotation, "k1")


def test_a_new_key_whose_value_is_nowhere_is_a_permanent_failure(small: SmallWorld) -> None:
    small.publish("k1")
    small.know("k2", Secret({"secret": "sk-lost"}))
    with pytest.raises(Permanent, match="in no store"):
        places.new_value(small.begin(new_key="k2"))
    assert small.effects() == []


# -- keeping ---------------------------------------------------------------------------------------------------------


def keep(rotation: Recorded, value: Secret) -> OldKey:
    return places.keep(rotation, OldKey(key_id="k1"), value)


def test_a_dying_key_s_value_is_kept_in_the_first_place_that_takes_it_and_only_once(small: SmallWorld) -> None:
    value = small.publish("k1")
    rotation = small.begin()
    assert keep(rotation, value) == OldKey(key_id="k1", had=True, kept_in="vault")
    assert keep(rotation, value).kept_in == "vault"
    assert small.effects() == ["write"]
    version, fields = small.store["vault"].held[(PlaceKind.PREVIOUS, "k1")]
    assert places.document_value(Stored(version=version, fields=fields)) == value


def test_it_is_kept_in_the_next_place_when_the_first_fails(small: SmallWorld) -> None:
    value = small.publish("k1")
    small.store["vault"].down = Denied("no")
    assert keep(small.begin(), value).kept_in == "file"


def test_a_value_that_no_place_takes_is_a_failure_and_not_kept(small: SmallWorld) -> None:
    value = small.publish("k1")
    for store in small.store.values():
        store.down = Transient("down")
    with pytest.raises(Transient):
        keep(small.begin(), value)


def test_rows_of_the_journal_hold_no_value_after_all_that(small: SmallWorld) -> None:
    value = small.publish("k1")
    rotation = small.begin()
    rotation.row = rotation.row.with_old_key(keep(rotation, value))
    rotation.commit()
    row: Rotation = small.committed()
    assert "sk-k1" not in repr((row, small.credential(), small.journal.keys("openai-prod"), small.journal.events()))


def test_a_mere_look_does_not_end_the_trouble_with_a_place(small: SmallWorld) -> None:
    small.publish()
    rotation = small.begin(Mode.COMPROMISE)

    def look() -> None:
        places.on_every_place(rotation, lambda entry: void(rotation.read(entry, entry.place)))

    small.store["vault"].down = Transient("down")
    with pytest.raises(Transient):
        look()
    since = rotation.row.store("vault", "app").trouble_since
    small.store["vault"].down = None
    look()
    assert since is not None
    assert rotation.row.store("vault", "app").trouble_since == since
