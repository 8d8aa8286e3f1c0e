"""Commands as real processes: nothing of our environment, ended with all they started, and read within bounds."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from rotator.domain.consumers import Heard, Published
from rotator.domain.failures import Permanent, Transient
from tests.consumers.news import NEWS, tell, telling


def _program(folder: Path, text: str, mode: int = 0o755) -> str:
    path = folder / "reload"
    path.write_text(f"#!{sys.executable} -IS\nimport json, os, subprocess, sys, time\n{text}\n")
    path.chmod(mode)
    return str(path)


def _gone(pid: int) -> bool:
    """Whether the process has ended, within half a minute."""
    for _ in range(3000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X"):
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_it_gets_the_news_its_arguments_and_nothing_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "VAULT_TOKEN", "LD_PRELOAD_", "PYTHONPATH", "HTTPS_PROXY", "ROTATOR_STATE"):
        monkeypatch.setenv(name, "hunter2-hunter2")
    monkeypatch.setenv("PATH", str(tmp_path))
    text = (
        "leads = os.getsid(0) == os.getpid()\n"
        "print(json.dumps([dict(os.environ), sys.argv[1:], json.load(sys.stdin), os.getcwd(), leads]))"
    )
    heard = tell({"command": [_program(tmp_path, text), "reload", "a b; rm -rf /", "$HOME"]})
    assert isinstance(heard, Heard)
    environment, arguments, news, folder, leads = json.loads(heard.answer)
    environment.pop("LC_CTYPE", None)  # Python's own
    assert environment.pop("ROTATOR_EVENT_ID").startswith("msg_")
    assert environment == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "ROTATOR_EVENT": "credential.rotated",
        "ROTATOR_CREDENTIAL": "openai-prod",
        "ROTATOR_ROTATION": "r1",
        "ROTATOR_CONSUMER": "web",
    }
    assert arguments == ["reload", "a b; rm -rf /", "$HOME"]
    assert (news["type"], news["data"]["credential"]) == ("credential.rotated", "openai-prod")
    assert (folder, leads) == ("/", True)
    assert "hunter2" not in heard.answer


def test_it_inherits_no_open_file_of_ours(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)
        heard = tell({"command": [_program(tmp_path, "print(sorted(map(int, os.listdir('/proc/self/fd'))))")]})
    assert isinstance(heard, Heard)
    assert max(json.loads(heard.answer)) <= 3, "standard input and output, and the folder that is listed"


def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    text = (
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r} + '~', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(pids)!r} + '~', {str(pids)!r})\ntime.sleep(60)"
    )
    for seconds in (2, 20):  # a busy machine may end it before it has started anything
        began = time.monotonic()
        answer = tell({"command": [_program(tmp_path, text)]}, timeout=seconds)
        assert time.monotonic() - began < 50
        assert isinstance(answer, Transient)
        assert answer.message == f"its command did not end within {seconds} s"
        if pids.exists():
            break
    assert all(_gone(int(pid)) for pid in pids.read_text().split())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_one_that_hangs_with_the_rights_of_another_user_is_not_waited_for(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    text = (
        f"import fcntl\nfile = open({str(lock)!r}, 'r+')\nfile.write(str(os.getpid()))\nfile.flush()\n"
        "os.setresuid(65534, 65534, 65534)\nfcntl.flock(file, fcntl.LOCK_EX)"
    )
    lock.touch()
    with lock.open() as held, ThreadPoolExecutor(1, initializer=_forget_how_to_kill) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            for seconds in (1, 20):  # a busy machine may end it before it has become anybody else
                answer = pool.submit(tell, {"command": [_program(tmp_path, text)]}, timeout=seconds).result(timeout=60)
                assert isinstance(answer, Transient)
                assert answer.message == f"its command did not end within {seconds} s"
                if lock.read_text():
                    break
        finally:
            fcntl.flock(held, fcntl.LOCK_UN)
    assert _buried(int(lock.read_text()))


def _buried(pid: int) -> bool:
    """Whether the process is gone altogether, within ten seconds."""
    for _ in range(1000):
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.01)
    return False


def _forget_how_to_kill() -> None:
    """For this thread alone, root may end no other user's process."""
    libc, header = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 2)(0x20080522, 0)  # linux/capability.h
    sets = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    sets[0] &= ~(1 << 5)
    assert libc.capset(header, sets) == 0


