"""Verbs beneath a verb, like `rotator audit record`: each has its options and its action in a module of its own."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping, Sequence

EVERYWHERE = ("config", "state", "server", "debug", "no_color")


def typed(parser: argparse.ArgumentParser, verbs: Mapping[str, tuple[str, str]]) -> str | None:
    """Which of these verbs was typed beneath that of the parser, if any."""
    word = _first(getattr(parser, "typed", ()))
    return word if word in verbs else None


def _first(words: Sequence[str]) -> str | None:
    """The first word that is neither an option nor what stands behind one of those that may stand everywhere."""
    from rotator.cli.main import WITH_VALUE

    behind = [word for before, word in zip(("", *words), words, strict=False) if before not in WITH_VALUE]
    return next((word for word in behind if not word.startswith("-")), None)


def add(parser: argparse.ArgumentParser, verb: str, verbs: Mapping[str, tuple[str, str]]) -> None:
    """The verbs; of each the module that has it, and a line of help."""
    from rotator.cli.main import common, verb_of

    beneath = parser.add_subparsers(metavar="VERB", title="verbs", parser_class=type(parser))
    for name, (module, line) in verbs.items():
        shown = f"rotator {verb} {name}"
        sub = verb_of(beneath, name, line, shown)
        command = importlib.import_module(f"rotator.cli.{module}")
        command.options(sub, name)
        common(sub)
        for action in sub._actions:
            if action.dest in EVERYWHERE:
                action.default = argparse.SUPPRESS  # else what stands before the verb would be forgotten
        sub.set_defaults(run=command.run, actions=sub._actions, shown=shown, help=sub.print_help)
