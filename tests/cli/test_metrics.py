"""`rotator metrics`: one exposition, printed or written so that a collector never sees a part of it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.scene import NAME, Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def test_it_prints_what_a_daemon_would_show_and_no_key(scene: Scene) -> None:
    scene.say("adopt", NAME)
    answer = scene.say("metrics")
    assert (answer.code, answer.err) == (0, "")
    found = {family.name for family in text_string_to_metric_families(answer.out)}
    assert {"rotator_journal_up", "rotator_credentials", "rotator_oldest_key_age_seconds"} <= found
    assert "key-1" not in answer.out
    assert scene.published() not in answer.out


def test_a_file_is_replaced_at_once_and_can_be_read_by_who_collects_it(scene: Scene) -> None:
    target = scene.folder / "rotator.prom"
    target.write_text("old")
    before = target.stat().st_ino
    assert scene.say("metrics", "--to", str(target)).code == 0
    assert "rotator_journal_up 1.0" in target.read_text()
    assert target.stat().st_ino != before
    umask = os.umask(0o022)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644 & ~umask
    assert [each.name for each in scene.folder.iterdir() if each.suffix == ".new"] == []


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("rotator.txt", "--to names no .prom file"),
        ("missing/rotator.prom", "is in no folder that there is"),
        ("store.prom", "is a folder"),
    ],
)
def test_a_target_that_nobody_would_read_is_refused(scene: Scene, to: str, message: str) -> None:
    (scene.folder / "store.prom").mkdir()
    answer = scene.say("metrics", "--to", to)
    assert answer.code == 2
    assert message in answer.lines[0]
    assert answer.lines[1].startswith("hint: ")


def test_a_file_that_cannot_be_written_leaves_the_old_one(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    target = scene.folder / "rotator.prom"
    target.write_text("old")

    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    answer = scene.say("metrics", "--to", str(target))
    assert (answer.code, answer.lines[0]) == (
        2,
        f"rotator: --to: {target} cannot be written: no space left on device",
    )
    monkeypatch.undo()
    assert target.read_text() == "old"
    assert [each.name for each in scene.folder.iterdir() if each.suffix == ".new"] == []


def test_a_journal_that_cannot_be_read_is_written_as_down_and_ends_with_3(scene: Scene) -> None:
    (scene.folder / "rotator.db").write_bytes(b"not a database\n" * 100)
    target = scene.folder / "rotator.prom"
    answer = scene.say("metrics", "--to", str(target))
    assert answer.code == 3
    assert answer.lines == ["rotator: the journal does not answer", "hint: `rotator check` says why"]
    assert "rotator_journal_up 0.0" in target.read_text()


def test_without_the_extra_it_says_what_to_install_and_every_other_command_works(scene: Scene) -> None:
    for word in ("metrics", "status"):
        script = (
            "import sys; sys.modules['prometheus_client'] = None\n"
            f"from rotator.cli.main import main; sys.exit(main({scene.with_config([word])!r}))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=scene.folder,
            env=scene.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if word == "status":
            assert done.returncode == 0, done.stderr
        else:
            assert done.returncode == 2
            assert done.stderr.splitlines() == [
                "rotator: metrics need prometheus-client",
                "hint: pip install 'rotator[daemon]'",
            ]
