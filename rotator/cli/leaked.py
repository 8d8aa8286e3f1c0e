"""`rotate --leaked` and `--key-id`: from a value or an id to the credentials that it exposes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from rotator.app.assembly import Assembly
from rotator.app.key_ids import Misspelt, resolve
from rotator.app.knowing import Match, from_journal
from rotator.app.leaking import Foreign, Leak, Leaks
from rotator.cli import typed
from rotator.cli.errors import Told
from rotator.cli.pasted import Pasted, pasted
from rotator.cli.terminal import clean
from rotator.config.errors import ConfigError
from rotator.domain.incidents import Incident

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
    incident: Incident | None = None  # as it was opened; then all of this is of it
    planned: tuple[str, ...] = ()  # of the names those that it is about by itself
    typed_back: bool = False  # there are so many more than a person knows that he types the number

    def __add__(self, other: Exposed) -> Exposed:
        """Both, of which the other one is about packages or an incident."""
        return replace(
            other,
            names=tuple(dict.fromkeys((*self.names, *other.names))),
            said=(*self.said, *other.said),
            lost=self.lost or other.lost,
            keys=self.keys,
            why={**self.why, **other.why},
            packages=other.packages or self.packages,
            window=other.window or self.window,
            unknown={**self.unknown, **other.unknown},
        )


def exposed(args: argparse.Namespace, assembly: Assembly) -> Exposed:
    """What the values and ids that were given expose: nothing where every one is of a key that is proven dead.

    In an emergency what cannot be used stops no other: it is lost. Raises `Told` and `ConfigError` where nothing that
    was selected is a credential's, without an emergency for the first that cannot be used, and always for what is
    misspelt; then nothing was changed.
    """
    lost: list[tuple[str, str]] = []
    said: list[str] = []
    found = [each for text in args.key_id for each in _of_id(args, assembly, text, lost)]
    given = pasted() if args.leaked else Pasted(values={}, given=0)
    if given.refused and not args.assume_compromise:
        raise Told(*given.refused[0])
    lost += given.refused
    for leak, message in _recognised(assembly, given):
        said += [clean(f"not asked: {each.what}: {each.why}") for each in leak.not_asked]
        found += leak.matches
        lost += [message] if not leak.matches else []
    return _judged(args, assembly, found, lost, said)


def _of_id(args: argparse.Namespace, assembly: Assembly, text: str, lost: list[tuple[str, str]]) -> tuple[Match, ...]:
    try:
        answer = resolve(assembly, from_journal(assembly, assembly.journal), text)
    except Misspelt:
        raise
    except ConfigError as error:
        if not args.assume_compromise:
            raise
        lost.append((error.message, error.hint))
        return ()
    if isinstance(answer, Foreign):
        lost.append(_foreign(answer))
        return ()
    return answer


def _recognised(assembly: Assembly, given: Pasted) -> Iterator[tuple[Leak, tuple[str, str]]]:
    """Each value, and what to say where it is nobody's here."""
    if given.values:
        leaks = Leaks(assembly)
        for number, value in given.values.items():
            leak = leaks.recognise(number, value)
            yield leak, _nobodys(leak, given.given)


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
    known = [each for each in living if _in_config(assembly, each)]
    removed = [_removed(each) for each in living if not _in_config(assembly, each)]
    if removed and not args.assume_compromise:
        raise Told(*removed[0])
    living, lost = known, [*lost, *removed]
    if lost and not living and not (args.assume_compromise and (args.package or typed.selectors(args).wide)):
        for line in (*said, *(clean(f"{message}; {hint}") for message, hint in lost[:-1])):
            print(line, file=sys.stderr)
        raise Told(*lost[-1])
    said += [clean(f"{message}; {hint.removesuffix(f'; {NOTHING}')}") for message, hint in lost]
    if living and not args.assume_compromise:
        said.append("note: without --assume-compromise the leaked key works until the overlap is over")
    names = dict.fromkeys(match.credential for match in living)
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


def _in_config(assembly: Assembly, match: Match) -> bool:
    return match.credential in assembly.config.credentials or match.credential in assembly.config.broken


def _removed(match: Match) -> tuple[str, str]:
    key = f"key {match.key_id} of {match.credential}" if match.key_id else f"a key of {match.credential}"
    return f"{key} leaked, and the config has no such credential any more", "revoke it by hand; " + NOTHING


def _said(match: Match) -> str:
    key = f"key {match.key_id} of {match.credential}" if match.key_id else f"a key of {match.credential}"
    if match.dead_at is not None:
        how = "dead" if match.proven else "deleted and not proven dead"
        return clean(f"it is {key}, {how} since {match.dead_at:%Y-%m-%d %H:%M} UTC")
    return clean(f"it is {key}, {match.standing.value}")


def _foreign(found: Foreign) -> tuple[str, str]:
    where = f"revoke it at {found.console}" if found.console else f"revoke it in {found.provider}'s console"
    none = "no credential has it" if found.sure else "no credential is known to have it"
    asked = "" if found.sure else ", as far as was asked"
    return f"{found.key_id} at {found.provider} is a foreign key{asked}: {none}", f"{where}; {NOTHING}"


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
