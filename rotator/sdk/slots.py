"""Logins as slots, for drivers that use a server's users in turn: whose names, what each holds, what is wanted.

What a slot holds is said by a `Note`, one short text without blanks that the driver keeps where the server has room for
it and changes together with the password:

    rotator/<tag>/<mark>/<since>/<seal>           `-` for what there is not

The tag is the fingerprint of the key's value; `empty-…`, random, once the slot was emptied. A user without a note has
the tag `unmanaged`, one that does not exist `absent`. The seal tells whether the server still has the password that was
written with the note; else the slot holds a key of its own, `changed-…`, without our mark.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from rotator.domain.credential import Principal
from rotator.domain.failures import Conflict, Permanent
from rotator.domain.keys import Key, KeyState, MintRequest
from rotator.domain.secret import Secret
from rotator.domain.settings import Settings
from rotator.domain.times import quoted

ABSENT = "absent"
UNMANAGED = "unmanaged"
EMPTY = "empty-"
LONGEST_SHOWN = 80
LATEST = 253_402_300_799
"""Seconds of the last instant that has a date."""
_NOTE = re.compile(
    r"rotator/(?P<tag>[a-z0-9-]{1,64})/(?P<mark>[a-z0-9-]{1,63})/(?P<since>-|[0-9]{1,12})/(?P<seal>-|[0-9a-f]{16}\.[0-9a-f]{16})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What we wrote beside a slot. `since`: when it began to hold this, in whole seconds of the server's clock.

    `seal` is None where we wrote no password. It is salted: a password that somebody chose must not be guessed by it.
    """

    tag: str
    mark: str | None = None
    since: datetime | None = None
    seal: str | None = None

    def __str__(self) -> str:
        since = str(int(self.since.timestamp())) if self.since else "-"
        return f"rotator/{self.tag}/{self.mark or '-'}/{since}/{self.seal or '-'}"


def read_note(text: str) -> Note | None:
    """The note that this text is, or None."""
    found = _NOTE.fullmatch(text)
    if found is None:
        return None
    mark, since, seal = (None if found[name] == "-" else found[name] for name in ("mark", "since", "seal"))
    at = datetime.fromtimestamp(int(since), UTC) if since and int(since) <= LATEST else None
    return Note(tag=found["tag"], mark=mark, since=at, seal=seal)


def empty_note(since: datetime) -> Note:
    """What is written when a slot is emptied: a tag that no earlier request can know."""
    return Note(tag=EMPTY + secrets.token_hex(8), since=since)


def minted_note(request: MintRequest, stored: str, since: datetime) -> Note:
    """What is written with a new password, which the server keeps as `stored`. Raises `Permanent` if it cannot be."""
    note = Note(tag=str(request.fingerprint), mark=request.mark, since=since.replace(microsecond=0), seal=seal(stored))
    if read_note(str(note)) != note:
        raise Permanent("the mark or the fingerprint does not fit into a note")
    return note


def seal(stored: str, salt: str | None = None) -> str:
    """What tells this stored password from another, with a salt of its own or that one."""
    salt = salt or secrets.token_hex(8)
    return f"{salt}.{hashlib.sha256(f'{salt} {stored}'.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user as the server shows it.

    `stored` is what the server keeps in place of its password, None where nobody can log in by one; `open` whether it
    lets the user in; `seen_at` the server's time; `sessions` how many are open. `unmanaged` is the tag without a note.
    """

    name: str
    exists: bool
    open: bool = False
    stored: str | None = None
    note: Note | None = None
    unmanaged: str = UNMANAGED
    seen_at: datetime
    sessions: int = 0
    used_by: str = ""

    @property
    def changed(self) -> bool:
        """Whether somebody else has set the password since our note was written."""
        if self.note is None or self.stored is None:
            return False
        return self.note.seal is None or self.note.seal != self._sealed(self.note)

    @property
    def tag(self) -> str:
        """What tells this slot's key from those before and after it."""
        if not self.exists:
            return ABSENT
        if self.note is None:
            return self.unmanaged
        return f"changed-{self._sealed(self.note).partition('.')[2]}" if self.changed else self.note.tag

    @property
    def key_id(self) -> str:
        """The id of the key that the slot holds."""
        return f"{self.name}@{self.tag}"

    @property
    def state(self) -> KeyState:
        """Whether its password opens a session."""
        if self.stored is None:
            return KeyState.DELETED
        return KeyState.ENABLED if self.open else KeyState.DISABLED

    def key(self) -> Key:
        """The slot as it is listed."""
        ours = self.note if self.state is not KeyState.DELETED and not self.changed else None
        return Key(
            id=self.key_id,
            state=self.state,
            slot=self.name,
            mark=ours.mark if ours else None,
            created_at=ours.since if ours else None,
            last_used_at=self.seen_at if self.sessions else None,
            last_used_by=shown(self.used_by),
        )

    def _sealed(self, note: Note) -> str:
        salt = (note.seal or note.tag.removeprefix(EMPTY)).partition(".")[0]
        return seal(self.stored or "", salt)


def shown(text: str) -> str:
    """What clients call themselves, bounded and without control characters."""
    return "".join(each if each.isprintable() else "?" for each in text)[:LONGEST_SHOWN]


# -- what is wanted ----------------------------------------------------------------------------------------------------


def users_in(given: Settings, admin: str, *, longest: int) -> tuple[str, ...]:
    """The setting `users` of a principal. Raises `SettingsError`, and `Permanent` for what cannot be rotated.

    `longest`: the bytes that a name may have.
    """
    users = given.texts("users")
    if len(users) < 2:
        raise Permanent("principal: users names one user", "two are used in turn: users: [app_a, app_b]")
    for name in users:
        if "@" in name or not name.isprintable() or len(name.encode()) > longest or name != name.strip():
            hint = f"a user's name has at most {longest} bytes, no @ and no control character"
            raise Permanent(f"principal: {quoted(name)} cannot be used as a user", hint)
        if name == admin:
            raise Permanent(f"principal: {quoted(name)} is the admin itself", "give the rotator a user of its own")
    return users


def wanted(request: MintRequest, users: tuple[str, ...]) -> tuple[str, str]:
    """The slot that is to be filled, and the password. Raises `Permanent` for a request that is none."""
    if request.slot not in users:
        raise Permanent(
            f"{quoted(request.slot)} is none of the principal's users", "look at the principal in the config"
        )
    if request.chosen is None or request.fingerprint is None or request.expects is None:
        raise Permanent("a login is minted with a chosen value, its fingerprint, and what the slot must hold")
    password = request.chosen.reveal("password")
    if not (password.isascii() and password.isalnum()):
        raise Permanent("a password is made of ASCII letters and digits here", "let the rotator choose it")
    return request.slot, password


def expected(login: Login, request: MintRequest) -> Login:
    """The login, if it holds what the request expects. Raises `Conflict`."""
    if login.key_id != request.expects:
        raise Conflict(f"slot {login.name} holds {login.key_id} and not {request.expects}")
    return login


def login_parts(value: Secret) -> tuple[str, str]:
    """User and password of a value. Raises `Permanent` for a value that is no login."""
    if not {"user", "password"} <= set(value.names):
        raise Permanent("the value is no login", "publish both {user} and {password}")
    user, password = value.reveal("user"), value.reveal("password")
    if not user or not password or "\0" in user + password:
        raise Permanent("the value is no login", "look who wrote it into the store")
    return user, password


def of_principal(principal: Principal) -> Settings:
    """The principal's own words."""
    return Settings(principal.settings)
