"""How far a driver's arms reach: what it needs of the world beyond its own code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a driver says it needs with given settings. Isolated, it gets that much and nothing else.

    `hosts`: `HOST` (at port 443) or `HOST:PORT`, the vendor's own; the config's `hosts:` replace
    them, and must name those of a driver that the rotator does not bring, where its settings do not. `paths`: files
    or folders that it reads, absolute. `variables`: of the environment, by name.
    """

    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
