"""What each command needs when it is run for somebody else: `rotator --server`. A command without a row is not run.

The command line of the daemon's machine needs none of this: whoever is there has the config and the keys.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rotator.cli.errors import Told
from rotator.domain.tokens import Role


def _one(args: argparse.Namespace) -> list[str]:
    name = getattr(args, "name", None)
    return [name] if name else []


def _many(args: argparse.Namespace) -> list[str]:
    return list(args.names)


def _never(args: argparse.Namespace) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`role`: the least; None: only on the machine itself, because of `local`. `more`: what needs a responder's.

    `names`: which credentials it is about, for a token that sees only some owners'; None: such a token may not.
    `filters`: without names it tells of those that are seen. `whole`: options that are about others, too.
    `refused`: options that name files or secrets of the machine; `piped`: which may be `-` and nothing else. `reads`:
    whether it reads standard input.
    """

    role: Role | None
    local: str = ""
    more: Callable[[argparse.Namespace], bool] = _never
    names: Callable[[argparse.Namespace], list[str]] | None = None
    filters: bool = False
    whole: Sequence[str] = ()
    refused: Sequence[str] = ()
    piped: Sequence[str] = ()
    reads: Callable[[argparse.Namespace], bool] = _never


def _emergency(args: argparse.Namespace) -> bool:
    return bool(args.assume_compromise or args.contain_first or args.revoke_foreign is not None)


def _mends(args: argparse.Namespace) -> bool:
    return bool(args.revoke_orphans or args.rebuild)


def _always(args: argparse.Namespace) -> bool:
    return True


_HERE = "it is about the machine it runs on"
_REPORTS = ("gitleaks", "trufflehog", "github")
_WIDE = ("due", "all", "provider", "store", "consumer", "tag", "owner", "leaked", "key_id", "package", "incident")
VIEWER, OPERATOR, RESPONDER = Role.VIEWER, Role.OPERATOR, Role.RESPONDER

ROWS: dict[str, Row] = {
    "rotate": Row(
        role=OPERATOR,
        more=_emergency,
        names=_many,
        whole=(*_WIDE, "advisory", "revoke_foreign"),
        refused=("admin", "osv"),
        reads=lambda args: bool(args.leaked),
    ),
    "init": Row(role=None, local="it writes the config of this machine"),
    "check": Row(role=OPERATOR),
    "doctor": Row(role=None, local=_HERE),
    "trust": Row(role=None, local="it is about the config of this machine"),
    "status": Row(role=VIEWER, names=_one, filters=True),
    "why": Row(role=VIEWER, names=_one),
    "history": Row(role=VIEWER, names=_one, filters=True),
    "adopt": Row(role=OPERATOR, names=_one),
    "resume": Row(role=OPERATOR, names=_one),
    "rollback": Row(role=OPERATOR, names=_one),
    "hold": Row(role=OPERATOR, names=_one),
    "release": Row(role=OPERATOR, names=_one),
    "revoke": Row(role=RESPONDER, names=_one),
    "acknowledge": Row(role=OPERATOR, names=_one, reads=_always),
    "provide": Row(role=OPERATOR, names=_one, whole=("next",), reads=lambda args: not args.next),
    "find": Row(role=OPERATOR, reads=_always),
    "prove": Row(role=OPERATOR, names=_one),
    "sync": Row(role=OPERATOR, names=_one),
    "reconcile": Row(role=OPERATOR, more=_mends),
    "plugins list": Row(role=VIEWER),
    "plugins show": Row(role=VIEWER),
    "plugins pin": Row(role=None, local="it trusts what is installed on this machine"),
    "plugins new": Row(role=None, local="it writes a folder"),
    "plugins try": Row(role=None, local="it reads a description and an admin credential of this machine"),
    "incident list": Row(role=VIEWER),
    "incident report": Row(role=VIEWER, refused=("html",)),
    "incident key": Row(role=VIEWER),
    "incident check": Row(role=None, local="it needs nothing but the file and the key"),
    "incident open": Row(role=RESPONDER, refused=("osv",)),
    "incident plan": Row(role=OPERATOR),
    "incident verify": Row(role=RESPONDER),
    "incident close": Row(role=RESPONDER),
    "incident drill": Row(role=OPERATOR),
    "scan": Row(role=RESPONDER, piped=_REPORTS, reads=_always),
    "audit": Row(role=None, local="it reads lockfiles and records of this machine"),
    "audit record": Row(role=OPERATOR, refused=("files",)),
    "audit backfill": Row(role=None, local="it reads a repository of this machine"),
    "audit where": Row(role=VIEWER),
    "metrics": Row(role=VIEWER, refused=("to",)),
    "notify list": Row(role=VIEWER),
    "notify test": Row(role=OPERATOR),
    "log verify": Row(role=VIEWER),
    "log export": Row(role=VIEWER),
    "token": Row(role=RESPONDER),
    "token new": Row(role=None, local="the API never returns a secret"),
    "token list": Row(role=RESPONDER),
    "token revoke": Row(role=RESPONDER),
    "token break-glass": Row(role=None, local="it is for whoever is on the daemon's machine"),
    "config": Row(role=VIEWER),
    "config diff": Row(role=VIEWER),
    "config approve": Row(role=RESPONDER),
    "daemon": Row(role=None, local="it is the server"),
    "alive": Row(role=None, local=_HERE),
    "pause": Row(role=OPERATOR),
    "completion": Row(role=None, local="it is for the shell of this machine"),
    "demo": Row(role=None, local="it is a demonstration"),
}


