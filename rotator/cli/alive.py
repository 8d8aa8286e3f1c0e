"""`rotator alive`: whether the daemon works, for health checks. Asks a file: no network, no driver, no journal."""

from __future__ import annotations

import argparse

from rotator.cli.errors import Told


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Nothing but what is everywhere."""


def run(args: argparse.Namespace) -> int:
    """0 and silence when it works. Exit 1 and why when nobody can say so."""
    from rotator.app.alive import folder_of, given_folder, is_alive, why_not
    from rotator.cli.context import load

    folder = given_folder()
    if folder is not None and args.config is None and args.state is None and is_alive(folder):
        return 0  # asked every half minute, so the config is read only where it may tell of another place
    not_alive = why_not(folder_of(load(args, lenient=True)))
    if not_alive is not None:
        raise Told(not_alive.message, not_alive.hint, code=1)
    return 0
