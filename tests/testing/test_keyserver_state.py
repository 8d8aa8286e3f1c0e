"""The keys' state machine without a socket, as a simulator uses it."""

import math
import random

import pytest

from rotator.testing.keyserver import Behaviour, Issued, Issuer, KeyState, Wish
from rotator.testing.keyserver.errors import (
    BadCursor,
    CannotDisable,
    CannotIdentify,
    CapReached,
    InvalidKey,
    MissingScope,
    NoSuchKey,
    NoSuchSlot,
    SlotConflict,
    SlotRequired,
    Taken,
    TurnedDown,
)

NOW = 1_780_000_000.0


def accepted(issuer: Issuer, issued: Issued, now: float) -> bool:
    try:
        issuer.use(issued.secret, now)
    except InvalidKey:
        return False
    return True


def listed(issuer: Issuer, now: float, principal: str = "svc") -> dict[str, KeyState]:
    return {row.id: row.state for row in issuer.page(principal, now).keys}


def settled(behaviour: Behaviour) -> tuple[Issuer, Issued]:
    issuer = Issuer(behaviour)
    return issuer, issuer.seed("svc", Wish(), NOW)


def test_a_new_key_works_at_once_and_is_listed_with_all_that_was_wished_for() -> None:
    issuer = Issuer()
    issued = issuer.mint("svc", Wish(mark="rot-1", expires_in=60, scopes=("resource.read",)), NOW)
    assert accepted(issuer, issued, NOW)
    (row,) = issuer.page("svc", NOW).keys
    assert (row.id, row.mark, row.created_at, row.expires_at, row.scopes) == (
        issued.key.id,
        "rot-1",
        NOW,
        NOW + 60,
        ("resource.read",),
    )
    assert row.hint == f"…{issued.secret[-4:]}"
    assert listed(issuer, NOW, "another") == {}


def test_no_secret_is_held_or_shown_by_what_the_state_machine_keeps() -> None:
    issuer = Issuer()
    issued = issuer.mint("svc", Wish(secret="chosen-by-the-caller-0123"), NOW)
    for value in (issued, Wish(secret=issued.secret), issuer.page("svc", NOW), vars(issuer)):
        assert issued.secret not in repr(value)


def test_a_short_secret_gives_no_hint() -> None:
    assert Issuer().mint("svc", Wish(secret="short"), NOW).key.hint == ""


def test_a_chosen_secret_is_used_once_ever() -> None:
    issuer = Issuer()
    first = issuer.mint("svc", Wish(secret="chosen"), NOW)
    assert first.secret == "chosen"
    issuer.set_state("svc", first.key.id, KeyState.DELETED, NOW)
    with pytest.raises(Taken):
        issuer.mint("other", Wish(secret="chosen"), NOW)
    assert issuer.live("other", NOW) == ()


def test_a_disabled_key_is_refused_stays_listed_and_can_be_enabled_again() -> None:
    issuer, issued = settled(Behaviour())
    for _ in range(2):
        issuer.set_state("svc", issued.key.id, KeyState.DISABLED, NOW)
    assert not accepted(issuer, issued, NOW)
    assert listed(issuer, NOW) == {issued.key.id: KeyState.DISABLED}
    assert [key.id for key in issuer.live("svc", NOW)] == [issued.key.id]
    for _ in range(2):
        issuer.set_state("svc", issued.key.id, KeyState.ENABLED, NOW)
    assert accepted(issuer, issued, NOW)


@pytest.mark.parametrize("state", KeyState)
def test_a_deleted_key_is_gone_for_every_further_change(state: KeyState) -> None:
    issuer, issued = settled(Behaviour())
    issuer.set_state("svc", issued.key.id, KeyState.DELETED, NOW)
    with pytest.raises(NoSuchKey):
        issuer.set_state("svc", issued.key.id, state, NOW)
    assert not accepted(issuer, issued, NOW)
    assert listed(issuer, NOW) == {}
    assert issuer.live("svc", NOW) == ()


