"""What the threads that rotate take on, and what becomes of an exception in one of them."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.running import Run
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Transient
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.engine import starting
from rotator.engine.worker import Worker
from rotator.ports import Change
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, SHORT, make

PATIENCE = 20
"""Seconds."""

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def test_a_defect_is_told_without_its_text_and_forgotten_when_it_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver)
        scene.lease(SHORT)  # for so long is it out of hand
        scene.run("adopt", NAME)
        assembly = Assembly(config=load_config(scene.config))
        spec = assembly.config.credentials[NAME]
        starting.start(spec, assembly.journal, assembly.ids, assembly.clock, mode=Mode.MANUAL, reason="test")
        run = Run(assembly=assembly, owner="test", parallel=1)

        def broken(*given: object, **more: object) -> None:
            raise ValueError(scene.published())

        with monkeypatch.context() as patch:
            patch.setattr(Worker, "run", broken)
            run.until(lambda: NAME in run.failures)
        failure = run.failures[NAME]
        assert isinstance(failure, Failure)
        assert "ValueError" in failure.message
        assert scene.published() not in failure.message
        run.until(lambda: assembly.journal.open_rotation(NAME) is None)
        assert run.failures == {}


def test_a_rotation_of_a_credential_that_is_not_configured_is_left_to_others(tmp_path: Path) -> None:
    """And names no credential that is not being rotated, of which there may be 100,000."""
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver, names=(NAME, "another", "a-third"))
        scene.run("adopt", NAME)
        assembly = Assembly(config=load_config(scene.config))
        journal, clock = assembly.journal, assembly.clock
        gone = starting.new_rotation("gone", Mode.COMPROMISE, "test", assembly.ids, clock.now())
        assert journal.begin(gone, Change())
        spec = assembly.config.credentials[NAME]
        starting.start(spec, journal, assembly.ids, clock, mode=Mode.MANUAL, reason="test")
        run = Run(assembly=assembly, owner="test", parallel=1)
        claims: list[object] = []
        claim = journal.claim

        def counted(**given: Any) -> tuple[Rotation, ...]:
            claims.append(given["only"])
            return claim(**given)

        journal.claim = counted  # type: ignore[method-assign]
        run.until(lambda: journal.open_rotation(NAME) is None or len(claims) > 200)
        assert journal.open_rotation(NAME) is None
        assert claims[0] is None  # nobody is named as long as nobody is in the way
        assert claims[1:]
        assert all(each == [NAME] for each in claims[1:])
        left = journal.open_rotation("gone")
        assert left is not None
        assert (left.owner, left.phase, left.clean) == (None, Phase.PLANNED, True)


def test_nothing_is_claimed_while_nothing_is_due(tmp_path: Path) -> None:
    """A claim writes; to ask when something is due does not."""
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver)
        scene.run("adopt", NAME)
        assembly = Assembly(config=load_config(scene.config))
        journal, spec = assembly.journal, assembly.config.credentials[NAME]
        run = Run(assembly=assembly, owner="test", parallel=1)
        claims: list[int] = []
        claim = journal.claim

        def counted(**given: Any) -> tuple[Rotation, ...]:
            claims.append(run.turns)
            return claim(**given)

        journal.claim = counted  # type: ignore[method-assign]
        run.until(lambda: run.turns > 2)
        assert claims == []
        starting.start(spec, journal, assembly.ids, assembly.clock, mode=Mode.MANUAL, reason="test")
        run.until(lambda: journal.open_rotation(NAME) is None)
        assert claims


def test_what_was_claimed_beside_a_rotation_that_cannot_be_given_back_is_run(tmp_path: Path) -> None:
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver)
        scene.say("adopt", NAME)
        assembly = Assembly(config=load_config(scene.config))
        journal, clock = assembly.journal, assembly.clock
        gone = starting.new_rotation("gone", Mode.COMPROMISE, "test", assembly.ids, clock.now())
        assert journal.begin(gone, Change())
        spec = assembly.config.credentials[NAME]
        starting.start(spec, journal, assembly.ids, clock, mode=Mode.MANUAL, reason="test")
        commit = journal.commit

        def busy(row: Rotation, *given: Any, **more: Any) -> Any:
            if row.credential == "gone":
                raise Transient("the journal is locked by another process")
            return commit(row, *given, **more)

        journal.commit = busy  # type: ignore[method-assign]
        Run(assembly=assembly, owner="test", parallel=2).until(lambda: journal.open_rotation(NAME) is None)
        assert journal.open_rotation("gone") is not None


def test_of_each_provider_one_is_begun_alone_and_none_waits_for_another_provider(tmp_path: Path) -> None:
    """Whoever comes first is exposed worst: it shares the turns of its provider with nobody."""
    names = ("a-first", "a-second", "a-third", "b-first", "b-second")
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver, names=names)
        providers = json.loads(scene.config.read_text())["providers"]
        (entry,) = providers.values()
        scene.rewrite(providers={**providers, "other": entry})
        for name in names[3:]:
            scene.credential(name, provider="other")
        assembly = Assembly(config=load_config(scene.config))
        together = Barrier(2)
        begun: list[str] = []
        before: list[set[str]] = []

        def begin(spec: Credential) -> None:
            begun.append(spec.name)
            if spec.name.endswith("first"):
                together.wait(PATIENCE)
                before.append({*begun})
                together.wait(PATIENCE)

        coming = [assembly.config.credentials[name] for name in names]
        run = Run(assembly=assembly, owner="test", parallel=16, coming=coming, begin=begin)
        run.until(lambda: True)
        assert sorted(begun) == sorted(names)
        assert before == [{"a-first", "b-first"}] * 2
