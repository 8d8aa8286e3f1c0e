"""A token at a reference: read when it is needed first, kept, and read anew when it was refused."""

from __future__ import annotations

import re
import threading

from rotator.adapters.clients.resolving import Resolve, resolved
from rotator.domain.failures import Denied

_SENDABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


class TokenAt:
    """Safe for many threads. Whoever keeps the file may replace it at any time."""

    def __init__(self, reference: str, resolve: Resolve) -> None:
        self._reference = reference
        self._resolve = resolve
        self._lock = threading.Lock()
        self._text: str | None = None

    def get(self, *, anew: bool = False) -> str:
        """The token. Raises `Denied` where there is none that fits into a header."""
        with self._lock:
            if self._text is None or anew:
                self._text = None
                text = resolved(self._resolve, self._reference)
                if not _SENDABLE.fullmatch(text):
                    message = f"what is at {self._reference} fits into no header"
                    raise Denied(message, "it may hold a line break", permission=f"read {self._reference}")
                self._text = text
            return self._text

    def __repr__(self) -> str:
        return f"TokenAt({self._reference!r})"
