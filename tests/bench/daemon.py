"""What the daemon itself costs with 100,000 credentials of which none is due."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rotator.config.installation import new_installation
from rotator.domain.records import CredentialRow
from rotator.ports import Change
from tests.bench.figures import Figure

COUNT, A_FILE = 100_000, 5_000
SETTLING, MEASURED = 40.0, 30.0
"""Seconds after its start, in which it looks at everything once, and seconds of what it costs afterwards."""


def run() -> Iterator[Figure]:
    """A config of many files, a journal that knows all of it, and the daemon as it is typed."""
    with tempfile.TemporaryDirectory() as name:
        config = written(Path(name))
        command = [str(Path(sys.executable).with_name("rotator")), "daemon", "--config", str(config)]
        began = time.monotonic()
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            assert daemon.stderr is not None
            while b'"serving"' not in (line := daemon.stderr.readline()):
                if not line:
                    raise RuntimeError("the daemon did not begin")
            started = time.monotonic() - began
            time.sleep(SETTLING)
            before = _cpu(daemon.pid)
            time.sleep(MEASURED)
            share = (_cpu(daemon.pid) - before) / MEASURED
            memory = _memory(daemon.pid)
        finally:
            daemon.kill()
            daemon.wait()
    note = f"{COUNT} credentials; it began after {started:.0f} s"
    yield Figure(name="idle: share of a core that the daemon takes", value=share * 100, unit="%", aim=1, note=note)
    yield Figure(name="idle: resident memory of the daemon", value=memory, unit="MB", aim=150)


def _cpu(process: int) -> float:
    """Seconds in user and kernel mode."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(process: int) -> float:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def written(folder: Path) -> Path:
    """A config of many files and a journal that knows all of it; returns the config."""
    from rotator.app.journals import open_at

    installation = new_installation()
    names = [f"key-{number:06}" for number in range(COUNT)]
    (folder / "store").mkdir(mode=0o700)
    (folder / "credentials").mkdir()
    for at in range(0, COUNT, A_FILE):
        entries = {"credentials": {name: _entry(name) for name in names[at : at + A_FILE]}}
        (folder / "credentials" / f"{at:06}.yaml").write_text(json.dumps(entries))
    config = {
        "state": "sqlite:///rotator.db",
        "installation": {"key": "file:installation.key"},
        "include": "credentials/*.yaml",
        "providers": {"ks": {"driver": "keyserver", "admin": "file:admin", "base_url": "http://127.0.0.1:9"}},
        "stores": {"files": {"driver": "file", "root": "store", "format": "json"}},
        "policies": {"standard": {"every": "30d"}},
    }
    for name, text in (
        ("admin", "none"),
        ("installation.key", installation.text()),
        ("rotator.yaml", json.dumps(config)),
    ):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    journal, now = open_at(folder / "rotator.db", installation), datetime.now(UTC)
    for number, name in enumerate(names):
        due = now + timedelta(days=1, seconds=number)
        journal.save(CredentialRow(name=name, current="key", current_since=now, next_due=due), now, Change())
    journal.remember("reconciled at", now.isoformat())
    journal.close()
    return folder / "rotator.yaml"


def _entry(name: str) -> dict[str, object]:
    return {
        "provider": "ks",
        "principal": {"principal": name, "exclusive": True},
        "owner": "team",
        "publish": [{"store": "files", "ref": f"{name}.json", "fields": {"API_KEY": "{secret}"}}],
        "policy": "standard",
    }
