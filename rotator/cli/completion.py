"""`rotator completion`: a script for a shell, and the names that it asks for at a Tab."""

from __future__ import annotations

import argparse
import sys

from rotator.cli.errors import Told

SHELLS = ("bash", "zsh", "fish")


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """The shell."""
    parser.add_argument("shell", nargs="?", choices=SHELLS, metavar="bash|zsh|fish")
    parser.add_argument("--names", metavar="KIND", help=argparse.SUPPRESS)  # for the scripts


def run(args: argparse.Namespace) -> int:
    """Print the script; with `--names` the names of a kind, and nothing where there is no config to be believed."""
    if args.names is not None:
        return _names(args)
    if args.shell is None:
        raise Told("no shell was named", "write one of bash, zsh, fish: source <(rotator completion bash)")
    from rotator.cli.completing import bash, fish, words, zsh

    script = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}[args.shell]
    sys.stdout.write(script(words.verbs()))
    return 0


def _names(args: argparse.Namespace) -> int:
    from rotator.cli.completing.names import names
    from rotator.cli.completing.words import ASKED
    from rotator.config.errors import ConfigError
    from rotator.config.location import find

    if args.names not in ASKED:
        raise Told("--names is not understood", f"one of {', '.join(sorted(ASKED))}")
    try:
        found = names(find(args.config), args.names)
    except ConfigError:
        return 0  # at a Tab nobody reads an error
    print("\n".join(found), end="\n" if found else "")
    return 0