def test_what_it_leaves_running_behind_is_ended_too_and_not_waited_for(tmp_path: Path) -> None:
    text = (
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\nprint(child.pid, flush=True)"
    )
    began = time.monotonic()
    heard = tell({"command": [_program(tmp_path, text)]})
    assert time.monotonic() - began < 20, "although the child holds its standard output open"
    assert isinstance(heard, Heard)
    assert _gone(int(heard.answer))


def test_megabytes_of_output_are_read_dropped_and_hinder_nobody(tmp_path: Path) -> None:
    text = "for _ in range(32): sys.stdout.write('x' * 1_048_576)\nsys.stderr.write('y' * 8_388_608)"
    heard = tell({"command": [_program(tmp_path, text)]}, timeout=60.0)
    assert isinstance(heard, Heard)
    assert heard.answer == "x" * 16_384


def test_output_without_end_is_cut_off_in_time(tmp_path: Path) -> None:
    began = time.monotonic()
    answer = tell({"command": [_program(tmp_path, "while True: sys.stdout.write('x' * 65536)")]}, timeout=0.5)
    assert time.monotonic() - began < 20
    assert isinstance(answer, Transient)


def test_one_that_closes_its_output_and_goes_on_is_waited_for(tmp_path: Path) -> None:
    text = "print('ack', flush=True)\nos.close(1)\ntime.sleep(1.5)"
    before = time.process_time()
    assert tell({"command": [_program(tmp_path, text)]}) == Heard("ack\n")
    assert time.process_time() - before < 1.0, "without turning round and round"


def test_one_that_reads_nothing_and_one_that_is_told_much_do_not_wait_for_each_other(tmp_path: Path) -> None:
    many = tuple(Published(store=f"s{number}", ref="x" * 40) for number in range(600))
    program = _program(tmp_path, "time.sleep(0.1)")
    assert tell({"command": [program]}, replace(NEWS, places=many)) == Heard("")
    assert isinstance(tell({"command": [program]}, replace(NEWS, places=many * 3)), Permanent)


@pytest.mark.parametrize(("text", "status"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", -9)])
def test_another_status_means_that_it_did_not_hear_and_its_words_are_not_kept(
    tmp_path: Path, text: str, status: int
) -> None:
    answer = tell({"command": [_program(tmp_path, f"print('hunter2', flush=True)\n{text}")]})
    assert isinstance(answer, Transient)
    assert answer.message == f"its command ended with status {status}"
    assert answer.hint == ""


def test_what_cannot_be_run_is_said(tmp_path: Path) -> None:
    for mode, why in ((0o644, "no program"), (0o757, "changed by everybody")):
        answer = tell({"command": [_program(tmp_path, "", mode)]})
        assert isinstance(answer, Transient)
        assert why in answer.message
    (tmp_path / "no-interpreter").write_text("#!/nowhere/at/all\n")
    (tmp_path / "no-interpreter").chmod(0o755)
    for name in ("missing", "no-interpreter", "."):
        answer = tell({"command": [str(tmp_path / name)]})
        assert isinstance(answer, Transient), name
        assert answer.message.startswith("its command")


def test_check_says_it_before(tmp_path: Path) -> None:
    by = telling(web={"command": [str(tmp_path / "reload")]})._tellers["web"].by
    assert by.remarks() == ("its command cannot be run: No such file or directory",)
    _program(tmp_path, "")
    assert by.remarks() == ()
