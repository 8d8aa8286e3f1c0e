"""Two installations of the rotator: the wheel of this tree, and one of an earlier commit, each in an environment.

What both need of other people's packages is what the tests' own environment has: it is shared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tests.servers import Unavailable, started

ROOT = Path(__file__).parents[2]
OLDER = "c62a6dc5f894a8e46433a3914fbb87409305da11"
"""The last commit of the main line that knows the journal's schema 0008; it has `rotator daemon`."""
OLDER_SCHEMA = "0008"
NAME = "older wheel"


@dataclass(frozen=True, slots=True)
class Installed:
    """One environment."""

    folder: Path

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.folder / "bin" / "python")

    def script(self, name: str) -> str:
        """A console script of the wheel."""
        return str(self.folder / "bin" / name)


def older(scratch: Path) -> Installed:
    """From `git archive` of the commit. Raises `Unavailable` where there is no history."""
    source = scratch / "source"
    try:
        asked = ["git", "-C", str(ROOT), "archive", OLDER]
        archive = subprocess.run(asked, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(
            f"no older wheel: git has no {OLDER[:9]} here: a copy without history, or a shallow one"
        ) from error
    with tarfile.open(fileobj=BytesIO(archive)) as members:
        members.extractall(source, filter="data")
    made = _installed(source, scratch)
    started[NAME] = f"{OLDER[:9]}, schema {OLDER_SCHEMA}"
    return made


def newer(scratch: Path) -> Installed:
    """From this tree as it is."""
    return _installed(ROOT, scratch)


def _installed(source: Path, scratch: Path) -> Installed:
    wheels, folder = scratch / "wheels", scratch / "venv"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    _run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(wheels), str(source))
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    [wheel] = wheels.glob("rotator-*.whl")
    _run(*pip, "--python", str(folder), "install", "--no-deps", "--no-index", "--no-compile", str(wheel))
    # As a plain line: the files of that folder that bring this very tree are not read from here.
    [own] = folder.glob("lib/python*/site-packages")
    (own / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installed(folder)


def _run(*command: str) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
