"""Database logins of PostgreSQL 14 or newer: two or more roles used in turn, each a slot.

    providers:
      pg: {driver: postgres, admin: file:…, host: db.internal, user: rotator}     # port, database, tls, ca
    credentials:
      app-db: {provider: pg, principal: {roles: [app_a, app_b], owner_role: app}, …}

Minting fills an idle role with a password that the engine chose; consumers read `{user}` beside `{password}`, because
both change. The roles need not exist. With `owner_role` both are made members of it and act as it, so that what one
makes belongs to the other too. What a slot holds stands in the role's comment (`slot.py`), and every change compares
it under the role's lock, in one transaction (`roles.py`).

A password is refused at once when it is replaced or removed; sessions that are open outlive it, so they are ended.
Use is seen in open sessions alone: a consumer that connects for moments between two looks is not. `host` must be the
primary itself, not a pooler.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rotator.sdk import (
    DUAL,
    Ambiguous,
    Capabilities,
    Conflict,
    Denied,
    Disabling,
    Failure,
    Key,
    KeyState,
    Minted,
    MintRequest,
    Permanent,
    Principal,
    Reach,
    Secret,
    Settings,
    SettingsError,
    Transient,
    Verdict,
    quoted,
    slot_of,
)

from .failures import LOGIN_REFUSED, NOT_PERMITTED, PASSWORD_REFUSED, Said, failure_said, failure_to_log_in
from .grants import LEAST, check
from .principal import Slots
from .roles import empty, end_sessions, fill, hold, look, permit, signal_sessions
from .scram import Challenge, digest, verifier
from .session import Server, Session
from .slot import UNMANAGED, Note, Role, empty_note, read_note

__all__ = ["Postgres"]

TLS = {"verify-full": True, "require": False, "off": None}


class Postgres:
    """The driver. Every call logs in anew; objects are used by many threads at once."""

    def __init__(self, server: Server, user: str, admin: str) -> None:
        """`user` with the password `admin` is the role that may do what `grants.py` names."""
        self._server = server
        self._user = user
        self._password = admin

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Postgres:
        """Read the settings of one entry. Raises `SettingsError`."""
        given = Settings(settings)
        host, port = given.text("host"), given.whole("port", 1, 5432)
        database, user = given.text("database", "postgres"), given.text("user")
        verified = given.choice("tls", TLS, "verify-full")
        authority = given.text("ca") if given.has("ca") else None
        given.finish()
        if authority is not None and not verified:
            raise SettingsError("ca is there and nobody is verified", "write `tls: verify-full`, or leave ca out")
        tls = None if verified is None else _tls(verified=verified, authority=authority)
        return cls(Server(host=host, port=port, database=database, timeout=timeout, tls=tls), user, admin)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The server, and the certificate authority's file."""
        host, port, authority = settings.get("host"), settings.get("port", 5432), settings.get("ca")
        shown = f"[{host}]" if ":" in str(host) else host
        return Reach(hosts=(f"{shown}:{port}",) if host else (), paths=(str(authority),) if authority else ())

    def capabilities(self, principal: Principal) -> Capabilities:
        """The roles are the slots. Raises `Permanent` for a principal that makes no sense."""
        return Capabilities(
            strategy=DUAL,
            parts=("user", "password"),
            secret_part="password",  # noqa: S106 # the name of the part
            slots=self._slots(principal).roles,
            disabling=Disabling.REVERSIBLE,
            usage=True,
            identifies=True,
            propagation=timedelta(seconds=2),
            death_window=timedelta(seconds=2),  # a login that was half-way when the role was closed
            list_lag=timedelta(0),
            least_permission=LEAST,
        )

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """One key for each role, the absent and emptied ones as deleted."""
        with self._admin() as session:
            return tuple(role.key() for role in look(session, self._slots(principal).roles))

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """Fill the slot, in one transaction, and end the sessions of what it held before.

        `Ambiguous` only when the answer to COMMIT was lost; `Denied`, nothing made, where sessions cannot be ended.
        """
        slots = self._slots(principal)
        slot, password = _wanted(request, slots)
        stored = verifier(password, Challenge.fresh())
        with self._admin() as session:
            role = hold(session, slot)
            if role.key_id != request.expects:
                raise Conflict(f"slot {slot} holds {role.key_id} and not {request.expects}")
            note = _note(request, role, stored)
            fill(session, role, note, stored, slots.owner)
            if role.sessions:
                signal_sessions(session, slot, self._user)
            session.commit(lost=Ambiguous)
            if role.state is not KeyState.DELETED:
                # nobody has the new password yet, so whatever is open now was opened with an old one
                with suppress(Failure):  # the key is made: no failure may lose it
                    end_sessions(session, slot, self._user)
        value = Secret({"user": slot, "password": password})
        return Minted(key_id=f"{slot}@{note.tag}", value=value, created_at=note.since)

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """Log in with the value, and out again.

        `INVALID` is SQLSTATE 28P01 alone: the wrong password, or none set. A role that may not log in is `NOT_YET`,
        which proves nothing: the server says so only after the password was right (in
        `src/backend/utils/init/postinit.c`, `PerformAuthentication` comes before `InitializeSessionUserId`), so LOGIN
        would bring the key back. `FORBIDDEN`: the role lacks CONNECT on the database, which is asked later still.
        Raises `Denied` where pg_hba.conf lets nobody in, or everybody.
        """
        self._slots(principal)
        user, password = _parts(value)
        try:
            with Session(self._server, user, password) as session:
                asked = session.password_was_asked_for
        except Said as word:
            return self._verdict(user, word)
        if not asked:
            hint = "pg_hba.conf must ask this role for scram-sha-256 from here"
            raise Denied(
                f"{quoted(user)} is let in without a password", hint, permission="scram-sha-256 in pg_hba.conf"
            )
        return Verdict.WORKS

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """Log in with the value, and say which key the role holds; None when the value is refused.

        A login tells salt and iterations, and so whether this value's verifier is the one that our note speaks of.
        """
        user, password = _parts(value)
        if user not in self._slots(principal).roles:
            return None
        try:
            with Session(self._server, user, password) as session:
                asked, stored = session.password_was_asked_for, session.digest_of(password)
        except Said as word:
            self._verdict(user, word)
            return None
        if not asked:
            return None
        role = self._look(user)
        return (role.known_to_hold(stored) if stored else role).key_id

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """Close, open or empty the slot that holds this key, in one transaction; then end sessions, if it is not open.

        When the slot holds something else, nothing changes. Sessions of an empty slot are ended all the same: it may be
        the second call, after the answer to the first was lost, or for a login that was let in before and listed after.
        """
        slot = slot_of(key_id)
        if slot not in self._slots(principal).roles:
            return
        with self._admin() as session:
            role = hold(session, slot)
            if role.key_id == key_id and _change(session, role, state):
                session.commit(lost=Transient)
            else:
                session.run("ROLLBACK")
            if state is not KeyState.ENABLED and (role.key_id == key_id or role.state is KeyState.DELETED):
                end_sessions(session, slot, self._user)

    def check_admin(self, principal: Principal) -> None:
        """Log in as the admin and read the catalogue. `Denied` names all that is missing, its hint is the SQL."""
        slots = self._slots(principal)
        with self._admin() as session:
            check(session, self._user, slots.roles, slots.owner)

    def _slots(self, principal: Principal) -> Slots:
        return Slots.of(principal, self._user)

    def _admin(self) -> Session:
        try:
            return Session(self._server, self._user, self._password)
        except Said as word:
            failure = failure_to_log_in(word, self._user)
        raise failure

    def _look(self, name: str) -> Role:
        with self._admin() as session:
            [role] = look(session, [name])
        return role

    def _verdict(self, user: str, word: Said) -> Verdict:
        """What the end of a login says of the value. Raises `Failure` when it says nothing."""
        if word.code == PASSWORD_REFUSED:
            return Verdict.INVALID
        if word.code == NOT_PERMITTED:
            return Verdict.FORBIDDEN
        if word.code != LOGIN_REFUSED:
            raise failure_said(word)
        role = self._look(user)
        if role.exists and not role.login:
            return Verdict.NOT_YET
        hint = "pg_hba.conf must let this role in from here, by scram-sha-256"
        raise Denied(f"{quoted(user)} is not let in; {word}", hint, permission="an entry in pg_hba.conf")