def test_a_key_of_another_principal_cannot_be_touched() -> None:
    issuer, issued = settled(Behaviour())
    with pytest.raises(NoSuchKey):
        issuer.set_state("other", issued.key.id, KeyState.DELETED, NOW)
    assert accepted(issuer, issued, NOW)


def test_without_disable_a_key_can_only_be_deleted() -> None:
    issuer, issued = settled(Behaviour(disable=False))
    for state in (KeyState.DISABLED, KeyState.ENABLED):
        with pytest.raises(CannotDisable):
            issuer.set_state("svc", issued.key.id, state, NOW)
    assert accepted(issuer, issued, NOW)
    issuer.set_state("svc", issued.key.id, KeyState.DELETED, NOW)
    assert not accepted(issuer, issued, NOW)


def test_a_new_key_is_refused_until_it_has_propagated() -> None:
    issuer = Issuer(Behaviour(propagation=20))
    issued = issuer.mint("svc", Wish(), NOW)
    assert not accepted(issuer, issued, NOW)
    assert not accepted(issuer, issued, NOW + 19.9)
    assert accepted(issuer, issued, NOW + 20)


@pytest.mark.parametrize("state", [KeyState.DELETED, KeyState.DISABLED])
def test_a_key_that_was_put_out_of_use_works_until_its_death_has_got_about(state: KeyState) -> None:
    issuer, issued = settled(Behaviour(death=120))
    issuer.set_state("svc", issued.key.id, state, NOW)
    assert accepted(issuer, issued, NOW + 119.9)
    assert not accepted(issuer, issued, NOW + 120)


def test_with_endless_death_a_deleted_key_works_for_ever_but_is_off_the_list() -> None:
    issuer, issued = settled(Behaviour(death=math.inf))
    issuer.set_state("svc", issued.key.id, KeyState.DELETED, NOW)
    assert accepted(issuer, issued, NOW + 1e9)
    assert listed(issuer, NOW) == {}
    issuer.behaviour = Behaviour()
    assert not accepted(issuer, issued, NOW + 1e9)


def test_a_key_deleted_before_it_had_propagated_never_works() -> None:
    issuer = Issuer(Behaviour(propagation=20, death=120))
    issued = issuer.mint("svc", Wish(), NOW)
    issuer.set_state("svc", issued.key.id, KeyState.DELETED, NOW + 5)
    assert not any(accepted(issuer, issued, NOW + after) for after in (5, 20, 30, 124, 200))


def test_a_key_disabled_and_enabled_within_the_death_window_never_stops_working() -> None:
    issuer, issued = settled(Behaviour(propagation=20, death=120))
    issuer.set_state("svc", issued.key.id, KeyState.DISABLED, NOW)
    issuer.set_state("svc", issued.key.id, KeyState.ENABLED, NOW + 10)
    assert all(accepted(issuer, issued, NOW + after) for after in (0, 5, 10, 15, 31, 200))


def test_flapping_mixes_both_answers_inside_a_window_and_the_seed_repeats_them() -> None:
    def answers(seed: int) -> list[bool]:
        issuer, issued = settled(Behaviour(death=100, flapping=0.5, seed=seed))
        before = [accepted(issuer, issued, NOW) for _ in range(50)]
        assert all(before)
        issuer.set_state("svc", issued.key.id, KeyState.DELETED, NOW)
        inside = [accepted(issuer, issued, NOW + 50) for _ in range(50)]
        assert not any(accepted(issuer, issued, NOW + 100) for _ in range(50))
        return inside

    assert set(answers(1)) == {True, False}
    assert answers(1) == answers(1)
    assert answers(1) != answers(2)


def test_telling_another_seed_starts_the_draws_again_and_the_same_seed_does_not() -> None:
    issuer, issued = settled(Behaviour(death=100, flapping=0.5, seed=1))
    issuer.set_state("svc", issued.key.id, KeyState.DELETED, NOW)
    first = [accepted(issuer, issued, NOW) for _ in range(40)]
    issuer.behaviour = Behaviour(death=100, flapping=0.5, seed=1)
    assert [accepted(issuer, issued, NOW) for _ in range(40)] != first
    issuer.behaviour = Behaviour(death=100, flapping=0.5, seed=2)
    issuer.behaviour = Behaviour(death=100, flapping=0.5, seed=1)
    assert [accepted(issuer, issued, NOW) for _ in range(40)] == first


