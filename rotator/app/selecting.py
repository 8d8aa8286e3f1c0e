"""Which credentials a command means. Exposure adds up; tags and owners narrow, and what they leave out is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rotator.config.errors import ConfigError, nearest
from rotator.config.reading import Config
from rotator.domain.credential import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was selected, in the config's order. `left_out`: selected, and narrowed away. `broken`: cannot be used.

    `said`: what a person should hear of how it was selected.
    """

    credentials: tuple[Credential, ...]
    left_out: tuple[str, ...] = ()
    broken: tuple[tuple[str, ConfigError], ...] = ()
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selectors:
    """What was typed."""

    names: Sequence[str] = ()
    every: bool = False
    providers: Sequence[str] = ()
    stores: Sequence[str] = ()
    consumers: Sequence[str] = ()
    tags: Sequence[str] = ()
    owners: Sequence[str] = ()
    exposed: Sequence[str] = ()  # credentials of keys that leaked, by name

    @property
    def given(self) -> bool:
        """Whether anything was selected; nothing never means "all"."""
        return bool(self.wide or self.tags or self.owners)

    @property
    def wide(self) -> bool:
        """Whether anything was exposed; else what narrows selects by itself."""
        return bool(self.names or self.every or self.providers or self.stores or self.consumers or self.exposed)


def select(config: Config, selectors: Selectors) -> Selection:
    """Select. Raises `ConfigError` for a name that is not there, and then nothing is done."""
    _must_exist("credential", selectors.names, [*config.credentials, *config.broken])
    _must_exist("provider", selectors.providers, list(config.providers))
    _must_exist("store", selectors.stores, list(config.stores))
    everything = config.credentials.values()
    _must_exist("consumer", selectors.consumers, sorted({c for spec in everything for c in spec.consumers}))
    _must_exist("tag", selectors.tags, sorted({tag for spec in everything for tag in spec.tags}))
    _must_exist("owner", selectors.owners, sorted({spec.owner for spec in everything} - {""}))
    named = {*selectors.names, *selectors.exposed}
    wide = [spec for spec in everything if spec.name in named or _exposed(spec, selectors)]
    kept = [spec for spec in wide if _within(spec, selectors)]
    left_out = tuple(spec.name for spec in wide if not _within(spec, selectors))
    broken = tuple(
        (name, why)
        for name, why in config.broken.items()
        if selectors.every
        or name in named
        or selectors.providers
        or selectors.stores
        or selectors.consumers  # nobody can say whether it would match
        or not selectors.wide
    )
    return Selection(credentials=tuple(kept), left_out=left_out, broken=broken)


def _exposed(spec: Credential, selectors: Selectors) -> bool:
    return (
        not selectors.wide
        or selectors.every
        or spec.provider in selectors.providers
        or any(place.store in selectors.stores for place in spec.publish)
        or any(consumer in selectors.consumers for consumer in spec.consumers)
    )


def _within(spec: Credential, selectors: Selectors) -> bool:
    if selectors.tags and not set(selectors.tags) & set(spec.tags):
        return False
    return not selectors.owners or spec.owner in selectors.owners


def _must_exist(what: str, words: Sequence[str], known: Sequence[str]) -> None:
    there = set(known)
    for word in words:
        if word not in there:
            near = nearest(word, known)
            listed = (
                "`rotator status` lists the credentials" if what == "credential" else f"known: {', '.join(known[:8])}"
            )
            hint = (
                f"did you mean {near}?" if near else listed if known else f"no credential has one: leave out --{what}"
            )
            raise ConfigError(f"there is no {what} {word!r}", hint)
