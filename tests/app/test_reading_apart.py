"""A config is read by another process, which may hang or end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.observe import Quiet
from rotator.app.assembly import Assembly
from rotator.app.reloading import Applied, Unchanged
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
    found = set[int]()
    for tasks in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended since
            found |= {int(each) for each in tasks.read_text().split()}
    return found


def test_a_reader_that_hangs_is_ended_and_told(scene: Scene) -> None:
    reloading = ReloadingApart(scene.config, state=None, limit=60.0)
    assembly = Assembly(config=reloading.begin(Quiet()))
    text = hang(scene)
    hasty = ReloadingApart(scene.config, state=None, limit=1.0)
    before = children()
    try:
        with pytest.raises(NotRead, match="did not answer within 1 seconds") as told:
            hasty.begin(Quiet())
        assert isinstance(told.value, Permanent)
        assert told.value.hint
        assert children() <= before
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


ENDS = """
import os, signal
from rotator.app import approving

def ended_after(put_in_force):
    def ends(*words, **named):
        put_in_force(*words, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    return ends

approving.keep, approving.follow = ended_after(approving.keep), ended_after(approving.follow)
"""


@contextmanager
def beginning_with(code: str) -> Iterator[None]:
    """The other process runs this first."""
    begun = subprocess.Popen

    def other(command: list[str], **named: Any) -> Any:
        return begun([code + each if "main()" in each else each for each in command], **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", other)
        yield


class Hears(Quiet):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def alert(self, action: str, subject: str, message: str) -> None:
        self.heard.append(action)


def test_what_it_said_before_it_failed_is_told(scene: Scene) -> None:
    reloading, told = ReloadingApart(scene.config, state=None), Hears()
    with beginning_with(FAILS), pytest.raises(Transient, match="the journal is away"):
        reloading.begin(told)
    assert told.heard == ["config approved"]
    reloading.begin(told)
    assert told.heard == ["config approved"]


def test_what_was_put_in_force_is_told_though_it_then_ended(scene: Scene) -> None:
    told = Hears()
    for said in ("config approved", "no longer rotated"):
        with beginning_with(ENDS), pytest.raises(NotRead, match="ended before it had answered"):
            ReloadingApart(scene.config, state=None).begin(told)
        assert told.heard == [said]
        told.heard.clear()
        ReloadingApart(scene.config, state=None).begin(told)
        assert told.heard == []
        scene.rewrite(credentials={})


def test_what_a_look_put_in_force_is_told_by_the_next_one_though_it_ended(scene: Scene) -> None:
    reloading, told = ReloadingApart(scene.config, state=None), Hears()
    with closing(Assembly(config=reloading.begin(told), observer=told)) as assembly:
        told.heard.clear()
        scene.rewrite(credentials={})
        with beginning_with(ENDS), pytest.raises(NotRead):
            reloading.look(assembly)
        assert isinstance(reloading.look(assembly), Applied)
    assert told.heard == ["no longer rotated"]