def test_a_lagging_list_shows_what_was_true_a_lag_ago() -> None:
    issuer, old = settled(Behaviour(list_lag=30))
    new = issuer.mint("svc", Wish(), NOW)
    issuer.set_state("svc", old.key.id, KeyState.DISABLED, NOW)
    issuer.set_state("svc", old.key.id, KeyState.DELETED, NOW + 10)
    assert listed(issuer, NOW + 29) == {old.key.id: KeyState.ENABLED}
    assert listed(issuer, NOW + 30) == {old.key.id: KeyState.DISABLED, new.key.id: KeyState.ENABLED}
    assert listed(issuer, NOW + 40) == {new.key.id: KeyState.ENABLED}
    assert [key.id for key in issuer.live("svc", NOW + 10)] == [new.key.id]


def test_a_seeded_key_is_in_use_whatever_the_windows() -> None:
    issuer, issued = settled(Behaviour(propagation=math.inf, list_lag=math.inf))
    assert accepted(issuer, issued, NOW)
    assert listed(issuer, NOW) == {issued.key.id: KeyState.ENABLED}


def test_the_cap_counts_disabled_and_expired_keys_but_no_deleted_ones_and_no_other_principals() -> None:
    issuer = Issuer(Behaviour(cap=2))
    issuer.mint("svc", Wish(expires_in=1), NOW)
    second = issuer.mint("svc", Wish(), NOW).key
    issuer.set_state("svc", second.id, KeyState.DISABLED, NOW)
    with pytest.raises(CapReached):
        issuer.mint("svc", Wish(secret="not-taken-by-a-refusal"), NOW + 5)
    assert len(listed(issuer, NOW + 5)) == 2
    issuer.mint("other", Wish(), NOW + 5)
    issuer.set_state("svc", second.id, KeyState.DELETED, NOW + 5)
    issuer.mint("svc", Wish(secret="not-taken-by-a-refusal"), NOW + 5)


def test_without_marks_none_is_kept() -> None:
    issuer = Issuer(Behaviour(marks=False))
    issuer.mint("svc", Wish(mark="rot-1"), NOW)
    assert [row.mark for row in issuer.page("svc", NOW).keys] == [None]


def test_an_expired_key_is_refused_at_once_and_no_longer_live_but_still_listed() -> None:
    issuer = Issuer(Behaviour(death=120))
    issued = issuer.mint("svc", Wish(expires_in=60), NOW)
    assert accepted(issuer, issued, NOW + 59)
    assert not accepted(issuer, issued, NOW + 60)
    assert issuer.live("svc", NOW + 60) == ()
    assert listed(issuer, NOW + 60) == {issued.key.id: KeyState.ENABLED}


def test_without_expiry_the_wish_for_one_is_dropped() -> None:
    issuer = Issuer(Behaviour(expiry=False))
    issued = issuer.mint("svc", Wish(expires_in=60), NOW)
    assert accepted(issuer, issued, NOW + 61)
    assert [row.expires_at for row in issuer.page("svc", NOW).keys] == [None]


def test_last_use_is_that_of_the_resource_and_not_of_refused_calls_or_of_being_identified() -> None:
    issuer, issued = settled(Behaviour())
    issuer.identify(issued.secret, NOW + 1)
    assert [row.last_used_at for row in issuer.page("svc", NOW + 1).keys] == [None]
    issuer.use(issued.secret, NOW + 2)
    issuer.set_state("svc", issued.key.id, KeyState.DISABLED, NOW + 3)
    assert not accepted(issuer, issued, NOW + 4)
    assert [row.last_used_at for row in issuer.page("svc", NOW + 4).keys] == [NOW + 2]
    issuer.behaviour = Behaviour(last_used=False)
    assert [row.last_used_at for row in issuer.page("svc", NOW + 4).keys] == [None]


