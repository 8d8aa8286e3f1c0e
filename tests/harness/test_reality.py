"""The closing table counts what ran on what, over all workers, and a required real server may not be skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.reality import Row, heading

ROOT = Path(__file__).parents[2]
TESTS = """
import pytest


def test_real(postgres_database):
    assert postgres_database.execute("select 1") == [[1]]


@pytest.mark.stand_in("postgresql")
@pytest.mark.stand_in("a provider")
def test_stand_in():
    pass


@pytest.mark.real("openbao")
def test_skipped():
    pytest.skip("too far away")


@pytest.mark.real("openbao")
@pytest.mark.xfail(strict=True)
def test_expected_to_fail():
    raise ValueError
"""


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_sample.py").write_text(TESTS)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "ROTATOR_"))}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.conftest",
        f"--rootdir={folder}",
        f"-c{ROOT / 'pyproject.toml'}",
        str(folder),
        *arguments,
    ]
    return subprocess.run(command, cwd=ROOT, env=environment | variables, text=True, capture_output=True, check=False)


def table(output: str) -> list[list[str]]:
    lines = output[output.index(" tested on ") :].splitlines()[2:]
    return [line.split() for line in lines if line[:1].isalpha()]


@pytest.mark.real("PostgreSQL")
def test_the_table_counts_over_workers_and_says_why_something_was_skipped(tmp_path: Path) -> None:
    done = run(tmp_path, "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row[0]: row[-3:] for row in table(done.stdout) if row[-1].isdigit()}
    assert rows == {"PostgreSQL": ["1", "1", "0"], "OpenBao": ["1", "0", "1"], "a": ["0", "1", "0"]}
    assert "skipped: too far away" in done.stdout


def test_a_missing_server_is_a_skip_by_default_and_a_failure_where_it_is_required(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    without = {"ROTATOR_POSTGRES_BIN": str(tmp_path / "empty")}
    skipped = run(tmp_path, "-k", "test_real", **without)
    assert skipped.returncode == 0
    assert "1 skipped" in skipped.stdout
    required = run(tmp_path, "-k", "test_real", ROTATOR_REQUIRE_REAL="1", **without)
    assert required.returncode == 1
    assert "1 error in" in required.stdout
    assert "skipped, but ROTATOR_REQUIRE_REAL=1 asks for PostgreSQL: no PostgreSQL binaries" in required.stdout


def test_what_may_fail_and_does_is_not_taken_for_a_skip(tmp_path: Path) -> None:
    done = run(tmp_path, "-k", "test_expected_to_fail", ROTATOR_REQUIRE_REAL="1")
    assert done.returncode == 0, done.stdout
    assert "1 xfailed" in done.stdout


def test_of_a_server_in_two_versions_it_says_how_many_tests_ran_on_each() -> None:
    row = Row(versions=Counter({"17.10": 2, "15.18": 3}))
    assert heading("PostgreSQL", row) == "PostgreSQL 15.18 (3), 17.10 (2)"
    assert heading("PostgreSQL", Row(versions=Counter({"15.18": 3}))) == "PostgreSQL 15.18"
    assert heading("a provider", Row()) == "a provider"
