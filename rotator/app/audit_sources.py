"""What an audit holds inventories against, read or opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rotator.adapters.advisories.sources import read_feed
from rotator.adapters.index.asking import Index
from rotator.adapters.results.recognising import read_results
from rotator.domain.advisories import Feed
from rotator.domain.findings import Imported


def feed_of(origin: str, *, keep: Path | None = None) -> Feed:
    """OSV records: `read_feed`. Raises `Permanent` and `Transient`."""
    return read_feed(origin, keep=keep)


def index_at(url: str) -> Index:
    """A package index; nothing is asked yet. Raises `Permanent`."""
    return Index(url)


def results_of(paths: Sequence[Path]) -> tuple[Imported, ...]:
    """What other tools found. Raises `Permanent`."""
    return tuple(read_results(each) for each in paths)