def test_a_key_is_identified_only_while_it_is_accepted_and_only_where_that_exists() -> None:
    issuer, issued = settled(Behaviour())
    assert issuer.identify(issued.secret, NOW) == issued.key
    with pytest.raises(InvalidKey):
        issuer.identify("never-issued", NOW)
    issuer.behaviour = Behaviour(identify=False)
    with pytest.raises(CannotIdentify):
        issuer.identify(issued.secret, NOW)
    issuer.behaviour = Behaviour()
    issuer.set_state("svc", issued.key.id, KeyState.DELETED, NOW)
    with pytest.raises(InvalidKey):
        issuer.identify(issued.secret, NOW)
    found = issuer.owner(issued.secret)
    assert found is not None
    assert (found.id, found.state) == (issued.key.id, KeyState.DELETED)


def test_a_key_without_the_scope_is_told_from_an_invalid_one() -> None:
    issuer = Issuer()
    issued = issuer.mint("svc", Wish(scopes=("billing.read",)), NOW)
    with pytest.raises(MissingScope):
        issuer.use(issued.secret, NOW)
    issuer.use(issued.secret, NOW, scope="billing.read")
    issuer.set_state("svc", issued.key.id, KeyState.DELETED, NOW)
    with pytest.raises(InvalidKey):
        issuer.use(issued.secret, NOW, scope="billing.read")


def test_in_place_a_mint_kills_the_other_keys_of_its_principal_in_the_same_step() -> None:
    issuer, old = settled(Behaviour(in_place=True, cap=1))
    bystander = issuer.seed("other", Wish(), NOW)
    new = issuer.mint("svc", Wish(), NOW)
    assert not accepted(issuer, old, NOW)
    assert accepted(issuer, new, NOW)
    assert accepted(issuer, bystander, NOW)
    assert [key.id for key in issuer.live("svc", NOW)] == [new.key.id]


def test_pages_follow_each_other_without_gap_or_repetition_while_keys_come_and_go() -> None:
    issuer = Issuer(Behaviour(page_size=2))
    ids = [issuer.mint("svc", Wish(), NOW).key.id for _ in range(5)]
    first = issuer.page("svc", NOW)
    assert [row.id for row in first.keys] == ids[:2]
    assert first.after == ids[1]
    issuer.set_state("svc", ids[1], KeyState.DELETED, NOW)
    late = issuer.mint("svc", Wish(), NOW).key.id
    second = issuer.page("svc", NOW, after=first.after)
    third = issuer.page("svc", NOW, after=second.after)
    assert [row.id for row in (*second.keys, *third.keys)] == [*ids[2:], late]
    assert third.after is None
    assert [row.id for row in issuer.page("svc", NOW, limit=1).keys] == ids[:1]
    assert len(issuer.page("svc", NOW, limit=50).keys) == 2
    with pytest.raises(BadCursor):
        issuer.page("svc", NOW, after="key-of-nobody")


# -- slots ------------------------------------------------------------------------------------------------------------


def slot_tags(issuer: Issuer, now: float = NOW) -> dict[str, tuple[str, KeyState]]:
    rows = issuer.page("svc", now).keys
    return {row.slot or "?": (row.id.partition("@")[2], row.state) for row in rows}


def test_a_slot_never_used_is_listed_as_deleted_with_a_tag_that_a_mint_may_expect() -> None:
    issuer = Issuer(Behaviour(slots=("a", "b")))
    tags = slot_tags(issuer)
    assert {slot: state for slot, (_, state) in tags.items()} == {"a": KeyState.DELETED, "b": KeyState.DELETED}
    assert slot_tags(issuer) == tags
    issued = issuer.mint("svc", Wish(slot="b", expects=tags["b"][0], fingerprint="f1"), NOW)
    assert issued.key.id == "b@f1"
    assert slot_tags(issuer) == {"a": tags["a"], "b": ("f1", KeyState.ENABLED)}
    assert accepted(issuer, issued, NOW)


