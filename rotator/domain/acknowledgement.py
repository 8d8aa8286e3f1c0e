"""A consumer's word that it has picked the new key up: an HMAC keyed by that very key, so it needs no other secret.

It is over the rotation and the consumer, so it says nothing of another rotation and nothing of another consumer. This
file imports nothing of ours: a consumer may copy it (`docs/consumers.md` has the same in three lines).
"""

from __future__ import annotations

import hashlib
import hmac
import re

DOMAIN = "rotator acknowledgement 1"
"""What the text begins with: nothing else that is computed with a key of ours begins with these words."""
PREFIX = "ack1_"
"""What an acknowledgement begins with, so that it is found in whatever a consumer answers."""

_FORM = re.compile(PREFIX + "[0-9a-f]{64}(?![0-9a-f])")
MOST = 8
"""So many are looked at in one answer."""


def acknowledgement(secret: str, rotation: str, consumer: str) -> str:
    """The acknowledgement: `ack1_` and 64 hexadecimal digits. `secret`: the secret part of the new key's value."""
    text = f"{DOMAIN}\n{rotation}\n{consumer}"
    key = secret.encode("utf-8", "surrogatepass")
    return PREFIX + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def acknowledgements(answer: str) -> tuple[str, ...]:
    """Whatever in an answer has the form of one, from the first; none of them is believed yet."""
    return tuple(found[0] for _, found in zip(range(MOST), _FORM.finditer(answer), strict=False))


def proves(given: str, secret: str, rotation: str, consumer: str) -> bool:
    """Whether this is the acknowledgement; takes the same time for every wrong one."""
    return hmac.compare_digest(given.encode(), acknowledgement(secret, rotation, consumer).encode())
