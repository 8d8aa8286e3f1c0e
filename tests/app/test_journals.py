"""Whether a daemon may have a journal: one on SQLite, any number on PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rotator.adapters.journal.errors import InUse
from rotator.app.configs import load_config
from rotator.app.journals import alone
from rotator.config.reading import Config

DAEMON = """
import sys
from pathlib import Path
from rotator.app.configs import load_config
from rotator.app.journals import alone
with alone(load_config(Path(sys.argv[1]))):
    print("has it", flush=True)
    sys.stdin.read()
"""


def config(folder: Path, state: str) -> Config:
    path = folder / "rotator.yaml"
    path.touch(mode=0o600)
    path.write_text(f"state: {state}\ninstallation: {{key: file:installation.key}}\n")
    return load_config(path)


def test_a_second_daemon_on_sqlite_is_refused_until_the_first_is_gone_however_it_ended(tmp_path: Path) -> None:
    read = config(tmp_path, "sqlite:///rotator.db")
    command = [sys.executable, "-c", DAEMON, str(read.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "has it\n"
        with pytest.raises(InUse, match=f"process {first.pid}") as found, alone(read):
            pass
        assert found.value.hint
        second = subprocess.run(command, input="", capture_output=True, text=True, check=False)
        assert second.returncode != 0
        assert "has it" not in second.stdout
        first.send_signal(signal.SIGKILL)
        first.wait()
        with alone(read):
            pass


def test_any_number_of_daemons_share_postgresql(tmp_path: Path) -> None:
    read = config(tmp_path, "postgresql://rotator@127.0.0.1/rotator")
    with alone(read), alone(read):
        assert not list(tmp_path.glob("*.lock"))
