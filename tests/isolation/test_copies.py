"""Private copies of a driver's code: what was read is what runs, whoever writes beside it or into them."""

from __future__ import annotations

import importlib.util
import marshal
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from rotator.adapters.isolation.closures import Closure, Part, closure_of
from rotator.adapters.isolation.copies import MANIFEST, Copies
from tests.isolation.children import Start
from tests.isolation.plain import plain, word_of
from tests.isolation.strangers import found
from tests.journal.places import NOBODY, as_nobody, open_directory

KEY = b"a key of the tests"


def poisoned(code: str) -> bytes:
    """Compiled code that Python takes for that of any source: unchecked."""
    return (
        importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8) + marshal.dumps(compile(code, "x", "exec"))
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "drivers"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    for name, text in (("a.py", "A = 1\n"), ("b.py", "B = 2\n")):
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def closure(sources: Path) -> Closure:
    files = {PurePosixPath("pack", each.name): each for each in sources.iterdir()}
    return Closure("d", "pack:D", (Part("pack", "1.0", files),))


def text_in(folder: str) -> dict[str, str]:
    return {each.relative_to(folder).as_posix(): each.read_text() for each in Path(folder).rglob("*") if each.is_file()}


AS_IT_WAS = {"pack/a.py": "A = 1\n", "pack/b.py": "B = 2\n"}


# -- copies ------------------------------------------------------------------------------------------------------------


def test_a_copy_is_what_was_read_and_only_we_may_read_it(root: Path, closure: Closure, sources: Path) -> None:
    assert closure.parts[0].digest
    (sources / "a.py").write_text("A = 'swapped'\n")
    (copy,) = Copies(root, KEY).of(closure)
    assert text_in(copy) == AS_IT_WAS
    assert {each.stat().st_mode & 0o777 for each in Path(copy).rglob("*.py")} == {0o400}
    assert (root.stat().st_mode & 0o777, Path(copy).stat().st_mode & 0o777) == (0o700, 0o700)
    assert Copies(root, KEY).of(closure) == (copy,)


def _write(copy: Path) -> None:
    (copy / "pack" / "a.py").unlink()
    (copy / "pack" / "a.py").write_text("A = 'evil'\n")


def _add(copy: Path) -> None:
    (copy / "json.py").write_text("evil = 1\n")


def _remove(copy: Path) -> None:
    (copy / "pack" / "b.py").unlink()


def _link(copy: Path) -> None:
    away = copy.with_name("away.py")
    away.write_text("A = 1\n")
    (copy / "pack" / "a.py").unlink()
    (copy / "pack" / "a.py").symlink_to(away)


def _link_the_whole(copy: Path) -> None:
    copy.rename(copy.with_name("away"))
    copy.symlink_to(copy.with_name("away"))


def _link_to_nothing(copy: Path) -> None:
    copy.rename(copy.with_name("away"))
    copy.symlink_to(copy.with_name("nothing"))


@pytest.mark.parametrize("change", [_write, _add, _remove, _link, _link_the_whole, _link_to_nothing])
def test_a_copy_that_was_changed_is_made_again(change: Callable[[Path], None], root: Path, closure: Closure) -> None:
    (copy,) = Copies(root, KEY).of(closure)
    change(Path(copy))
    assert Copies(root, KEY).of(closure) == (copy,)
    assert not Path(copy).is_symlink()
    assert not [each for each in Path(copy).rglob("*") if each.is_symlink()]
    assert text_in(copy) == AS_IT_WAS


def test_many_at_once_make_one_copy(root: Path, sources: Path) -> None:
    files = {PurePosixPath("pack", f"{number}.py"): sources / "a.py" for number in range(200)}
    closure = Closure("d", "pack:D", (Part("pack", "1.0", files),))
    assert closure.parts[0].contents
    made: list[tuple[str, ...]] = []
    threads = [threading.Thread(target=lambda: made.append(Copies(root, KEY).of(closure))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert sorted(each.name for each in root.iterdir()) == [".lock", Path(made[0][0]).name]


def test_what_cannot_be_written_leaves_nothing_and_what_was_left_is_removed(root: Path, sources: Path) -> None:
    copies, source = Copies(root, KEY), sources / "a.py"
    impossible = Part("pack", "1.0", {PurePosixPath("a"): source, PurePosixPath("a/b"): source})
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        copies.of(Closure("d", "pack:D", (impossible,)))
    assert [each.name for each in root.iterdir()] == [".lock"]
    (root / ".making-long-ago").mkdir()
    copies.of(Closure("d", "pack:D", ()))
    assert [each.name for each in root.iterdir()] == [".lock"]


def test_a_folder_that_others_may_write_or_that_leads_elsewhere_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    (tmp_path / "ours").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "ours")
    for name in ("open", "link"):
        with pytest.raises(OSError, match="is not ours alone"):
            Copies(tmp_path / name, KEY)
    Copies(tmp_path / "ours", KEY)
    if os.geteuid() == 0:
        os.chown(tmp_path / "ours", 65534, 65534)
        with pytest.raises(OSError, match="is not ours alone"):
            Copies(tmp_path / "ours", KEY)


# -- compiled code -----------------------------------------------------------------------------------------------------


def compiled(copies: Copies) -> list[Path]:
    return sorted(copies.bytecode.rglob("*.pyc"))


def test_only_what_we_compiled_stays_and_only_under_our_key(root: Path, closure: Closure) -> None:
    copies = Copies(root, KEY)
    (copy,) = copies.of(closure)
    copies.compile([f"{copy}/pack/a.py", f"{copy}/pack/b.py"])
    one, other = compiled(copies)
    copies.checked()
    assert compiled(copies) == [one, other]
    one.write_bytes(poisoned("A = 'evil'"))
    (copies.bytecode / "more.pyc").write_bytes(other.read_bytes())
    (copies.bytecode / "link.pyc").symlink_to(other)
    copies.checked()
    assert compiled(copies) == [other]
    copies.compile([f"{copy}/pack/a.py"])  # again, since it is gone
    assert compiled(copies) == [one, other]
    Copies(root, b"another key").checked()
    assert compiled(copies) == []


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"mac": 1, "compiled": {}}', '{"mac": "é", "compiled": {"a": "b"}}', "[" * 9999]
)
def test_a_manifest_that_is_not_ours_vouches_for_nothing(text: str, root: Path, closure: Closure) -> None:
    copies = Copies(root, KEY)
    (copy,) = copies.of(closure)
    copies.compile([f"{copy}/pack/a.py"])
    (root / MANIFEST).write_text(text)
    copies.checked()
    assert compiled(copies) == []


