"""`rotator trust`: accept a config in the working directory."""

from __future__ import annotations

import argparse
from pathlib import Path

from rotator.config.location import NAME, trust
from rotator.config.reading import read_config


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """The file."""
    parser.add_argument("file", nargs="?", default=NAME, metavar="FILE")


def run(args: argparse.Namespace) -> int:
    """Read it, show where it would send admin keys, and trust exactly this content."""
    path = Path(args.file)
    config = read_config(path, lenient=True)
    trust(path)
    print(f"trusted {path}: a change asks again")
    for provider in config.providers.values():
        where = provider.settings.get("base_url") or provider.settings.get("host") or "the vendor's own hosts"
        print(f"  {provider.name} ({provider.driver}) sends the admin credential {provider.admin} to {where}")
    return 0
