"""Logins of MariaDB 10.4 or newer, and of MySQL: two or more accounts used in turn, each a slot.

    providers:
      db: {driver: mysql, admin: file:…, host: db.internal, user: rotator}    # port, schema, tls, ca
    credentials:
      app-db: {provider: db, principal: {users: [app_a, app_b], host: "%"}, …}    # host: the part behind the @

Minting gives an idle account a password that the engine chose; consumers read `{user}` beside `{password}`, because
both change. The accounts and what they may do are made beforehand, alike or by one role: an account without rights
would be published as a key that can do nothing. The server gets the password as `mysql_native_password` stores it,
computed here (PASSWORD() and IDENTIFIED BY would write it into the general log). Disabled is ACCOUNT LOCK. What a slot
holds is in a table of ours in `schema`, see `accounts.py`.

A password is refused at once; open sessions outlive it, so they are ended: all of a user of this name, whatever
its host part. Use is seen in open sessions alone. `host` must be the primary, and there must be one: GET_LOCK is a
server's own (MariaDB documentation, "GET_LOCK").

MySQL speaks the same statements as far as its documentation says, and was not tried. It needs mysql_native_password:
off by default in 8.4, gone in 9 (MySQL 8.4 reference manual, "Native Pluggable Authentication"). By its source a login
that is under way has no name yet in its process list, and goes on with the account as it was (`sql_authentication.cc`,
`server_mpvio_update_thd`): set `login_window` to 4m there, `connect_timeout` for each of the proof's bytes. MariaDB
lists it under its name before it takes the account's record, so it dies with the others. A person who runs
ALTER USER in the instant between our look and our change is overwritten; afterwards it shows as a changed password.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self

from rotator.sdk import (
    DUAL,
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
    Verdict,
    slot_of,
)
from rotator.sdk.slots import expected, login_parts, minted_note, of_principal, users_in, wanted
from rotator.sdk.tcp import TcpServer, reach_of

from .accounts import LEAST, Accounts, hashed, try_to
from .session import EXPIRED, LOCKED, OTHER_PROOF, PASSWORD_REFUSED, Said, Session, failure_said, failure_to_log_in

__all__ = ["Mysql"]

PORT = 3306
LONGEST_NAME = 32
"""Of MySQL; MariaDB allows more (documentation, "Account Names")."""
INSTANT = timedelta(seconds=2)


class Mysql:
    """The driver. Every call logs in anew; objects are used by many threads at once."""

    def __init__(
        self, server: TcpServer, user: str, admin: str, schema: str, login_window: timedelta = timedelta(0)
    ) -> None:
        """`user` with the password `admin` is who may do what `LEAST` names."""
        self._server = server
        self._user = user
        self._password = admin
        self._schema = schema
        self._login_window = login_window

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Read the settings of one entry. Raises `SettingsError`."""
        given = Settings(settings)
        server = TcpServer.of(given, PORT, timeout)
        user, schema = given.text("user"), given.text("schema", "rotator")
        login_window = given.duration("login_window", timedelta(0))
        given.finish()
        if "`" in schema or len(schema) > 64:
            raise SettingsError("schema is no name of a database", "write the one that holds our table, like rotator")
        return cls(server, user, admin, schema, login_window)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The server, and the file of `ca`."""
        return reach_of(settings, PORT)

    def capabilities(self, principal: Principal) -> Capabilities:
        """The accounts are the slots. Raises `Permanent` for a principal that makes no sense."""
        users, _ = self._principal(principal)
        return Capabilities(
            strategy=DUAL,
            parts=("user", "password"),
            secret_part="password",  # noqa: S106 # the name of the part
            slots=users,
            disabling=Disabling.REVERSIBLE,
            usage=True,
            identifies=True,
            propagation=INSTANT,
            death_window=INSTANT,
            login_window=self._login_window,
            list_lag=timedelta(0),
            least_permission=LEAST,
        )

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """One key for each account, the absent and emptied ones as deleted."""
        users, host = self._principal(principal)
        with self._admin() as session:
            return tuple(login.key() for login in self._accounts(session, host).look(users))

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """Set the account's password, in one statement, and end the sessions of what it held before.

        `Ambiguous` only when the answer to that statement was lost; `Denied`, nothing made, where sessions cannot be
        ended; `Permanent` for an account that does not exist.
        """
        users, host = self._principal(principal)
        slot, password = wanted(request, users)
        stored = hashed(password)
        with self._admin() as session:
            accounts = self._accounts(session, host)
            login = expected(accounts.hold(slot), request)
            if not login.exists:
                hint = f"CREATE USER '{slot}'@'{host}' ACCOUNT LOCK; and grant it what it needs"
                raise Permanent(f"there is no account {slot}@{host}", hint)
            note = minted_note(request, stored, login.seen_at)
            if login.state is not KeyState.DELETED:
                accounts.end_sessions(slot)
            accounts.fill(login, note, stored)
            # Nobody has the new password yet, so whatever is open now was opened with an old one, or came late with it.
            try_to(accounts.end_sessions, slot)
            try_to(accounts.tidy, slot, note)
        value = Secret({"user": slot, "password": password})
        return Minted(key_id=f"{slot}@{note.tag}", value=value, created_at=note.since)

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """Log in with the value, and out again.

        `INVALID` is error 1045 alone, and not where the admin sees that the account has this very password: something
        else keeps it out (REQUIRE SSL, another account of that name with a closer host). That is `NOT_YET` and proves
        nothing, like a lock, of which the server speaks only after the password was right.
        """
        user, password = login_parts(value)
        _, host = self._principal(principal)
        try:
            with Session(self._server, user, password):
                return Verdict.WORKS
        except Said as word:
            return self._verdict(user, host, password, word)

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """Which key the account holds, if this is its password; nobody logs in with it."""
        user, password = login_parts(value)
        users, host = self._principal(principal)
        if user not in users:
            return None
        with self._admin() as session:
            [login] = self._accounts(session, host).look([user])
        return login.key_id if login.stored == hashed(password) else None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """Lock, unlock or empty the slot that holds this key, in one statement; then end sessions, if it is not open.

        When the slot holds something else, nothing changes. Sessions of an empty slot are ended all the same: it may be
        the second call, after the answer to the first was lost, or for a login that was half-way. MariaDB lists that by
        its name before it reads the account (`find_mpvio_user` in `sql/sql_acl.cc`), so that it is ended at once; MySQL
        only when it is let in (`server_mpvio_update_thd` in `sql/auth/sql_authentication.cc`).
        """
        slot = slot_of(key_id)
        users, host = self._principal(principal)
        if slot not in users:
            return
        with self._admin() as session:
            accounts = self._accounts(session, host)
            login = accounts.hold(slot)
            if not login.exists:
                return
            if login.key_id == key_id and state is KeyState.DELETED:
                accounts.empty(login)
            elif login.key_id == key_id and login.state is not KeyState.DELETED:
                accounts.permit(login, opened=state is KeyState.ENABLED)
            if state is not KeyState.ENABLED and (login.key_id == key_id or login.state is KeyState.DELETED):
                accounts.end_sessions(slot)

    def check_admin(self, principal: Principal) -> None:
        """Log in as the admin and look. `Denied` names what is missing, its hint is the SQL."""
        users, host = self._principal(principal)
        with self._admin() as session:
            accounts = self._accounts(session, host)
            accounts.check(self._user)
            accounts.look(users)

    def _principal(self, principal: Principal) -> tuple[tuple[str, ...], str]:
        """The accounts' names, and the part behind the @ of all."""
        given = of_principal(principal)
        try:
            users, host = users_in(given, self._user, longest=LONGEST_NAME), given.text("host", "%")
            given.finish()
        except SettingsError as wrong:
            raise Permanent(f"principal: {wrong.message}", wrong.hint) from None
        return users, host

    def _accounts(self, session: Session, host: str) -> Accounts:
        return Accounts(session, self._schema, host)

    def _admin(self) -> Session:
        try:
            return Session(self._server, self._user, self._password)
        except Said as word:
            failure = failure_to_log_in(word, self._user)
        raise failure

    def _verdict(self, user: str, host: str, password: str, word: Said) -> Verdict:
        """What the end of a login says of the value. Raises `Failure` when it says nothing."""
        if word.code in LOCKED:
            return Verdict.NOT_YET
        if word.code in EXPIRED:
            return Verdict.FORBIDDEN
        if word.code == OTHER_PROOF:
            hint = "give the account mysql_native_password and nothing besides"
            raise Denied(f"{word}, because it is asked for another proof", hint, permission="mysql_native_password")
        if word.code != PASSWORD_REFUSED:
            raise failure_said(word)
        with self._admin() as session:
            [login] = self._accounts(session, host).look([user])
        return Verdict.NOT_YET if login.stored == hashed(password) else Verdict.INVALID
