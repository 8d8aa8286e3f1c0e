"""What there is, what opens what, and what a thief can do with it: from the config, and what drivers say they can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rotator.app.admins import is_published_by
from rotator.app.assembly import Assembly
from rotator.app.inventories import consumers_of, declared
from rotator.config.errors import ConfigError
from rotator.config.reading import Config
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.grants import Grant
from rotator.domain.keys import Capabilities
from rotator.policy.exposure import Estate
from rotator.policy.grants import readable

PUBLISHES = "publishes"
"""The tag of a credential with which packages, images or pipelines are published."""


def estate_of(assembly: Assembly) -> Estate:
    """The estate of a config. Asks nobody outside."""
    config = assembly.config
    specs = tuple(config.credentials.values())
    places = {spec.name: len(spec.publish) for spec in specs}
    names = tuple(dict.fromkeys((*config.credentials, *config.broken)))
    told = {name: _readable(config, name) for name in consumers_of(config)}
    mints = {spec.name: _mints(config, spec) for spec in specs}
    providers = {provider for each in mints.values() for provider in each}
    ways = tuple(grant for grants, _ in told.values() for grant in grants)
    readers = {name: len(those) for name, those in _readers(ways).items()}
    narrow = _narrowed(assembly, specs)
    return Estate(
        credentials=names,
        consumers=tuple(told),
        grants=ways,
        unbounded={name: unknown for name, (_, unknown) in told.items() if unknown},
        lockfiles={name: tuple(each.origin for each in declared(config, name)) for name in told},
        mints=mints,
        unlocks={spec.name: _unlocks(config, spec) for spec in specs},
        published={
            store: tuple(spec.name for spec in specs if any(each.store == store for each in spec.publish))
            for store in config.stores
        },
        issued={name: tuple(spec.name for spec in specs if spec.provider == name) for name in config.providers},
        revealing=frozenset(name for name in providers if _reveals(assembly, name, specs)),
        publishers=frozenset(spec.name for spec in specs if PUBLISHES in spec.tags),
        privilege={name: (name not in narrow, readers.get(name, 0), places.get(name, 0)) for name in names},
    )


def most_urgent_first(assembly: Assembly, specs: Sequence[Credential]) -> tuple[Credential, ...]:
    """Credentials in the order in which an emergency begins: that with which a thief can do most is first."""
    estate = estate_of(assembly)
    return tuple(sorted(specs, key=lambda spec: estate.urgency(spec.name)))


def _readers(ways: Sequence[Grant]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for grant in ways:
        found.setdefault(grant.credential, set()).add(grant.path[0])
    return found


def _narrowed(assembly: Assembly, specs: Sequence[Credential]) -> frozenset[str]:
    """Whose keys may do less than their principal: scopes are declared, and the provider narrows keys to them."""
    scoped = tuple(spec for spec in specs if spec.scopes)
    providers = {spec.provider for spec in scoped}
    narrowing = {name for name in providers if _can(assembly, name, scoped, lambda can: can.scopes, unknown=False)}
    return frozenset(spec.name for spec in scoped if spec.provider in narrowing)


def _readable(config: Config, consumer: str) -> tuple[tuple[Grant, ...], tuple[str, ...]]:
    entry = config.consumers.get(consumer)
    runs_as = entry.identities if entry is not None else ()
    found = readable(consumer, runs_as, config.identities, config.credentials.values())
    return found.grants, found.unknown


def _mints(config: Config, spec: Credential) -> tuple[str, ...]:
    return tuple(name for name, each in config.providers.items() if is_published_by(each.admin, spec))


def _unlocks(config: Config, spec: Credential) -> tuple[str, ...]:
    """The stores whose settings refer to what this credential publishes."""
    own = {f"{each.store}:{each.ref}#{name}" for each in spec.publish for name in each.fields}
    return tuple(name for name, each in config.stores.items() if own & set(_texts(each.settings)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _reveals(assembly: Assembly, provider: str, specs: Sequence[Credential]) -> bool:
    """Whether its admin credential can read values; where nobody can say, it may."""
    return _can(assembly, provider, specs, lambda can: can.reveals, unknown=True)


def _can(
    assembly: Assembly,
    provider: str,
    specs: Sequence[Credential],
    what: Callable[[Capabilities], bool],
    *,
    unknown: bool,
) -> bool:
    """What a provider says of itself; `unknown` where its driver cannot be had, False where nothing is of it."""
    spec = next((each for each in specs if each.provider == provider), None)
    if spec is None:
        return False
    try:
        return what(assembly.provider(provider).capabilities(spec.principal))
    except (ConfigError, Failure):
        return unknown
