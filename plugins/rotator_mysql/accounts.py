"""What is asked and changed on the server. Statements are composed here and nowhere else, every text quoted.

Accounts have no comment in MariaDB, and no statement on them takes part in a transaction. So a note is a row of a table
of ours, `slots`, and which row counts is decided by the account itself: the one whose seal is of the password that the
server has now. A row is written before the password it speaks of, and the others go after it; wherever that stops, the
account's one `ALTER USER` has happened or not, and the note is right. An emptied account has a password too: a random
hash, which is nobody's. A password that no note speaks of is told from others by the second in which it was set.

`GET_LOCK` keeps rotators apart; it ends with the session, and a session that says nothing for as long as a call may
take is ended by the server.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rotator.sdk import Ambiguous, Denied, Failure, Permanent, Transient
from rotator.sdk.slots import EMPTY, UNMANAGED, Login, Note, empty_note, read_note, seal

from .session import Session

PLUGIN = "mysql_native_password"
INVALID = "invalid"
LEAST = """\
CREATE DATABASE rotator;
CREATE TABLE rotator.slots (account VARCHAR(255) NOT NULL, note VARCHAR(255) NOT NULL, PRIMARY KEY (account, note)) \
DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER rotator@'%' IDENTIFIED BY '…' REQUIRE SSL;
GRANT SELECT, INSERT, DELETE ON rotator.slots TO rotator@'%';
GRANT CREATE USER, PROCESS, CONNECTION ADMIN ON *.* TO rotator@'%';
GRANT SELECT ON mysql.global_priv TO rotator@'%';
for MySQL: CONNECTION_ADMIN with an underscore, and SELECT ON mysql.user;
for each login: CREATE USER app_a@'%' REQUIRE SSL ACCOUNT LOCK; and what it may do"""
NEEDED = ("CREATE USER", "PROCESS")
KILLING = ("CONNECTION ADMIN", "CONNECTION_ADMIN", "SUPER")


@dataclass(frozen=True, slots=True)
class Account:
    """What the server keeps in place of a password, since when (seconds, by its clock), and whether it lets in."""

    stored: str
    opened: bool
    since: int

    def has(self, note: Note) -> bool:
        """Whether this is the password that the note speaks of."""
        return note.seal is not None and note.seal == seal(self.stored, note.seal.partition(".")[0])

    @property
    def nobodys(self) -> bool:
        """Whether there is no password, and it is not that nobody needs one."""
        return self.stored == INVALID or (self.stored == "" and not self.opened)


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of one principal over one session: all have the same host part; notes are in this schema."""

    session: Session
    schema: str
    host: str

    def look(self, names: Sequence[str]) -> tuple[Login, ...]:
        """The accounts of these names in this order; those that do not exist too."""
        [[seconds]] = self.session.run("SELECT UNIX_TIMESTAMP()")
        seen_at = datetime.fromtimestamp(int(seconds), UTC)
        return tuple(self._login(name, seen_at) for name in names)

    def hold(self, name: str) -> Login:
        """Keep other rotators from the account until the session ends, and look. `Transient` while another has it."""
        lock = "rotator:" + hashlib.sha256(f"{name}@{self.host}".encode()).hexdigest()[:32]
        [[got]] = self.session.run(f"SELECT GET_LOCK({self._text(lock)}, 1)")
        if got != 1:
            raise Transient(f"another rotator holds the lock of {name}")
        [login] = self.look([name])
        return login

    def fill(self, login: Login, note: Note, stored: str) -> None:
        """Give the account this password and let it log in. `Ambiguous` when the answer to that was lost."""
        self._note(login.name, note)
        self._alter(login.name, f"{_identified(self._text(stored))} ACCOUNT UNLOCK", lost=Ambiguous)

    def empty(self, login: Login) -> None:
        """Leave the account locked, with a password that nobody has and a note that nobody knows yet."""
        nobodys = "*" + secrets.token_hex(20).upper()
        note = replace(empty_note(login.seen_at), seal=seal(nobodys))
        self._note(login.name, note)
        self._alter(login.name, f"{_identified(self._text(nobodys))} ACCOUNT LOCK")
        self.tidy(login.name, note)

    def permit(self, login: Login, *, opened: bool) -> None:
        """Let the account log in with the password that it has, or not."""
        self._alter(login.name, "ACCOUNT UNLOCK" if opened else "ACCOUNT LOCK")

    def tidy(self, name: str, note: Note) -> None:
        """Forget the notes of passwords that the account had before."""
        self.session.run(f"DELETE FROM {self._table} {self._of(name)} AND note <> {self._text(str(note))}")

    def end_sessions(self, name: str) -> None:
        """End the account's sessions and see them gone. Raises `Denied` naming the grant. May be called twice."""
        while found := self.session.run(f"SELECT id {_SESSIONS} {self._text(name)}"):
            for [number] in found:
                self._kill(int(number), name)
            self.session.run("DO SLEEP(0.02)")

    def check(self, admin: str) -> None:
        """Ask whether the admin may do all this, changing nothing. Raises `Denied`, `Permanent` without the table."""
        [[account]] = self.session.run("SELECT CURRENT_USER()")
        grantee = "@".join(f"'{part}'" for part in str(account).rsplit("@", 1))
        rows = self.session.run(f"SELECT privilege_type {_GRANTED} {self._text(grantee)}")
        has = {str(row[0]).upper() for row in rows}
        lacking = [each for each in NEEDED if each not in has]
        if not has.intersection(KILLING):
            lacking.append(KILLING[0] if self.session.is_mariadb else KILLING[1])
        if lacking:
            names = ", ".join(lacking)
            raise Denied(f"the admin {admin} lacks {names}", f"GRANT {names} ON *.* TO {admin}", permission=names)
        self.session.run(f"DELETE FROM {self._table} WHERE 1 = 0")
        self.session.run(f"INSERT INTO {self._table} SELECT account, note FROM {self._table} WHERE 1 = 0")

    # -- one account ---------------------------------------------------------------------------------------------------

    def _login(self, name: str, seen_at: datetime) -> Login:
        account = self._account(name)
        if account is None:
            return Login(name=name, exists=False, seen_at=seen_at)
        note = next((each for each in self._notes(name) if account.has(each)), None)
        sessions = self.session.run(f"SELECT host {_SESSIONS} {self._text(name)}")
        return Login(
            name=name,
            exists=True,
            open=account.opened,
            stored=None if account.nobodys or (note and note.tag.startswith(EMPTY)) else account.stored,
            note=note,
            unmanaged=f"{UNMANAGED}-{account.since}",
            seen_at=seen_at,
            sessions=len(sessions),
            used_by=", ".join(sorted({str(row[0]).rpartition(":")[0] or str(row[0]) for row in sessions})[:3]),
        )

    def _account(self, name: str) -> Account | None:
        where = f"WHERE user = {self._text(name)} AND host = {self._text(self.host)}"
        if self.session.is_mariadb:
            rows = self.session.run(f"SELECT priv FROM mysql.global_priv {where}")
            return _of_mariadb(_json(rows[0][0])) if rows else None
        rows = self.session.run(f"SELECT {_OF_MYSQL} FROM mysql.user {where}")
        return _of_mysql(*rows[0]) if rows else None

    def _notes(self, name: str) -> list[Note]:
        rows = self.session.run(f"SELECT note FROM {self._table} {self._of(name)}")
        return [note for [text] in rows if (note := read_note(str(text))) is not None]

    def _note(self, name: str, note: Note) -> None:
        account, text = self._text(f"{name}@{self.host}"), self._text(str(note))
        self.session.run(f"INSERT INTO {self._table} (account, note) VALUES ({account}, {text})")

    def _of(self, name: str) -> str:
        return f"WHERE account = {self._text(f'{name}@{self.host}')}"

    def _alter(self, name: str, what: str, lost: type[Ambiguous] | type[Transient] = Transient) -> None:
        self.session.run(f"ALTER USER {self._text(name)}@{self._text(self.host)} {what}", lost=lost)

    def _kill(self, number: int, name: str) -> None:
        denied = None
        try:
            self.session.run(f"KILL {number}")
        except Denied:
            denied = KILLING[0] if self.session.is_mariadb else KILLING[1]
        except Permanent as gone:  # it ended by itself meanwhile
            if "1094" not in gone.message:
                raise
        if denied:
            hint = f"GRANT {denied} ON *.*"
            raise Denied(f"sessions of {name} are open and the admin may not end them", hint, permission=denied)

    def _text(self, text: str) -> str:
        return self.session.quoted(text)

    @property
    def _table(self) -> str:
        return f"`{self.schema}`.`slots`"


