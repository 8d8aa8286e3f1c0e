"""Repositories whose commits are signed with keys that `ssh-keygen` makes."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.repository.making import Made, on

KEYGEN = shutil.which("ssh-keygen")


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody with a key."""

    name: str
    key: Path

    @classmethod
    def at(cls, folder: Path, name: str) -> Signer:
        """A new one; skips where there is no ssh-keygen."""
        if KEYGEN is None:
            pytest.skip("ssh-keygen is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        key = folder / name
        subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
        return cls(name, key)

    @property
    def line(self) -> str:
        """Of an allowed-signers file."""
        kind, text = self.key.with_suffix(".pub").read_text().split()[:2]
        return f"{self.name}@example.org {kind} {text}"

    def commit(self, repository: Made, day: int, files: dict[str, str | bytes] | None = None) -> str:
        """Commit everything, signed; returns the commit."""
        for path, text in (files or {}).items():
            repository.write(path, text)
        repository.git("add", "-A")
        signing = ("-c", "gpg.format=ssh", "-c", f"user.signingKey={self.key}")
        repository.git(*signing, "commit", "-q", "-S", "--allow-empty", "-m", "change", at=on(day))
        return repository.git("rev-parse", "HEAD")
