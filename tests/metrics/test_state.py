"""What the journal tells, as metrics: of a scene, of a journal that is away, and for many who ask at the same time."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.journal.durable import DurableJournal
from rotator.adapters.metrics.counting import Counts
from rotator.adapters.metrics.families import MOST_CREDENTIALS
from rotator.app import pausing
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.findings_kept import FOUND
from rotator.app.metrics import Metrics
from rotator.app.running import Run
from rotator.domain.figures import Census, Figures
from rotator.domain.rotation import Mode, OldKey, Phase, Proof
from rotator.engine import starting
from rotator.ports import Change
from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, Scene, make
from tests.cli.test_due import make_due
from tests.metrics.reading import total, values

pytestmark = pytest.mark.stand_in("API provider: keyserver")


class Hands:
    """A clock that somebody moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_rotation_is_counted_from_its_start_to_the_death_of_the_old_key(scene: Scene, assembly: Assembly) -> None:
    scene.policy(overlap="0s")
    scene.say("adopt", NAME)
    made = Assembly(config=load_config(scene.config), counts=assembly.counts)
    metrics = Metrics(lambda: made, counts=made.counts)
    spec = made.config.credentials[NAME]
    starting.start(spec, made.journal, made.ids, made.clock, mode=Mode.MANUAL, reason="test")
    Run(assembly=made, owner="test", parallel=1).until(lambda: made.journal.open_rotation(NAME) is None)
    found = values(metrics)
    assert total(found, "rotator_journal_up") == 1
    assert total(found, "rotator_credentials", provider="ks", policy="quick") == 1
    assert total(found, "rotator_rotations_ended_total", provider="ks", mode="manual", outcome="done") == 1
    assert total(found, "rotator_deaths_total", proof="refused") == 1
    assert total(found, "rotator_effects_total", action="mint", result="ok") == 1
    assert total(found, "rotator_phase_duration_seconds_count", phase="minting") == 1
    assert total(found, "rotator_rotation_duration_seconds_count", outcome="done") == 1
    assert total(found, "rotator_rotations_open") == 0
    assert total(found, "process_resident_memory_bytes") > 0
    made.close()


def test_what_is_stuck_or_waits_is_shown_with_its_name_and_what_failed_with_its_reason(
    scene: Scene, keyserver: Keyserver, assembly: Assembly, metrics: Metrics
) -> None:
    scene.say("adopt", NAME)
    keyserver.fail(Operation.MINT, FaultKind.FORBIDDEN, calls=None)
    starting.start(
        assembly.config.credentials[NAME], assembly.journal, assembly.ids, assembly.clock, mode=Mode.MANUAL, reason="t"
    )

    def stuck() -> bool:
        row = assembly.journal.open_rotation(NAME)
        return row is not None and row.phase is Phase.STUCK

    Run(assembly=assembly, owner="test", parallel=1).until(stuck)
    found = values(metrics)
    assert total(found, "rotator_rotations_open", phase="stuck", mode="manual") == 1
    assert ("credential", NAME) in next(iter(found["rotator_rotation_open_seconds"]))
    assert total(found, "rotator_rotations_waiting", waiting_for="person") == 1
    assert total(found, "rotator_provider_failures_total", provider="ks", reason="denied") == 1
    assert total(found, "rotator_rotations_parked_total", provider="ks") == 1


def test_ages_are_judged_by_the_policy_and_the_worst_are_named(tmp_path: Path) -> None:
    with Keyserver(Behaviour()) as keyserver:
        names = tuple(f"c{number:02}" for number in range(MOST_CREDENTIALS + 5))
        scene = make(tmp_path, keyserver, names)
        scene.credential("c00", owner='team "ml"\nx', policy={"every": "60d"})
        scene.say("rotate", "--due")
        make_due(scene)
        made = Assembly(config=load_config(scene.config))
        for row in made.journal.credentials()[2:]:
            assert row.current_since is not None
            made.journal.save(
                replace(row, current_since=row.current_since - timedelta(days=40)), made.clock.now(), Change()
            )
        made.journal.save(replace(made.journal.credential("c01"), held=True, held_why="x"), made.clock.now(), Change())
        found = values(Metrics(lambda: made, alone=True))
        made.close()
    assert total(found, "rotator_credentials") == len(names)
    assert total(found, "rotator_credentials", owner='team "ml"·x', policy="own") == 1
    assert total(found, "rotator_credentials_overdue", policy="quick") == len(names) - 2
    assert total(found, "rotator_credentials_due") == len(names) - 1
    assert total(found, "rotator_credentials_held", policy="quick") == 1
    assert total(found, "rotator_allowed_age_seconds", policy="quick") == 30 * 86400
    assert total(found, "rotator_credentials_aged", policy="quick", up_to="1") == 1
    assert total(found, "rotator_credentials_aged", policy="quick", up_to="+Inf") == len(names) - 1
    named = found["rotator_credential_overdue_seconds"]
    assert 0 < len(named) <= MOST_CREDENTIALS
    assert all(10 * 86400 <= value < 10 * 86400 + 600 for value in named.values())
    assert not any(name.startswith("process_") for name in found)


