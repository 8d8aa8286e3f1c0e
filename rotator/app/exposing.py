"""What bad packages exposed, from the config, the recorded inventories and this rotator's own environment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rotator.app.assembly import Assembly
from rotator.app.auditing import INSTALLED
from rotator.app.estate import estate_of
from rotator.app.inventories import inventories_of
from rotator.app.own_environment import OWN, OwnHistory, history_of
from rotator.app.own_installation import Audited, own_installation
from rotator.app.wanting import Bad
from rotator.config.errors import ConfigError
from rotator.domain.grants import Grant
from rotator.domain.packages import ECOSYSTEM_OF, Component, Inventory
from rotator.policy.exposure import Exposed, Exposure, Suspect, during, exposure

ITS = "its own environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blast:
    """What bad packages exposed. `itself`: what the rotator's own environment has of them today.

    `had`: what it had of them in the window by its records, in words with the time. `unjudged`: what is not known of
    that environment. `only_since`: since when anything is known of it, if that is after the window began.
    """

    exposure: Exposure
    itself: tuple[str, ...] = ()
    had: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    only_since: datetime | None = None

    @property
    def unknown(self) -> dict[str, str]:
        """Of whom or of what nobody can say, with the reason. What is no credential's name has a blank in it."""
        consumers = self.exposure.unknown_consumers
        return {
            **self.exposure.unknown,
            **{f"consumer {name}": doubted(doubts) for name, doubts in consumers.items()},
            **{f"this rotator {number}": why for number, why in enumerate(self.unjudged, 1)},
        }

    def with_broken(self, assembly: Assembly, names: Mapping[str, tuple[tuple[str, ...], ...]]) -> Blast:
        """With these broken credentials exposed beside, each by the ways given; what is there already stays."""
        beside = {name: why for name, why in names.items() if name not in self.exposure.names}
        if not beside:
            return self
        rank = estate_of(assembly).rank
        more = [Exposed(credential=name, rank=rank(name), why=why) for name, why in beside.items()]
        unknown = {name: why for name, why in self.exposure.unknown.items() if name not in beside}
        return replace(self, exposure=replace(self.exposure, exposed=(*self.exposure.exposed, *more), unknown=unknown))


def doubted(doubts: Sequence[str]) -> str:
    """The first of some doubts, and how many more there are."""
    more = f" (and {len(doubts) - 1} more)" if len(doubts) > 1 else ""
    return f"{doubts[0]}{more}"


def in_words(error: ConfigError) -> str:
    """An error in one line, with what helps."""
    return f"{error.message} — {error.hint}" if error.hint else error.message


def blast(
    assembly: Assembly, wanted: Sequence[Bad], start: datetime, end: datetime, *, named: Collection[str] = ()
) -> Blast:
    """The blast radius of bad packages, and of the credentials `named`. Asks nobody.

    Raises what the journal raises, and `ConfigError`.
    """
    if not wanted:
        return Blast(exposure=exposure(estate_of(assembly), (), None, named))
    suspect = Suspect(
        ecosystems=frozenset(each.package.ecosystem for each in wanted),
        matches=lambda component: _judged(wanted, component),
        start=start,
        end=end,
    )
    now = assembly.clock.now()
    estate, own = estate_of(assembly), own_installation(assembly.config, at=now)
    inventories = _inventories(assembly, wanted, suspect)
    history = history_of(inventories_of(assembly), inventories, now)
    inventories = tuple(each for each in inventories if each.consumer != OWN)
    itself, had = _held(own, wanted), _had(history, suspect)
    if itself or had:  # it read every value that it ever wrote
        estate = replace(
            estate,
            consumers=(*estate.consumers, OWN),
            grants=(*estate.grants, *(Grant(name, (OWN, "which read every value")) for name in estate.credentials)),
        )
        today = Inventory(consumer=OWN, kind=INSTALLED, origin=ITS, since=start, components=itself)
        inventories += (*had, today) if itself else had
    found = exposure(estate, inventories, suspect, named)
    broken = {name: in_words(assembly.config.broken[name]) for name in found.unknown if name in assembly.config.broken}
    found = replace(found, unknown={**found.unknown, **broken})
    others = {name: why for name, why in found.unknown_consumers.items() if name != OWN}
    return Blast(
        exposure=replace(found, unknown_consumers=others),
        itself=tuple(map(_named, itself)),
        had=tuple(f"{_named(part)} {during(each)}" for each in had for part in each.components),
        unjudged=tuple(f"{each.what}: {each.why}" for each in own.unjudged),
        only_since=None if history.known(start) else history.since,
    )


def _judged(wanted: Sequence[Bad], component: Component) -> bool | None:
    verdicts = [each.meets(component) for each in wanted]
    return True if True in verdicts else None if None in verdicts else False


# -- who had what ------------------------------------------------------------------------------------------------------


def _inventories(assembly: Assembly, wanted: Sequence[Bad], suspect: Suspect) -> tuple[Inventory, ...]:
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


def _named(component: Component) -> str:
    return f"{component.package.name} {component.version or 'in some version'}"


def _had(history: OwnHistory, suspect: Suspect) -> tuple[Inventory, ...]:
    """The records of this environment within the window, with what was bad of them."""
    within = (each for each in history.held if each.touches(suspect.start, suspect.end))
    bad = (
        replace(each, origin=ITS, gaps=(), components=tuple(c for c in each.components if suspect.matches(c)))
        for each in within
    )
    return tuple(each for each in bad if each.components)


def _held(own: Audited, wanted: Sequence[Bad]) -> tuple[Component, ...]:
    """What this environment and its drivers have of it now."""
    components = {component for inventory in own.inventories for component in inventory.components}
    return tuple(sorted(each for each in components if _judged(wanted, each) is not False))
