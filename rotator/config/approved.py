"""The approved config as it is kept beside the journal: sealed with the installation's key, and without a secret.

Whoever may write the database but does not have that key cannot make one. `number` grows with each, so that an older
one put in its place is noticed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from rotator.config.errors import ConfigError
from rotator.config.reading import Tree
from rotator.domain.times import format_time, parse_time

FORM = "rotator-approved-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A config that may be in force. `how`: who said so, for people. `commit`: which holds it, if one does."""

    number: int
    at: datetime
    how: str
    tree: Tree = field(repr=False)
    commit: str = ""


def sealed(approved: Approved, key: bytes) -> str:
    """The text to be kept."""
    said = {
        "number": approved.number,
        "at": format_time(approved.at),
        "how": approved.how,
        "commit": approved.commit,
        "tree": approved.tree,
    }
    body = base64.b64encode(zlib.compress(json.dumps(said, sort_keys=True).encode())).decode()
    return f"{FORM} {_mac(body, key)} {body}"


def unsealed(text: str, key: bytes) -> Approved:
    """What was sealed. Raises `ConfigError` for whatever another one wrote."""
    form, mac, body = [*text.split(" "), "", "", ""][:3]
    if form != FORM or not hmac.compare_digest(mac.encode(), _mac(body, key).encode()):
        raise ConfigError(
            "what the journal has as the approved config was not written with this installation's key",
            "find out who did; `rotator config approve` shows the file as it is, and puts it in force",
        )
    try:  # only the key's owner comes so far, perhaps with another version of this program
        said = json.loads(zlib.decompress(base64.b64decode(body)))
        return Approved(
            number=int(said["number"]),
            at=parse_time(said["at"]),
            how=str(said["how"]),
            tree=dict(said["tree"]),
            commit=str(said["commit"]),
        )
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError):
        raise ConfigError(
            "another version of the rotator wrote the approved config", "`rotator config approve` with this one"
        ) from None


def _mac(body: str, key: bytes) -> str:
    return hmac.new(key, f"{FORM} {body}".encode(), sha256).hexdigest()
