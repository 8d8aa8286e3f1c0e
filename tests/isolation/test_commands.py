"""The commands with drivers as they are by default: in confined processes. What a hostile one costs, and what not."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.testing.keyserver import Keyserver
from tests.cli.scene import NAME, Scene, make
from tests.isolation.children import needs_sandbox
from tests.isolation.strangers import install
from tests.security.watching import STOPPED

pytestmark = needs_sandbox
KEYSERVER = (Path(__file__).parents[2] / "plugins" / "rotator_keyserver.py").read_text()


@pytest.fixture
def keyserver() -> Iterator[Keyserver]:
    with Keyserver() as server:
        yield server


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver) -> Scene:
    return _patient(make(tmp_path, keyserver, isolation="sandbox"))


def _patient(scene: Scene) -> Scene:
    """A lease that leaves a cold start its time on a busy machine."""
    defaults = json.loads(scene.config.read_text())["defaults"]
    scene.rewrite(defaults={**defaults, "lease": "20s"})
    return scene


def _stranger(folder: Path, name: str, *changes: tuple[str, str]) -> None:
    """A driver of somebody else's: ours for the keyserver, changed."""
    text = KEYSERVER
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    install(folder, name, {f"{name}_driver.py": text}, driver=f"{name}_driver:Keyserver")


def _children(folder: Path) -> list[str]:
    """Processes of drivers whose copies are in a folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            line = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and "pycache_prefix" in line:
            found.append(line)
    return found


def test_a_rotation_by_a_driver_in_a_confined_process(scene: Scene) -> None:
    old = scene.published()
    answer = scene.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.err
    assert scene.published() != old
    assert len(scene.alive) == 1
    assert not _children(scene.folder), "a process was left behind"


def test_an_emergency_proves_the_death_past_the_driver(scene: Scene) -> None:
    report = scene.json("rotate", NAME, "--assume-compromise", "--contained", "--yes")
    assert [key["proof"] for each in report["rotations"] for key in each["old_keys"]] == ["refused"]


def test_no_process_has_a_secret_in_its_arguments_or_variables(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    seen: list[str] = []
    from rotator.adapters.isolation import processes

    start = processes._popen

    def spied(command: list[str], launch: processes.Launch, kept: tuple[int, ...]) -> object:
        process = start([*STOPPED, *command], launch, kept)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        seen.append(" ".join(command) + Path(f"/proc/{process.pid}/environ").read_bytes().decode(errors="replace"))
        process.send_signal(signal.SIGCONT)  # from here on nobody may look at it
        return process

    monkeypatch.setattr(processes, "_popen", spied)
    assert scene.say("rotate", NAME, "--wait").code == 0
    assert seen
    for each in seen:
        assert scene.keyserver.admin not in each
        assert "sk-of-somebody-else" not in each


def test_a_driver_that_says_that_a_living_key_is_dead_proves_nothing(strangers: Path, scene: Scene) -> None:
    """It deletes nothing, and calls every value but its own invalid: the engine's own request finds the key alive."""
    lie = "if MINE:\n            return Verdict.WORKS if value in MINE else Verdict.INVALID\n        shown = bearer("
    _stranger(
        strangers,
        "liar",
        ("class Keyserver:", "MINE: list[Secret] = []\n\n\nclass Keyserver:"),
        ("        return _minted(", "        MINE.append(_minted(answer, request).value)\n        return _minted("),
        ("shown = bearer(", lie),
        ('self._client.send("DELETE", target, expect=(204, 404))', "return"),
    )
    old = scene.alive
    _driven_by(scene, "liar", disable=False)
    report = scene.json("rotate", NAME, "--assume-compromise", "--contained", "--yes", "--no-wait")
    (rotation,) = report["rotations"]
    assert rotation["new_key"] is not None
    assert rotation["phase"] == "retiring"
    assert [key["proof"] for key in rotation["old_keys"]] == ["unproven"]
    assert old <= scene.alive


@pytest.mark.parametrize(
    ("before_dying", "mints"), [("", 1), ("self._client.mint(_keys_of(principal), _wish(request))", 3)]
)
def test_a_driver_that_dies_at_its_mint_leaves_one_new_key(
    strangers: Path, scene: Scene, before_dying: str, mints: int
) -> None:
    """What the dead process may have done is looked for: a key with our mark, whose value nobody has, is replaced."""
    dies = (
        "        if int(request.mark.split('-')[3]) <= 3:  # the fence\n"
        f"            {before_dying}\n            __import__('os')._exit(1)\n"
    )
    _stranger(strangers, "dying", ("        answer = self._client.mint(", f"{dies}        answer = self._client.mint("))
    old = scene.alive
    _driven_by(scene, "dying")
    for _ in range(6):
        if scene.say("rotate", NAME, "--wait").code == 0:
            break
    assert len(scene.alive) == 1
    assert scene.alive.isdisjoint(old)
    assert scene.mints == mints


def _driven_by(scene: Scene, driver: str, **settings: object) -> None:
    entry = {"driver": driver, "admin": "file:admin", "base_url": scene.keyserver.url, **settings}
    scene.rewrite(providers={"ks": entry})


def test_once_there_are_pins_a_changed_driver_does_not_start_and_nothing_is_sent(strangers: Path, scene: Scene) -> None:
    _stranger(strangers, "friend")
    _driven_by(scene, "friend")
    assert scene.say("plugins", "pin").code == 0
    assert scene.say("check").code == 0
    sent = len(scene.keyserver.log)
    _stranger(strangers, "friend", ("class Keyserver:", "# one line more\nclass Keyserver:"))
    answer = scene.say("rotate", NAME)
    assert answer.code == 2
    assert "the provider friend is not what was pinned: friend 1.0 was changed in place" in answer.lines[0]
    assert answer.lines[1] == "hint: find out who changed it; if it was you, `rotator plugins pin`"
    listed = scene.say("plugins")
    assert listed.code == 1
    assert "would not start" in listed.out
    assert len(scene.keyserver.log) == sent
    assert scene.say("plugins", "pin", "friend").code == 0
    assert scene.say("rotate", NAME, "--wait").code == 0


def test_pins_that_others_may_write_are_refused(scene: Scene) -> None:
    assert scene.say("plugins", "pin").code == 0
    (scene.folder / "rotator.pins.json").chmod(0o666)
    answer = scene.say("rotate", NAME)
    assert answer.code == 2
    assert "rotator.pins.json may be written by others" in answer.lines[0]


def test_with_pins_a_driver_that_is_not_pinned_does_not_start(scene: Scene) -> None:
    (scene.folder / "rotator.pins.json").write_text('{"drivers": {}}')
    answer = scene.say("rotate", NAME)
    assert answer.code == 2
    assert "the provider keyserver is not pinned" in answer.lines[0]


def test_without_any_folder_for_copies_it_says_so_and_sends_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rotator.app import isolating

    isolating._passing.cache_clear()
    (scene.folder / ".cache").write_text("a file where a folder should be")
    monkeypatch.setattr(tempfile, "tempdir", str(scene.folder / "nowhere"))
    answer = scene.say("rotate", NAME)
    assert answer.code == 2
    assert "there is no folder for copies of the drivers" in answer.lines[0]
    assert answer.lines[1].startswith("hint: set XDG_CACHE_HOME or TMPDIR")
    assert not scene.mints
