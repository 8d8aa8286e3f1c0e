"""The installation's key: an Ed25519 seed, and the HMAC keys derived from it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotator.config.errors import ConfigError
from rotator.domain.marks import Marker
from rotator.domain.secret import Fingerprinter

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_FORM = re.compile(r"rotator-installation-1 ([a-z2-7]{8}) ([A-Za-z0-9+/]{43}=)")
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True, repr=False)
class Installation:
    """One deployment of the rotator."""

    id: str
    seed: bytes

    def marker(self) -> Marker:
        """Writes and reads this installation's marks."""
        return Marker(self.id, self._derived(b"mark"))

    def fingerprinter(self) -> Fingerprinter:
        """Fingerprints under this installation."""
        return Fingerprinter(self._derived(b"fingerprint"))

    def copies_key(self) -> bytes:
        """Protects what is kept of the drivers' code from one run to the next."""
        return self._derived(b"copies")

    def approvals_key(self) -> bytes:
        """Shows that a config was approved by somebody who has this installation's key."""
        return self._derived(b"approved config")

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature of data."""
        return self._private().sign(data)

    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._private().public_key().public_bytes_raw()

    def _private(self) -> Ed25519PrivateKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.seed)

    def _derived(self, purpose: bytes) -> bytes:
        """HKDF-SHA256 (RFC 5869) with one block: extract with the id as salt, expand with the purpose."""
        extracted = hmac.new(self.id.encode(), self.seed, hashlib.sha256).digest()
        return hmac.new(extracted, b"rotator " + purpose + b"\x01", hashlib.sha256).digest()

    def text(self) -> str:
        """What the key's file holds; a secret."""
        return f"rotator-installation-1 {self.id} {base64.b64encode(self.seed).decode()}"

    def __repr__(self) -> str:
        return f"Installation({self.id})"


def new_installation() -> Installation:
    """A fresh one."""
    return Installation("".join(secrets.choice(_LETTERS) for _ in range(8)), secrets.token_bytes(32))


def read_installation(text: str) -> Installation:
    """Read the key's file. Raises `ConfigError`."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ConfigError("the installation key is not one", "`rotator init` writes one; copy it as a whole")
    return Installation(found[1], base64.b64decode(found[2]))