def test_a_driver_names_no_source_that_we_should_not_compile(root: Path, closure: Closure, sources: Path) -> None:
    copies = Copies(root, KEY)
    (copy,) = copies.of(closure)
    (Path(copy) / "broken.py").write_text("(" * 1000)
    elsewhere = [
        str(sources / "a.py"),
        f"{copy}/../../sources/a.py",
        f"{copy}/pack/a\0.py",
        "a.py",
        "",
        f"{copy}/none.py",
    ]
    copies.compile([*elsewhere, f"{copy}/broken.py", f"{copy}/pack/b.py"])
    assert [each.name for each in compiled(copies)] == [f"b.{sys.implementation.cache_tag}.pyc"]


# -- who has our rights ------------------------------------------------------------------------------------------------


@pytest.fixture
def ours(closure: Closure) -> Iterator[Path]:
    """A folder in which permissions hold for us too, as they do not for root."""
    assert closure.parts[0].digest  # read by who may
    with open_directory() as folder:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, -1)
        with as_nobody():
            yield folder / "drivers"


def poison(copies: Copies, copy: str) -> Path:
    """Compiled code of somebody else, where Python looks for that of a source of the copy."""
    path = copies.bytecode / f"{copy.lstrip('/')}/pack/a.{sys.implementation.cache_tag}.pyc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(poisoned("A = 'evil'"))
    return path


@pytest.mark.parametrize("mode", [0o500, 0o100])
def test_poison_that_cannot_be_removed_or_seen_stops_every_driver(mode: int, ours: Path, closure: Closure) -> None:
    copies = Copies(ours, KEY)
    (copy,) = copies.of(closure)
    cache = poison(copies, copy)
    cache.parent.chmod(mode)
    try:
        with pytest.raises(PermissionError):
            copies.checked()
    finally:
        cache.parent.chmod(0o700)
    copies.checked()
    assert compiled(copies) == []


def test_poison_that_cannot_be_removed_is_not_taken_for_what_we_compiled(ours: Path, closure: Closure) -> None:
    copies = Copies(ours, KEY)
    (copy,) = copies.of(closure)
    cache = poison(copies, copy)
    cache.parent.chmod(0o500)
    try:
        copies.compile([f"{copy}/pack/a.py"])
    finally:
        cache.parent.chmod(0o700)
    copies.checked()
    assert compiled(copies) == []


def test_a_folder_in_a_copy_that_nobody_can_look_into_is_no_part_of_it(ours: Path, closure: Closure) -> None:
    (copy,) = Copies(ours, KEY).of(closure)
    package = Path(copy, "pack", "a")  # Python takes it before a.py
    package.mkdir()
    (package / "__init__.py").write_text("A = 'evil'\n")
    package.chmod(0o100)
    try:
        with pytest.raises(PermissionError):
            Copies(ours, KEY).of(closure)
    finally:
        package.chmod(0o700)
    assert Copies(ours, KEY).of(closure) == (copy,)
    assert text_in(copy) == AS_IT_WAS


# -- drivers -----------------------------------------------------------------------------------------------------------


def test_poison_beside_a_source_runs_in_a_normal_python_and_not_in_a_driver(strangers: Path, start: Start) -> None:
    plain(strangers, imports="import more", word="more.WORD", more="WORD = 'good'\n")
    cache = Path(importlib.util.cache_from_source(str(strangers / "more.py")))
    cache.parent.mkdir(exist_ok=True)
    cache.write_bytes(poisoned("WORD = 'evil'"))
    ask = [
        sys.executable,
        "-I",
        "-S",
        "-B",
        "-c",
        "import sys; sys.path.append(sys.argv[1]); import more; print(more.WORD)",
    ]
    done = subprocess.run([*ask, str(strangers)], capture_output=True, text=True, check=True)
    assert done.stdout == "evil\n"
    assert word_of(start("plain", confine=False)) == "good"


def test_poison_in_our_own_cache_is_removed_before_a_driver_starts(
    strangers: Path, start: Start, copies: Copies
) -> None:
    plain(strangers, imports="import more", word="more.WORD", more="WORD = 'good in the cache'\n")
    folder = copies.of(closure_of(found("plain")))[1]
    cache = copies.bytecode / f"{folder.lstrip('/')}/more.{sys.implementation.cache_tag}.pyc"
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_bytes(poisoned("WORD = 'evil'"))
    ask = [sys.executable, "-I", "-S", "-B", "-X", f"pycache_prefix={copies.bytecode}", "-c"]
    ask += ["import sys; sys.path.append(sys.argv[1]); import more; print(more.WORD)", folder]
    assert subprocess.run(ask, capture_output=True, text=True, check=True).stdout == "evil\n"
    assert word_of(start("plain", confine=False)) == "good in the cache"
