"""The file store when the disk is full, a call fails, a process dies or stops, or somebody else writes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.adapters.stores.file import FileStore
from rotator.adapters.stores.file.beneath import temporary_name
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Denied, Failure, Transient
from rotator.ports import ABSENT
from tests.stores.file_process import EFFECTS, NEW, OLD, PLACE, before_effect, made

PENDING = Place(ref="app/service", kind=PlaceKind.PENDING, of="r1")
FORMATS = ("json", "dotenv", "fields")
NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir(mode=0o755)
    return root


def program(root: Path, form: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.stores.file_process", str(root), form, *arguments]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])


def left_over(root: Path) -> list[str]:
    """Whatever is neither a document nor a lock."""
    names = [path.name for path in root.rglob("*") if path.name.endswith(".tmp")]
    for version in root.rglob("..rotator"):
        present = version.readlink().name
        names += [each.name for each in version.parent.glob("..rotator-v*") if each.name != present]
    return names


# -- processes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_no_update_is_lost_when_three_processes_count(root: Path, form: str) -> None:
    running = [program(root, form, "count", "15") for _ in range(3)]
    assert [each.wait(60) for each in running] == [0, 0, 0]
    for each in running:
        assert each.stdout is not None
        each.stdout.close()
    assert made(root, form).read(PLACE).fields == {"API_KEY": "45"}


@pytest.mark.parametrize("form", FORMATS)
def test_a_process_that_is_killed_leaves_the_old_or_the_new_and_nothing_in_the_way(root: Path, form: str) -> None:
    with program(root, form, "die") as dying:
        output, _ = dying.communicate(timeout=120)
    assert dying.returncode == 0
    found = [(name, json.loads(fields)) for _, name, fields in (line.split(" ", 2) for line in output.splitlines())]
    written = [fields for name, fields in found if name == "write"]
    removed = [fields for name, fields in found if name == "remove"]
    assert [each for each in written if each not in (OLD, NEW)] == []
    assert [each for each in removed if each not in (OLD, None)] == []
    # Something was killed before, and something after what matters.
    assert written[0] == OLD
    assert written[-1] == NEW
    assert removed[0] == OLD
    assert removed[-1] is None
    assert left_over(root) == []


def test_a_process_that_is_stopped_keeps_the_lock_and_can_overwrite_nobody(root: Path) -> None:
    store = FileStore.from_settings("local", {"root": str(root), "format": "json"}, str, timedelta(seconds=0.3))
    version = store.write(PLACE, OLD, ABSENT)
    with program(root, "json", "stop") as stopped:
        _, status = os.waitpid(stopped.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        began = time.monotonic()
        with pytest.raises(Transient) as busy:
            store.write(PLACE, {"API_KEY": "x"}, store.read(PLACE).version)
        assert "lock" in busy.value.message
        assert 0.3 <= time.monotonic() - began < 20
        assert store.read(PLACE).fields == OLD
        stopped.send_signal(signal.SIGKILL)
    with pytest.raises(Conflict):
        store.write(PLACE, NEW, version)
    store.write(PLACE, NEW, store.read(PLACE).version)
    assert store.read(PLACE).fields == NEW


# -- calls that fail ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("form", FORMATS)
def test_whatever_call_fails_the_document_is_the_old_or_the_new_one(
    root: Path, form: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made(root, form)
    theirs = Place(ref=PLACE.ref, kind=PlaceKind.CURRENT, fields=("OTHER",))
    store.write(theirs, {"OTHER": "theirs"}, ABSENT)

    def fail() -> None:
        raise OSError(number, "it does")

    changes: list[tuple[Callable[[str], object], object]] = [
        (lambda version: store.write(PLACE, NEW, version), NEW),
        (lambda version: store.remove(PLACE, version), None),
    ]
    for change, after in changes:
        at, ended = 1, False
        while not ended:
            version = store.write(PLACE, OLD, store.read(PLACE).version)
            with monkeypatch.context() as patched:
                for name in EFFECTS:
                    patched.setattr(os, name, getattr(os, name))  # so that they are put back
                calls = before_effect(at, fail)
                with suppress(Transient, Denied):
                    change(version)
                ended = calls() < at
            found = store.read(PLACE)
            assert found.fields in (OLD, after)
            assert not ended or found.fields == after
            assert store.read(theirs).fields == {"OTHER": "theirs"}
            at += 1
        assert at > 5
    store.write(PLACE, NEW, store.read(PLACE).version)
    assert left_over(root) == []


def test_plain_files_become_links_without_a_moment_in_which_a_field_is_missing_or_torn(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, seen, at = made(root, "fields"), list[dict[str, str]](), 0

    def look() -> None:
        seen.append({name: (directory / name).read_text().strip() for name in OLD})

    ended = False
    while not ended:
        at += 1
        place = Place(ref=f"app/service{at}", kind=PlaceKind.CURRENT, fields=tuple(OLD))
        directory = root / place.ref
        directory.mkdir(parents=True)
        for name, text in OLD.items():
            (directory / name).write_text(text + "\n")
        version = store.read(place).version
        with monkeypatch.context() as patched:
            for name in EFFECTS:
                patched.setattr(os, name, getattr(os, name))  # so that they are put back
            calls = before_effect(at, look)
            store.write(place, NEW, version)
            ended = calls() < at
    assert at > 10
    assert [each for each in seen if each not in (OLD, NEW)] == []
    assert seen[0] == OLD
    assert seen[-1] == NEW


@pytest.mark.parametrize("place", [PLACE, PENDING])
def test_what_a_crash_left_behind_goes_with_the_place(root: Path, place: Place) -> None:
    store = made(root, "json")
    version = store.write(place, OLD, ABSENT)
    (document,) = [path for path in root.rglob("*") if path.is_file() and path.parent.name != "locks"]
    (document.parent / temporary_name(document.name)).write_text("half of a secret")
    assert left_over(root) != []
    assert store.places(place.ref) == (() if place is PLACE else (PENDING,))
    store.remove(place, version)
    assert left_over(root) == []


@contextmanager
def mounted(point: Path, *options: str) -> Iterator[None]:
    """A file system of the test's own; skips where we may not mount."""
    point.mkdir(exist_ok=True)
    made = subprocess.run(["mount", *options, str(point)], capture_output=True, check=False)  # noqa: S607
    if made.returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(point)], check=True)  # noqa: S607


