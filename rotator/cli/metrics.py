"""`rotator metrics`: what a daemon shows to Prometheus, once, for a machine that rotates by a timer."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from rotator.app.metrics import Metrics
from rotator.cli.context import assembled
from rotator.cli.errors import Told

ENDING = ".prom"
READABLE = 0o644
"""By whoever collects it; the umask takes away."""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Where to."""
    parser.add_argument("--to", metavar="FILE", help=f"replace this file at once, for node_exporter: *{ENDING}")


def run(args: argparse.Namespace) -> int:
    """Print or write them. Exits 3 where the journal did not answer, which is written, too."""
    path = _target(args.to)
    with assembled(args, lenient=True) as assembly:
        metrics = Metrics(lambda: assembly, alone=True, patience=assembly.timing.lease.total_seconds())
        _, text = metrics.exposition()
        up = metrics.up
    if path is None:
        sys.stdout.write(text.decode())
    else:
        _replace(path, text)
    if not up:
        raise Told("the journal does not answer", "`rotator check` says why", code=3)
    return 0


def _target(given: str | None) -> Path | None:
    if given is None:
        return None
    path = Path(given)
    if path.suffix != ENDING:
        raise Told(f"--to names no {ENDING} file", f"node_exporter reads {ENDING} files alone; or leave out --to")
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else "is in no folder that there is"
        raise Told(f"--to: {given} {what}", "name a file in the folder of --collector.textfile.directory")
    return path


def _replace(path: Path, text: bytes) -> None:
    """Whoever reads it sees the old one or the new one, and never a part."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".new", dir=path.parent)
        fresh = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            umask = os.umask(0o077)
            os.umask(umask)
            fresh.chmod(READABLE & ~umask)
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
    except OSError as error:
        message = f"--to: {path} cannot be written: {(error.strerror or str(error)).lower()}"
        raise Told(message, "make room, or make its folder writable") from None
