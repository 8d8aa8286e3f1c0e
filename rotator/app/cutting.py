"""The end of a whole exchange, for what asks somebody outside on behalf of a caller."""

from __future__ import annotations

from rotator.adapters.clients.cutting import Cut

__all__ = ["Cut"]
