"""Every change of a config's files is seen in what the file system says of them, without reading them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.app.approving import load_whole
from rotator.config import watching
from rotator.config.watching import Files
from tests.config.folder import GOOD, Folder

ONE = """\
credentials:
  three:
    provider: ks
    publish: [{store: files, ref: b.json, fields: {A: "{secret}"}}]
"""


@pytest.fixture
def files(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setattr(watching, "SETTLED", 0)
    folder.write("include: more/*.yaml\n" + GOOD)
    folder.write(ONE, "more/one.yaml")
    return Files.of(folder.config, load_whole(folder.config).document)


def same_size_and_time(path: Path) -> None:
    before, text = path.stat(), path.read_text()
    clock = path.with_name("clock")
    while True:  # a file system's clock goes on by milliseconds, and all of this may happen within one
        clock.touch()
        if clock.stat().st_ctime_ns > before.st_ctime_ns:
            break
    clock.unlink()
    path.write_text(text.replace("127.0.0.1:1", "127.0.0.1:2"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def swap(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_bytes(path.read_bytes())
    fresh.replace(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "the same size and time": lambda folder: same_size_and_time(folder / "rotator.yaml"),
    "another file in its place": lambda folder: swap(folder / "rotator.yaml"),
    "other permissions": lambda folder: (folder / "rotator.yaml").chmod(0o666),
    "deleted": lambda folder: (folder / "rotator.yaml").unlink(),
    "an included one": lambda folder: (folder / "more/one.yaml").write_text(ONE + "\n"),
    "an included one deleted": lambda folder: (folder / "more/one.yaml").unlink(),
    "one more": lambda folder: (folder / "more/two.yaml").write_text(""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(files: Files, folder: Folder, change: Callable[[Path], object]) -> None:
    before = files.stamp()
    assert before is not None
    assert files.stamp() == before
    change(folder.path)
    assert files.stamp() != before


def test_what_changed_just_now_may_change_again_unseen(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SETTLED", 3600)
    assert files.stamp() is None


SAYS_THE_SAME = ("another file in its place", "other permissions")


@pytest.mark.parametrize("change", [each for name, each in CHANGES.items() if name not in SAYS_THE_SAME])
def test_what_changed_while_it_was_read_has_no_stamp_until_it_is_read_anew(
    files: Files, folder: Folder, change: Callable[[Path], object]
) -> None:
    document = load_whole(folder.config).document
    assert files.stamp_of(document) == files.stamp()
    change(folder.path)
    assert files.stamp() is not None
    assert files.stamp_of(document) is None


def test_a_link_that_leads_to_an_older_file_meanwhile_has_none_either(files: Files, folder: Folder) -> None:
    older = folder.write(GOOD.replace("127.0.0.1:1", "127.0.0.1:2"), "older.yaml")
    document = load_whole(folder.config).document
    folder.config.unlink()
    folder.config.symlink_to(older)
    assert files.stamp_of(document) is None
