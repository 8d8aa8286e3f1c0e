"""What of a config is followed before anybody can tell whether it is approved: all that opening its journal takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rotator.config.reading import Tree
from rotator.config.texts import texts


def opening_of(tree: Tree, state: str) -> Tree:
    """The journal, the references to its password and to the installation's key, and the stores that these name.

    `state`: the journal that counts, whoever named it. A store may name another one for its own credential, and runs
    as isolated as the defaults say.
    """
    opening: dict[str, Any] = {
        "state": {**tree.get("state", {}), "url": state},
        "installation": dict(tree.get("installation", {})),
    }
    stores = tree.get("stores", {})
    needed: dict[str, Any] = {}
    left = list(_schemes(opening))
    while left:
        name = left.pop()
        if name in stores and name not in needed:
            needed[name] = stores[name]
            left += _schemes(stores[name])
    if not needed:
        return opening
    isolation = tree.get("defaults", {}).get("isolation")
    return {**opening, "stores": needed, **({"defaults": {"isolation": isolation}} if isolation else {})}


def _schemes(value: Any) -> Iterator[str]:
    """Of every text that may be a reference what stands before its colon."""
    for text in texts(value):
        scheme, colon, _ = text.partition(":")
        if colon:
            yield scheme
