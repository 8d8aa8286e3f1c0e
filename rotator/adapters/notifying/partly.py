"""How a sender says that some of those whom it tells were told, and some were not."""

from __future__ import annotations

from rotator.domain.failures import Failure


class Partly(Failure):
    """Some took it. It counts as told, for whoever took it would get it again; who did not take it is in the words."""
