"""`rotator token`: who may use the API. Each verb's options and action are here."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from rotator.cli import beneath, typed, words
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import clean, table, terminal
from rotator.domain.times import format_time
from rotator.domain.tokens import Role, Token

VERBS: dict[str, tuple[str, str]] = {
    # verb: (module, one line of help), in the order in which they are shown
    "new": ("token", "make one; it is printed once, and never again"),
    "list": ("token", "all that were ever made, without their texts"),
    "revoke": ("token", "end one at once"),
    "break-glass": ("token", "on the host, when nobody can log in: a responder's for one hour"),
}
ROLES = tuple(role.value for role in Role if role is not Role.CONSUMER)


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Those of the verb beneath it; called again for each of these."""
    if verb == "token":
        beneath.add(parser, verb, VERBS)
        return
    parser.set_defaults(what=verb)
    if verb == "list":
        parser.add_argument("--json", action="store_true", help="print one JSON object")
    elif verb == "break-glass":
        parser.add_argument("--why", metavar="TEXT", help="for the trail and the alert")
    else:
        parser.add_argument("name", metavar="NAME", help="whose it is: the trail calls what it does by this name")
    if verb == "new":
        parser.add_argument(
            "--role", choices=ROLES, help="viewer looks, operator rotates, responder handles emergencies"
        )
        parser.add_argument("--owner", action="append", default=[], metavar="OWNER", help="only credentials of these")
        parser.add_argument("--consumer", metavar="C", help="instead of a role: posts this consumer's inventories")
        parser.add_argument("--for", dest="lasts", metavar="DURATION", help="how long it opens anything (90d)")


def run(args: argparse.Namespace) -> int:
    """No verb was named."""
    what = getattr(args, "what", None)
    if what is None:
        args.help()
        raise Told("token needs a verb", f"one of {', '.join(VERBS)}")
    return {"new": _new, "list": _list, "revoke": _revoke, "break-glass": _break_glass}[str(what)](args)


def _new(args: argparse.Namespace) -> int:
    from rotator.app.tokens import LIFETIME, new_token

    if (args.role is None) == (args.consumer is None):
        raise Told("a token has a --role or a --consumer, and not both", f"--role {'|'.join(ROLES)}")
    if args.consumer is not None and args.owner:
        raise Told("--owner narrows a role", "a consumer's token posts its inventories and sees nothing")
    role = Role.CONSUMER if args.consumer is not None else Role(args.role)
    lasts = LIFETIME if args.lasts is None else typed.duration(args.lasts, "--for")
    assert lasts is not None
    with assembled(args) as assembly:
        made = new_token(assembly, args.name, role, owners=args.owner, consumer=args.consumer or "", lasts=lasts)
    _show(args, made.token, made.text)
    return 0


def _break_glass(args: argparse.Namespace) -> int:
    from rotator.app.notifying import ONCE, notified
    from rotator.app.tokens import break_glass

    with assembled(args, lenient=True) as assembly, notified(assembly, ONCE):
        made = break_glass(assembly, args.why or "")
        _show(args, made.token, made.text)  # whoever is in a hurry does not wait until everybody is told
        sys.stdout.flush()
    return 0


def _show(args: argparse.Namespace, token: Token, text: str) -> None:
    """The text alone on standard output, so that it can go straight into a file."""
    err = terminal(sys.stderr, no_color=args.no_color)
    until = words.instant(token.expires_at)
    whose = f", owners {', '.join(token.owners)}" if token.owners else ""
    err.line(clean(f"{token.name}: {token.role.value}{whose}, until {until} UTC; it is not shown again"))
    print(text)


def _revoke(args: argparse.Namespace) -> int:
    from rotator.app.tokens import revoke

    with assembled(args, lenient=True) as assembly:
        revoke(assembly, args.name)
    terminal(sys.stdout, no_color=args.no_color).line(f"{args.name}: opens nothing any more")
    return 0


def _list(args: argparse.Namespace) -> int:
    from rotator.app.tokens import tokens_of

    with assembled(args, lenient=True) as assembly:
        found, now = tokens_of(assembly).every(), assembly.clock.now()
    if args.json:
        listed = [_object(each, each.standing(now)) for each in found]
        print(json.dumps({"tokens": listed}, indent=2, ensure_ascii=False))
        return 0
    out = terminal(sys.stdout, no_color=args.no_color)
    if not found:
        out.line("no token yet: `rotator token new NAME --role viewer`")
        return 0
    cells = [
        [
            each.name,
            each.role.value,
            clean(", ".join(each.owners) or each.consumer or "all"),
            each.standing(now),
            words.instant(each.expires_at),
            words.ago(each.last_used_at, now) if each.last_used_at else "never",
        ]
        for each in found
    ]
    for line in table(["token", "role", "of", "state", "until (UTC)", "used"], cells, out):
        out.line(line)
    return 0


def _object(token: Token, standing: str) -> dict[str, Any]:
    times = {"created_at": token.created_at, "expires_at": token.expires_at, "last_used_at": token.last_used_at}
    return {
        "name": token.name,
        "role": token.role.value,
        "owners": list(token.owners),
        "consumer": token.consumer or None,
        "why": token.why or None,
        "state": standing,
        **{name: format_time(at) if at else None for name, at in times.items()},
        "revoked_at": format_time(token.revoked_at) if token.revoked_at else None,
    }
