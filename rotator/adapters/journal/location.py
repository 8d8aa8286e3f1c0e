"""Where a journal is, by its URL. Standard library only."""

from __future__ import annotations

from pathlib import Path

from rotator.adapters.journal.errors import CannotOpen

SCHEME = "sqlite:///"
REPLICAS = ("postgresql://", "postgres://")


def for_replicas(url: str) -> bool:
    """Whether it is on PostgreSQL, so that several processes on several hosts may share it."""
    return url.startswith(REPLICAS)


def path_of(url: str, base: Path | None = None) -> Path:
    """The file of `sqlite:///relative` (to `base`, or the working directory) or `sqlite:////absolute`.

    Raises `CannotOpen`.
    """
    path = url.removeprefix(SCHEME)
    if path == url or not path or path.startswith(":memory:"):
        hint = "write it like sqlite:///rotator.db, sqlite:////var/lib/rotator.db or postgresql://USER@HOST/DATABASE"
        raise CannotOpen("state is not the URL of a journal", hint)
    return (base or Path.cwd()) / path