def test_a_mint_into_a_slot_kills_what_it_holds_and_nothing_else() -> None:
    issuer = Issuer(Behaviour(slots=("a", "b")))
    other = issuer.mint("svc", Wish(slot="b"), NOW)
    old = issuer.mint("svc", Wish(slot="a", fingerprint="f1"), NOW)
    new = issuer.mint("svc", Wish(slot="a", fingerprint="f2", expects="f1"), NOW)
    assert [accepted(issuer, key, NOW) for key in (old, new, other)] == [False, True, True]
    assert {key.id for key in issuer.live("svc", NOW)} == {"a@f2", other.key.id}


def test_a_mint_that_expects_another_tag_changes_nothing() -> None:
    issuer = Issuer(Behaviour(slots=("a",)))
    held = issuer.mint("svc", Wish(slot="a", fingerprint="f1"), NOW)
    with pytest.raises(SlotConflict):
        issuer.mint("svc", Wish(slot="a", fingerprint="f2", expects="f0"), NOW)
    assert accepted(issuer, held, NOW)
    assert slot_tags(issuer) == {"a": ("f1", KeyState.ENABLED)}


def test_emptying_a_slot_writes_a_fresh_tag_so_that_a_late_mint_no_longer_matches() -> None:
    issuer = Issuer(Behaviour(slots=("a",)))
    never_used = slot_tags(issuer)["a"][0]
    issuer.mint("svc", Wish(slot="a", fingerprint="f1"), NOW)
    issuer.set_state("svc", "a@f1", KeyState.DELETED, NOW)
    fresh, state = slot_tags(issuer)["a"]
    assert state is KeyState.DELETED
    assert fresh not in {"f1", never_used}
    for late in ("f1", never_used):
        with pytest.raises(SlotConflict):
            issuer.mint("svc", Wish(slot="a", expects=late), NOW)
    assert issuer.live("svc", NOW) == ()
    issuer.mint("svc", Wish(slot="a", expects=fresh), NOW)


def test_deleting_an_emptiness_writes_a_fresh_tag_and_only_while_it_is_there() -> None:
    issuer = Issuer(Behaviour(slots=("a", "b")))
    tags = slot_tags(issuer)
    never_used = tags["a"][0]
    issuer.set_state("svc", f"a@{never_used}", KeyState.DELETED, NOW)
    fresh = slot_tags(issuer)
    assert fresh["a"][0] != never_used
    assert fresh["b"] == tags["b"]
    with pytest.raises(SlotConflict):
        issuer.mint("svc", Wish(slot="a", expects=never_used), NOW)
    for key_id, state in ((f"a@{never_used}", KeyState.DELETED), (f"a@{fresh['a'][0]}", KeyState.DISABLED)):
        with pytest.raises(NoSuchKey):
            issuer.set_state("svc", key_id, state, NOW)
    assert slot_tags(issuer) == fresh
    held = issuer.mint("svc", Wish(slot="a", expects=fresh["a"][0]), NOW)
    with pytest.raises(NoSuchKey):
        issuer.set_state("svc", f"a@{fresh['a'][0]}", KeyState.DELETED, NOW)
    assert accepted(issuer, held, NOW)


def test_deleting_what_a_slot_held_before_touches_nothing() -> None:
    issuer = Issuer(Behaviour(slots=("a",)))
    issuer.mint("svc", Wish(slot="a", fingerprint="f1"), NOW)
    held = issuer.mint("svc", Wish(slot="a", fingerprint="f2"), NOW)
    for state in (KeyState.DELETED, KeyState.DISABLED):
        with pytest.raises(NoSuchKey):
            issuer.set_state("svc", "a@f1", state, NOW)
    assert accepted(issuer, held, NOW)
    assert slot_tags(issuer) == {"a": ("f2", KeyState.ENABLED)}


