"""Opening a journal: made where there is none, refused where it is none of ours, never changed by a refusal."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from rotator.adapters.journal.errors import (
    CannotOpen,
    Damaged,
    InUse,
    Newer,
    NoDirectory,
    NotAJournal,
    NotWritable,
)
from rotator.adapters.journal.location import path_of
from rotator.adapters.journal.lock import exclusively, lock_path
from rotator.adapters.journal.opening import open_journal
from rotator.adapters.journal.sqlite import SqliteJournal
from rotator.adapters.journal.version import HEAD
from rotator.domain.failures import Failure
from rotator.testing.journal_contract.values import NOTHING, NOW, at_once, begun, claimed
from tests.journal.places import as_nobody, open_directory

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from rotator.adapters.journal.lock import exclusively
with exclusively(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refused(kind: type[Failure], path: Path) -> Failure:
    """The refusal, which has a message and a hint in the tone of all errors."""
    with pytest.raises(kind) as found:
        open_journal(url(path)).close()
    assert type(found.value) is kind
    assert found.value.message
    assert found.value.hint
    assert not found.value.message.endswith(".")
    return found.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rotator.db"


@pytest.fixture
def directory() -> Iterator[Path]:
    with open_directory() as found:
        yield found


def test_a_new_journal_is_made_for_its_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        with open_journal(url(path)) as journal:
            begun(journal)
            assert {mode(each) for each in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(before)
    assert path.exists()


def test_what_was_written_is_there_when_it_is_opened_again(path: Path) -> None:
    with open_journal(url(path)) as journal:
        row = claimed(journal)
    with open_journal(url(path)) as journal:
        assert journal.rotations() == (row,)
    assert not path.with_name("rotator.db-wal").exists()


def test_a_journal_that_is_there_keeps_its_permissions(path: Path) -> None:
    open_journal(url(path)).close()
    path.chmod(0o640)
    open_journal(url(path)).close()
    assert mode(path) == 0o640


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("sqlite:///rotator.db", "/etc/rotator/rotator.db"),
        ("sqlite:///state/rotator.db", "/etc/rotator/state/rotator.db"),
        ("sqlite:////var/lib/rotator.db", "/var/lib/rotator.db"),
    ],
)
def test_a_relative_path_is_relative_to_the_config_and_an_absolute_one_is_not(text: str, found: str) -> None:
    assert path_of(text, Path("/etc/rotator")) == Path(found)


def test_without_a_config_a_relative_path_is_relative_to_the_working_directory() -> None:
    assert path_of("sqlite:///rotator.db") == Path.cwd() / "rotator.db"


@pytest.mark.parametrize(
    "text",
    ["rotator.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://db/rotator", "sqlite://rotator.db", ""],
)
def test_what_is_no_url_of_a_file_is_refused(text: str) -> None:
    with pytest.raises(CannotOpen) as found:
        path_of(text)
    assert "sqlite:///rotator.db" in found.value.hint


def test_the_directory_must_exist(path: Path) -> None:
    refusal = refused(NoDirectory, path.parent / "missing" / "rotator.db")
    assert "missing" in refusal.message
    assert list(path.parent.iterdir()) == []


def test_a_directory_is_no_journal(path: Path) -> None:
    path.mkdir()
    refused(NotAJournal, path)


def test_a_link_to_nowhere_is_refused(path: Path) -> None:
    path.symlink_to(path.parent / "missing" / "rotator.db")
    refused(NotWritable, path)


def test_a_directory_that_this_user_may_not_even_enter_is_refused(directory: Path) -> None:
    (directory / "closed").mkdir(mode=0o700)
    with as_nobody():
        refused(NotWritable, directory / "closed" / "state" / "rotator.db")


@pytest.mark.parametrize("content", [b"x", b"not a database\n" * 100, b"SQLite format 2\x00" + bytes(4096)])
def test_another_file_is_refused_and_stays_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(NotAJournal, path)
    assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("table", ["users", "alembic_version"])
def test_somebody_elses_database_is_refused_and_stays_as_it_is(path: Path, table: str) -> None:
    other = sqlite3.connect(path)
    other.execute(f"CREATE TABLE {table} (version_num TEXT)")
    other.close()
    content = path.read_bytes()
    refused(NotAJournal, path)
    assert path.read_bytes() == content


def test_a_newer_journal_is_refused_and_stays_as_it_is(path: Path) -> None:
    with open_journal(url(path)) as journal:
        row = claimed(journal)
    _set_version(path, "9999")
    content = path.read_bytes()
    refusal = refused(Newer, path)
    assert "9999" in refusal.message
    assert path.read_bytes() == content
    _set_version(path, HEAD)
    with open_journal(url(path)) as journal:
        assert journal.rotations() == (row,)


def _set_version(path: Path, version: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    connection.commit()
    connection.close()


def test_a_damaged_journal_is_refused(path: Path) -> None:
    with open_journal(url(path)) as journal:
        for number in range(50):
            begun(journal, f"r{number}", f"c{number}")
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996  # the header says that it is a database, its first page is none
    path.write_bytes(content)
    refusal = refused(Damaged, path)
    assert "backup" in refusal.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("permissions", [0o444, 0o000])
def test_a_file_that_this_user_may_not_write_is_refused(directory: Path, permissions: int) -> None:
    path = directory / "rotator.db"
    open_journal(url(path)).close()
    directory.chmod(0o777)
    path.chmod(permissions)
    with as_nobody():
        refused(NotWritable, path)
    open_journal(url(path)).close()


@pytest.mark.parametrize("there", [True, False], ids=["an existing journal", "a new one"])
def test_a_directory_that_this_user_may_not_write_is_refused(directory: Path, there: bool) -> None:
    path = directory / "rotator.db"
    if there:
        open_journal(url(path)).close()
        path.chmod(0o666)
    directory.chmod(0o555)
    before = sorted(each.name for each in directory.iterdir())
    with as_nobody():
        refused(NotWritable, path)
    assert sorted(each.name for each in directory.iterdir()) == before
    directory.chmod(0o755)


def test_many_who_make_the_same_journal_at_the_same_moment_all_have_it(path: Path) -> None:
    opened = at_once([partial(open_journal, url(path)) for _ in range(6)])
    assert all(isinstance(journal, SqliteJournal) for journal in opened), opened
    begun(opened[0])
    assert [len(journal.rotations()) for journal in opened] == [1] * 6
    for journal in opened:
        journal.close()


def test_opening_a_journal_twice_in_one_process_takes_nothing_from_the_first(path: Path) -> None:
    """SQLite's locks are the process's: a file that is opened and closed beside it would end them."""
    with open_journal(url(path)) as first:
        row = claimed(first)
        open_journal(url(path)).close()
        # Who closes last removes the log; another process must not believe that it is the last.
        subprocess.run([sys.executable, "-c", OPEN_AND_CLOSE, url(path)], cwd=ROOT, check=True)
        assert path.with_name("rotator.db-wal").exists()
        first.commit(row, NOW, NOTHING)
        assert first.rotation("r1") == row


OPEN_AND_CLOSE = """
import sys
from rotator.adapters.journal.opening import open_journal
open_journal(sys.argv[1]).close()
"""


# -- one daemon --------------------------------------------------------------------------------------------------------


def test_a_second_daemon_is_refused_by_the_lock(path: Path) -> None:
    with exclusively(path):
        with pytest.raises(InUse) as found, exclusively(path):
            raise AssertionError("the lock was given twice")
        assert str(os.getpid()) in found.value.message
    with exclusively(path):
        assert mode(lock_path(path)) == 0o600


def test_the_lock_ends_with_its_process_however_that_ends(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(InUse, match=str(holder.pid)), exclusively(path):
            raise AssertionError("the lock was given twice")
        holder.kill()
        holder.wait()
        with exclusively(path):
            pass


def test_a_lock_that_cannot_be_made_is_refused(directory: Path) -> None:
    directory.chmod(0o555)
    with as_nobody(), pytest.raises(NotWritable), exclusively(directory / "rotator.db"):
        raise AssertionError("the lock was given")


def test_a_daemon_and_commands_use_the_same_journal(path: Path) -> None:
    opening: Callable[[], SqliteJournal] = partial(open_journal, url(path))
    with exclusively(path), opening() as daemon, opening() as command:
        row = begun(daemon)
        assert command.open_rotation("openai") == row
