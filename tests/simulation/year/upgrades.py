"""The next version of the rotator, as far as a journal knows: one more migration, and it opens what was left."""

from __future__ import annotations

import shutil
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

from rotator.adapters.journal import migrating, version

MIGRATION = '''"""What a later version needs."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    """One column more."""
    op.add_column("rotation", sa.Column("later_{revision}", sa.Text(), nullable=True))
'''


class Versions(AbstractContextManager["Versions"]):
    """As many later versions as `next` was called; the real one again at the end."""

    def __init__(self, folder: Path) -> None:
        self._scripts = folder / "migrations"
        self._before = (migrating.SCRIPTS, version.KNOWN, version.HEAD, migrating.upgrade.__defaults__)

    def next(self) -> None:
        """A version with one more migration is installed."""
        if not self._scripts.exists():
            shutil.copytree(migrating.SCRIPTS, self._scripts, ignore=shutil.ignore_patterns("__pycache__"))
        before, revision = version.HEAD, f"{int(version.HEAD) + 1:04}"
        script = self._scripts / "versions" / f"v{revision}_later.py"
        script.write_text(MIGRATION.format(revision=revision, before=before), encoding="utf-8")
        self._use(self._scripts, (*version.KNOWN, revision), revision, (revision,))

    def __exit__(self, *_: object) -> None:
        self._use(*self._before)

    @staticmethod
    def _use(scripts: Path, known: tuple[str, ...], head: str, defaults: tuple[object, ...] | None) -> None:
        known_before, head_before = version.KNOWN, version.HEAD
        migrating.SCRIPTS, migrating.upgrade.__defaults__ = scripts, defaults
        for name, module in tuple(sys.modules.items()):  # whoever took them from `version` by name has them, too
            if name.startswith(version.__package__ or ""):
                _replace(module, "KNOWN", known_before, known)
                _replace(module, "HEAD", head_before, head)


def _replace(module: ModuleType, name: str, before: object, by: object) -> None:
    if vars(module).get(name) == before:
        setattr(module, name, by)
