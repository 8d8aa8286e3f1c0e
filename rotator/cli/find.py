"""`rotator find`: which managed keys are in a file, a directory, an image, a process or a text; names, never values."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from typing import Any

from rotator.app.finding import SHORTEST, Finder, Finding, Stranger, known_here
from rotator.app.knowing import Match, Trouble
from rotator.app.reporting import FINDINGS, INCOMPLETE, time
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, count, table, terminal

SHOWN = 20
"""So many things that were not looked at are listed on a terminal; `--json` has all."""


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Where to look."""
    where = "a file, directory, archive, image, /proc or /proc/PID; - for standard input"
    parser.add_argument("paths", nargs="+", metavar="PATH", help=where)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """0 nothing found, 1 something, 3 where something could not be looked at or asked."""
    if args.paths.count("-") > 1:
        raise Told("- is given twice", "there is one standard input")
    with assembled(args, lenient=True) as assembly:
        known, troubles = known_here(assembly)
    finder = Finder(known)
    for path in args.paths:
        _search(finder, path)
    names = frozenset(assembly.config.credentials)
    if args.json:
        print(json.dumps(_object(finder, troubles, names), indent=2, ensure_ascii=False))
    else:
        _show(finder, troubles, names, terminal(sys.stdout, no_color=args.no_color))
    if troubles or finder.looked.missed:
        return INCOMPLETE
    return FINDINGS if finder.findings or finder.strangers else 0


def _search(finder: Finder, path: str) -> None:
    if path == "-":
        finder.stream(_standard_input())
        return
    try:
        finder.path(path)
    except FileNotFoundError:
        raise Told(f"there is no {path}", "name a file or a directory, or - for standard input") from None
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise Told(f"{path} cannot be looked at: {why.lower()}", "look as somebody who may read it") from None
    except ValueError:  # a NUL in the name
        raise Told("a path holds what no path can", "name a file or a directory") from None


def _standard_input() -> Any:
    if sys.stdin.isatty():
        print("reads standard input, until Ctrl-D", file=sys.stderr)
    buffer = getattr(sys.stdin, "buffer", None)
    return buffer if buffer is not None else io.BytesIO(sys.stdin.read().encode("utf-8", "surrogateescape"))


# -- in words ----------------------------------------------------------------------------------------------------------


def _show(finder: Finder, troubles: Sequence[Trouble], names: frozenset[str], out: Terminal) -> None:
    if finder.findings:
        rows = [_row(each, names, out) for each in finder.findings]
        for line in table(["where", "credential", "key", "state", "next"], rows, out, wrap=True):
            out.line(line)
    if finder.strangers:
        if finder.findings:
            out.line()
        out.line(f"{count(len(finder.strangers), 'key')} that no credential here has, by the form:")
        rows = [[_at(each), each.form.vendor, each.hint or "—", _revoke(each)] for each in finder.strangers]
        for line in table(["where", "looks like", "ends in", "revoke it"], rows, out, wrap=True):
            out.line(line)
    if finder.findings or finder.strangers:
        out.line()
    for line in _not_seen(finder, troubles):
        out.line(out.style(line, "yellow"))
    for line in _summary(finder, troubles):
        out.line(line)


def _row(each: Finding, names: frozenset[str], out: Terminal) -> list[str]:
    match = each.match
    exposed = match.alive is not False and match.secret
    state = out.style(_state(match), "red" if exposed else "dim")
    return [_at(each), clean(match.credential), clean(match.key_id or "—"), state, _next(match, names) or "—"]


def _at(each: Finding | Stranger) -> str:
    """`file:line`, `archive!member:line`, or in what is binary `file+byte`."""
    place = f":{each.line}" if each.line is not None else f"+{each.byte}"
    more = f" (and {each.times - 1} more)" if each.times > 1 else ""
    return clean(f"{each.where}{place}") + more


