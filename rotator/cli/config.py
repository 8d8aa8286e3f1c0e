"""`rotator config`: what a daemon does not put in force by itself. Each verb is in a module of its own."""

from __future__ import annotations

import argparse

from rotator.cli import beneath
from rotator.cli.errors import Told
from rotator.cli.terminal import clean
from rotator.config.errors import nearest

VERBS: dict[str, tuple[str, str]] = {
    # verb: (module, one line of help), in the order in which they are shown
    "diff": ("config_diff", "what of the config's file waits for an approval"),
    "approve": ("config_approve", "put the config's file in force, as it was shown"),
}


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Those of the verb beneath it that was typed."""
    if beneath.typed(parser, VERBS):
        beneath.add(parser, verb, VERBS)
        return
    parser.usage = "\n       ".join(f"rotator config {name:<8} {line}" for name, (_, line) in VERBS.items())
    parser.add_argument("action", nargs="?", metavar="|".join(VERBS))


def run(args: argparse.Namespace) -> int:
    """No verb was named, or a misspelt one."""
    if not args.action:
        raise Told(
            "config: which verb?", "`rotator config diff` shows what waits, `rotator config approve` approves it"
        )
    near = nearest(args.action, VERBS)
    hint = f"did you mean {near}?" if near else "see `rotator config --help`"
    raise Told(f"{clean(args.action)!r} is nothing that is done with a config", hint)
