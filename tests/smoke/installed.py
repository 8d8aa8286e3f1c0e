"""Run by wheel.sh with the Python of an environment that holds the wheel and nothing of the checkout."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import io
import sys
from pathlib import Path

HEAVY = {"alembic", "apscheduler", "cryptography", "hvac", "pg8000", "pydantic", "pydantic_settings", "sqlalchemy"}

DESCRIPTIONS = ("elevenlabs", "fireworks", "grafana", "sendgrid", "xai")


def fail(text: str) -> None:
    """End with this text on stderr."""
    sys.exit(f"installed.py: {text}")


def check_help_is_light() -> None:
    """`rotate --help` answers at once: it loads no SDK, no SQLAlchemy and no pydantic."""
    from rotator.cli.main import main

    # Not the console script's own function: that sees to the process's streams before anything is said.
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main(["rotate", "--help"], prog="rotate")
    if "usage" not in out.getvalue().lower():
        fail("rotate --help says nothing of its usage")
    if loaded := HEAVY & sys.modules.keys():
        fail(f"rotate --help loads {', '.join(sorted(loaded))}")


def check_layout() -> None:
    """Two import roots, types, and no test or folder of the checkout."""
    files = {str(file) for file in importlib.metadata.files("rotator") or ()}
    wanted = {"rotator/py.typed", "rotator_keyserver.py", "rotator_postgres/__init__.py"}
    if missing := (wanted | {f"rotator_rest/descriptions/{name}.yaml" for name in DESCRIPTIONS}) - files:
        fail(f"not in the wheel: {', '.join(sorted(missing))}")
    if stray := {file.split("/")[0] for file in files} & {"tests", "plugins", "config", "docs"}:
        fail(f"in the wheel, but should not be: {', '.join(sorted(stray))}")
    for name in ("rotator", "rotator_keyserver"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or not Path(spec.origin).is_relative_to(sys.prefix):
            fail(f"{name} is not imported from the wheel")


def check_entry_points() -> None:
    """Each driver of ours can be loaded."""
    for group in ("rotator.providers", "rotator.stores"):
        found = importlib.metadata.entry_points(group=group)
        if not found:
            fail(f"no entry points in {group}")
        for entry in found:
            entry.load()


def check_descriptions() -> None:
    """Those that ship are found by name."""
    from rotator.app.describing import brought, named

    if brought().get("rest") != DESCRIPTIONS or not all(named("rest", each, each).value for each in DESCRIPTIONS):
        fail("the descriptions of the rest driver are not found")


if __name__ == "__main__":
    check_help_is_light()
    check_layout()
    check_entry_points()
    check_descriptions()
