"""Every command says what it needs when somebody else has it run, in one table."""

from __future__ import annotations

import argparse
import importlib

import pytest

from rotator.cli.errors import Told
from rotator.cli.main import VERBS, build
from rotator.cli.rights import ROWS, admit, key, row_of
from rotator.domain.tokens import Role

ACTIONS = {
    "plugins": ("list", "show", "pin", "new", "try"),
    "incident": ("list", "report", "key", "check"),
    "log": ("verify", "export"),
    "notify": ("list", "test"),
}


def every_command() -> set[str]:
    """Each verb, with those beneath it."""
    found = set()
    for verb, (module, _) in VERBS.items():
        beneath = getattr(importlib.import_module(f"rotator.cli.{module}"), "VERBS", {})
        found |= {f"{verb} {each}" for each in (*beneath, *ACTIONS.get(verb, ()))}
        if verb not in ACTIONS:
            found.add(verb)
    return found


def typed(*words: str) -> argparse.Namespace:
    parsed: argparse.Namespace = build("rotator", words).parse_args(list(words))
    return parsed


def owner_of(name: str) -> str:
    return {"mine": "ml", "theirs": "db"}.get(name, "")


def test_every_command_has_a_row_and_every_row_a_command() -> None:
    assert every_command() == set(ROWS)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("rotate", "a"), "rotate"),
        (("incident",), "incident list"),
        (("incident", "open", "a"), "incident open"),
        (("incident", "report", "a"), "incident report"),
        (("audit", "where", "a"), "audit where"),
        (("audit", "a"), "audit"),
        (("log", "verify"), "log verify"),
        (("plugins",), "plugins list"),
        (("token", "list"), "token list"),
        (("hold", "a"), "hold"),
    ],
)
def test_what_was_typed_finds_its_row(words: tuple[str, ...], named: str) -> None:
    assert key(typed(*words)) == named


@pytest.mark.parametrize(
    "words",
    [
        ("init",),
        ("trust",),
        ("demo",),
        ("doctor",),
        ("plugins", "pin"),
        ("plugins", "new", "x"),
        ("token", "break-glass", "--why", "x"),
        ("token", "new", "x", "--role", "viewer"),
        ("incident", "check", "x"),
        ("audit", "x"),
        ("rotate", "a", "--admin", "ks=file:/etc/shadow"),
        ("rotate", "--advisory", "X", "--osv", "/etc"),
        ("status", "--config", "/etc/other.yaml"),
        ("status", "--state", "sqlite:///x"),
        ("status", "--debug"),
        ("incident", "report", "x", "--html", "/tmp/x"),
        ("incident", "report", "x", "--json", "/tmp/x"),
        ("audit", "record", "/etc/passwd"),
        ("log", "export", "--follow"),
    ],
)
def test_what_is_about_this_machine_or_its_files_says_so_and_ends_in_2(words: tuple[str, ...]) -> None:
    with pytest.raises(Told) as told:
        row_of(typed(*words))
    assert told.value.code == 2
    assert told.value.hint


@pytest.mark.parametrize(
    ("words", "least"),
    [
        (("status",), Role.VIEWER),
        (("rotate", "a"), Role.OPERATOR),
        (("rotate", "a", "--assume-compromise"), Role.RESPONDER),
        (("rotate", "a", "--assume-compromise", "--contain-first"), Role.RESPONDER),
        (("revoke", "a"), Role.RESPONDER),
        (("reconcile",), Role.OPERATOR),
        (("reconcile", "--rebuild"), Role.RESPONDER),
        (("reconcile", "--revoke-orphans"), Role.RESPONDER),
        (("incident", "open", "a"), Role.RESPONDER),
        (("token", "revoke", "a"), Role.RESPONDER),
    ],
)
def test_the_least_role_is_admitted_and_no_lesser_one(words: tuple[str, ...], least: Role) -> None:
    order = [Role.VIEWER, Role.OPERATOR, Role.RESPONDER]
    for role in order:
        if order.index(role) >= order.index(least):
            admit(typed(*words), role, None, owner_of)
        else:
            with pytest.raises(Told, match=f"this needs the role {least.value}"):
                admit(typed(*words), role, None, owner_of)
    with pytest.raises(Told):
        admit(typed(*words), Role.CONSUMER, None, owner_of)


@pytest.mark.parametrize(
    "words",
    [
        ("rotate", "theirs"),
        ("rotate", "mine", "theirs"),
        ("rotate", "--all"),
        ("rotate", "mine", "--tag", "t"),
        ("rotate", "--due"),
        ("rotate", "--leaked"),
        ("rotate", "mine", "--revoke-foreign"),
        ("rotate", "mine", "--incident", "inc-1"),
        ("status", "theirs"),
        ("why", "theirs"),
        ("why", "no-such"),
        ("resume",),
        ("provide", "--next"),
        ("reconcile",),
        ("check",),
        ("incident",),
        ("log", "export"),
        ("token", "list"),
        ("audit", "where", "x"),
        ("find", "-"),
    ],
)
def test_a_token_for_some_touches_no_other_and_runs_nothing_about_all(words: tuple[str, ...]) -> None:
    with pytest.raises(Told) as told:
        admit(typed(*words), Role.RESPONDER, frozenset(("ml",)), owner_of)
    assert told.value.code == 2


def test_a_token_for_some_may_with_those() -> None:
    for words in (("rotate", "mine"), ("why", "mine"), ("status",), ("history",), ("hold", "mine")):
        args = typed(*words)
        admit(args, Role.RESPONDER, frozenset(("ml",)), owner_of)
        assert args.owners == frozenset(("ml",))
