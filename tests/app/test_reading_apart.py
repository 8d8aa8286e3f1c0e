"""A config is read by another process, which may hang or end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.observe import Quiet
from rotator.app.assembly import Assembly
from rotator.app.reloading import Unchanged
from rotator.app.reloading_apart import NotRead, ReloadingApart
from rotator.domain.failures import Permanent, Transient
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import Scene, make


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_STATE_HOME", "STATE_DIRECTORY", "ROTATOR_STATE"):
        monkeypatch.delenv(name, raising=False)
    with Keyserver() as keyserver:
        yield make(tmp_path, keyserver)


def hang(scene: Scene) -> bytes:
    """Reading the installation's key does not end."""
    key = scene.folder / "installation.key"
    text = key.read_bytes()
    key.unlink()
    os.mkfifo(key, 0o600)
    return text


def children() -> set[int]:
    return {int(each) for tasks in Path("/proc/self/task").glob("*/children") for each in tasks.read_text().split()}


def test_a_reader_that_hangs_is_ended_and_told(scene: Scene) -> None:
    reloading = ReloadingApart(scene.config, state=None, limit=20.0)
    assembly = Assembly(config=reloading.begin(Quiet()))
    text = hang(scene)
    hasty = ReloadingApart(scene.config, state=None, limit=1.0)
    before = children()
    try:
        with pytest.raises(NotRead, match="did not answer within 1 seconds") as told:
            hasty.begin(Quiet())
        assert isinstance(told.value, Permanent)
        assert told.value.hint
        assert children() == before
        (scene.folder / "installation.key").unlink()
        scene.folder.joinpath("installation.key").touch(mode=0o600)
        scene.folder.joinpath("installation.key").write_bytes(text)
        assert reloading.look(assembly) == Unchanged()
    finally:
        assembly.close()


def test_one_that_ends_in_the_middle_is_told(scene: Scene) -> None:
    hang(scene)
    before = children()

    def end() -> None:
        while not (fresh := children() - before):
            time.sleep(0.01)
        for each in fresh:
            os.kill(each, signal.SIGKILL)

    threading.Thread(target=end, daemon=True).start()
    with pytest.raises(NotRead, match="ended before it had answered"):
        ReloadingApart(scene.config, state=None).begin(Quiet())


FAILS = """
from rotator.app.reloading import Reloading
from rotator.domain.failures import Transient

def away(*words, **named):
    raise Transient("the journal is away", "later")

Reloading._settle = away
"""


def test_what_it_said_before_it_failed_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = subprocess.Popen

    def failing(command: list[str], **named: Any) -> Any:
        return begun([FAILS + each if "main()" in each else each for each in command], **named)

    heard: list[str] = []

    class Hears(Quiet):
        def alert(self, action: str, subject: str, message: str) -> None:
            heard.append(action)

    reloading = ReloadingApart(scene.config, state=None)
    with monkeypatch.context() as failed:
        failed.setattr(subprocess, "Popen", failing)
        with pytest.raises(Transient, match="the journal is away"):
            reloading.begin(Hears())
    assert heard == ["config approved"]
    reloading.begin(Hears())
    assert heard == ["config approved"]
