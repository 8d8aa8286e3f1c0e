"""Processes of drivers are counted: each start, and each that ended under a call."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from rotator.adapters.metrics.counting import Counts
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.domain.failures import Failure
from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, make
from tests.daemon.running import eventually

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def test_a_driver_that_is_killed_under_a_call_is_a_loss_and_its_successor_a_start(tmp_path: Path) -> None:
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver, isolation="process")
        scene.rewrite(defaults={"lease": "60s", "isolation": "process"})
        assembly = Assembly(config=load_config(scene.config), counts=Counts())
        principal, provider = assembly.config.credentials[NAME].principal, assembly.provider("ks")
        provider.keys(principal)
        starts = assembly.counts.counters
        assert starts("rotator_driver_starts_total") == {("provider", "ks"): 1}
        keyserver.fail(Operation.LIST, FaultKind.SLOW, seconds=10)
        (driver,) = assembly.isolation._drivers
        assert driver._process is not None
        process = driver._process

        def kill() -> None:
            eventually(lambda: process.busy)
            os.kill(process._process.pid, signal.SIGKILL)

        killing = threading.Thread(target=kill)
        killing.start()
        with pytest.raises(Failure):
            provider.keys(principal)
        killing.join()
        assert assembly.counts.counters("rotator_driver_losses_total") == {("provider", "ks", "gone"): 1}
        keyserver.tell(faults=())
        provider.keys(principal)
        assert starts("rotator_driver_starts_total") == {("provider", "ks"): 2}
        assembly.close()
