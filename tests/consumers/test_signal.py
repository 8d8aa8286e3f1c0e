"""Signals to real processes: to the one that wrote the pid file, and to no other that has its number now."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rotator.adapters.consumers import signalling
from rotator.domain.consumers import Heard
from rotator.domain.failures import Transient
from tests.consumers.news import tell, telling

CHILD = """
import os, signal, sys
said = lambda number, frame: os.write(1, signal.Signals(number).name.encode() + b"\\n")
for each in (signal.SIGHUP, signal.SIGUSR1): signal.signal(each, said)
os.write(1, b"ready\\n")
for line in sys.stdin: pass
"""


@contextmanager
def child() -> Iterator[subprocess.Popen[str]]:
    """A process that says which signal it got."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def heard(process: subprocess.Popen[str]) -> list[str]:
    """All that it said, once it has ended by itself."""
    out, _ = process.communicate("", timeout=60)
    return out.split()


def _file(folder: Path, text: str, mode: int = 0o644) -> Path:
    path = folder / "app.pid"
    path.write_text(text)
    path.chmod(mode)
    return path


def _ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_the_process_that_wrote_its_pid_is_told_by_sighup(tmp_path: Path) -> None:
    with child() as process:
        assert tell({"signal": str(_file(tmp_path, f"{process.pid}\n"))}) == Heard()
        assert heard(process) == ["SIGHUP"]


def test_it_may_be_another_signal(tmp_path: Path) -> None:
    with child() as process:
        assert tell({"signal": str(_file(tmp_path, str(process.pid))), "send": "SIGUSR1"}) == Heard()
        assert heard(process) == ["SIGUSR1"]


def test_a_process_that_began_after_its_pid_file_is_another_one_and_is_not_signalled(tmp_path: Path) -> None:
    path = _file(tmp_path, "0")
    with child() as process:
        path.write_text(str(process.pid))
        an_hour_ago = time.time() - 3600
        os.utime(path, (an_hour_ago, an_hour_ago))
        answer = tell({"signal": str(path)})
        assert isinstance(answer, Transient)
        assert "another process" in answer.message
        assert heard(process) == []


def test_half_a_second_is_enough_to_tell_them_apart(tmp_path: Path) -> None:
    path = _file(tmp_path, "0")
    time.sleep(0.5)
    with child() as process:
        written = path.stat()
        path.write_text(str(process.pid))
        os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))
        assert isinstance(tell({"signal": str(path)}), Transient)
        assert heard(process) == []


@pytest.mark.parametrize("off", [0, 1, -1])
def test_a_start_time_in_the_file_decides_exactly(tmp_path: Path, off: int) -> None:
    with child() as process:
        path = _file(tmp_path, f"{process.pid} {_ticks(process.pid) + off}\n")
        an_hour_ago = time.time() - 3600
        os.utime(path, (an_hour_ago, an_hour_ago))
        answer = tell({"signal": str(path)})
        assert isinstance(answer, Transient if off else Heard)
        assert heard(process) == ([] if off else ["SIGHUP"])


def test_without_a_pidfd_it_is_told_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    with child() as process:
        path = _file(tmp_path, str(process.pid))
        assert tell({"signal": str(path)}) == Heard()
        os.utime(path, (1, 1))
        assert isinstance(tell({"signal": str(path)}), Transient)
        assert heard(process) == ["SIGHUP"]


def test_a_process_that_ended_is_no_other_s_fault(tmp_path: Path) -> None:
    with child() as process:
        path = _file(tmp_path, str(process.pid))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        unburied = tell({"signal": str(path)})  # a zombie still has its number
        process.wait()
        buried = tell({"signal": str(path)})
    for answer in (unburied, buried):
        assert isinstance(answer, Transient)
        assert answer.message == "its process is not running"


def test_a_name_full_of_brackets_does_not_move_the_fields(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    program.symlink_to(sys.executable)
    process = subprocess.Popen([str(program), "-I", "-S", "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    found = signalling._look(process.pid)
    process.kill()
    process.communicate()
    assert found.started == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME) / signalling.TICK, abs=3000)
    assert found.uid == os.getuid()


@pytest.mark.parametrize("text", ["", "abc", "-1", "0", "1", "12 13 14", "99999999999", "9" * 5000, "1 1"])
def test_a_file_without_a_pid_signals_nobody(tmp_path: Path, text: str) -> None:
    answer = tell({"signal": str(_file(tmp_path, text))})
    assert isinstance(answer, Transient)
    assert answer.message == "its pid file holds no pid"


def test_a_file_that_is_missing_a_link_a_pipe_or_anybody_s_signals_nobody(tmp_path: Path) -> None:
    with child() as process:
        path = _file(tmp_path, str(process.pid))
        link, pipe = tmp_path / "link", tmp_path / "pipe"
        link.symlink_to(path)
        os.mkfifo(pipe)
        for each in (tmp_path / "missing", link, pipe, tmp_path):
            assert isinstance(tell({"signal": str(each)}), Transient), each
        path.chmod(0o666)
        answer = tell({"signal": str(path)})
        assert isinstance(answer, Transient)
        assert "everybody" in answer.message
        assert heard(process) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root may make a file somebody else's")
def test_a_pid_file_of_somebody_else_signals_no_process_of_ours(tmp_path: Path) -> None:
    with child() as process:
        path = _file(tmp_path, str(process.pid))
        os.chown(path, 12345, 12345)
        answer = tell({"signal": str(path)})
        assert isinstance(answer, Transient)
        assert "somebody else" in answer.message
        assert heard(process) == []


def test_the_rotator_does_not_signal_itself(tmp_path: Path) -> None:
    answer = tell({"signal": str(_file(tmp_path, str(os.getpid())))})
    assert isinstance(answer, Transient)
    assert "itself" in answer.message


def test_check_says_what_keeps_it_from_being_told(tmp_path: Path) -> None:
    path = tmp_path / "app.pid"
    by = telling(web={"signal": str(path)})._tellers["web"].by
    assert by.remarks() == ("its pid file cannot be read: No such file or directory",)
    with child() as process:
        path.write_text(str(process.pid))
        assert by.remarks() == ()
        assert heard(process) == []
