"""Consumers that are not told: they read the store when they please."""

from __future__ import annotations

from collections.abc import Sequence

from rotator.domain.rotation import Rotation


class Untold:
    """The consumers port for those that read by themselves."""

    def tell(self, consumers: Sequence[str], rotation: Rotation) -> None:
        """Nothing."""
