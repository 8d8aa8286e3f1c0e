"""How far a driver's arms reach: what it needs of the world beyond its own code."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a driver says it needs with given settings. Isolated, it gets that much and nothing else.

    `hosts`: `HOST` (at port 443) or `HOST:PORT`, the vendor's own; the config's `hosts:` replace them, and must name
    those of a driver that the rotator does not bring, where its settings do not. A driver of the rotator's own may name
    a network besides, like 169.254.169.254/32, where a host of a cloud has an address that is not public. `paths`:
    files or folders that it reads, absolute. `variables`: of the environment, by name.
    """

    hosts: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    def __add__(self, other: Reach) -> Reach:
        """Both, each thing once."""
        return Reach(
            hosts=tuple(dict.fromkeys(self.hosts + other.hosts)),
            paths=tuple(dict.fromkeys(self.paths + other.paths)),
            variables=tuple(dict.fromkeys(self.variables + other.variables)),
        )


def host_of(url: object) -> tuple[str, ...]:
    """The host of an address, as `Reach` takes it; none of what is no address, which the driver will complain about."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        port = parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return ()
    if not parts.hostname:
        return ()
    return (f"[{parts.hostname}]:{port}" if ":" in parts.hostname else f"{parts.hostname}:{port}",)