def test_what_a_mint_replaced_in_a_slot_dies_as_slowly_as_a_deleted_key() -> None:
    issuer = Issuer(Behaviour(slots=("a",), death=120))
    old = issuer.seed("svc", Wish(slot="a"), NOW)
    issuer.mint("svc", Wish(slot="a"), NOW)
    assert accepted(issuer, old, NOW + 119)
    assert not accepted(issuer, old, NOW + 120)


def test_a_lagging_list_shows_what_a_slot_held_a_lag_ago() -> None:
    issuer = Issuer(Behaviour(slots=("a",), list_lag=30))
    issuer.seed("svc", Wish(slot="a", fingerprint="f1"), NOW)
    issuer.mint("svc", Wish(slot="a", fingerprint="f2"), NOW)
    issuer.set_state("svc", "a@f2", KeyState.DELETED, NOW + 10)
    assert slot_tags(issuer, NOW + 29) == {"a": ("f1", KeyState.ENABLED)}
    assert slot_tags(issuer, NOW + 30) == {"a": ("f2", KeyState.ENABLED)}
    assert slot_tags(issuer, NOW + 40)["a"][1] is KeyState.DELETED


def test_a_disabled_key_keeps_its_slot() -> None:
    issuer = Issuer(Behaviour(slots=("a",)))
    issuer.seed("svc", Wish(slot="a", fingerprint="f1"), NOW)
    issuer.set_state("svc", "a@f1", KeyState.DISABLED, NOW)
    assert slot_tags(issuer) == {"a": ("f1", KeyState.DISABLED)}


def test_with_slots_a_mint_must_name_one_that_exists_and_without_slots_none() -> None:
    issuer = Issuer(Behaviour(slots=("a",)))
    with pytest.raises(SlotRequired):
        issuer.mint("svc", Wish(), NOW)
    with pytest.raises(NoSuchSlot):
        issuer.mint("svc", Wish(slot="c"), NOW)
    with pytest.raises(NoSuchSlot):
        Issuer().mint("svc", Wish(slot="a"), NOW)
    assert issuer.live("svc", NOW) == ()


def test_a_tag_is_used_once_ever() -> None:
    issuer = Issuer(Behaviour(slots=("a",)))
    held = issuer.mint("svc", Wish(slot="a", fingerprint="f1"), NOW)
    with pytest.raises(Taken):
        issuer.mint("svc", Wish(slot="a", fingerprint="f1"), NOW)
    assert accepted(issuer, held, NOW)


def test_pages_may_end_between_slots() -> None:
    issuer = Issuer(Behaviour(slots=("a", "b", "c"), page_size=2))
    issuer.mint("svc", Wish(slot="b", fingerprint="f1"), NOW)
    first = issuer.page("svc", NOW)
    assert first.after == "b@f1"
    issuer.mint("svc", Wish(slot="b", fingerprint="f2"), NOW)
    assert [row.slot for row in issuer.page("svc", NOW, after=first.after).keys] == ["c"]


@pytest.mark.parametrize("slots", [(), ("a", "b")])
@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_done_at_most_a_slot_full_lives_and_what_lives_is_what_works(
    seed: int, slots: tuple[str, ...]
) -> None:
    draw = random.Random(seed)
    issuer = Issuer(Behaviour(slots=slots, cap=2), new_secret=map("secret-{}".format, range(1000)).__next__)
    issued: list[Issued] = []
    for _ in range(60):
        try:
            if draw.random() < 0.5:
                wish = Wish(slot=draw.choice(slots) if slots else None, expects=draw.choice((None, None, "empty-1")))
                issued.append(issuer.mint("svc", wish, NOW))
            elif issued:
                issuer.set_state("svc", draw.choice(issued).key.id, draw.choice(list(KeyState)), NOW)
        except TurnedDown:
            continue
        living = {key.id: key.state for key in issuer.live("svc", NOW)}
        assert len(living) <= 2
        shown = {row.id: row.state for row in issuer.page("svc", NOW).keys if row.state is not KeyState.DELETED}
        assert shown == living
        working = {one.key.id for one in issued if accepted(issuer, one, NOW)}
        assert working == {key_id for key_id, state in living.items() if state is KeyState.ENABLED}
