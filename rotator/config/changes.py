"""Two configs compared, as plain tables: every difference by its path, and whether it waits for somebody's approval."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rotator.config.sensitivity import GONE, Kind, Step, kind_of, unit_of

Path = tuple[Step, ...]


class Absent:
    """What is not there; None is something that can be written."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class Change:
    """One key that changed. `old` and `new` are texts, numbers, lists of them or empty tables; or `ABSENT`."""

    path: Path
    old: Any
    new: Any
    kind: Kind

    @property
    def unit(self) -> Path:
        """What is in force, or not, as a whole."""
        return unit_of(self.path)

    @property
    def sensitive(self) -> bool:
        """Whether it needs an approval."""
        return self.kind is Kind.SENSITIVE


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every difference, by path. An entry that came or went is each key of it; what is the same twice is none."""
    return tuple(
        Change(path, before, after, _kind(path, old, new)) for path, before, after in _differences(old, new, ())
    )


def sensitive_units(changes: Sequence[Change]) -> frozenset[Path]:
    """The parts that cannot be in force without an approval."""
    return frozenset(change.unit for change in changes if change.sensitive)


def digest(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """32 characters for exactly this change, of both sides: what somebody approves who read it."""
    return hashlib.sha256(f"{canonical(old)}\n{canonical(new)}".encode()).hexdigest()[:32]


def canonical(tree: Mapping[str, Any]) -> str:
    """The text that is the same for the same config."""
    return json.dumps(tree, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _kind(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> Kind:
    section = str(path[0])
    if section in GONE and len(path) > 1 and path[1] in old.get(section, {}) and path[1] not in new.get(section, {}):
        return Kind.PLAIN
    return kind_of(path)


def _differences(old: Any, new: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if _same(old, new):
        return
    steps = _steps(old, new)
    if steps is None:
        yield path, old, new
        return
    for step in steps:
        yield from _differences(_at(old, step), _at(new, step), (*path, step))


def _same(old: Any, new: Any) -> bool:
    """`True` is not 1, and 1 is not 1.0: a driver may tell them apart."""
    if type(old) is not type(new):
        return False
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    if isinstance(old, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new)


def _steps(old: Any, new: Any) -> Sequence[Step] | None:
    """How to go on within two values; None where they are compared as they are."""
    present = [each for each in (old, new) if each is not ABSENT]
    if any(isinstance(each, dict) and each for each in present) and all(isinstance(each, dict) for each in present):
        return sorted({key for each in present for key in each})
    if any(_tables(each) for each in present) and all(isinstance(each, list) for each in present):
        return range(max(len(each) for each in present))
    return None


def _tables(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict | list) for each in value)


def _at(value: Any, step: Step) -> Any:
    if isinstance(value, dict):
        return value.get(step, ABSENT)
    if isinstance(value, list) and isinstance(step, int):
        return value[step] if step < len(value) else ABSENT
    return ABSENT