_OF_MYSQL = "plugin, authentication_string, account_locked, UNIX_TIMESTAMP(password_last_changed)"
_SESSIONS = "FROM information_schema.processlist WHERE BINARY user ="  # else APP_A is app_a there
_GRANTED = "FROM information_schema.user_privileges WHERE grantee ="


def hashed(password: str) -> str:
    """What mysql_native_password stores: SHA-1 of SHA-1 (MariaDB documentation, "mysql_native_password")."""
    inner = hashlib.sha1(password.encode()).digest()  # noqa: S324 # the server's own scheme
    return "*" + hashlib.sha1(inner).hexdigest().upper()  # noqa: S324


def try_to(act: Any, *arguments: Any) -> None:
    """Do what is better done and does not matter."""
    with suppress(Failure):
        act(*arguments)


def _identified(stored: str) -> str:
    return f"IDENTIFIED WITH {PLUGIN} AS {stored}"  # both servers know these words


def _json(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, TypeError):
        found = None
    if not isinstance(found, dict):
        raise Transient("mysql.global_priv has another form")
    return found


def _of_mariadb(priv: Mapping[str, Any]) -> Account:
    plugin, stored = str(priv.get("plugin", PLUGIN)), str(priv.get("authentication_string", ""))
    others = [each for each in priv.get("auth_or", ()) if each]  # one that is alone again leaves an empty entry behind
    return Account(
        stored=stored if plugin == PLUGIN and not others else json.dumps([plugin, stored, others]),
        opened=not priv.get("account_locked", False),
        since=int(priv.get("password_last_changed", 0)),
    )


def _of_mysql(plugin: Any, stored: Any, locked: Any, since: Any) -> Account:
    text = stored.decode("latin-1") if isinstance(stored, bytes) else str(stored or "")
    return Account(
        stored=text if plugin == PLUGIN else json.dumps([str(plugin), text]),
        opened=str(locked).upper() != "Y",
        since=int(since or 0),
    )
