"""Repositories made with the real git, at whatever times a test says."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

GIT = shutil.which("git") or "git"
AUTHOR = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "c", "GIT_COMMITTER_EMAIL": "c@d"}


def on(day: int, month: int = 3, hour: int = 12) -> datetime:
    """A time in 2026."""
    return datetime(2026, month, day, hour, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Made:
    """A repository with its files."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Made:
        made = cls(folder)
        folder.mkdir(parents=True, exist_ok=True)
        made.git("init", "-q", "-b", "main")
        return made

    def git(
        self,
        *words: str,
        at: datetime | None = None,
        committed: datetime | None = None,
        check: bool = True,
        stdin: str = "",
    ) -> str:
        """Run git as somebody does who knows nothing of us."""
        variables = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1", **AUTHOR}
        if at is not None:
            variables |= {"GIT_AUTHOR_DATE": at.isoformat(), "GIT_COMMITTER_DATE": (committed or at).isoformat()}
        command = [GIT, "-C", str(self.folder), *words]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=check, input=stdin)
        return done.stdout.strip()

    def write(self, path: str, text: str | bytes) -> None:
        """Write a file without committing it."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    def commit(self, at: datetime, files: dict[str, str | bytes], *, committed: datetime | None = None) -> str:
        """Write and commit these; returns the commit."""
        for path, text in files.items():
            self.write(path, text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change", at=at, committed=committed)
        return self.git("rev-parse", "HEAD")
