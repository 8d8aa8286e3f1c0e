"""A user of RabbitMQ as the management API has it, and as a slot. No request here.

Our note is one of the user's tags, which are free text and are set by the same request as the password hash. No user is
ever switched off: while one is disabled its hash is in a second tag, and it has none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotator.sdk import Transient
from rotator.sdk.slots import Login, Note, read_note

SHA256 = "rabbit_password_hashing_sha256"
ALGORITHMS = {SHA256: "sha256", "rabbit_password_hashing_sha512": "sha512"}
HELD = "rotator-held/"
SALT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Stored:
    """What the server keeps in place of a password: base64 of four bytes of salt and their hash with the password.

    RabbitMQ documentation, "Credentials and Passwords".
    """

    text: str
    algorithm: str = SHA256

    @classmethod
    def of(cls, password: str) -> Stored:
        """With a fresh salt."""
        salt = secrets.token_bytes(SALT_BYTES)
        return cls(base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode())

    def is_of(self, password: str) -> bool:
        """Whether this is that password's; False where the algorithm is unknown."""
        try:
            raw = base64.b64decode(self.text, validate=True)
        except binascii.Error:
            return False
        name = ALGORITHMS.get(self.algorithm)
        salt = raw[:SALT_BYTES]
        return name is not None and raw[SALT_BYTES:] == hashlib.new(name, salt + password.encode()).digest()

    def __str__(self) -> str:
        return f"{self.text} {self.algorithm}"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user that exists. `held`: the hash that it has while it is disabled. `others`: tags that are not ours."""

    name: str
    stored: Stored | None
    held: Stored | None
    note: Note | None
    others: tuple[str, ...]

    @classmethod
    def read(cls, name: str, body: Any) -> User:
        """From the answer to GET /api/users/NAME. Raises `Transient` when it has another form."""
        if not isinstance(body, dict):
            raise Transient("RabbitMQ describes a user in another form")
        text, algorithm, tags = body.get("password_hash"), body.get("hashing_algorithm"), _tags(body.get("tags"))
        if not isinstance(text, str | None) or not isinstance(algorithm, str | None):
            raise Transient("RabbitMQ describes a user in another form")
        algorithm = algorithm or SHA256
        held = next((each.removeprefix(HELD) for each in tags if each.startswith(HELD)), None)
        return cls(
            name=name,
            stored=Stored(text, algorithm) if text else None,
            held=Stored(held, algorithm) if held else None,
            note=next((note for each in tags if (note := read_note(each)) is not None), None),
            others=tuple(each for each in tags if not each.startswith(HELD) and read_note(each) is None),
        )

    @property
    def password(self) -> Stored | None:
        """The one that it has, be it held."""
        return self.stored or self.held

    def login(self, seen_at: datetime, sessions: int, used_by: str) -> Login:
        """As a slot."""
        return Login(
            name=self.name,
            exists=True,
            open=self.stored is not None,
            stored=str(self.password) if self.password else None,
            note=self.note,
            seen_at=seen_at,
            sessions=sessions,
            used_by=used_by,
        )


def body_of(
    stored: Stored | None, note: Note | None, tags: Sequence[str], *, held: Stored | None = None
) -> dict[str, Any]:
    """What makes a user so: PUT /api/users/NAME sets everything at once."""
    ours = [*([str(note)] if note else []), *([HELD + held.text] if held else [])]
    return {
        "password_hash": stored.text if stored else "",  # nobody can log in with that
        "hashing_algorithm": (stored or held or Stored("")).algorithm,
        "tags": ",".join([*tags, *ours]),
    }


def _tags(given: Any) -> list[str]:
    """A list, or until 3.8 a text with commas."""
    if isinstance(given, str):
        return [each for each in given.split(",") if each]
    if isinstance(given, list) and all(isinstance(each, str) for each in given):
        return given
    raise Transient("RabbitMQ describes a user in another form")