def key(args: argparse.Namespace) -> str:
    """The row that a command has: its verb, and the one beneath it."""
    shown = str(args.shown).removeprefix("rotator ")
    action = getattr(args, "action", None)
    return f"{shown} {action}" if isinstance(action, str) and " " not in shown else shown


def row_of(args: argparse.Namespace) -> Row:
    """The row, for a command that may be run elsewhere at all. Raises `Told`."""
    named = key(args)
    row = ROWS.get(named) or Row(role=None, local="it has no row in the table of rights")
    if row.role is None:
        raise Told(f"`rotator {named}` runs only where you are: {row.local}", "leave out --server")
    for option in ("config", "state"):
        if getattr(args, option, None) is not None:
            raise Told(f"--{option} is the server's own", f"leave out --{option}")
    if getattr(args, "debug", False):
        raise Told("--debug shows tracebacks only where the command runs", "leave out --debug")
    for option in row.refused:
        if getattr(args, option, None):
            what = f"--{option.replace('_', '-')}" if option != "files" else "a file"
            hint = "a consumer's token posts them to /v1/inventories" if option == "files" else "run it on that machine"
            raise Told(f"{what} would be one of the server's machine", hint)
    for option in row.piped:
        if getattr(args, option, None) not in (None, "-"):
            raise Told(f"--{option} would be a file of the server's machine", f"--{option} - and redirect it")
    _suits_a_server(named, args)
    return row


def _suits_a_server(named: str, args: argparse.Namespace) -> None:
    if named == "log export" and args.follow:
        raise Told("--follow would stay on the server for ever", "--after N again and again, or GET /v1/events?after=N")
    if named == "incident report" and args.json not in (None, "-"):
        raise Told("--json FILE would be a file of the server's machine", "--json - and redirect it")


def admit(args: argparse.Namespace, role: Role, owners: frozenset[str] | None, owner_of: Callable[[str], str]) -> None:
    """Whether somebody with this role, who sees these owners' credentials (None: all), may run it. Raises `Told`.

    `owner_of`: of a credential, "" where there is none.
    """
    from rotator.domain.tokens import includes

    row = row_of(args)
    needed = RESPONDER if row.more(args) else row.role
    assert needed is not None
    if not includes(role, needed):
        raise Told(f"this needs the role {needed.value}, and yours is {role.value}", "use another token")
    if owners is None:
        return
    hint = "use a token without --owner"
    if row.names is None:
        raise Told(f"`rotator {key(args)}` is about all credentials, and yours is a token for some", hint)
    for option in row.whole:
        if getattr(args, option, None):
            raise Told(f"--{option.replace('_', '-')} is about all credentials, and yours is a token for some", hint)
    names = row.names(args)
    if not names and not row.filters:
        raise Told("yours is a token for some credentials, so it must be said which", "write their names")
    for name in names:
        if owner_of(name) not in owners or not owner_of(name):
            raise Told(f"there is no credential {name!r}", "`rotator status` lists the credentials")
    args.owners = owners
