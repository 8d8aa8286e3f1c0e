"""What the providers' own trails tell: keys, users, roles that nobody here made; else what a person looks for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from rotator.app.assembly import Assembly
from rotator.app.checklists import checklist
from rotator.app.foreign import LONGEST, Ours, in_window
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.domain.aftermath import Trail
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.made import Made, MadeKind
from rotator.ports import trail_of

MOST = 500
"""Users, roles and rules of one trail that are kept, besides every key; the provider has the others."""


def search(
    assembly: Assembly, specs: Sequence[Credential], since: datetime, parallel: int, *, named: Collection[str] = ()
) -> tuple[Trail, ...]:
    """Each provider's, once. `named`: ids of keys that are told of already."""
    first = {spec.provider: spec for spec in reversed(specs)}
    ours = Known(assembly)
    with ThreadPoolExecutor(min(parallel, max(len(first), 1)), thread_name_prefix="searching") as pool:
        return tuple(pool.map(lambda spec: _of(assembly, ours, spec, since, named), first.values()))


def _of(assembly: Assembly, ours: Known, spec: Credential, since: datetime, named: Collection[str]) -> Trail:
    driver, console = assembly.config.providers[spec.provider].driver, ""
    try:
        world = patient(assembly.world_of(spec))
        offers = world.provider.capabilities(spec.principal)
        console = offers.console_url
        if not offers.trail:
            return replace(checklist(spec.provider, driver, console), exists=False, untold="the driver reads no trail")
        told = trail_of(world.provider, spec.principal, since)
    except (ConfigError, Failure) as failure:
        return replace(checklist(spec.provider, driver, console), untold=failure.message)
    made, cut = kept([each for each in told if _is_news(ours, spec.provider, each, since, named)])
    return replace(checklist(spec.provider, driver, console), made=made, cut=cut)


def kept(made: Sequence[Made]) -> tuple[tuple[Made, ...], int]:
    """Every key first, then what is kept of the others; and how many others are not."""
    keys = [each for each in made if each.kind is MadeKind.KEY]
    others = [each for each in made if each.kind is not MadeKind.KEY]
    return tuple(_bounded(each) for each in (*keys, *others[:MOST])), max(len(others) - MOST, 0)


class Known:
    """Which keys of a trail are ours: by id; by its mark only where that mark can be this key's and no copy's."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._ours = Ours(assembly)

    def made(self, provider: str, key_id: str) -> bool:
        """Whether this is a key of a credential, which the rotator changes itself."""
        return self._ours.knows(provider, key_id)

    def has(self, provider: str, made: Made) -> bool:
        """A thief copies marks: so its rotation must be open or have made it, at that credential's principal."""
        if self._ours.knows(provider, made.id):
            return True
        marked = self._ours.marked(provider, made.name)
        if marked is None:
            return False
        principal = self._assembly.config.credentials[marked[0]].principal
        row = self._assembly.journal.rotation(marked[1])
        may_be = row is not None and (row.open or row.new_key == made.id)
        return may_be and made.where in (principal.name, *principal.settings.values())


def _is_news(ours: Known, provider: str, made: Made, since: datetime, named: Collection[str]) -> bool:
    if made.there is False or not in_window(made.at, since):
        return False
    if made.kind is MadeKind.CHANGE:
        return not ours.made(provider, made.id)
    return made.kind is not MadeKind.KEY or not (made.id in named or ours.has(provider, made))


def _bounded(made: Made) -> Made:
    return replace(
        made, id=made.id[:LONGEST], name=made.name[:LONGEST], where=made.where[:LONGEST], by=made.by[:LONGEST]
    )
