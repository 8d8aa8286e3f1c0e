"""`rotator init`: a config and the installation key; recognises keys by form and never prints one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rotator.app.first_config import additions, write
from rotator.app.initializing import ADMIN, HAND, TODAY, Entry, Found, asked, entry, find, read_env, read_store
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, count, table, terminal
from rotator.config.location import trust

LARGEST = 4 * 2**20
TAKES = {TODAY: "how", ADMIN: "what it takes", HAND: "what it would take"}


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """From where."""
    what = "a .env file whose keys shall be managed, or STORE:REF#FIELD,… of a store that the config has"
    parser.add_argument("--from", dest="source", metavar="FILE", help=what)


def run(args: argparse.Namespace) -> int:
    """Write both, trust the config, and say of each key found what can be done."""
    out = terminal(sys.stdout, no_color=args.no_color)
    source: str | None = args.source
    if source and ":" in source and not Path(source).exists():
        return _from_store(args, source, out)
    env = Path(source) if source else None
    found = find(read_env(_read(env)) if env else {})
    config, key = write(Path(), env, found.candidates)
    trust(config)
    out.line(f"wrote {config} and {key}; keep the key: without it nobody can tell which keys are ours")
    if Path(".git").exists():
        out.line(f"keep {key}, rotator.db* and .rotator/ out of git")
    if env is None:
        out.line("next: add a provider, a store and a credential to it, `rotator trust`, then `rotator check`")
    else:
        show(found, str(env), out)
        ours = any(each.manageable for each in found.candidates)
        out.line(
            "next: `rotator check`"
            if ours
            else "next: add a provider and a credential to it, `rotator trust`, then `rotator check`"
        )
    return 0


def _from_store(args: argparse.Namespace, source: str, out: Terminal) -> int:
    with assembled(args, lenient=True) as assembly:
        store, ref, fields = read_store(assembly, source)
    found = find(fields)
    show(found, f"{store}:{ref}", out)
    if found.candidates:
        out.line("nothing was written; add this to the config, then `rotator check`:")
        out.line()
        out.line(additions(store, ref, found.candidates).rstrip())
    return 0


def show(found: Found, where: str, out: Terminal) -> None:
    """The closing tables, one for each verdict: names, never values."""
    entries = [entry(asked(each)) for each in found.candidates]
    out.line()
    for verdict, takes in TAKES.items():
        _table([verdict, "looks like", takes], [each for each in entries if each.verdict == verdict], out)
    if not entries:
        out.line(f"no key was recognised in {clean(where)}")
    if found.unknown:
        out.line(f"secrets by their names, of no form known here: {', '.join(found.unknown)}")
    if found.others:
        out.line(f"{count(found.others, 'other variable')} of no known kind of key")
    out.line()


def _table(head: Sequence[str], entries: Sequence[Entry], out: Terminal) -> None:
    if not entries:
        return
    cells = [[each.name, each.form, clean(each.how)] for each in entries]
    for line in table(head, cells, out, wrap=True):
        out.line(line)
    out.line()


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise Told(f"{path} cannot be read: {error.strerror}", "name a .env file") from None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Told(f"{path} is not text", "name a .env file") from None
    if len(data) > LARGEST or "\0" in text:
        raise Told(f"{path} is no .env file", "name a .env file")
    return text
