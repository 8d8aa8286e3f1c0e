"""Nothing heavy is imported before a verb needs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import make

HEAVY = (
    "sqlalchemy",
    "alembic",
    "pydantic",
    "hvac",
    "boto3",
    "botocore",
    "pg8000",
    "apscheduler",
    "structlog",
    "urllib3",
    "yaml",
    "cryptography",
)


def _imported(*arguments: str) -> set[str]:
    code = "import sys\nfrom rotator.cli.main import main\n"
    code += f"try:\n    main({list(arguments)!r})\nexcept SystemExit:\n    pass\n"
    code += "print('\\n'.join(sorted(m.partition('.')[0] for m in sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["rotate", "--help"], ["--help"], ["status", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert _imported(*arguments).isdisjoint(HEAVY)


def test_status_reads_the_journal_without_sqlalchemy_and_history_does_not(tmp_path: Path) -> None:
    with Keyserver(Behaviour()) as keyserver:
        config = str(make(tmp_path, keyserver).config)
    assert "sqlalchemy" in _imported("history", "--config", config)
    assert _imported("status", "--config", config).isdisjoint({"sqlalchemy", "alembic", "pydantic", "urllib3"})
