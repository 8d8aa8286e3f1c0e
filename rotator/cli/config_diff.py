"""`rotator config diff`: what of the file is not approved yet. Changes nothing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rotator.app.approving import Pending, load_whole, pending
from rotator.app.assembly import Assembly
from rotator.cli import context, words
from rotator.cli.terminal import Terminal, clean, count, terminal
from rotator.config.changes import Change
from rotator.config.including import patterns
from rotator.config.location import find
from rotator.config.told import key_of, text_of
from rotator.domain.times import format_time


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """How it is written."""
    parser.add_argument("--json", action="store_true", help="print one object")


def run(args: argparse.Namespace) -> int:
    """Exit 0 when nothing waits, 1 when something does."""
    with looked(args) as (_, found):
        if args.json:
            print(json.dumps(as_object(found), ensure_ascii=True))
        else:
            show(found, terminal(sys.stdout, no_color=args.no_color))
        return 1 if waits(found) else 0


@contextmanager
def looked(args: argparse.Namespace) -> Iterator[tuple[Assembly, Pending]]:
    """The file as it is, compared with what is approved in its journal."""
    whole = load_whole(find(args.config))
    config = replace(whole.config, state=args.state) if args.state else whole.config
    assembly = Assembly(config=config, by=context.caller)
    try:
        yield assembly, pending(assembly, whole, option=bool(args.state))
    finally:
        assembly.close()


def waits(found: Pending) -> bool:
    """Whether a person is needed."""
    if found.opening is not None:
        return True
    return found.doubt is not None or (found.before is not None and any(each.sensitive for each in found.changes))


def show(found: Pending, out: Terminal) -> None:
    """All of it: what is not shown is not approved."""
    out.line(clean(_about(found)))
    for change in found.changes:
        _show_change(change, out)
    if found.changes or found.doubt:
        out.line(f"digest {found.digest}")


def _about(found: Pending) -> str:
    if found.opening is not None:
        return "the file opens its journal otherwise than it was opened last; until that is approved, nothing is opened"
    if found.doubt is not None:
        return f"{found.doubt.message}; this is the file as it is"
    if found.before is None:
        return "nothing was approved yet: the daemon's first start approves the file as it then is"
    since = f"what is in force since {words.instant(found.before.at)} UTC ({found.before.how})"
    if not found.changes:
        return f"nothing differs from {since}"
    sensitive = sum(each.sensitive for each in found.changes)
    wait = f"{sensitive} of them sensitive" if sensitive else "none of them sensitive"
    return f"{count(len(found.changes), 'change')} from {since}, {wait}"


def _show_change(change: Change, out: Terminal) -> None:
    kind = out.style("sensitive", "yellow", "bold") if change.sensitive else "plain    "
    out.line(f"  {kind} {clean(key_of(change.path))}")
    for sign, color, text in (("-", "red", text_of(change.old)), ("+", "green", text_of(change.new))):
        if text is not None:
            out.line(f"    {out.style(clean(f'{sign} {text}'), color)}")


def as_object(found: Pending) -> dict[str, Any]:
    """The same for a program."""
    return {
        "waits": waits(found),
        "digest": found.digest if found.changes or found.doubt else None,
        "approved": None
        if found.before is None
        else {"number": found.before.number, "at": format_time(found.before.at), "how": found.before.how},
        "opening": found.opening is not None,
        "doubt": None if found.doubt is None else found.doubt.message,
        "changes": [
            {
                "key": key_of(each.path),
                "kind": each.kind.value,
                "old": text_of(each.old),
                "new": text_of(each.new),
            }
            for each in found.changes
        ],
        "read": [str(path) for path, _ in found.whole.document.read],
        "include": patterns(found.whole.document.value.get("include")),
    }
