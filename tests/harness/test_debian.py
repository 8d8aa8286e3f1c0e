"""Packages of servers are fetched without changing the system, and where that cannot be, it is said."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import Unavailable, debian

ROOT = Path(__file__).parents[2]


def test_where_there_is_no_apt_it_says_so_and_fails(tmp_path: Path) -> None:
    """As a program, with a PATH where nothing is."""
    shutil.copytree(
        ROOT / "tests" / "servers", tmp_path / "tests" / "servers", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "tests" / "__init__.py").touch()
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.servers import debian\n"
        "debian.PLACES = ()\n"
        "sys.exit(debian.main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"tests of {', '.join(debian.PACKAGES.values())} will be skipped: ")
    assert "there is no apt-get" in done.stderr
    assert not (tmp_path / ".venv" / "debian").exists()


def test_a_failing_program_is_named_with_the_end_of_what_it_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("apt-get", "dpkg-deb"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho the end of the world; exit 100\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "defpath", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(debian, "FOLDER", tmp_path / "made" / "debian")
    if not debian.STATUS.is_file():
        monkeypatch.setattr(debian, "STATUS", tmp_path / "apt-get")
    with pytest.raises(debian.NotFetched, match=r"apt-get failed\nthe end of the world"):
        debian.fetch(["redis-server"])
    assert list((tmp_path / "made").iterdir()) == []


def test_a_program_that_is_nowhere_is_unavailable_and_its_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "PACKAGES", {"no-such-server": "no-such-package", "sh": "dash"})
    with pytest.raises(Unavailable, match="no-such-server"):
        debian.find("no-such-server")
    assert debian.missing() == ["no-such-package"]
    assert debian.home(debian.find("sh")) == Path("/")
    assert "LD_LIBRARY_PATH" not in debian.surroundings(debian.find("sh"))


def test_apt_is_told_to_leave_the_systems_state_alone(tmp_path: Path) -> None:
    settings = debian.CONFIG.format(folder=tmp_path, status=debian.STATUS)
    for line in ('Dir::State "', 'Dir::Cache "'):
        assert f"{line}{tmp_path}/" in settings
    assert "#clear APT::Update::Post-Invoke;" in settings
