"""Making, listing and ending tokens of the API. The text of one is returned once and kept nowhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from rotator.adapters.attributed import signed
from rotator.adapters.journal.durable import DurableJournal
from rotator.app.assembly import Assembly
from rotator.app.inventories import known_consumer
from rotator.config.errors import ConfigError, nearest
from rotator.domain.records import Event, EventKind
from rotator.domain.times import format_duration, format_time, quoted
from rotator.domain.tokens import Role, Token, chain, digest_of, fresh_text
from rotator.ports import Tokens

LIFETIME = timedelta(days=90)
"""How long a token lasts unless somebody says otherwise."""
LONGEST = timedelta(days=366)
BREAK_GLASS = timedelta(hours=1)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
MOST_WHY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A new token, and its text, which nobody will ever be told again."""

    token: Token
    text: str = field(repr=False)


def tokens_of(assembly: Assembly) -> Tokens:
    """Where they are kept: beside the journal, in the same database. Raises `ConfigError`."""
    opened = assembly.opened
    assert isinstance(opened, DurableJournal)
    return opened.tokens


def new_token(
    assembly: Assembly,
    name: str,
    role: Role,
    *,
    owners: Sequence[str] = (),
    consumer: str = "",
    lasts: timedelta = LIFETIME,
) -> Made:
    """Make one. Raises `ConfigError` for a name that was given before, for owners and consumers that are not there."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{quoted(name)} is no name for a token", "letters, digits, dots and dashes, at most 63")
    if not timedelta() < lasts <= LONGEST:
        raise ConfigError(f"a token lasts at most {format_duration(LONGEST)}", "make another one in time")
    if consumer:
        known_consumer(assembly.config, consumer)
    _must_exist(assembly, owners)
    return _made(assembly, name, role, tuple(dict.fromkeys(owners)), consumer, lasts, "")


def break_glass(assembly: Assembly, why: str) -> Made:
    """One for an hour with every right, for when nobody can log in. It is an alert. Raises `ConfigError`."""
    if not why.strip():
        raise ConfigError("a break-glass token needs a reason", "--why TEXT, for the trail")
    now = assembly.clock.now()
    name = f"break-glass-{now:%Y%m%dt%H%M%S}"
    made = _made(assembly, name, Role.RESPONDER, (), "", BREAK_GLASS, why.strip()[:MOST_WHY])
    assembly.told.alert("break-glass", name, glass_words(made.token))
    return made


def glass_words(token: Token) -> str:
    """What people are told of a break-glass token: the same words, whoever tells them."""
    assert token.expires_at is not None
    until = format_time(token.expires_at.replace(microsecond=0))
    return f"a responder's token was made on the host, until {until}: {token.why}"


def broken_glass(assembly: Assembly) -> list[Token]:
    """The break-glass tokens of the last hour, revoked ones among them. Raises what the journal does."""
    now = assembly.clock.now()
    return [
        each
        for each in tokens_of(assembly).every()
        if each.why and each.expires_at is not None and now < each.expires_at
    ]


def revoke(assembly: Assembly, name: str) -> None:
    """End one at once. Raises `ConfigError` for one that is not there or is revoked already."""
    known = {each.name: each for each in tokens_of(assembly).every()}
    if name not in known:
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else "`rotator token list` shows all of them"
        raise ConfigError(f"there is no token {quoted(name)}", hint)
    event = signed(Event(kind=EventKind.OPERATOR, action="token revoked", subject=name), assembly.by)
    if not tokens_of(assembly).revoke(name, assembly.clock.now(), event):
        raise ConfigError(f"the token {name} is revoked already", "`rotator token list` says since when")
    _log(assembly, name, event)


def _made(
    assembly: Assembly, name: str, role: Role, owners: tuple[str, ...], consumer: str, lasts: timedelta, why: str
) -> Made:
    text, now = fresh_text(), assembly.clock.now()
    token = Token(
        name=name,
        digest=digest_of(text),
        role=role,
        owners=owners,
        consumer=consumer,
        why=why,
        created_at=now,
        expires_at=now + lasts,
    )
    said = {"role": role.value, "owners": ", ".join(owners), "consumer": consumer, "why": why}
    detail = {name: each for name, each in said.items() if each}
    event = Event(
        kind=EventKind.OPERATOR,
        action="token made",
        subject=name,
        detail={**detail, "expires": format_time(now + lasts)},
    )
    if not tokens_of(assembly).add(token, event):
        raise ConfigError(f"there was a token {name} already", "a name is given once, so that the trail stays clear")
    _log(assembly, name, event)
    return Made(token=token, text=text)


def _log(assembly: Assembly, name: str, event: Event) -> None:
    if assembly.log:
        assembly.log.wrote("", 0, (event,), chain(name))


def _must_exist(assembly: Assembly, owners: Sequence[str]) -> None:
    known = sorted({spec.owner for spec in assembly.config.credentials.values()} - {""})
    for owner in owners:
        if owner not in known:
            near = nearest(owner, known)
            hint = f"did you mean {near}?" if near else "write owner: beneath the credentials that it may see"
            raise ConfigError(f"no credential has the owner {quoted(owner)}", hint)
