"""The demo, as a newcomer sees it."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.scene import SCRIPTS


@pytest.mark.stand_in("API provider: keyserver")
def test_the_demo_tells_what_happened_and_ends_well() -> None:
    done = subprocess.run([SCRIPTS / "rotator", "demo"], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "still used by stubborn" in done.stdout
    assert ", 0 failed" in done.stdout
    assert "the thief is refused: 401" in done.stdout
    assert "a stolen key was dead" in done.stdout
    for command in ("rotator init --from .env", "rotator check", "rotate NAME --dry-run"):
        assert command in done.stdout
    assert "\x1b[" not in done.stdout
