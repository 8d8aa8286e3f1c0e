"""One measured figure, with the aim it is held against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`value` in `unit`; `aim` the most that it should be, or the least where `least`."""

    name: str
    value: float
    unit: str = ""
    aim: float | None = None
    least: bool = False
    note: str = ""

    def __str__(self) -> str:
        met = ""
        if self.aim is not None:
            good = self.value >= self.aim if self.least else self.value <= self.aim
            met = f"{'≥' if self.least else '≤'} {self.aim:g}  {'met' if good else 'missed'}"
        return f"{self.name:<58} {self.value:>10.3f} {self.unit:<10} {met:<16} {self.note}".rstrip()
