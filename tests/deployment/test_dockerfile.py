"""The Dockerfile: what hadolint says, and what it promises. tests/smoke/image.sh does its steps without an engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rotator.cli.main import VERBS

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
HADOLINT = Path(sys.executable).with_name("hadolint")
TEXT = DOCKERFILE.read_text()


def lint(text: str) -> subprocess.CompletedProcess[str]:
    command = [str(HADOLINT), "--no-color", "--failure-threshold", "info", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def test_hadolint_has_nothing_to_say() -> None:
    done = lint(TEXT)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("USER 10001:10001", "USER root", "DL3002"),
        ("WORKDIR /src", "WORKDIR src", "DL3000"),
        ("RUN install", "RUN cd /tmp && install", "DL3003"),
        ("ARG PYTHON_IMAGE=python:3.13-slim-bookworm", "ARG PYTHON_IMAGE=python:latest", ""),
    ],
)
def test_hadolint_has_something_to_say_about_a_worse_one(right: str, wrong: str, rule: str) -> None:
    assert right in TEXT
    done = lint(TEXT.replace(right, wrong))
    assert rule in done.stdout
    assert bool(done.returncode) == bool(rule), "of an image that is given as an argument it does not look at the tag"


def test_both_stages_are_of_the_image_that_the_argument_names_so_that_one_digest_pins_them() -> None:
    stages = [line for line in TEXT.splitlines() if line.startswith("FROM ")]
    assert stages == ["FROM ${PYTHON_IMAGE} AS build", "FROM ${PYTHON_IMAGE}"]


def test_what_is_installed_is_what_the_locks_say_and_no_tool_of_the_build_is_left() -> None:
    last = TEXT.rpartition("FROM ")[2]
    assert TEXT.count("--require-hashes") == 2
    assert "pip" not in last
    assert "COPY --from=build /opt/rotator /opt/rotator" in last


def test_it_runs_as_a_number_that_is_not_root_and_is_asked_by_a_verb_that_there_is() -> None:
    last = TEXT.rpartition("FROM ")[2]
    assert "\nUSER 10001:10001\n" in last
    assert 'CMD ["rotator", "alive"]' in last
    assert "alive" in VERBS
