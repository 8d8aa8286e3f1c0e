"""`rotator plugins try FILE`: what a provider really does, against what a description says of it."""

from __future__ import annotations

import argparse
import getpass
import json
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, count, table, terminal
from rotator.domain.times import UnreadableError, parse_duration

if TYPE_CHECKING:
    from rotator.app.trials import Row
    from rotator.app.trying import Trial, Tried

FINDINGS, INCOMPLETE = 1, 3


def options(parser: argparse.ArgumentParser) -> None:
    """What only `try` knows."""
    group = parser.add_argument_group("for try")
    group.add_argument("--base-url", metavar="URL", help="where the API is, instead of where the description says")
    group.add_argument(
        "--admin", metavar="REF", help="the admin credential: file:PATH, env:NAME, or - (standard input)"
    )
    group.add_argument("--principal", metavar="K=V", nargs="+", action="extend", help="whose keys, in its own words")
    group.add_argument("--set", metavar="K=V", nargs="+", action="extend", help="settings of the provider")
    group.add_argument("--patience", metavar="DURATION", help="how much longer than declared to wait; 60s unless given")
    group.add_argument("--yes", action="store_true", help="make the keys without asking")


def refuse(args: argparse.Namespace) -> None:
    """Options that only `try` knows. Raises `Told` where one stands beside another word."""
    given = (args.base_url, args.admin, args.principal, args.set, args.patience, args.yes or None)
    if any(each is not None for each in given):
        raise Told(f"these options are not for {args.action}", "they belong to `rotator plugins try DESCRIPTION`")


def run(args: argparse.Namespace) -> int:
    """Ask, try, and tell."""
    from rotator.app.trial_wiring import Wanted, prepare, read

    out, err = terminal(sys.stdout, no_color=args.no_color), terminal(sys.stderr, no_color=args.no_color)
    if args.name is None:
        raise Told("try needs a description", "name a .yaml file, or one that `rotator plugins show rest` lists")
    patience = _duration(args.patience or "60s")
    read(args.name)  # nobody types a credential for a file that is not there
    trial = prepare(
        Wanted(
            description=args.name,
            base_url=args.base_url,
            admin=_admin(args),
            principal=_pairs(args.principal, "--principal"),
            settings=_pairs(args.set, "--set"),
            patience=patience,
        )
    )
    _ask(args, trial, err)
    trial.said = lambda row: None if args.json else err.line(_progress(row, err))
    tried = trial.run()
    if tried.interrupted:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is said now names keys that may live
    if args.json:
        print(json.dumps(_object(args, tried), indent=2, ensure_ascii=False))
    else:
        _show(tried, out)
    return _code(tried, err)


# -- what was typed ----------------------------------------------------------------------------------------------------


def _admin(args: argparse.Namespace) -> str:
    from rotator.app.trial_wiring import admin_credential
    from rotator.config.references import from_prompt

    if args.admin not in (None, "-"):
        return admin_credential(args.admin)
    if sys.stdin.isatty():
        return getpass.getpass("admin credential (not shown): ")
    return from_prompt(args.name)


def _pairs(words: Sequence[str] | None, option: str) -> dict[str, str]:
    pairs = dict(word.partition("=")[::2] for word in words or ())
    if not all(name and text for name, text in pairs.items()):
        raise Told(f"{option} needs pairs", f"write {option} project=proj_1")
    return pairs


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except UnreadableError as error:
        raise Told(f"--patience: {error.message}", error.hint) from None


def _ask(args: argparse.Namespace, trial: Trial, err: Terminal) -> None:
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise Told("there is no terminal to ask on", "add --yes: it makes up to two keys and deletes them again")
    where = args.base_url or "the base_url of the description"
    err.line(clean(f"this makes up to two keys of {trial.principal.name} at {where}, uses them, and deletes them"))
    err.stream.write("Go on? [yes/no] ")
    err.stream.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Told("stopped", "nothing was made")


# -- what was seen -----------------------------------------------------------------------------------------------------


def _progress(row: Row, err: Terminal) -> str:
    return err.style(clean(f"{row.what}: {row.seen}"), *(("yellow",) if row.differs else ()))


def _show(tried: Tried, out: Terminal) -> None:
    cells = [
        [clean(row.what), clean(row.declared), clean(row.seen), "differs" if row.differs else ""] for row in tried.rows
    ]
    for line in table(["what", "declared", "seen", ""], cells, out):
        out.line(line)
    if tried.ended:
        out.line(clean(f"it went no further: {tried.ended}"))
    found = len(tried.findings)
    if found:
        out.line(f"{count(found, 'thing')} the provider does otherwise than the description says")
    elif not tried.ended and not tried.interrupted:
        out.line("the provider does what the description says")


def _object(args: argparse.Namespace, tried: Tried) -> dict[str, object]:
    rows = [
        {"what": row.what, "declared": row.declared, "seen": row.seen, "seconds": row.seconds, "differs": row.differs}
        for row in tried.rows
    ]
    return {
        "description": args.name,
        "base_url": args.base_url,
        "rows": rows,
        "findings": [row.what for row in tried.findings],
        "ended": tried.ended or None,
        "interrupted": tried.interrupted,
        "alive": list(tried.tidied.alive),
        "unknown_mints": tried.tidied.unknown,
    }


def _code(tried: Tried, err: Terminal) -> int:
    tidied = tried.tidied
    if tidied.alive:
        err.line(clean(f"! may still live: {', '.join(tidied.alive)}; delete them in the provider's console"))
    if tidied.unknown:
        err.line(
            f"! {count(tidied.unknown, 'mint')} got no answer, and no key with its mark is listed; look there again"
        )
    if tried.interrupted:
        err.line("interrupted" + ("; what was made is deleted" if tidied.clean else ""))
    if tried.interrupted or not tidied.clean:
        return INCOMPLETE
    return FINDINGS if tried.findings or tried.ended else 0
