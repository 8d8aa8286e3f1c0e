"""`rotator audit`: what is asked of packages. Each verb's options and actions are in a module of its own."""

from __future__ import annotations

import argparse
from pathlib import Path

from rotator.cli import auditing, beneath
from rotator.cli.errors import Told
from rotator.cli.terminal import clean
from rotator.config.errors import nearest

VERBS: dict[str, tuple[str, str]] = {
    # verb: (module, one line of help), in the order in which they are shown
    "record": ("recording", "keep which packages consumers have now"),
    "backfill": ("backfill", "keep which packages they had, from a Git repository's history"),
    "where": ("where", "who had a package when, and which credentials each could read"),
}
USAGE = """rotator audit [LOCKFILE ...] --osv PATH|URL   malicious or vulnerable packages, the rotator's own first
       rotator audit [LOCKFILE ...] --index URL      who is behind them"""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Those of the verb beneath it that was typed, or without one those of an audit."""
    if beneath.typed(parser, VERBS):
        beneath.add(parser, verb, VERBS)
        return
    width = max(map(len, VERBS))
    parser.usage = "\n".join(
        [USAGE, *(f"       rotator audit {name:<{width}} …   {line}" for name, (_, line) in VERBS.items())]
    )
    auditing.options(parser)


def run(args: argparse.Namespace) -> int:
    """No verb was named; one that was misspelt looks like a file."""
    for word in args.files:
        near = nearest(word, VERBS)
        if near and not Path(word).exists():
            raise Told(f"there is no file {clean(word)!r}, nor such a verb", f"did you mean {near}?")
    return auditing.run(args)
