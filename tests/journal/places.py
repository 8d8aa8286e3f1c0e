"""Directories and users that a journal may meet."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that every user can reach, which pytest's are not."""
    path = Path(tempfile.mkdtemp(prefix="journal-"))
    try:
        path.chmod(0o755)
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to write everything; other users have not got it anyway."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def tiny_disk(path: Path, size: str) -> Iterator[Path]:
    """A file system of its own; skips where this user may mount none."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run([umount, str(path)], check=True)
