"""A document sealed with the installation's key: whoever has the public key sees whether one byte was changed.

The seal is the document's last line. What is signed is everything before it, so that the whole file counts.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from rotator.config.errors import ConfigError


class Sealer(Protocol):
    """An installation's key pair."""

    def sign(self, message: bytes, /) -> bytes:
        """The Ed25519 signature."""
        ...

    def public(self) -> bytes:
        """The public key, 32 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Form:
    """How a seal stands in a kind of document: what is before and behind its words."""

    before: bytes
    behind: bytes


HTML = Form(b"<!-- rotator-seal-1 ", b" -->\n")
JSON = Form(b', "seal": "rotator-seal-1 ', b'"}\n')
_WORDS = re.compile(rb"([A-Za-z0-9+/]{43}=) ([A-Za-z0-9+/]{86}==)")
_SEAL = re.compile(b"|".join(re.escape(each.before) + _WORDS.pattern + re.escape(each.behind) for each in (HTML, JSON)))


def seal(body: bytes, form: Form, sealer: Sealer) -> bytes:
    """The document with its seal. Of a JSON object `body` is the text without the last brace."""
    public = base64.b64encode(sealer.public())
    return body + form.before + public + b" " + base64.b64encode(sealer.sign(_signed(body, form))) + form.behind


def check(document: bytes, public: bytes) -> None:
    """Raise `ConfigError` unless exactly this document was sealed by the owner of this public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    form = max((HTML, JSON), key=lambda each: document.rfind(each.before))
    at = document.rfind(form.before)
    found = _SEAL.fullmatch(document[at:]) if at >= 0 else None
    if found is None:
        raise ConfigError("it has no seal at its end", "it is no evidence of a rotator, or was cut off or added to")
    key, signature = (_bytes(each) for each in found.groups() if each is not None)
    if key != public:
        raise ConfigError("it is sealed with another key", "compare the key with the one that was noted before")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _signed(document[:at], form))
    except InvalidSignature:
        raise ConfigError("it was changed since it was sealed", "believe nothing in it; ask for it again") from None


def public_key(text: str) -> bytes:
    """A public key as people note it. Raises `ConfigError`."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32 or base64.b64encode(key).decode() != text.strip():
        raise ConfigError("that is no public key", "write the 44 characters that `rotator incident key` shows")
    return key


def _signed(body: bytes, form: Form) -> bytes:
    """What is signed: nothing else that the installation signs begins with these words."""
    return f"rotator evidence {sha256(body + form.before).hexdigest()}".encode()


def _bytes(text: bytes) -> bytes:
    """Decoded; nothing where other text would decode to the same."""
    decoded = base64.b64decode(text)
    return decoded if base64.b64encode(decoded) == text else b""
