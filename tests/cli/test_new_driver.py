"""`rotator plugins new`: what it writes passes the contract as it stands, and tells what comes next."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.scene import SCRIPTS, Answer


def new(folder: Path, *words: str) -> Answer:
    """The command, in that folder."""
    command = [str(SCRIPTS / "rotator"), "plugins", "new", *words]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=200, check=False)
    return Answer(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.mark.parametrize("name", ["acme", "two-words"])
def test_a_new_driver_passes_the_contract_as_it_stands(tmp_path: Path, name: str) -> None:
    answer = new(tmp_path, name)
    assert answer.code == 0
    folder = tmp_path / f"rotator-{name}"
    assert f"rotator-{name}/README.md" in answer.out
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout
    texts = {path: path.read_text() for path in folder.rglob("*") if path.suffix in (".py", ".md", ".toml")}
    assert len(texts) == 5
    assert not [path for path, text in texts.items() if "NAME" in text or "MODULE" in text]


def test_a_driver_that_breaks_its_promise_fails_the_contract_that_came_with_it(tmp_path: Path) -> None:
    assert new(tmp_path, "acme").code == 0
    module = tmp_path / "rotator-acme" / "rotator_acme.py"
    module.write_text(module.read_text().replace("expect=(204, 404)", "expect=(204,)"))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(module.parent)]
    done = subprocess.run(command, cwd=module.parent, text=True, capture_output=True, timeout=300, check=False)
    assert done.returncode == 1, done.stdout


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ([], "new needs a name", "`rotator plugins new acme`"),
        (["Acme!"], "'Acme!' is no name for a driver", "lower-case"),
        (["openai"], "rotator already brings a driver openai", "another name"),
    ],
)
def test_bad_names_are_refused_and_nothing_is_written(
    tmp_path: Path, words: list[str], message: str, hint: str
) -> None:
    answer = new(tmp_path, *words)
    assert answer.code == 2
    assert message in answer.lines[0]
    assert hint in answer.lines[1]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    assert new(tmp_path, "acme").code == 0
    (tmp_path / "rotator-acme" / "README.md").write_text("mine")
    answer = new(tmp_path, "acme")
    assert answer.code == 2
    assert "is there already" in answer.lines[0]
    assert (tmp_path / "rotator-acme" / "README.md").read_text() == "mine"
