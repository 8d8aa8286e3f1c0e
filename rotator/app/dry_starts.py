"""Every configured driver started dry, without its credential: a pin that bites is known in daylight."""

from __future__ import annotations

from collections.abc import Iterator

from rotator.app.assembly import Assembly
from rotator.app.describing import PROVIDERS
from rotator.app.drivers import STORES, find
from rotator.app.isolating import OFF, Isolation
from rotator.config.errors import ConfigError


def would_not_start(assembly: Assembly) -> Iterator[tuple[str, str]]:
    """The name of each entry of the config whose driver would not start now, and why, with what helps.

    What is installed and pinned now counts, not what the processes that run were made of.
    """
    config, running = assembly.config, assembly.isolation
    isolation = Isolation(default=running.default, base=running.base, key=running.key)
    entries = [("provider", PROVIDERS, each) for each in config.providers.values()]
    entries += [("store", STORES, each) for each in config.stores.values()]
    for kind, group, entry in entries:
        try:
            driver = find(group, entry)
            if isolation.level(entry, driver) != OFF:
                isolation.look(kind, entry, driver, assembly.timing.request)
        except ConfigError as error:
            yield entry.name, f"{error.message} — {error.hint}"
