"""What PostgreSQL stores in place of a password: a SCRAM-SHA-256 verifier (RFC 5802 §3, RFC 7677).

Made here, as psql's `\\password` does, so that no clear password reaches the server, its statement log or
`pg_stat_statements`. Form: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` (PostgreSQL documentation,
"pg_authid"; `src/common/scram-common.c`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

from rotator.sdk import Permanent

ITERATIONS = 4096
"""The server's own default (`scram_iterations`). The passwords are random: more would only slow down every login."""

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Challenge:
    """With what the server salts the password of one role; it tells everybody who begins to log in."""

    salt: bytes
    iterations: int

    @classmethod
    def fresh(cls) -> Challenge:
        """A random one."""
        return cls(secrets.token_bytes(SALT_BYTES), ITERATIONS)


def verifier(password: str, challenge: Challenge) -> str:
    """The text that the server stores. Raises `Permanent` for a password that is not plain."""
    if not is_plain(password):
        raise Permanent(
            "a password for PostgreSQL is made of ASCII letters and digits here", "let the rotator choose it"
        )
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), challenge.salt, challenge.iterations)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    salt, stored, server = (base64.b64encode(part).decode() for part in (challenge.salt, stored_key, server_key))
    return f"SCRAM-SHA-256${challenge.iterations}:{salt}${stored}:{server}"


def is_plain(password: str) -> bool:
    """Whether SASLprep (RFC 4013), which both sides apply first, leaves the password as it is."""
    return password.isascii() and password.isalnum()


def digest(stored: str) -> str:
    """Sixteen digits that tell one verifier from another: enough to notice a change, nothing to log in with."""
    return hashlib.sha256(stored.encode()).hexdigest()[:DIGEST_LENGTH]


DIGEST_LENGTH = 16
