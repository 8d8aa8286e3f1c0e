"""Every credential in short, for whoever shows all of them at once."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Outline(NamedTuple):
    """One credential. A tuple and no dataclass: there may be 100,000 of them, and making one takes a third of the time.

    `keyed`: it has a current key. `drifts`: a place was left behind. `rotates`: a rotation of it is open.
    """

    name: str
    keyed: bool
    since: datetime | None
    due: datetime | None
    held: bool
    drifts: bool
    rotates: bool
