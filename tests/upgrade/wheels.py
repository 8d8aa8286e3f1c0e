"""Installations of the rotator: the wheel of this tree, one of an earlier commit, and one of a version that may come.

What both need of other people's packages is what the tests' own environment has: it is shared.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from rotator.adapters.journal.version import HEAD
from tests.servers import Unavailable, started

ROOT = Path(__file__).parents[2]
OLDER = "df6e2f923a7a0cd15d26c57073f19edd47f5d9b6"
"""The last commit of the main line that knows the journal's schema 0007; it has no `rotator daemon` yet."""
OLDER_SCHEMA = "0007"
COMING_SCHEMA = f"{int(HEAD) + 1:04}"
NAME = "older wheel"
MIGRATION = f'''"""What a later version needs besides."""

import sqlalchemy as sa
from alembic import op

revision = "{COMING_SCHEMA}"
down_revision = "{HEAD}"


def upgrade() -> None:
    """Add a table."""
    op.create_table("later", sa.Column("number", sa.Integer, primary_key=True))
'''
NOT_BUILT = (".*", "__pycache__", "build", "dist", "tests", "docs")


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


def coming(scratch: Path) -> Installed:
    """From this tree with one migration more, which only adds: there is nothing else that a next version must have."""
    source = scratch / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_BUILT))
    journal = source / "rotator" / "adapters" / "journal"
    (journal / "migrations" / "versions" / f"v{COMING_SCHEMA}_later.py").write_text(MIGRATION)
    known = (journal / "version.py").read_text()
    assert f'"{HEAD}")' in known
    (journal / "version.py").write_text(known.replace(f'"{HEAD}")', f'"{HEAD}", "{COMING_SCHEMA}")', 1))
    return _installed(source, scratch)


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
