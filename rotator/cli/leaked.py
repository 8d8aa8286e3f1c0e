"""`rotate --leaked` and `--key-id`: from a value or an id to the credentials that it exposes."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from rotator.app.assembly import Assembly
from rotator.app.key_ids import resolve
from rotator.app.knowing import Match, from_journal
from rotator.app.leaking import LONGEST, Foreign, Leak, Leaks, read_values
from rotator.cli.errors import Told
from rotator.cli.terminal import clean
from rotator.domain.secret import Secret

MOST = 1000
"""Values on standard input."""
NOTHING = "nothing was changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """Credentials that are exposed, by name, and what to say of it.

    `lost`: some of what was given is nobody's here, or of some nobody can say. `keys`: by credential, those that
    leaked, "" where nobody knows which. The others are as `rotator.domain.incidents.Incident` has them.
    """

    names: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    lost: bool = False
    keys: Mapping[str, frozenset[str]] = field(default_factory=dict)
    why: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    window: tuple[datetime, datetime] | None = None

    def __add__(self, other: Exposed) -> Exposed:
        """Both, of which the other one is about packages."""
        return replace(
            other,
            names=tuple(dict.fromkeys((*self.names, *other.names))),
            said=(*self.said, *other.said),
            lost=self.lost or other.lost,
            keys=self.keys,
            unknown={**self.unknown, **other.unknown},
        )


def exposed(args: argparse.Namespace, assembly: Assembly) -> Exposed:
    """What the values and ids that were given expose: nothing where every one is of a key that is proven dead.

    Raises `Told` where nothing of it is a credential's, and then nothing was changed.
    """
    found: list[Match] = []
    lost: list[tuple[str, str]] = []
    said: list[str] = []
    for text in args.key_id:
        answer = resolve(assembly, from_journal(assembly, assembly.journal), text)
        if isinstance(answer, Foreign):
            lost.append(_foreign(answer))
        else:
            found += answer
    for leak, message in _recognised(assembly) if args.leaked else ():
        said += [clean(f"not asked: {each.what}: {each.why}") for each in leak.not_asked]
        found += leak.matches
        lost += [message] if not leak.matches else []
    return _judged(args, assembly, found, lost, said)


def _recognised(assembly: Assembly) -> Iterator[tuple[Leak, tuple[str, str]]]:
    """Each value, and what to say where it is nobody's here."""
    leaks, values = Leaks(assembly), _values()
    for number, value in enumerate(values, 1):
        leak = leaks.recognise(number, value)
        yield leak, _nobodys(leak, len(values))


def _judged(
    args: argparse.Namespace,
    assembly: Assembly,
    found: Sequence[Match],
    lost: Sequence[tuple[str, str]],
    said: list[str],
) -> Exposed:
    found = tuple(dict.fromkeys(found))
    said += [_said(match) for match in found]
    unproven = {
        _unproven(each): f"`rotator prove {each.credential}`"
        for each in found
        if each.alive is False and not args.again and not each.proven
    }
    said += [clean(f"{what}; {hint}") for what, hint in unproven.items()]
    living = [each for each in found if each.alive is not False or args.again]
    if lost and not living:
        for line in (*said, *(clean(f"{message}; {hint}") for message, hint in lost[:-1])):
            print(line, file=sys.stderr)
        raise Told(*lost[-1])
    said += [clean(f"{message}; {hint.removesuffix(f'; {NOTHING}')}") for message, hint in lost]
    if living and not args.assume_compromise:
        said.append("note: without --assume-compromise the leaked key works until the overlap is over")
    names = dict.fromkeys(_in_config(assembly, match) for match in living)
    keys: dict[str, frozenset[str]] = {}
    for match in living:
        keys[match.credential] = keys.get(match.credential, frozenset()) | {match.key_id or ""}
    nobodys = {f"leaked {number}": message for number, (message, _) in enumerate(lost, 1)}
    return Exposed(
        names=tuple(names),
        said=tuple(said),
        lost=bool(lost or unproven),
        keys=keys,
        unknown={**nobodys, **dict.fromkeys(unproven, "its death was never proven")},
    )


def _unproven(match: Match) -> str:
    return f"key {match.key_id} of {match.credential} was deleted and never proven dead"


def _in_config(assembly: Assembly, match: Match) -> str:
    if match.credential in assembly.config.credentials or match.credential in assembly.config.broken:
        return match.credential
    key = f"key {match.key_id} of {match.credential}" if match.key_id else f"a key of {match.credential}"
    raise Told(f"{key} leaked, and the config has no such credential any more", "revoke it by hand; " + NOTHING)


def _said(match: Match) -> str:
    key = f"key {match.key_id} of {match.credential}" if match.key_id else f"a key of {match.credential}"
    if match.dead_at is not None:
        how = "dead" if match.proven else "deleted and not proven dead"
        return clean(f"it is {key}, {how} since {match.dead_at:%Y-%m-%d %H:%M} UTC")
    return clean(f"it is {key}, {match.standing.value}")


def _foreign(found: Foreign) -> tuple[str, str]:
    where = f"revoke it at {found.console}" if found.console else f"revoke it in {found.provider}'s console"
    return f"{found.key_id} at {found.provider} is a foreign key: no credential has it", f"{where}; {NOTHING}"


def _nobodys(leak: Leak, values: int) -> tuple[str, str]:
    """What to say of a value that is no credential's here."""
    which = "the leaked value" if values == 1 else f"leaked value {leak.number}"
    if leak.foreign is not None:
        message, hint = _foreign(leak.foreign)
        return f"{which}: {message}", hint
    whose = f"{which} is of no credential here" + (", as far as was asked" if leak.not_asked else "")
    if leak.form is None:
        return f"{whose}, and of no form known here", f"ask whoever found it whose it is; {NOTHING}"
    ends = f" ending in {leak.hint}" if leak.hint else ""
    where = leak.form.revoke or leak.form.admin
    return f"{whose}; it looks like a key of {leak.form.vendor}{ends}", f"revoke it: {where}; {NOTHING}"


def _values() -> tuple[Secret, ...]:
    """Without an echo on a terminal until an empty line, else one a line of standard input."""
    if not sys.stdin.isatty():
        lines = sys.stdin.read(LONGEST * 64).splitlines()
        if len(lines) > MOST:
            raise Told(f"standard input has more than {MOST} lines", "`rotator find -` takes whole files")
        return read_values(lines)
    typed = [getpass.getpass("leaked value (not shown): ")]
    while typed[-1].strip():
        typed.append(getpass.getpass("another one (not shown, empty for none): "))
    return read_values(typed)
