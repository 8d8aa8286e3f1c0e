"""What refusals mean in the middle of a change: `Denied`, `Permanent` and `Conflict` say that nothing was changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rotator.domain.failures import Conflict, Denied, Permanent, Transient

T = TypeVar("T")


def behind(change: str, call: Callable[[], T]) -> T:
    """The call, whose refusal is `Transient` because something was changed before; `change` says what."""
    try:
        return call()
    except (Denied, Permanent, Conflict) as refusal:
        halfway = Transient(f"{change}, and then {refusal.message}", refusal.hint)
    raise halfway