def _tls(*, verified: bool, authority: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authority)
    except (OSError, ValueError):  # the text of neither is for people
        raise SettingsError(f"ca: {quoted(authority)} has no certificates", "name a file in PEM form") from None
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _parts(value: Secret) -> tuple[str, str]:
    if not {"user", "password"} <= set(value.names):
        raise Permanent("the value is no login", "publish both {user} and {password}")
    user, password = value.reveal("user"), value.reveal("password")
    if "\0" in user + password:  # the wire's own separator
        raise Permanent("the value is no login", "look who wrote it into the store")
    return user, password


def _wanted(request: MintRequest, slots: Slots) -> tuple[str, str]:
    if request.slot not in slots.roles:
        raise Permanent(
            f"{quoted(request.slot)} is none of the principal's roles", "look at the principal in the config"
        )
    if request.chosen is None or request.fingerprint is None or request.expects is None:
        raise Permanent("a login is minted with a chosen value, its fingerprint, and what the slot must hold")
    return request.slot, request.chosen.reveal("password")


def _note(request: MintRequest, role: Role, stored: str) -> Note:
    note = Note(
        tag=str(request.fingerprint),
        state=KeyState.ENABLED,
        mark=request.mark,
        since=role.seen_at,
        digest=digest(stored),
    )
    if read_note(str(note)) != note:
        raise Permanent("the mark or the fingerprint does not fit into a comment")
    return note


def _change(session: Session, role: Role, state: KeyState) -> bool:
    """Whether there was something to do, which is then to be committed."""
    if state is KeyState.DELETED:
        empty(session, role, empty_note(role.seen_at))
        return True
    if role.state is KeyState.DELETED:
        return False
    note = None if role.changed else role.note or Note(tag=UNMANAGED, state=state)
    permit(session, role, replace(note, state=state) if note else None, login=state is KeyState.ENABLED)
    return True
