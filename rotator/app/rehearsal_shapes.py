"""A real provider as a keyserver: one for each kind of principal at it, told how it has to behave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from rotator.domain.keys import OVERLAP, STRATEGIES, Capabilities, Disabling, Strategy
from rotator.testing.keyserver import Behaviour

SHARE = 0.9
"""Of the longest that a driver declares, so that what is asked at the very end finds it over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a keyserver must be like. Two principals of one shape live at the same keyserver.

    Where a person looks at their keys is no part of it: that may name the principal.
    """

    provider: str
    strategy: str
    slots: int
    cap: int | None
    disable: bool
    lists: bool
    deletes: bool
    expiry: bool
    scopes: bool
    usage: bool
    identifies: bool
    propagation: timedelta
    death_window: timedelta
    list_lag: timedelta
    probe: bool

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Its slots."""
        return tuple(f"slot-{number}" for number in range(1, self.slots + 1))

    def settings(self, base_url: str, speed: float) -> Mapping[str, Any]:
        """Of the keyserver's driver, whose windows are divided by `speed`."""
        said: dict[str, Any] = {
            "base_url": base_url,
            "strategy": self.strategy,
            "disable": self.disable,
            "lists": self.lists,
            "deletes": self.deletes,
            "expiry": self.expiry,
            "scopes": self.scopes,
            "usage": self.usage,
            "identifies": self.identifies,
            "probe": self.probe,
            "propagation": self.propagation / speed,
            "death_window": self.death_window / speed,
            "list_lag": self.list_lag / speed,
        }
        optional = {"slots": list(self.slot_names), "cap": self.cap}
        return said | {name: each for name, each in optional.items() if each}

    def behaviour(self) -> Behaviour:
        """Of the keyserver before the rehearsal begins: it can do what it can do, and all at once."""
        return Behaviour(
            cap=self.cap,
            slots=self.slot_names,
            marks=STRATEGIES[self.strategy].marked,
            disable=self.disable,
            last_used=self.usage,
            identify=self.identifies,
        )

    def pace(self, latency: timedelta, speed: float) -> Mapping[str, float]:
        """What it is told when the rehearsal begins: it takes as long as the real one says that it may take."""
        windows = {"propagation": self.propagation, "death": self.death_window, "list_lag": self.list_lag}
        slow = {name: SHARE * window.total_seconds() / speed for name, window in windows.items()}
        return {"latency": latency.total_seconds() / speed, **slow}


def shape_of(provider: str, offers: Capabilities) -> Shape:
    """The shape that shows these offers as far as a keyserver can."""
    strategy = _shown(offers.strategy)
    slots = 0 if not strategy.slots else max(2, len(offers.slots)) if strategy.overlap else 1
    return Shape(
        provider=provider,
        strategy=strategy.name,
        slots=slots,
        cap=None if strategy.slots else offers.cap,
        disable=offers.disabling is not Disabling.NONE,
        lists=offers.lists,
        deletes=offers.deletes,
        expiry=offers.expiry,
        scopes=offers.scopes,
        usage=offers.usage,
        identifies=offers.identifies,
        propagation=offers.propagation,
        death_window=offers.last_look,
        list_lag=offers.list_lag,
        probe=offers.probe is not None,
    )


def _shown(strategy: Strategy) -> Strategy:
    """The keyserver's strategy that is most like it, whatever a driver calls its own."""
    for each in STRATEGIES.values():
        if replace(each, name="") == replace(strategy, name=""):
            return each
    like = [each for each in STRATEGIES.values() if (each.slots, each.overlap) == (strategy.slots, strategy.overlap)]
    return next((each for each in like if each.minter is strategy.minter), like[0] if like else OVERLAP)
