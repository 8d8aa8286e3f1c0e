"""What every provider's driver must do, as tests to inherit. They run on the driver's real server, through the codec.

    class TestMine(ProviderContract):            # SlotContract, where keys live in slots
        @pytest.fixture
        def provider(self) -> Provider: ...      # the driver, with a good admin credential
        @pytest.fixture
        def principal(self) -> Principal: ...    # a fresh one: no keys, all slots empty

Three more fixtures may be given; the tests that need them are skipped otherwise. Windows are waited for in real time,
so a driver under test should declare short ones, and its server keep to them; on busy machines they are given a
minute more, so a window that is too short is not found here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from rotator.domain.credential import Principal
from rotator.domain.failures import Ambiguous, CapFull, Conflict, Denied, Permanent, Transient
from rotator.domain.keys import Disabling, Key, KeyState, Minted, MintRequest, Verdict, slot_of
from rotator.ports import Provider
from rotator.testing.provider_trial import Trial, invented
from rotator.testing.wired import WiredProvider

LoseAnswer = Callable[[], AbstractContextManager[None]]


class ProviderContract:
    """For every provider. Each test has a fresh principal."""

    @pytest.fixture
    def provider(self) -> Provider:
        """The driver under test."""
        raise NotImplementedError

    @pytest.fixture
    def principal(self) -> Principal:
        """A principal that has no live key yet."""
        raise NotImplementedError

    @pytest.fixture
    def wrong_admin(self) -> Provider:
        """The same driver of the same server, with an admin credential that is wrong."""
        pytest.skip("no driver with a wrong admin credential was given")

    @pytest.fixture
    def lose_answer(self) -> LoseAnswer:
        """Within the context the next request takes effect and its answer is lost."""
        pytest.skip("answers of this server cannot be lost")

    @pytest.fixture
    def admin_secrets(self) -> Collection[str]:
        """Texts that no failure may show, besides the values of keys."""
        return ()

    @pytest.fixture
    def trial(self, provider: Provider, principal: Principal, admin_secrets: Collection[str]) -> Trial:
        """The driver behind the codec, and the principal."""
        return Trial(WiredProvider(provider), principal, set(admin_secrets))

    # -- what it says of itself ----------------------------------------------------------------------------------------

    def test_what_a_provider_offers_is_always_the_same_and_fits_together(self, trial: Trial) -> None:
        offers = trial.offers
        assert trial.offers == offers
        assert offers.secret_part in offers.parts
        assert bool(offers.slots) == offers.strategy.slots
        assert len(set(offers.slots)) == len(offers.slots)
        assert offers.strategy.overlap or len(offers.slots) == 1

    def test_the_admin_credential_can_be_checked_twice_and_nothing_changes(self, trial: Trial) -> None:
        before = trial.listed()
        trial.provider.check_admin(trial.principal)
        trial.provider.check_admin(trial.principal)
        assert trial.listed() == before

    def test_a_wrong_admin_credential_is_denied_and_nothing_is_made(self, trial: Trial, wrong_admin: Provider) -> None:
        minted = trial.mint()
        before = trial.listed()
        denied = WiredProvider(wrong_admin)
        for _ in range(2):
            with trial.fails(Denied):
                denied.check_admin(trial.principal)
            with trial.fails(Denied):
                denied.keys(trial.principal)
            with trial.fails(Denied):
                denied.mint(trial.principal, trial.request())
            with trial.fails(Denied):
                denied.set_state(trial.principal, minted.key_id, KeyState.DELETED)
        time.sleep(trial.offers.list_lag.total_seconds())
        assert trial.listed() == before
        trial.works(minted.value)

    # -- the life of a key ---------------------------------------------------------------------------------------------

    def test_a_minted_key_is_listed_works_and_is_identified(self, trial: Trial) -> None:
        request = trial.request()
        minted = trial.mint(request)
        assert sorted(minted.value) == sorted(trial.offers.parts)
        (listed,) = trial.live().values()
        assert (listed.id, listed.state) == (minted.key_id, KeyState.ENABLED)
        if trial.offers.strategy.marked:
            assert listed.mark == request.mark
        trial.works(minted.value)
        for _ in range(2):
            named = trial.provider.identify(trial.principal, minted.value)
            assert named == (minted.key_id if trial.offers.identifies else None)

    def test_a_disabled_key_is_refused_until_it_is_enabled(self, trial: Trial) -> None:
        minted = trial.mint()
        trial.works(minted.value)
        if trial.offers.disabling is Disabling.NONE:
            with trial.fails(Permanent):
                trial.provider.set_state(trial.principal, minted.key_id, KeyState.DISABLED)
            trial.works(minted.value)
            return
        if trial.offers.disabling is Disabling.EXPIRY:
            for _ in range(2):
                trial.provider.set_state(trial.principal, minted.key_id, KeyState.DISABLED)
            window = trial.offers.death_window
            trial.until(lambda: not trial.verdict(minted.value).authentic, window, "an expired key is refused")
            with trial.fails(Permanent):
                trial.provider.set_state(trial.principal, minted.key_id, KeyState.ENABLED)
            return
        for state in (KeyState.DISABLED, KeyState.ENABLED, KeyState.DISABLED):
            for _ in range(2):
                trial.provider.set_state(trial.principal, minted.key_id, state)
            trial.until(lambda: trial.live()[minted.key_id].state is state, trial.offers.list_lag, "a state is listed")  # noqa: B023
            if state is KeyState.ENABLED:
                trial.works(minted.value)
            else:
                window = trial.offers.death_window
                trial.until(lambda: not trial.verdict(minted.value).authentic, window, "a disabled key is refused")

    def test_a_deleted_key_is_refused_for_ever_and_gone(self, trial: Trial) -> None:
        minted = trial.mint()
        trial.works(minted.value)
        trial.delete(minted.key_id)
        trial.dies(minted.value)
        states = [KeyState.DELETED, KeyState.DELETED]
        if trial.offers.disabling is not Disabling.NONE:
            states += [KeyState.DISABLED, KeyState.ENABLED]
        for state in states:
            trial.provider.set_state(trial.principal, minted.key_id, state)
        time.sleep(max(trial.offers.list_lag, trial.offers.propagation).total_seconds())
        assert minted.key_id not in trial.live()
        assert trial.verdict(minted.value) is Verdict.INVALID
        assert trial.provider.identify(trial.principal, minted.value) is None

    def test_a_second_key_works_beside_the_first_or_kills_it(self, trial: Trial) -> None:
        first = trial.mint()
        trial.works(first.value)
        second = trial.mint()
        assert first.key_id != second.key_id
        assert first.value != second.value
        trial.works(second.value)
        if trial.offers.strategy.overlap:
            trial.works(first.value)
            trial.delete(first.key_id)
        trial.dies(first.value)
        assert list(trial.live()) == [second.key_id]
        assert trial.verdict(second.value) is Verdict.WORKS

    def test_a_key_that_nobody_knows_is_left_alone(self, trial: Trial) -> None:
        minted = trial.mint()
        before = trial.listed()
        unknown = f"{trial.offers.slots[0]}@{'0' * 16}" if trial.offers.slots else f"{minted.key_id}x"
        states = list(KeyState) if trial.offers.disabling is not Disabling.NONE else [KeyState.DELETED]
        for state in [*states, *states]:
            trial.provider.set_state(trial.principal, unknown, state)
        time.sleep(trial.offers.list_lag.total_seconds())
        assert trial.listed() == before
        trial.works(minted.value)

    def test_there_is_room_up_to_the_cap_and_none_beyond(self, trial: Trial) -> None:
        offers = trial.offers
        keys = [trial.mint() for _ in range(offers.cap or len(offers.slots) or 3)]
        assert set(trial.live()) == {key.key_id for key in keys}
        if offers.cap is None:
            return
        for _ in range(2):
            with trial.fails(CapFull):
                trial.provider.mint(trial.principal, trial.request())
        time.sleep(offers.list_lag.total_seconds())
        assert set(trial.live()) == {key.key_id for key in keys}
        trial.delete(keys[0].key_id)
        trial.mint()

    # -- looking -------------------------------------------------------------------------------------------------------

    def test_a_value_that_nobody_issued_is_invalid(self, trial: Trial) -> None:
        minted = trial.mint()
        trial.works(minted.value)
        wrong = invented(minted.value, trial.offers.secret_part)
        for _ in range(2):
            assert trial.verdict(wrong) is Verdict.INVALID
            assert trial.provider.identify(trial.principal, wrong) is None
        assert trial.verdict(minted.value) is Verdict.WORKS

    def test_looking_from_many_threads_changes_nothing(self, trial: Trial) -> None:
        minted = trial.mint()
        trial.works(minted.value)
        before = {key_id: replace(key, last_used_at=None, last_used_by="") for key_id, key in trial.listed().items()}

        def look(_: int) -> tuple[dict[str, Key], Verdict]:
            listed = {key_id: replace(k, last_used_at=None, last_used_by="") for key_id, k in trial.listed().items()}
            return listed, trial.verdict(minted.value)

        with ThreadPoolExecutor(8) as threads:
            assert all(seen == (before, Verdict.WORKS) for seen in threads.map(look, range(24)))

    # -- lost answers --------------------------------------------------------------------------------------------------

    def test_a_mint_whose_answer_is_lost_is_ambiguous_and_made_one_key(
        self, trial: Trial, lose_answer: LoseAnswer
    ) -> None:
        before = trial.mint() if trial.offers.strategy.overlap else None
        request = trial.request()
        with lose_answer(), trial.fails(Ambiguous):
            trial.provider.mint(trial.principal, request)
        known = {before.key_id} if before else set()
        trial.until(lambda: len(trial.live()) > len(known), trial.offers.list_lag, "the key of a lost mint is listed")
        time.sleep(trial.offers.list_lag.total_seconds())
        (lost,) = [key for key in trial.live().values() if key.id not in known]
        if trial.offers.strategy.marked:
            assert lost.mark == request.mark
        trial.delete(lost.id)
        if before:
            trial.works(before.value)
        assert set(trial.live()) == known

    def test_a_deletion_whose_answer_is_lost_is_done_again(self, trial: Trial, lose_answer: LoseAnswer) -> None:
        minted = trial.mint()
        trial.works(minted.value)
        with lose_answer(), trial.fails(Transient):
            trial.provider.set_state(trial.principal, minted.key_id, KeyState.DELETED)
        trial.delete(minted.key_id)
        trial.dies(minted.value)

    def test_a_look_whose_answer_is_lost_is_right_or_transient(self, trial: Trial, lose_answer: LoseAnswer) -> None:
        minted = trial.mint()
        trial.works(minted.value)
        looks: list[tuple[Callable[[], object], object]] = [
            (lambda: set(trial.live()), {minted.key_id}),
            (lambda: trial.verdict(minted.value), Verdict.WORKS),
            (lambda: trial.provider.check_admin(trial.principal), None),
        ]
        for look, right in looks:
            with lose_answer():
                try:
                    assert look() == right
                except Transient as lost:
                    trial.shows_no_secret(lost)
            assert look() == right


class SlotContract(ProviderContract):
    """Besides, for providers whose keys live in slots: mint and deletion act on what the slot is known to hold."""

    def test_empty_slots_are_listed_with_a_tag(self, trial: Trial) -> None:
        listed = trial.listed().values()
        assert sorted(slot_of(key.id) for key in listed) == sorted(trial.offers.slots)
        assert all(key.state is KeyState.DELETED and key.id.partition("@")[2] for key in listed)

    def test_a_minted_key_is_its_slots(self, trial: Trial) -> None:
        request = trial.request()
        minted = trial.mint(request)
        assert slot_of(minted.key_id) == request.slot
        held = trial.slot(slot_of(minted.key_id))
        assert (held.id, held.slot) == (minted.key_id, request.slot)
        if request.fingerprint is not None:
            assert minted.key_id == f"{request.slot}@{request.fingerprint}"

    def test_a_mint_is_refused_once_the_slot_holds_something_else(self, trial: Trial) -> None:
        empty = trial.free_slot()
        minted = trial.mint(trial.request(empty))
        for _ in range(2):
            with trial.fails(Conflict):
                trial.provider.mint(trial.principal, trial.request(empty))
        time.sleep(trial.offers.list_lag.total_seconds())
        assert trial.slot(slot_of(empty.id)).id == minted.key_id
        trial.works(minted.value)

    def test_the_same_mint_twice_is_a_conflict(self, trial: Trial) -> None:
        request = trial.request()
        minted = trial.mint(request)
        with trial.fails(Conflict):
            trial.provider.mint(trial.principal, request)
        trial.works(minted.value)

    def test_of_concurrent_mints_into_one_slot_exactly_one_wins(self, trial: Trial) -> None:
        empty = trial.free_slot()
        requests = [trial.request(empty) for _ in range(4)]
        start = threading.Barrier(len(requests))

        def mint(request: MintRequest) -> Minted | Conflict:
            start.wait()
            try:
                return trial.provider.mint(trial.principal, request)
            except Conflict as lost:
                return lost

        with ThreadPoolExecutor(len(requests)) as threads:
            results = list(threads.map(mint, requests))
        for lost in (each for each in results if isinstance(each, Conflict)):
            trial.shows_no_secret(lost)
        (winner,) = [each for each in results if isinstance(each, Minted)]
        trial.works(winner.value)
        slot = slot_of(empty.id)
        trial.until(lambda: trial.slot(slot).id == winner.key_id, trial.offers.list_lag, "the winner is listed")

    def test_deleting_what_a_slot_no_longer_holds_touches_nothing(self, trial: Trial) -> None:
        empty = trial.free_slot()
        first = trial.mint(trial.request(empty))
        second = trial.mint(trial.request(trial.slot(slot_of(empty.id))))
        for gone in (empty.id, first.key_id):
            trial.provider.set_state(trial.principal, gone, KeyState.DELETED)
        time.sleep(trial.offers.list_lag.total_seconds())
        assert trial.slot(slot_of(empty.id)).id == second.key_id
        trial.works(second.value)

    def test_deleting_a_slots_key_leaves_a_fresh_tag(self, trial: Trial) -> None:
        empty = trial.free_slot()
        minted = trial.mint(trial.request(empty))
        trial.delete(minted.key_id)
        left = trial.slot(slot_of(empty.id))
        assert left.state is KeyState.DELETED
        assert left.id not in (minted.key_id, empty.id)
        with trial.fails(Conflict):
            trial.provider.mint(trial.principal, trial.request(empty))

    def test_deleting_an_empty_slot_writes_a_fresh_tag_so_that_a_late_mint_misses(self, trial: Trial) -> None:
        empty = trial.free_slot()
        late = trial.request(empty)
        name = slot_of(empty.id)
        trial.provider.set_state(trial.principal, empty.id, KeyState.DELETED)
        trial.until(lambda: trial.slot(name).id != empty.id, trial.offers.list_lag, "an emptied slot has a fresh tag")
        fresh = trial.slot(name)
        assert fresh.state is KeyState.DELETED
        with trial.fails(Conflict):
            trial.provider.mint(trial.principal, late)
        trial.provider.set_state(trial.principal, empty.id, KeyState.DELETED)
        time.sleep(trial.offers.list_lag.total_seconds())
        assert trial.slot(name) == fresh