def test_what_is_wrong_is_shown_until_it_is_right(scene: Scene, assembly: Assembly) -> None:
    scene.say("adopt", NAME)
    journal, now = assembly.journal, assembly.clock.now()
    journal.sight(NAME, ["key-8", "key-9"], now)
    journal.set_older_than_world("key-9 is unknown")
    pausing.pause(journal, now, None, "freeze week")
    journal.remember(FOUND, json.dumps({"at": "2026-11-23T10:00:00Z", "foreign": {"ks": 3}}))
    starting.start(
        assembly.config.credentials[NAME], journal, assembly.ids, assembly.clock, mode=Mode.COMPROMISE, reason="t"
    )
    row = journal.open_rotation(NAME)
    assert row is not None
    old = (OldKey(key_id="key-1"), OldKey(key_id="key-2", proof=Proof.UNPROVEN, dead_at=now))
    live = replace(row, phase=Phase.LIVE, live_at=now - timedelta(hours=1), old_keys=old)
    journal.commit(live, now, Change())
    metrics = Metrics(lambda: assembly, counts=Counts())
    found = values(metrics)
    assert total(found, "rotator_orphans", provider="ks") == 2
    assert total(found, "rotator_journal_older_than_world") == 1
    assert total(found, "rotator_paused") == 1
    assert total(found, "rotator_foreign_keys", provider="ks") == 3
    assert total(found, "rotator_reconciled_timestamp_seconds") == 1795428000
    assert total(found, "rotator_old_keys_living", mode="compromise") == 1
    assert total(found, "rotator_old_keys_overtime", mode="compromise") == 1
    assert total(found, "rotator_unproven_deaths", provider="ks") == 1
    assert "key-" not in metrics.exposition()[1].decode()


def test_what_the_reconciler_sees_outlives_its_process(scene: Scene, keyserver: Keyserver, assembly: Assembly) -> None:
    scene.credential(principal={"principal": NAME})
    scene.say("adopt", NAME)
    keyserver.seed_key(NAME)
    scene.say("reconcile")
    found = values(Metrics(lambda: assembly, alone=True))
    assert total(found, "rotator_foreign_keys", provider="ks") == 1
    assert total(found, "rotator_checkpoint_number") >= 1
    (((label, head),),) = found["rotator_checkpoint_head_info"]
    assert label == "head"
    assert scene.say("log", "verify", "--head", head).code == 0


def test_numbers_of_the_reconciler_that_cannot_be_read_are_left_out(assembly: Assembly) -> None:
    for text in ("rubbish", "[]", '{"at": "yesterday"}', '{"foreign": {"ks": "many"}}', '{"foreign": 3}', "null"):
        assembly.journal.remember(FOUND, text)
        found = values(Metrics(lambda: assembly, alone=True))
        assert total(found, "rotator_journal_up") == 1
        assert "rotator_foreign_keys" not in found


# -- looking -----------------------------------------------------------------------------------------------------------


class Counted:
    """How often a journal was asked, and a gate before its answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks = 0
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        figures = DurableJournal.figures

        def counted(journal: Any) -> Figures:
            self.looks += 1
            self.begun.set()
            self.gate.wait(30)
            return figures(journal)

        monkeypatch.setattr(DurableJournal, "figures", counted)


def test_ten_scrapers_cost_one_look_and_a_few_seconds_later_there_is_another(
    assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, hands = Counted(monkeypatch), Hands()
    metrics = Metrics(lambda: assembly, alone=True, seconds=hands, patience=60)
    counted.gate.clear()
    with ThreadPoolExecutor(10) as pool:
        answers = [pool.submit(values, metrics) for _ in range(10)]
        counted.gate.set()
        assert all(total(each.result(), "rotator_journal_up") == 1 for each in answers)
    assert counted.looks == 1
    hands.now += 4
    values(metrics)
    assert counted.looks == 1
    hands.now += 2
    values(metrics)
    assert counted.looks == 2


def test_a_journal_that_does_not_answer_keeps_nobody_waiting_and_is_asked_once(
    assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, hands = Counted(monkeypatch), Hands()
    metrics = Metrics(lambda: assembly, counts=Counts(), seconds=hands, patience=0.05)
    counted.gate.clear()
    for _ in range(3):
        found = values(metrics)
        assert total(found, "rotator_journal_up") == 0
        assert "rotator_credentials" not in found
        assert total(found, "rotator_build_info") == 1
        hands.now += 60
    assert counted.begun.wait(60)  # on a busy machine its thread may not have come so far
    assert counted.looks == 1
    counted.gate.set()
    while total(values(metrics), "rotator_journal_up") == 0:
        hands.now += 6
    assert counted.looks <= 3


def test_a_census_that_takes_long_is_made_rarely(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands()
    made: list[float] = []
    census = DurableJournal.census

    def slow(journal: Any, groups: Any, now: Any) -> Census:
        made.append(hands.now)
        hands.now += 0.5
        return census(journal, groups, now)

    monkeypatch.setattr(DurableJournal, "census", slow)
    metrics = Metrics(lambda: assembly, alone=True, seconds=hands)
    for _ in range(100):
        values(metrics)
        hands.now += 10
    assert len(made) == 4
    assert all(250 <= later - earlier < 270 for earlier, later in pairwise(made))


def test_a_reload_is_seen_at_once_and_counters_go_on(scene: Scene, assembly: Assembly) -> None:
    hands, now = Hands(), [assembly]
    metrics = Metrics(lambda: now[0], counts=assembly.counts, seconds=hands)
    assembly.counts.count("rotator_alerts_total", "needs a key")
    assert total(values(metrics), "rotator_credentials", policy="quick") == 1
    scene.credential(policy={"every": "9d", "overlap": "1s", "quiet_for": "0s", "max_overlap": "1h"})
    now[0] = Assembly(config=load_config(scene.config), counts=assembly.counts)
    hands.now += 6
    found = values(metrics)
    now[0].close()
    assert (total(found, "rotator_credentials", policy="quick"), total(found, "rotator_credentials", policy="own")) == (
        0,
        1,
    )
    assert total(found, "rotator_alerts_total") == 1
