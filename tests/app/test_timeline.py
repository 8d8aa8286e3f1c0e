"""One rotation over time, from its row and its trail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rotator.app.timeline import timeline
from rotator.domain.records import ChainedEvent, Event, EventKind
from rotator.domain.rotation import Mode, OldKey, Phase, Proof, Rotation, StoreState

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def row(**fields: object) -> Rotation:
    times = {"started_at": NOW, "next_at": NOW, "since": NOW}
    return Rotation(**{"id": "r1", "credential": "app", "mode": Mode.MANUAL, "reason": "asked", **times, **fields})  # type: ignore[arg-type]


def told(at: datetime, action: str, subject: str, kind: EventKind = EventKind.OUTCOME, **detail: str) -> ChainedEvent:
    event = Event(kind=kind, action=action, subject=subject, detail=detail)
    return ChainedEvent(rotation="r1", seq=1, at=at, fence=1, event=event, previous="", digest="")


def entered(at: datetime, phase: Phase) -> ChainedEvent:
    return told(at, "phase", phase.value, EventKind.PHASE)


def test_phases_lie_side_by_side_and_fill_the_whole() -> None:
    events = [entered(NOW + SECOND, Phase.MINTING), entered(NOW + 2 * SECOND, Phase.LIVE)]
    found = timeline(row(phase=Phase.LIVE), events, NOW + DAY).stretches
    assert [each.phase for each in found] == [Phase.PLANNED, Phase.MINTING, Phase.LIVE]
    assert [each.left for each in found] == pytest.approx([0.0, found[0].width, found[0].width + found[1].width])
    assert sum(each.width for each in found) == pytest.approx(1.0)
    assert found[0].width < found[2].width < 0.8, "a day does not hide a second"
    assert [each.ends for each in found] == [NOW + SECOND, NOW + 2 * SECOND, None]


def test_one_that_is_over_ends_where_it_was_over() -> None:
    events = [entered(NOW + SECOND, Phase.SWEEPING), entered(NOW + 3 * SECOND, Phase.DONE)]
    found = timeline(row(phase=Phase.DONE, ended_at=NOW + 3 * SECOND), events, NOW + DAY)
    assert found.ends == NOW + 3 * SECOND
    assert [(each.phase, each.ends) for each in found.stretches] == [
        (Phase.PLANNED, NOW + SECOND),
        (Phase.SWEEPING, NOW + 3 * SECOND),
    ]


def test_each_store_says_what_was_done_to_it_and_what_failed() -> None:
    stores = (StoreState(store="vault", ref="a"), StoreState(store="files", ref="b", left_behind="it is away"))
    events = [
        told(NOW + SECOND, "promote", "vault:a", EventKind.INTENT),
        told(NOW + 2 * SECOND, "promote", "vault:a", result="ok"),
        told(NOW + 3 * SECOND, "promote", "files:b", result="transient"),
        told(NOW + 4 * SECOND, "left behind", "files:b", EventKind.OBSERVATION, why="it is away"),
    ]
    vault, files = timeline(row(stores=stores), events, NOW + DAY).lanes
    assert [(each.what, each.good) for each in vault.marks] == [("promoted", True)]
    assert [(each.what, each.good, each.detail) for each in files.marks] == [
        ("promoted", False, "transient"),
        ("left behind", False, "it is away"),
    ]
    assert files.note == "left behind: it is away"


def test_an_old_key_works_until_it_is_disabled_and_is_dead_only_when_that_is_proven() -> None:
    end = NOW + 10 * SECOND
    dead = OldKey(key_id="k1", disabled_at=NOW + 5 * SECOND, proof=Proof.REFUSED, dead_at=NOW + 8 * SECOND)
    doubted = OldKey(key_id="k2", deleted_at=NOW + 5 * SECOND, proof=Proof.UNPROVEN, dead_at=NOW + 8 * SECOND)
    living = OldKey(key_id="k3")
    first, second, third = timeline(row(old_keys=(dead, doubted, living)), [], end).lanes
    assert (first.alive, first.sure, first.note) == ((0.0, 0.5), True, "proof: refused")
    assert (second.sure, second.note) == (False, "proof: unproven")
    assert (third.alive, third.sure, third.note) == ((0.0, 1.0), False, "not proven dead")


def test_marks_lie_where_their_time_is_and_never_outside() -> None:
    state = StoreState(store="vault", ref="a")
    odd = [told(NOW - DAY, "promote", "vault:a"), told(NOW + 9 * DAY, "stage", "vault:a")]
    (lane,) = timeline(row(stores=(state,)), odd, NOW + DAY).lanes
    assert all(0.0 <= each.where <= 1.0 for each in lane.marks)


def test_a_row_without_events_or_time_is_shown_all_the_same() -> None:
    found = timeline(row(), [], NOW - DAY)
    assert len(found.stretches) == 1
    assert found.ends == NOW
