"""`rotator trust`: accept a config in the working directory."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rotator.app.configs import load_config
from rotator.cli.terminal import clean, terminal
from rotator.config.location import NAME, trust
from rotator.config.values import DriverConfig

TELLING = ("base_url", "address", "host", "root")
"""Settings that say where a driver goes."""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """The file."""
    parser.add_argument("file", nargs="?", default=NAME, metavar="FILE")


def run(args: argparse.Namespace) -> int:
    """Read it, trust exactly this content, and show where it sends credentials."""
    out = terminal(sys.stdout, no_color=args.no_color)
    path = Path(args.file)
    config = load_config(path, lenient=True)
    trust(path)
    out.line(f"trusted {path}: a change asks again")
    for provider in config.providers.values():
        out.line(clean(f"  {provider.name} sends the admin credential {provider.admin} to {_where(provider)}"))
    for store in config.stores.values():
        out.line(clean(f"  {store.name} writes to {_where(store)}"))
    return 0


def _where(config: DriverConfig) -> str:
    told = next((config.settings[name] for name in TELLING if config.settings.get(name)), None)
    return str(told) if told else f"wherever the driver {config.driver} goes by itself"
