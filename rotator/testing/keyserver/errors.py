"""What the keys' state machine raises.

    TurnedDown
    ├── Refused               the secret is not accepted
    │   ├── InvalidKey        unknown, not yet, no longer: a caller cannot tell which
    │   └── MissingScope      valid, but it may not do this
    ├── NoSuchKey             never issued to this principal, or deleted
    ├── NoSuchSlot            the principal has no slot of that name, or none at all
    ├── SlotRequired          the principal's keys live in slots, and the mint names none
    ├── SlotConflict          the slot does not hold what the caller expects
    ├── CapReached            the principal has as many keys as it may have
    ├── Taken                 the chosen secret, or the slot's tag, was used before
    ├── CannotDisable         the service was told to have no disabled keys
    ├── CannotIdentify        the service was told not to say whose key a secret is
    ├── BadCursor             a list was asked to go on after a key that never was
    └── BadRequest            the request itself makes no sense

Nothing has changed when one of them is raised.
"""


class TurnedDown(Exception):
    """A request that the service does not fulfil."""


class Refused(TurnedDown):
    """The secret is not accepted."""


class InvalidKey(Refused):
    """Unknown, not yet valid, or dead."""


class MissingScope(Refused):
    """The key is valid but lacks the scope."""


class NoSuchKey(TurnedDown):
    """Never issued to this principal, already deleted, or no longer what its slot holds."""


class NoSuchSlot(TurnedDown):
    """The principal has no slot of that name."""


class SlotRequired(TurnedDown):
    """The principal's keys live in slots."""


class SlotConflict(TurnedDown):
    """The slot does not hold the expected tag."""


class CapReached(TurnedDown):
    """The principal has as many keys as it may have."""


class Taken(TurnedDown):
    """The chosen secret or tag was used before."""


class CannotDisable(TurnedDown):
    """The service has no disabled keys."""


class CannotIdentify(TurnedDown):
    """The service does not say whose key a secret is."""


class BadCursor(TurnedDown):
    """The page cannot start there."""


class BadRequest(TurnedDown):
    """The request makes no sense; the message says why and quotes no value."""