def _state(match: Match) -> str:
    if match.alive is None:
        return f"{match.standing.value}, by a store"
    if match.dead_at is not None:
        how = "dead" if match.proven else "deleted and not proven dead"
        return f"{match.standing.value}, {how} since {match.dead_at:%Y-%m-%d %H:%M} UTC"
    return f"{match.standing.value}, alive" if match.secret else "only its id, not its secret"


def _next(match: Match, names: frozenset[str]) -> str | None:
    if match.alive is False and not match.proven:
        return clean(f"rotator prove {match.credential}")
    if match.alive is False or not match.secret:
        return None
    if match.credential not in names:
        return "revoke it by hand: the config has no such credential any more"
    return clean(f"rotate {match.credential} --assume-compromise")


def _revoke(each: Stranger) -> str:
    return each.form.revoke or each.form.admin


def _not_seen(finder: Finder, troubles: Sequence[Trouble]) -> list[str]:
    missed = list(finder.looked.missed.items())
    lines = [clean(f"not looked at: {where}: {why}") for where, why in missed[:SHOWN]]
    if len(missed) > SHOWN:
        lines.append(f"not looked at: {len(missed) - SHOWN:,} more, which --json lists")
    asked = [clean(f"not compared with what {each.what} holds: {each.why}") for each in troubles[:SHOWN]]
    if len(troubles) > SHOWN:
        asked.append(f"not compared with {len(troubles) - SHOWN:,} more, which --json lists")
    return [*lines, *asked]


def _summary(finder: Finder, troubles: Sequence[Trouble]) -> list[str]:
    looked = finder.looked
    parts = [count(looked.files, "file")]
    if looked.members:
        parts.append(f"{count(looked.members, 'member')} of archives")
    if looked.processes:
        parts.append(f"{count(looked.processes, 'process').replace('processs', 'processes')}")
    parts.append(f"{_size(looked.bytes)} unpacked")
    if looked.links:
        parts.append(f"{count(looked.links, 'link')} not followed")
    if looked.special:
        parts.append(f"{looked.special} neither file nor directory")
    lines = ["looked at " + ", ".join(parts)]
    if not finder.findings and not finder.strangers:
        lines.append("no key found" + (", as far as was looked" if looked.missed or troubles else ""))
        lines.append(
            f"that is not the same as none there: a value of fewer than {SHORTEST} characters, encrypted, split "
            "or within a longer word is not found"
        )
    return lines


def _size(size: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size} {unit}"
        size = size // 1024
    return f"{size} GiB"


# -- as JSON -----------------------------------------------------------------------------------------------------------


def _object(finder: Finder, troubles: Sequence[Trouble], names: frozenset[str]) -> dict[str, Any]:
    looked = finder.looked
    return {
        "found": [_finding(each, names) for each in finder.findings],
        "unmanaged": [_stranger(each) for each in finder.strangers],
        "looked_at": {
            "files": looked.files,
            "members": looked.members,
            "processes": looked.processes,
            "bytes": looked.bytes,
            "links_not_followed": looked.links,
            "special_files": looked.special,
        },
        "not_looked_at": [{"where": where, "why": why} for where, why in looked.missed.items()],
        "not_compared": [{"what": each.what, "why": each.why} for each in troubles],
        "complete": not looked.missed and not troubles,
    }


def _finding(each: Finding, names: frozenset[str]) -> dict[str, Any]:
    match = each.match
    return {
        **_place(each),
        "credential": match.credential,
        "provider": match.provider or None,
        "key_id": match.key_id,
        "state": match.standing.value if match.secret else "id",
        "alive": match.alive,
        "dead_at": time(match.dead_at),
        "next": _next(match, names),
    }


def _stranger(each: Stranger) -> dict[str, Any]:
    form = each.form
    return {
        **_place(each),
        "vendor": form.vendor,
        "driver": form.driver,
        "hint": each.hint or None,
        "revoke": _revoke(each),
        "source": form.source or None,
    }


def _place(each: Finding | Stranger) -> dict[str, Any]:
    members = list(each.where.members)
    return {"path": each.where.path, "members": members, "line": each.line, "byte": each.byte, "times": each.times}
