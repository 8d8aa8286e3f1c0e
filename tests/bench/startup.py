"""How soon commands answer, against a Python that does nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rotator.config.installation import new_installation
from tests.bench.figures import Figure

RUNS = 9
CONFIG = """\
state: sqlite:///rotator.db
installation: {key: file:installation.key}
"""


def run() -> Iterator[Figure]:
    """Measure `rotate --help` and `rotator status`, in turn with the empty Python."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rotator.yaml").write_text(CONFIG)
        (folder / "rotator.yaml").chmod(0o600)
        (folder / "installation.key").write_text(new_installation().text())
        (folder / "installation.key").chmod(0o600)
        scripts = Path(sys.executable).parent
        config = str(folder / "rotator.yaml")
        empty = [sys.executable, "-c", "pass"]
        for line, command, aim in (
            ("rotate --help", [str(scripts / "rotate"), "--help"], None),
            ("rotator status", [str(scripts / "rotator"), "status", "--config", config], 25.0),
        ):
            ratio, seconds = _ratio(command, empty)
            note = f"median {seconds * 1000:.0f} ms"
            yield Figure(name=f"start: {line} over an empty Python", value=ratio, unit="×", aim=aim, note=note)


def _ratio(command: Sequence[str], base: Sequence[str]) -> tuple[float, float]:
    pairs = [(_seconds(command), _seconds(base)) for _ in range(RUNS)]
    return statistics.median(a / b for a, b in pairs), statistics.median(a for a, _ in pairs)


def _seconds(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
