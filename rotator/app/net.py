"""The last net below everything that leaves this process as text: values that it held, and what looks like a key."""

from __future__ import annotations

from rotator.config.recognise import secrets_hidden
from rotator.domain.held import HELD


def net(text: str) -> str:
    """The text without them; an equal one when there was none. Values only from `HELD.begin` on. Twice: the same."""
    return secrets_hidden(HELD.without(text))
