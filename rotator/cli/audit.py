"""`rotator audit`: what is asked of consumers' packages. Each verb's options and actions are in a module of its own."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from typing import Any

VERBS: dict[str, tuple[str, str]] = {
    # verb: (module, one line of help), in the order in which they are shown
    "record": ("recording", "keep which packages consumers have now"),
    "backfill": ("backfill", "keep which packages they had, from a Git repository's history"),
    "where": ("where", "who had a package when, and which credentials each could read"),
}
EVERYWHERE = ("config", "state", "debug", "no_color")
PLAIN = "rotator.cli.auditing"
"""What `rotator audit` does without a verb, where it is there."""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """The verbs beneath it, and the options of the plain one."""
    from rotator.cli.main import CODES, Layout, common, sentence

    verbs = parser.add_subparsers(metavar="VERB", title="verbs", parser_class=type(parser))
    for name, (module, line) in VERBS.items():
        shown = f"rotator {verb} {name}"
        sub = verbs.add_parser(
            name,
            help=line,
            description=sentence(line),
            prog=shown,
            epilog=CODES,
            allow_abbrev=False,
            formatter_class=Layout,
        )
        command = importlib.import_module(f"rotator.cli.{module}")
        command.options(sub, name)
        common(sub)
        for action in sub._actions:
            if action.dest in EVERYWHERE:
                action.default = argparse.SUPPRESS  # else what stands before the verb would be forgotten
        sub.set_defaults(run=command.run, actions=sub._actions, shown=shown, help=sub.print_help)
    if plain := _plain():
        plain.options(parser, verb)


def run(args: argparse.Namespace) -> int:
    """No verb was named."""
    if plain := _plain():
        return int(plain.run(args))
    args.help()
    return 0


def _plain() -> Any:
    return importlib.import_module(PLAIN) if importlib.util.find_spec(PLAIN) else None
