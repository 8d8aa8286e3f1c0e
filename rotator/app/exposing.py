"""What bad packages exposed, from the config, the recorded inventories and this rotator's own environment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rotator.app.admins import is_published_by
from rotator.app.assembly import Assembly
from rotator.app.auditing import INSTALLED
from rotator.app.inventories import consumers_of, declared, inventories_of
from rotator.app.own_installation import OWN, Audited, folders, own_installation
from rotator.app.wanting import Wanted
from rotator.config.errors import ConfigError
from rotator.config.reading import Config
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.grants import Grant
from rotator.domain.packages import ECOSYSTEM_OF, Component, Inventory
from rotator.policy.exposure import Estate, Exposure, Suspect, exposure
from rotator.policy.grants import readable

PUBLISHES = "publishes"
"""The tag of a credential with which packages, images or pipelines are published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blast:
    """What bad packages exposed. `itself`: what the rotator's own environment has of them today.

    `unjudged`: what is not known of that environment. `only_since`: when it was changed, if that is after the window
    began: what it had before is not looked at.
    """

    exposure: Exposure
    itself: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    only_since: datetime | None = None


def blast(assembly: Assembly, wanted: Sequence[Wanted], start: datetime, end: datetime) -> Blast:
    """The blast radius. Asks nobody; raises what the journal raises, and `ConfigError`."""
    suspect = Suspect(
        ecosystems=frozenset(each.package.ecosystem for each in wanted),
        matches=lambda component: _judged(wanted, component),
        start=start,
        end=end,
    )
    estate, own = _estate(assembly), own_installation(assembly.config, at=assembly.clock.now())
    itself = _held(own, wanted)
    inventories = _inventories(assembly, wanted, suspect)
    if itself:  # it read every value that it ever wrote
        estate = replace(
            estate,
            consumers=(*estate.consumers, OWN),
            grants=(*estate.grants, *(Grant(name, (OWN, "which read every value")) for name in estate.credentials)),
        )
        inventories += (
            Inventory(consumer=OWN, kind=INSTALLED, origin="its own environment", since=start, components=itself),
        )
    return Blast(
        exposure=exposure(estate, inventories, suspect),
        itself=tuple(f"{each.package.name} {each.version}" for each in itself),
        unjudged=tuple(f"{each.what}: {each.why}" for each in own.unjudged),
        only_since=_only_since(start),
    )


def _judged(wanted: Sequence[Wanted], component: Component) -> bool | None:
    verdicts = [each.meets(component) for each in wanted]
    return True if True in verdicts else None if None in verdicts else False


# -- who had what ------------------------------------------------------------------------------------------------------


def _inventories(assembly: Assembly, wanted: Sequence[Wanted], suspect: Suspect) -> tuple[Inventory, ...]:
    """All that was ever recorded, with those components alone that are asked for."""
    kept = inventories_of(assembly)
    holding = {_key(each): each for each in kept.holding([each.package for each in wanted])}
    found = (holding.get(_key(each), each) for each in kept.history())
    return tuple(_whole(assembly, each, suspect) for each in found)


def _key(each: Inventory) -> tuple[str, str, datetime, str]:
    return each.consumer, each.origin, each.since, each.commit


def _whole(assembly: Assembly, each: Inventory, suspect: Suspect) -> Inventory:
    """A bill of materials speaks of what is in it, so all of it is looked at."""
    if each.kind in ECOSYSTEM_OF or not each.touches(suspect.start, suspect.end):
        return each
    held = inventories_of(assembly).at(max(each.since, suspect.start), each.consumer)
    return next((other for other in held if _key(other) == _key(each)), each)


def _held(own: Audited, wanted: Sequence[Wanted]) -> tuple[Component, ...]:
    """What this environment and its drivers have of it now."""
    components = {component for inventory in own.inventories for component in inventory.components}
    return tuple(sorted(each for each in components if _judged(wanted, each) is not False))


def _only_since(start: datetime) -> datetime | None:
    """When this environment was changed last, if that is after the window began: what it had before is not known."""
    changed = datetime.fromtimestamp(max((each.stat().st_mtime for each in folders()), default=0.0), UTC)
    return changed if changed > start else None


# -- what opens what ---------------------------------------------------------------------------------------------------


def _estate(assembly: Assembly) -> Estate:
    config = assembly.config
    specs = tuple(config.credentials.values())
    names = tuple(dict.fromkeys((*config.credentials, *config.broken)))
    told = {name: _readable(config, name) for name in consumers_of(config)}
    mints = {spec.name: _mints(config, spec) for spec in specs}
    providers = {provider for each in mints.values() for provider in each}
    return Estate(
        credentials=names,
        consumers=tuple(told),
        grants=tuple(grant for grants, _ in told.values() for grant in grants),
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
    )


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
    spec = next((each for each in specs if each.provider == provider), None)
    if spec is None:
        return False
    try:
        return assembly.provider(provider).capabilities(spec.principal).reveals
    except (ConfigError, Failure):
        return True