@pytest.mark.parametrize("form", FORMATS)
def test_on_a_full_disk_a_write_is_transient_and_the_document_stays(tmp_path: Path, form: str) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs"):
        store = made(disk, form)
        version = store.write(PLACE, OLD, ABSENT)
        pending = store.write(PENDING, {"value.secret": "x"}, ABSENT)
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(b"\0" * 2**20)
        new = Place(ref="b/new", kind=PlaceKind.CURRENT, fields=("K",))
        for place, expected in ((PLACE, version), (PENDING, pending), (new, ABSENT)):
            with pytest.raises(Transient) as full:
                store.write(place, {"K": "n" * 9000}, expected)
            assert "no space left" in full.value.message
            assert "free some space" in full.value.hint
        assert store.read(PLACE).fields == OLD
        assert store.read(PENDING).version == pending
        assert left_over(disk) == []
        filler.unlink()
        store.write(PLACE, NEW, store.read(PLACE).version)
        assert store.read(PLACE).fields == NEW


def test_on_a_read_only_disk_reading_works_and_writing_is_denied(tmp_path: Path, root: Path) -> None:
    version = made(root, "json").write(PLACE, OLD, ABSENT)
    disk = tmp_path / "disk"
    with mounted(disk, "--bind", "-o", "ro", str(root)):
        store = made(disk, "json")
        assert store.read(PLACE).fields == OLD
        assert store.read(PENDING).version == ABSENT
        with pytest.raises(Denied) as denied:
            store.write(PLACE, NEW, version)
        assert "read-only" in denied.value.message
        assert denied.value.hint == "mount it writable"
        with pytest.raises(Denied):
            store.remove(PLACE, version)
    assert made(root, "json").read(PLACE).fields == OLD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_may_not_write_is_denied_and_told_the_path(root: Path, tmp_path: Path) -> None:
    (root / "app").mkdir(mode=0o755)
    (root / "app" / "service").write_text('{"API_KEY": "old", "USER": "old"}')
    (root / "app" / "service").chmod(0o644)
    with as_nobody(tmp_path):
        store = made(root, "json")
        stored = store.read(PLACE)
        assert stored.fields == OLD
        with pytest.raises(Denied) as denied:
            store.write(PLACE, NEW, stored.version)
        assert str(root / ".rotator") in denied.value.message
        assert str(root / ".rotator") in denied.value.permission
    assert sorted(path.name for path in root.iterdir()) == ["app"]


