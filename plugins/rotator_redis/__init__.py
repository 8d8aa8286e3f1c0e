"""Logins of Redis 7 or Valkey: two or more users of its access control list, used in turn, each a slot.

    providers:
      cache: {driver: redis, admin: file:…, host: redis.internal, user: rotator}    # port, tls, ca, persist
    credentials:
      app-cache:
        provider: cache
        principal: {users: [app_a, app_b], rules: ["~app:*", "+@read", "+@write"]}    # or needs: {scopes: […]}

Minting makes an idle user anew: these rules, and one password that the engine chose and the server gets as its SHA-256
(`#…`; Redis documentation, "ACL SETUSER"). One user with two passwords would need no second user, but then nothing
tells which of the two a session was opened with, so neither use nor the end of sessions could be told apart.

Consumers read `{user}` beside `{password}`. A session outlives its password (documentation, "ACL": rules are checked
with each command, passwords with AUTH alone), so retirement ends the user's sessions, in the same transaction.

Users are a server's own: neither replicas nor the nodes of a cluster are told of a change. `host` is one server; one
that has replicas to fail over to, or is a cluster's, must not be rotated by this driver. Users are also in memory alone
until they are saved: `persist: acl-file` (the default) runs ACL SAVE, `config` CONFIG REWRITE, each with every change.

What the server shows of a user's rules are others that mean the same, so no grant is read back. A person who runs ACL
SETUSER in the instant between our look and our change is overwritten; afterwards it shows as a changed password.
AUTH carries the password itself: without `tls: verify-full` whoever is in between can read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self

from rotator.sdk import (
    DUAL,
    Ambiguous,
    Capabilities,
    Denied,
    Disabling,
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
from rotator.sdk.slots import empty_note, expected, login_parts, minted_note, of_principal, users_in, wanted
from rotator.sdk.tcp import TcpServer, reach_of

from .session import Refused, Session
from .users import LEAST, NOTE, SAVING, change, check_commands, check_saving, hold, look, save

__all__ = ["Redis"]

PORT = 6379
LONGEST_NAME = 128
DEFAULT_USER = "default"
ALLOWED = ("+", "-", "~", "%", "&", "allkeys", "allchannels", "allcommands")
INSTANT = timedelta(seconds=2)


class Redis:
    """The driver. Every call logs in anew; objects are used by many threads at once."""

    def __init__(self, server: TcpServer, user: str, admin: str, persist: str) -> None:
        """`user` with the password `admin` is who may do what `LEAST` names."""
        self._server = server
        self._user = user
        self._password = admin
        self._persist = persist

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Read the settings of one entry. Raises `SettingsError`."""
        given = Settings(settings)
        server = TcpServer.of(given, PORT, timeout)
        user, persist = given.text("user"), given.choice("persist", tuple(SAVING), "acl-file")
        given.finish()
        return cls(server, user, admin, persist)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The server, and the file of `ca`."""
        return reach_of(settings, PORT)

    def capabilities(self, principal: Principal) -> Capabilities:
        """The users are the slots. Raises `Permanent` for a principal that makes no sense."""
        users, _ = self._principal(principal)
        return Capabilities(
            strategy=DUAL,
            parts=("user", "password"),
            secret_part="password",  # noqa: S106 # the name of the part
            slots=users,
            disabling=Disabling.REVERSIBLE,
            scopes=True,
            usage=True,
            identifies=True,
            propagation=INSTANT,
            death_window=INSTANT,
            list_lag=timedelta(0),
            least_permission=LEAST,
        )

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """One key for each user, the absent and emptied ones as deleted."""
        users, _ = self._principal(principal)
        with self._admin() as session:
            return tuple(login.key() for login in look(session, users))

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """Make the user anew, in one transaction, and end the sessions of what it was before.

        `Ambiguous` when the answer to EXEC was lost, or when the users could not be saved.
        """
        users, rules = self._principal(principal)
        slot, password = wanted(request, users)
        rules = _checked(request.scopes) or rules
        if not rules:
            raise Permanent("nothing says what the users may do", 'write rules: ["~app:*", "+@read"], or needs')
        stored = _hashed(password)
        with self._admin() as session:
            check_saving(session, self._persist)
            login = expected(hold(session, slot), request)
            note = minted_note(request, stored, login.seen_at)
            fresh = ["reset", "resetchannels", *rules, f"#{stored}", f"({NOTE}{note})", "on"]
            change(session, slot, fresh, kill=True, persist=self._persist, lost=Ambiguous)
        value = Secret({"user": slot, "password": password})
        return Minted(key_id=f"{slot}@{note.tag}", value=value, created_at=note.since)

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """Log in with the value, and out again.

        To a user that is off the server says the same as to a wrong password, so the admin looks: where the user still
        has this password it is `NOT_YET`, which proves nothing.
        """
        user, password = login_parts(value)
        self._principal(principal)
        try:
            with Session(self._server, user, password):
                return Verdict.WORKS
        except Refused:
            pass  # off, or a wrong password: the admin sees which
        if " " in user:  # no user can be called so, and the server would complain of the question
            return Verdict.INVALID
        with self._admin() as session:
            [login] = look(session, [user], sessions=False)
        has_it = login.stored is not None and _hashed(password) in login.stored.split()
        return Verdict.NOT_YET if has_it else Verdict.INVALID

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """Which key the user holds, if this is its password; nobody logs in with it."""
        user, password = login_parts(value)
        if user not in self._principal(principal)[0]:
            return None
        with self._admin() as session:
            [login] = look(session, [user], sessions=False)
        return login.key_id if login.stored and _hashed(password) in login.stored.split() else None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """Close, open or empty the slot that holds this key, and end its sessions unless it is opened.

        When the slot holds something else, nothing changes; that of an empty one is saved all the same: it may be the
        second call, after the first could not save.
        """
        slot = slot_of(key_id)
        if slot not in self._principal(principal)[0]:
            return
        with self._admin() as session:
            login = hold(session, slot)
            if login.key_id != key_id or (login.state is KeyState.DELETED and state is not KeyState.DELETED):
                if login.state is KeyState.DELETED:
                    save(session, self._persist)
                return
            if state is KeyState.DELETED:
                rules = ["reset", "resetchannels", f"({NOTE}{empty_note(login.seen_at)})"]
            else:
                rules = ["on" if state is KeyState.ENABLED else "off"]
            kill = state is not KeyState.ENABLED
            change(session, slot, rules, kill=kill, persist=self._persist, lost=Transient)

    def check_admin(self, principal: Principal) -> None:
        """Log in as the admin, and ask what it may. `Denied` names all that is missing, its hint is the command."""
        users, _ = self._principal(principal)
        with self._admin() as session:
            check_commands(session, self._user, self._persist)
            check_saving(session, self._persist)
            look(session, users)

    def _principal(self, principal: Principal) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The users, and the rules of both."""
        given = of_principal(principal)
        try:
            users, rules = users_in(given, self._user, longest=LONGEST_NAME), given.texts("rules", ())
            given.finish()
        except SettingsError as wrong:
            raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
        if DEFAULT_USER in users or any(" " in each for each in users):
            raise Permanent(
                "principal: a user is named default, or with a blank", "name users of the application's own"
            )
        return users, _checked(rules)

    def _admin(self) -> Session:
        try:
            return Session(self._server, self._user, self._password)
        except Refused:
            pass  # raised below, without the client's own words
        raise Denied(f"the admin {self._user} cannot log in", "check user and the admin credential", permission="AUTH")


def _hashed(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _checked(rules: tuple[str, ...]) -> tuple[str, ...]:
    """Rules that only say what may be done. Raises `Permanent` for one that sets a password or anything else."""
    for each in rules:
        if not each.startswith(ALLOWED) or not each.isprintable() or any(blank in each for blank in " ()"):
            hint = "rules begin with + - ~ % or &, as in ACL SETUSER, one in each text"
            raise Permanent(f"{quoted(each)} is no rule of what a user may do", hint)
    return rules
