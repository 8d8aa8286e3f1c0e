"""What there is to complete, read from the parser of each verb."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass

from rotator.cli.main import VERBS, build

KINDS = {
    "NAME": "credentials",
    "PROVIDER": "providers",
    "STORE": "stores",
    "OWNER": "owners",
    "TAG": "tags",
    "CONSUMER": "consumers",
    "C": "consumers",
    "FILE": "files",
    "F": "files",
    "PATH": "files",
    "PATH|URL": "files",
    "LOCKFILE": "files",
    "DESCRIPTION": "files",
    "REPO": "files",
    "ID|FILE": "files",
}
"""What a metavar stands for; every other one is a word that nobody can guess."""
ASKED = frozenset({"credentials", "providers", "stores", "owners", "tags", "consumers"})
"""Kinds that only the config knows."""
_CHOICES = re.compile(r"[a-z]+(?:\|[a-z]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """`value`: whether it takes one, and then `kind` is that of the value, empty if nobody can guess it."""

    names: tuple[str, ...]
    help: str
    value: bool
    kind: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """`kind` and `choices`: of the words behind it."""

    name: str
    line: str
    options: tuple[Option, ...]
    kind: str
    choices: tuple[str, ...]


def verbs() -> tuple[Verb, ...]:
    """Every verb with its options, as `--help` shows them."""
    return tuple(_verb(name, line) for name, (_, line) in VERBS.items())


def _verb(name: str, line: str) -> Verb:
    parser = build("rotator", [name])
    (beneath,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    actions = beneath.choices[name]._actions
    words = [each for each in actions if not each.option_strings]
    choices = tuple(dict.fromkeys(choice for each in words for choice in _choices(each)))
    kind = next((kind for each in words if (kind := _kind(each))), "")
    options = tuple(_option(each) for each in actions if each.option_strings)
    return Verb(name=name, line=line, options=options, kind=kind, choices=choices)


def _option(action: argparse.Action) -> Option:
    text = "" if action.help in (None, argparse.SUPPRESS) else str(action.help)
    return Option(
        names=tuple(action.option_strings),
        help=text,
        value=action.nargs != 0,
        kind=_kind(action) if action.nargs != 0 else "",
        choices=tuple(_choices(action)) if action.nargs != 0 else (),
    )


def _choices(action: argparse.Action) -> Iterator[str]:
    if isinstance(action, argparse._SubParsersAction) or action.choices is not None:
        yield from (str(each) for each in action.choices or ())
    elif isinstance(action.metavar, str) and _CHOICES.fullmatch(action.metavar):
        yield from action.metavar.split("|")


def _kind(action: argparse.Action) -> str:
    return KINDS.get(action.metavar, "") if isinstance(action.metavar, str) else ""
