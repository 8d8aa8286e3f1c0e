"""config/systemd, as systemd itself reads it. No unit is started: a test machine has no systemd to start it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rotator.cli.main import build

UNITS = Path(__file__).parents[2] / "config" / "systemd"
SERVICES = ("rotator.service", "rotator-due.service")
LOOSEST = 15
"""Tenths of the exposure that `systemd-analyze security` reckons: 0 is nothing, 100 everything."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The units with a program that is here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")
    for each in UNITS.iterdir():
        text = each.read_text().replace("/opt/rotator/bin/", f"{Path(sys.executable).parent}/")
        (tmp_path / each.name).write_text(text)
    return tmp_path


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    command = [shutil.which("systemd-analyze") or "", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def spoil(unit: Path, right: str, wrong: str) -> None:
    text = unit.read_text()
    assert right in text
    unit.write_text(text.replace(right, wrong))


@pytest.mark.parametrize("unit", [*SERVICES, "rotator-due.timer"])
def test_systemd_has_nothing_to_say_about_a_unit(unit: str, folder: Path) -> None:
    done = analyze("verify", str(folder / unit))
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_has_something_to_say_about_a_wrong_one(folder: Path) -> None:
    spoil(folder / "rotator.service", "LimitCORE=0", "LimitCores=0")
    assert "Unknown key 'LimitCores'" in analyze("verify", str(folder / "rotator.service")).stderr


@pytest.mark.parametrize("unit", SERVICES)
def test_it_is_exposed_as_little_as_can_be(unit: str, folder: Path) -> None:
    words = ("security", "--offline=true", f"--threshold={LOOSEST}", str(folder / unit))
    assert analyze(*words).returncode == 0
    spoil(folder / unit, "CapabilityBoundingSet=\n", "")
    assert analyze(*words).returncode != 0


def settings(unit: str) -> list[str]:
    return [line for line in (UNITS / unit).read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("unit", SERVICES)
def test_what_it_knows_goes_neither_to_swap_nor_to_a_core_file_nor_to_its_drivers_early(unit: str) -> None:
    assert {"MemorySwapMax=0", "LimitCORE=0", "LimitMEMLOCK=infinity", "KillMode=mixed"} <= set(settings(unit))
    assert [line for line in settings(unit) if line.startswith("LoadCredential=")]
    assert not [line for line in settings(unit) if line.startswith("Environment=") and "admin" in line.lower()]


def test_where_memory_ends_one_process_does_and_not_the_service() -> None:
    assert "OOMPolicy=continue" in settings("rotator.service")


def test_the_daemon_tells_systemd_that_it_works_and_is_started_again_where_it_does_not() -> None:
    assert {"Type=notify", "NotifyAccess=main", "Restart=always", "WatchdogSec=120"} <= set(settings("rotator.service"))


def test_both_services_are_confined_alike() -> None:
    daemon, due = (settings(unit) for unit in SERVICES)
    confined = daemon[daemon.index("NoNewPrivileges=yes") : daemon.index("[Install]") - 1]
    assert due[due.index("NoNewPrivileges=yes") :] == confined


def test_the_words_of_a_pass_are_words_that_the_rotator_knows() -> None:
    (command,) = (line for line in settings("rotator-due.service") if line.startswith("ExecStart="))
    words = command.split()[1:]
    assert build("rotate", ["rotate", *words]).parse_args(["rotate", *words]).due
