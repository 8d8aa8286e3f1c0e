"""What becomes of an exception in a thread that rotates."""

from __future__ import annotations

from pathlib import Path

import pytest

from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.running import Run
from rotator.domain.failures import Failure
from rotator.domain.rotation import Mode
from rotator.engine import starting
from rotator.engine.worker import Worker
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def test_a_defect_is_told_without_its_text_and_forgotten_when_it_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver)
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
