"""Marks: what is written on a minted key, so that it is found again. A hint, never proof of ownership.

`rot-<installation>-<rotation>-<fence>-<mac>`, lower case, at most 63 characters. The mac also covers the credential, so
that a key found in the world says whose it is even when the journal that minted it is lost.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

_FORM = re.compile(r"rot-([a-z0-9]{1,12})-([a-z0-9]{1,20})-(0|[1-9][0-9]{0,8})-([a-z2-7]{13})")


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of this installation whose mac is right, for one credential."""

    rotation: str
    fence: int


def installation_of(text: str | None) -> str | None:
    """The installation that a text of the form of a mark names, whoever wrote it; None for every other text."""
    found = _FORM.fullmatch(text or "")
    return found[1] if found is not None else None


@dataclass(frozen=True, slots=True, repr=False)
class Marker:
    """Writes and reads the marks of one installation. `key` is derived from the installation's key."""

    installation: str
    key: bytes

    def write(self, credential: str, rotation: str, fence: int) -> str:
        """The mark for a mint of this rotation under this fence; the same every time.

        Raises `ValueError` for an installation, rotation or fence that no mark can hold.
        """
        mark = f"rot-{self.installation}-{rotation}-{fence}-{self._mac(credential, rotation, fence)}"
        if _FORM.fullmatch(mark) is None:  # nobody would know it again
            raise ValueError(f"{mark} has not the form of a mark")
        return mark

    def read(self, credential: str, text: str | None) -> Mark | None:
        """The mark if it is ours and this credential's; None for everything else, a wrong mac included."""
        found = _FORM.fullmatch(text or "")
        if found is None or found[1] != self.installation:
            return None
        rotation, fence = found[2], int(found[3])
        if not hmac.compare_digest(found[4], self._mac(credential, rotation, fence)):
            return None
        return Mark(rotation, fence)

    def _mac(self, credential: str, rotation: str, fence: int) -> str:
        text = "\0".join((self.installation, credential, rotation, str(fence)))
        digest = hmac.new(self.key, text.encode(), hashlib.sha256).digest()
        return base64.b32encode(digest[:8]).decode().rstrip("=").lower()

    def __repr__(self) -> str:
        return f"Marker({self.installation})"
