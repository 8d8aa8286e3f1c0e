"""`rotator audit LOCKFILE --osv PATH`: inventories held against advisories, an index, other tools' results."""

from __future__ import annotations

import argparse
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rotator.app.audit_sources import feed_of, index_at, results_of
from rotator.app.audited import from_files, keep_own_of, of_consumers
from rotator.app.auditing import Against, Audit, audit
from rotator.app.own_installation import Audited, own_installation
from rotator.cli import audit_json, audit_tables
from rotator.cli.context import load
from rotator.cli.errors import Told
from rotator.cli.terminal import terminal
from rotator.config.errors import ConfigError, nearest
from rotator.config.reading import Config
from rotator.domain.failures import Failure, Transient
from rotator.domain.findings import SIGNALS, Unjudged
from rotator.domain.times import UnreadableError, parse_duration, parse_time

_CONSUMER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_NOTHING = "--osv PATH holds it against advisories, --index URL asks who is behind it, --import FILE takes results"


def options(parser: argparse.ArgumentParser) -> None:
    """What to audit, and what to hold it against."""
    parser.add_argument("files", nargs="*", metavar="LOCKFILE", help="lockfiles, or folders like site-packages")
    parser.add_argument("--consumer", metavar="C", help="whose they are")
    known = parser.add_argument_group("known to be bad")
    known.add_argument("--osv", metavar="PATH|URL", help="OSV records: a directory, a zip, a file, or the URL of a zip")
    known.add_argument("--keep", metavar="FILE", help="keep the zip of the URL there, for later without a network")
    known.add_argument(
        "--stale", metavar="DURATION", default="7d", help="advisories without a change for so long say nothing (7d)"
    )
    known.add_argument(
        "--import",
        metavar="FILE",
        dest="results",
        action="append",
        default=[],
        help="results of pip-audit, osv-scanner or guarddog, as JSON; again for more",
    )
    behind = parser.add_argument_group("who is behind it")
    behind.add_argument("--index", metavar="URL", help="a package index that speaks PEP 691, like https://HOST/simple/")
    behind.add_argument("--young", metavar="DURATION", default="7d", help="a release is too young for so long (7d)")
    behind.add_argument("--at", metavar="TIME", help="judge as of this time instead of now")
    behind.add_argument(
        "--without", metavar="SIGNAL", action="append", default=[], help=f"do not ask for one of {', '.join(SIGNALS)}"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="also what was withdrawn, and every single signal")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Exit 0 when all is known, fresh and clean, 1 with findings, 3 when something could not be judged."""
    try:
        result = _audited(args)
    except Failure as failure:
        code = 3 if isinstance(failure, Transient) else 2
        raise Told(failure.message, failure.hint or "see `rotator audit --help`", code=code) from None
    if args.json:
        print(json.dumps(audit_json.as_object(result), indent=2))
    else:
        audit_tables.show(result, terminal(sys.stdout, no_color=args.no_color), verbose=args.verbose)
    return result.code


def _audited(args: argparse.Namespace) -> Audit:
    """Everything that was typed is read before anything is asked."""
    at = _time(args.at)
    stale, young = _duration(args.stale, "--stale"), _duration(args.young, "--young")
    without = _signals(args.without)
    if not (args.osv or args.index or args.results):
        raise Told("there is nothing to hold inventories against", _NOTHING)
    if args.keep and not args.osv:
        raise Told("--keep is for what --osv downloads", "name the URL of a zip with --osv")
    config, unusable = _config(args)
    consumer = _consumer(args, config)
    files = from_files([Path(each) for each in args.files], consumer=consumer, at=at)
    results = results_of([Path(each) for each in args.results])
    index = index_at(args.index) if args.index else None
    feed = feed_of(args.osv, keep=Path(args.keep) if args.keep else None) if args.osv else None
    audited = own_installation(config, at=at) + files
    if config is not None:
        keep_own_of(config)
    if config is not None and not args.files:
        audited += of_consumers(config, at)
    if unusable and not args.files:
        audited += Audited(unjudged=(Unjudged(what="what consumers have", why=unusable),))
    against = Against(at=at, feed=feed, stale=stale, index=index, young=young, imported=results, without=without)
    return audit(audited, against)


def _config(args: argparse.Namespace) -> tuple[Config | None, str]:
    """The config, if there is one that may be believed, else why it is not: a laptop needs none."""
    try:
        return load(args, lenient=True), ""
    except ConfigError as error:
        if args.config:
            raise
        if "there is no config" in error.message:
            return None, ""
        print(f"without the config: {error.message}", file=sys.stderr)
        return None, error.message


def _consumer(args: argparse.Namespace, config: Config | None) -> str:
    name: str = args.consumer or ""
    if name and not args.files:
        raise Told("--consumer says whose lockfiles these are, and there are none", "name the lockfiles")
    if name and not _CONSUMER.fullmatch(name):
        raise Told("that is no name for a consumer", "letters, digits, dots, dashes and underscores, at most 63")
    if name and config is not None and name not in config.consumers:
        near = nearest(name, config.consumers)
        raise Told(f"the config has no consumer {name!r}", f"did you mean {near}?" if near else "see its consumers:")
    return name


def _duration(text: str, option: str) -> timedelta:
    try:
        return parse_duration(text)
    except UnreadableError as error:
        raise Told(f"{option}: {error.message}", error.hint) from None


def _time(text: str | None) -> datetime:
    now = datetime.now(UTC)
    if text is None:
        return now
    try:
        return parse_time(text)
    except UnreadableError as error:
        raise Told(f"--at: {error.message}", error.hint) from None


def _signals(names: list[str]) -> frozenset[str]:
    for name in names:
        if name not in SIGNALS:
            near = nearest(name, SIGNALS)
            known = f"known: {', '.join(SIGNALS)}"
            raise Told(f"there is no signal {name!r}", f"did you mean {near}?" if near else known)
    return frozenset(names)
