"""Every contract of .importlinter fails when it is broken, and every contract is tried."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
LINT: Final = Path(sys.executable).with_name("lint-imports")

BREACHES: Final = {
    "layers": ("rotator/engine/planted.py", "import rotator.app"),
    "domain": ("rotator/domain/planted.py", "import urllib3"),
    "ports": ("rotator/ports.py", "import rotator.policy"),
    "policy": ("rotator/policy/planted.py", "import rotator.ports"),
    "engine": ("rotator/engine/planted.py", "import cryptography"),
    "adapters": ("rotator/adapters/calendar.py", "import rotator.adapters.stores"),
    "kubernetes": ("rotator/adapters/stores/planted.py", "import rotator.adapters.clients.kubernetes.client"),
    "wiring": ("rotator/cli/planted.py", "import rotator.adapters.stores"),
    "sdk": ("rotator/sdk/planted.py", "import rotator.policy"),
    "config": ("rotator/config/planted.py", "import rotator.sdk"),
    "testing": ("rotator/testing/planted.py", "import rotator.adapters"),
    "plugins": ("plugins/rotator_planted.py", "import rotator.domain"),
    "entry-points": ("rotator/app/planted.py", "import rotator_keyserver"),
    "hvac": ("rotator/adapters/stores/planted.py", "import hvac"),
    "pynacl": ("rotator/adapters/stores/planted.py", "import nacl.public"),
    "child": ("rotator/child/planted.py", "import urllib3"),
    "clouds": ("rotator/app/planted.py", "import google.cloud.secretmanager"),
    "sqlalchemy": ("rotator/app/planted.py", "import sqlalchemy.orm"),
    "psycopg": ("rotator/adapters/journal/planted.py", "import psycopg"),
    "apscheduler": ("rotator/app/planted.py", "import apscheduler.triggers.cron"),
    "pydantic": ("rotator/app/planted.py", "from pydantic import BaseModel"),
    "prometheus": ("rotator/app/planted.py", "import prometheus_client"),
    "http-server": ("rotator/app/planted.py", "import fastapi"),
    "templates": ("rotator/api/planted.py", "import jinja2"),
    "structlog": ("rotator/app/planted.py", "import structlog"),
    "apprise": ("rotator/app/planted.py", "import apprise"),
    "tenacity": ("plugins/rotator_planted.py", "import tenacity"),
    "database-clients": ("rotator/adapters/planted.py", "import pg8000"),
}


def contracts() -> dict[str, str]:
    """Names by id, as the file has them."""
    parser = ConfigParser()
    parser.read(ROOT / ".importlinter")
    prefix = "importlinter:contract:"
    return {section.removeprefix(prefix): parser[section]["name"] for section in parser if section.startswith(prefix)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of all that the contracts read."""
    for folder in ("rotator", "plugins"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests").mkdir()
    for file in (".importlinter", "tests/__init__.py", "tests/contracts.py"):
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def lint(tree: Path, contract: str) -> subprocess.CompletedProcess[str]:
    command = [str(LINT), "--no-cache", "--contract", contract]
    return subprocess.run(command, cwd=tree, text=True, capture_output=True, check=False)


@pytest.mark.parametrize("contract", sorted(BREACHES))
def test_a_contract_fails_and_is_named_when_it_is_broken(tree: Path, contract: str) -> None:
    kept = lint(tree, contract)
    assert kept.returncode == 0, kept.stdout + kept.stderr
    file, statement = BREACHES[contract]
    with (tree / file).open("a") as module:
        module.write(f"\n{statement}\n")
    broken = lint(tree, contract)
    assert broken.returncode == 1
    assert f"{contracts()[contract]} BROKEN" in broken.stdout


def test_every_contract_is_broken_once() -> None:
    assert sorted(contracts()) == sorted(BREACHES)


def test_a_new_package_must_say_where_it_stands(tree: Path) -> None:
    (tree / "rotator" / "newcomer").mkdir()
    (tree / "rotator" / "newcomer" / "__init__.py").touch()
    broken = lint(tree, "layers")
    assert broken.returncode == 1
    assert "rotator.newcomer" in broken.stdout + broken.stderr


def test_a_contract_about_a_module_that_is_not_there_is_an_error(tree: Path) -> None:
    config = tree / ".importlinter"
    config.write_text(config.read_text().replace("modules = rotator.engine\n", "modules = rotator.engines\n"))
    assert lint(tree, "engine").returncode != 0


def test_every_module_in_plugins_is_an_entry_point_and_can_be_loaded() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["rotator.providers"]
    modules = {target.partition(":")[0] for target in declared.values()}
    assert modules == {path.stem for path in (ROOT / "plugins").glob("rotator_*") if "egg" not in path.suffix}
    for group in ("rotator.providers", "rotator.stores"):
        ours = [entry for entry in entry_points(group=group) if entry.dist and entry.dist.name == "rotator"]
        assert ours
        assert all(isinstance(entry.load(), type) for entry in ours)


def test_the_engine_has_no_providers_and_no_stores_name_in_it() -> None:
    """What they can do is data; `rest` alone is a word of the language."""
    names = {each.name for group in ("rotator.providers", "rotator.stores") for each in entry_points(group=group)}
    names = {part for name in names for part in (name, name.partition("_")[0])} - {"rest", "file", "assisted"}
    texts = {path: path.read_text().lower() for path in (ROOT / "rotator" / "engine").glob("*.py")}
    texts[ROOT / "rotator" / "ports.py"] = (ROOT / "rotator" / "ports.py").read_text().lower()
    assert len(texts) > 30
    assert {"openai", "aws", "vault", "redis", "gcp"} <= names
    assert not [(path.name, name) for path, text in texts.items() for name in names if re.search(rf"\b{name}\b", text)]
