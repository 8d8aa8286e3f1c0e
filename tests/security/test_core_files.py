"""No core file: a command that crashes leaves nothing of its memory behind, whatever limit it inherited."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.scene import NAME, SCRIPTS
from tests.security.guarded import guarded

LIMIT = "Max core file size"


def _start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """A process with the highest limit that we may give, which waits to be continued before it begins."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard == 0:
        pytest.skip("core files are forbidden here already")
    raised = ["/bin/sh", "-c", 'ulimit -c "$(ulimit -H -c)"; kill -STOP $$; exec "$@"', "sh", *words]
    environment = {"PATH": os.defpath, "HOME": str(folder)}
    process = subprocess.Popen(
        raised, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return process


def _limit(pid: int) -> str:
    """The limit that counts."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith(LIMIT)).removeprefix(LIMIT).split()[0]


def _wait(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not reached():
        assert process.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.01)


def _crashed(process: subprocess.Popen[bytes]) -> bool:
    """Crash it; whether the kernel says that a core was dumped."""
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == -signal.SIGABRT
    return os.WCOREDUMP(status)


@pytest.mark.stand_in("API provider: keyserver")
def test_a_command_that_crashes_leaves_no_core_file(tmp_path: Path) -> None:
    with guarded(tmp_path) as guard:
        guard.scene.policy(overlap="30s")
        rotate = [str(SCRIPTS / "rotate"), NAME, "--wait", "--config", str(guard.scene.config)]
        process = _start(tmp_path, *rotate)
        try:
            assert _limit(process.pid) != "0"
            process.send_signal(signal.SIGCONT)
            _wait(process, lambda: _limit(process.pid) == "0")
            _wait(process, lambda: guard.scene.mints > 0)  # so there are secrets in its memory
            assert not _crashed(process)
        finally:
            process.kill()
            process.wait()
    assert not list(tmp_path.glob("core*"))


def test_the_limit_alone_would_not_be_all(tmp_path: Path) -> None:
    """Not being dumpable is heeded even where the limit is not; here it is seen with the limit as it was."""
    dumps = _sleeper(tmp_path, "")
    if not dumps:
        pytest.skip("this machine dumps no cores, whatever the limit")
    lowered = "import resource; resource.setrlimit = lambda *each: None; "
    assert not _sleeper(tmp_path, lowered + "from rotator.app.hardening import forbid_core_files as f; f(); ")


def _sleeper(folder: Path, first: str) -> bool:
    """Whether a process that does this first dumps a core when it crashes."""
    process = _start(folder, sys.executable, "-c", first + "open('ready', 'w'); import time; time.sleep(60)")
    try:
        process.send_signal(signal.SIGCONT)
        _wait(process, (folder / "ready").exists)
        return _crashed(process)
    finally:
        process.kill()
        process.wait()
        for left in (folder / "ready", *folder.glob("core*")):
            left.unlink(missing_ok=True)
