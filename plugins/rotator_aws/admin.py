"""The key that signs: given as text, never looked for in variables, files or metadata services."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from rotator.sdk import SettingsError

# https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html: 16 to 128 word characters.
KEY_ID = re.compile(r"[A-Za-z0-9_]{16,128}")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
HINT = 'write ID:SECRET, or {"access_key_id": …, "secret_access_key": …}, with "session_token" perhaps'


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """An access key, and for a session its token."""

    key_id: str
    secret: str
    token: str | None = None

    @property
    def sound(self) -> bool:
        """Whether it looks like a key of AWS, so that what AWS says of it means something."""
        texts = [self.secret] if self.token is None else [self.secret, self.token]
        return bool(KEY_ID.fullmatch(self.key_id)) and all(_PRINTABLE.fullmatch(text) for text in texts)

    def hidden_in(self, text: str) -> str:
        """A server's words without the secret and the token, which it has no reason to repeat."""
        for each in (self.secret, self.token):
            text = text.replace(each, "<secret>") if each else text
        return text

    def __repr__(self) -> str:
        return "SigningKey()"


def admin_key(text: str, name: str) -> SigningKey:
    """Read the admin credential. Raises `SettingsError` without a word of it."""
    found = _from_json(text) if text.lstrip().startswith("{") else _from_pair(text.strip())
    if found is None or not found.sound:
        raise SettingsError(f"the admin credential of {name} is no access key", HINT)
    return found


def _from_pair(text: str) -> SigningKey | None:
    key_id, colon, secret = text.partition(":")
    return SigningKey(key_id, secret) if colon else None


def _from_json(text: str) -> SigningKey | None:
    names = ("access_key_id", "secret_access_key", "session_token")
    try:
        given: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not set(given) <= set(names) or not all(isinstance(each, str) for each in given.values()):
        return None
    return SigningKey(given.get(names[0], ""), given.get(names[1], ""), given.get(names[2]))
