"""`rotator audit`: what is asked of packages. Each verb's options and actions are in a module of its own."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path

from rotator.cli import auditing
from rotator.cli.errors import Told
from rotator.cli.terminal import clean
from rotator.config.errors import nearest

VERBS: dict[str, tuple[str, str]] = {
    # verb: (module, one line of help), in the order in which they are shown
    "record": ("recording", "keep which packages consumers have now"),
    "backfill": ("backfill", "keep which packages they had, from a Git repository's history"),
    "where": ("where", "who had a package when, and which credentials each could read"),
}
EVERYWHERE = ("config", "state", "debug", "no_color")
USAGE = """rotator audit [LOCKFILE ...] --osv PATH|URL   malicious or vulnerable packages, the rotator's own first
       rotator audit [LOCKFILE ...] --index URL      who is behind them"""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Those of the verb beneath it that was typed, or without one those of an audit."""
    if _first(getattr(parser, "typed", ())) in VERBS:
        _beneath(parser, verb)
        return
    width = max(map(len, VERBS))
    parser.usage = "\n".join(
        [USAGE, *(f"       rotator audit {name:<{width}} …   {line}" for name, (_, line) in VERBS.items())]
    )
    auditing.options(parser)


def _first(words: Sequence[str]) -> str | None:
    """The first word that is neither an option nor what stands behind one of those that may stand everywhere."""
    from rotator.cli.main import WITH_VALUE

    behind = [word for before, word in zip(("", *words), words, strict=False) if before not in WITH_VALUE]
    return next((word for word in behind if not word.startswith("-")), None)


def run(args: argparse.Namespace) -> int:
    """No verb was named; one that was misspelt looks like a file."""
    for word in args.files:
        near = nearest(word, VERBS)
        if near and not Path(word).exists():
            raise Told(f"there is no file {clean(word)!r}, nor such a verb", f"did you mean {near}?")
    return auditing.run(args)


def _beneath(parser: argparse.ArgumentParser, verb: str) -> None:
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
