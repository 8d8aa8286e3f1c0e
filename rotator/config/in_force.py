"""Which config is in force while sensitive changes wait: the new one, with what they touch as it was approved.

A part (`unit_of`) is in force as a whole. What a part names must be there: a policy that is gone stays while a
credential that waits names it, and what names a provider that waits waits with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rotator.config.changes import Change, Path, compare, sensitive_units
from rotator.config.errors import ConfigError
from rotator.config.reading import Config, Tree
from rotator.config.sensitivity import ENTRIES
from rotator.config.texts import texts


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """`tree` counts and means `config`. `waiting`: the changes that do not count yet, sensitive or not.

    `because`: what is wrong with everything else in force, where therefore all of it waits; empty: nothing.
    """

    tree: Tree
    config: Config
    waiting: tuple[Change, ...]
    because: str = ""

    @property
    def to_approve(self) -> bool:
        """Whether somebody's word is waited for, and not only the end of a rotation."""
        return any(change.sensitive for change in self.waiting) or bool(self.because)


def in_force(approved: Tree, new: Tree, read: Callable[[Tree], Config], *, busy: Collection[str] = ()) -> InForce:
    """What counts of a new config. `read` makes a config of a tree, or raises `ConfigError` for what is none.

    Where nothing waits it gets `new` itself, of which whoever read it may have made a config already.

    `busy`: credentials that stay as long as their rotation is open, also where the new config lacks them. Raises
    `ConfigError` where not even the approved config is one any more.
    """
    changes = compare(approved, new)
    held = _with_what_they_name(approved, new, changes, set(sensitive_units(changes)) | _unfinished(new, changes, busy))
    try:
        tree = mixed(approved, new, held) if held else new
        return InForce(tree=tree, config=read(tree), waiting=_of(changes, held))
    except ConfigError as error:
        because = error.message
    return InForce(tree=approved, config=read(approved), waiting=changes, because=because)


def mixed(approved: Tree, new: Tree, held: Collection[Path]) -> Tree:
    """The new config, but for these parts, which are as in the approved one: also not there."""
    tree = {name: dict(value) if name in ENTRIES else value for name, value in new.items()}
    for unit in held:
        old = _part(approved, unit)
        if len(unit) == 1:
            _put(tree, unit[0], old)
        else:
            _put(tree.setdefault(str(unit[0]), {}), unit[1], old)
    return {name: value for name, value in tree.items() if name not in ENTRIES or value}


def _unfinished(new: Tree, changes: Collection[Change], busy: Collection[str]) -> set[Path]:
    gone = {change.unit for change in changes if change.path[0] == "credentials"} if busy else set()
    return {unit for unit in gone if unit[1] in busy and _part(new, unit) is None}


def _with_what_they_name(approved: Tree, new: Tree, changes: Collection[Change], held: set[Path]) -> set[Path]:
    """The parts that stay, with those that therefore must or cannot change."""
    units = {change.unit for change in changes}
    while True:
        missing = {unit[1] for unit in held if len(unit) > 1 and _part(approved, unit) is None}
        naming = {unit for unit in units - held if missing & set(_names(_part(new, unit)))} if missing else set()
        gone = {unit for unit in units - held if len(unit) > 1 and _part(new, unit) is None}
        named = {name for unit in held for name in _names(_part(approved, unit))} if gone else set()
        more = naming | {unit for unit in gone if unit[1] in named}
        if not more:
            return held
        held = held | more


def _names(value: Any) -> Iterator[str]:
    """Every word in it that may be the name of an entry; of a reference what stands before the colon."""
    for text in texts(value):
        yield text
        yield text.partition(":")[0]


def _part(tree: Tree, unit: Path) -> Any:
    """None for what is not there: nothing here is written so."""
    part: Any = tree
    for step in unit:
        part = part.get(step) if isinstance(part, Mapping) else None
    return part


def _put(table: dict[Any, Any], name: Any, value: Any) -> None:
    if value is None:
        table.pop(name, None)
    else:
        table[name] = value


def _of(changes: Collection[Change], units: Collection[Path]) -> tuple[Change, ...]:
    return tuple(change for change in changes if change.unit in units)
