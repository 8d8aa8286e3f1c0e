"""Everything that can go wrong at a port, as types: what the engine does next depends on nothing else.

Failure
├── Transient      later, by itself: the network, a throttle, a server that is down
├── Conflict       a compare-and-set lost its race: look again
├── Denied         the admin credential may not: neither direction works, so park and keep the phase
├── Permanent      never, by itself: go back, or park
│   ├── CapFull        there is no room for another key
│   ├── Closed         this journal was closed; of a daemon, another one takes its place
│   ├── Overtaken      a newer rotator migrated the journal while this process had it open
│   └── Undecidable    a person must look: park, never go back
└── Ambiguous      a mint whose answer was lost: anything else is simply done again
Fenced             somebody else owns the row: forget the secret, do nothing more
LeaseOver          too late to begin an effect under this claim
JournalOlder       the world knows rotations that the journal does not
"""

from __future__ import annotations

from datetime import timedelta


class Failure(Exception):
    """What happened, and a hint what a person can do; both without any secret."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Transient(Failure):
    """It may work later. `retry_after` is the server's own word; `throttled` does not count as an attempt."""

    def __init__(
        self, message: str, hint: str = "", *, retry_after: timedelta | None = None, throttled: bool = False
    ) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after
        self.throttled = throttled


class Conflict(Failure):
    """The place or slot no longer is what was read; nothing was written."""


class Denied(Failure):
    """The admin credential lacks `permission`; nothing was changed."""

    def __init__(self, message: str, hint: str = "", *, permission: str = "") -> None:
        super().__init__(message, hint)
        self.permission = permission


class Permanent(Failure):
    """It will not work by itself, however often it is tried; nothing was changed."""


class CapFull(Permanent):
    """The provider has no room for another key of this principal."""


class Closed(Permanent):
    """The journal was closed, and nothing was written; who asks for the one in force may find another."""


class Overtaken(Permanent):
    """A newer rotator migrated the journal meanwhile, and nothing was written: this process ends, the newer goes on."""


class Undecidable(Permanent):
    """Neither forward nor back can be shown to be right: a person must look, so park wherever it happens."""


class Ambiguous(Failure):
    """A mint was sent and its outcome is unknown: there may be a key whose value nobody has."""


class Fenced(Exception):
    """The row was not written: its fence is another's now."""


class LeaseOver(Exception):
    """The claim is too old to begin an effect; the row will be claimed again."""


class JournalOlder(Failure):
    """The journal is older than the world: claim no row, revoke nothing, `rotator reconcile --rebuild`."""