@contextmanager
def as_nobody(tmp_path: Path) -> Iterator[None]:
    """Be a user without any right; the directories of the test are opened for entering."""
    for each in (tmp_path, *tmp_path.parents[:-1]):
        if each.stat().st_uid == os.geteuid():
            each.chmod(each.stat().st_mode | 0o011)
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("form", FORMATS)
def test_no_other_user_can_read_what_is_pending_or_previous(root: Path, tmp_path: Path, form: str) -> None:
    store = made(root, form)
    store.write(PLACE, OLD, ABSENT)
    store.write(PENDING, {"value.secret": "hidden"}, ABSENT)
    store.write(Place(ref=PLACE.ref, kind=PlaceKind.PREVIOUS, of="k"), {"value.secret": "hidden"}, ABSENT)
    (root / "app").chmod(0o755)
    with as_nobody(tmp_path):
        assert os.access(root, os.R_OK | os.X_OK, effective_ids=True)
        for path in (
            ".rotator",
            ".rotator/pending",
            ".rotator/pending/app%2Fservice/r1",
            ".rotator/locks/app%2Fservice",
        ):
            with pytest.raises(PermissionError):
                os.open(root / path, os.O_RDONLY)
        with pytest.raises(Denied):
            made(root, form).read(PENDING)


# -- other writers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_an_editor_that_writes_while_we_prepare_is_noticed_and_wins(
    root: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made(root, form)
    version = store.write(PLACE, OLD, ABSENT)
    document = root / "app" / "service" if form != "fields" else root / "app" / "service" / "API_KEY"
    foreign = {"json": '{"API_KEY": "foreign"}', "dotenv": "API_KEY=foreign\n", "fields": "foreign"}[form]
    fsync = os.fsync

    def interrupted(fd: int) -> None:
        fsync(fd)
        document.write_text(foreign)

    changes: list[Callable[[str], object]] = [
        lambda version: store.write(PLACE, NEW, version),
        lambda version: store.remove(PLACE, version),
    ]
    for change in changes:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", interrupted)
            with pytest.raises(Conflict):
                change(version)
        found = store.read(PLACE)
        assert (found.fields or {})["API_KEY"] == "foreign"
        version = store.write(PLACE, OLD, found.version)
    assert left_over(root) == []


def test_what_was_written_is_durable_before_it_is_visible_and_its_name_before_we_return(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, calls = made(root, "json"), list[str]()
    version = store.write(PLACE, OLD, ABSENT)
    fsync, rename = os.fsync, os.rename

    def told_fsync(fd: int) -> None:
        calls.append("fsync " + Path(f"/proc/self/fd/{fd}").readlink().name)
        fsync(fd)

    def told_rename(old: str, new: str, **kwargs: int) -> None:
        calls.append(f"rename {old} {new}")
        rename(old, new, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", told_fsync)
        patched.setattr(os, "rename", told_rename)
        store.write(PLACE, NEW, version)
    temporary = calls[0].removeprefix("fsync ")
    assert calls == [f"fsync {temporary}", "fsync app%2Fservice", f"rename {temporary} service", "fsync app"]


def test_the_failures_of_a_store_are_those_of_the_port(root: Path) -> None:
    (root / "app").write_text("no directory")
    for act in (
        lambda: made(root, "json").read(PLACE),
        lambda: made(root, "json").write(PLACE, OLD, ABSENT),
        lambda: made(root, "json").remove(PLACE, ABSENT),
    ):
        with pytest.raises(Failure) as failure:
            act()
        assert failure.value.hint
