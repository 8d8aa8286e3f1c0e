"""A role as a slot: what it holds, as its attributes and our note in its comment say. No SQL here.

The note is `[rotator <tag> <mark> <state> <since> <digest>]`, with `-` for what there is not; whatever else the comment
says is somebody's description and stays. The tag is the fingerprint of the key's value; `empty-…`, random, once the
slot was emptied; `unmanaged` for a password that was there before us. The digest is of the verifier that we wrote.
Where it can be compared with what the server has now, a password changed by hand shows as a key of its own,
`changed-…`, without our mark; elsewhere the note is believed.
"""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from rotator.sdk import Key, KeyState, UnreadableError, format_time, parse_time

ABSENT = "absent"
UNMANAGED = "unmanaged"
NOTHING = "-"
_NOTE = re.compile(
    r"\[rotator (?P<tag>[a-z0-9-]{1,64}) (?P<mark>[a-z0-9-]{1,63}) (?P<state>enabled|disabled|deleted)"
    r" (?P<since>-|[0-9-]{10}T[0-9:]{8}(\.[0-9]+)?Z) (?P<digest>-|[0-9a-f]{16})\]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Our part of a role's comment. `since`: when the slot began to hold this, by the server's clock.

    `digest` is None where we wrote no verifier. It is never that of a password which we did not choose: with the salt,
    which the server tells to everybody, it would let guesses be tried.
    """

    tag: str
    state: KeyState
    mark: str | None = None
    since: datetime | None = None
    digest: str | None = None

    def __str__(self) -> str:
        since = format_time(self.since) if self.since else NOTHING
        return f"[rotator {self.tag} {self.mark or NOTHING} {self.state} {since} {self.digest or NOTHING}]"

    def within(self, comment: str) -> str:
        """The comment with this note in place of the one it has, or after the text."""
        found = _last(comment)
        if found is None:
            return f"{comment} {self}" if comment else str(self)
        return comment[: found.start()] + str(self) + comment[found.end() :]


def read_note(comment: str) -> Note | None:
    """The note in a comment, or None. Of several the last counts."""
    found = _last(comment)
    if found is None:
        return None
    mark, since, digest = (None if found[name] == NOTHING else found[name] for name in ("mark", "since", "digest"))
    return Note(tag=found["tag"], state=KeyState(found["state"]), mark=mark, since=_time(since), digest=digest)


def _time(text: str | None) -> datetime | None:
    with suppress(UnreadableError):  # somebody edited the comment
        return parse_time(text) if text else None
    return None


def _last(comment: str) -> re.Match[str] | None:
    return max(_NOTE.finditer(comment), key=re.Match.start, default=None)


def empty_note(since: datetime) -> Note:
    """What is written when a slot is emptied: a tag that no earlier request can know."""
    return Note(tag=f"empty-{secrets.token_hex(8)}", state=KeyState.DELETED, since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role as the server shows it.

    `readable`: the server let us, or a login, compare the stored verifier; then `stored` is its digest, None where no
    password is set. `seen_at` is the server's time.
    """

    name: str
    exists: bool
    login: bool
    comment: str
    seen_at: datetime
    readable: bool = False
    stored: str | None = None
    sessions: int = 0
    used_by: str = ""

    @property
    def note(self) -> Note | None:
        """Our note, if we were here before."""
        return read_note(self.comment)

    @property
    def changed(self) -> bool:
        """Whether somebody else has set the password since our note was written, as far as can be seen."""
        note = self.note
        if not self.readable or self.stored is None or note is None:
            return False
        return note.state is KeyState.DELETED if note.digest is None else note.digest != self.stored

    @property
    def tag(self) -> str:
        """What tells this slot's key from those before and after it."""
        if not self.exists:
            return ABSENT
        if self.changed:
            return f"changed-{self.stored}"
        return self.note.tag if self.note else UNMANAGED

    @property
    def key_id(self) -> str:
        """The id of the key that the slot holds."""
        return f"{self.name}@{self.tag}"

    @property
    def state(self) -> KeyState:
        """Whether its password opens a session. A role that may not log in and was never ours is an empty slot."""
        if not self.exists or (self.readable and self.stored is None):
            return KeyState.DELETED
        if self.login:
            return KeyState.ENABLED
        if self.changed or (self.note is None and self.readable):
            return KeyState.DISABLED
        return KeyState.DELETED if self.note is None or self.note.state is KeyState.DELETED else KeyState.DISABLED

    @property
    def ours(self) -> Note | None:
        """The note, where it speaks of a living key that the slot holds now."""
        return self.note if self.state is not KeyState.DELETED and not self.changed else None

    def key(self) -> Key:
        """The slot as it is listed."""
        return Key(
            id=self.key_id,
            state=self.state,
            slot=self.name,
            mark=self.ours.mark if self.ours else None,
            created_at=self.ours.since if self.ours else None,
            last_used_at=self.seen_at if self.sessions else None,
            last_used_by=self.used_by,
        )

    def known_to_hold(self, stored: str) -> Role:
        """The same role, now that a login has shown which verifier the server has."""
        return replace(self, readable=True, stored=stored)
