"""Putting keys out of use that are nobody's here: exactly those that are named, each with its intent in the trail.

A key is spared where it may be somebody's after all: a credential has or had it, the rotator works with it, a store
holds it or may, it bears a mark of ours or of another installation, or an open rotation made it or may have lost it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta

from rotator.app.assembly import Assembly
from rotator.app.foreign import Ours
from rotator.app.holding import Held, held_at
from rotator.app.own_keys import OwnKeys
from rotator.config.errors import ConfigError
from rotator.domain.aftermath import ForeignKey
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Transient
from rotator.domain.keys import Capabilities, Disabling, KeyState
from rotator.domain.marks import installation_of
from rotator.domain.records import Event, EventKind

ATTEMPTS = 5
PAUSE = timedelta(seconds=1)
"""After a failure that may pass by itself, where the provider does not say how long."""
LONGEST_PAUSE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Target:
    """A key that is to die, and a credential at whose principal it is.

    `exclusive`: every living key of that principal is the credential's, so it dies like its old keys. `hint`: what the
    provider shows of its value.
    """

    spec: Credential
    key: ForeignKey
    exclusive: bool = False
    hint: str = ""


def revoke(
    assembly: Assembly,
    targets: Sequence[Target],
    parallel: int,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[ForeignKey, ...]:
    """Each once, several at the same time: the keys with what became of them. A failure of one stops no other.

    Twice: a key that is gone is deleted once more, which is nothing to a provider.
    """
    if not targets:
        return ()
    own = OwnKeys(assembly)
    held = {name: held_at(assembly, name) for name in dict.fromkeys(each.spec.provider for each in targets)}

    def one(target: Target) -> ForeignKey:
        asked = replace(target.key, asked_at=assembly.clock.now())
        try:
            why = spared(assembly, own, held[target.spec.provider], target)
            if why:
                _spare(assembly, target, why)
                return replace(asked, why=why)
            return _kill(assembly, target, asked, sleep)
        except (ConfigError, Failure) as failure:
            return replace(asked, why=failure.message)

    with ThreadPoolExecutor(min(parallel, len(targets)), thread_name_prefix="revoking") as pool:
        return tuple(pool.map(one, targets))


def spared(assembly: Assembly, own: OwnKeys, held: Held, target: Target) -> str:
    """Why a key must not die; empty: it may. The journal is read now, because replicas go on minting."""
    spec, key = target.spec, target.key
    at_work = _at_work(assembly, spec, key.key_id)  # before the known keys: a rotation may end between the two
    if at_work:
        return at_work
    holders = assembly.journal.holders(key.key_id)
    if holders:
        return f"it is the current key of {holders[0]}"
    ours = Ours(assembly)
    dead = ours.dead_since(spec.provider, key.key_id)
    if ours.owner(key.key_id) is not None and not (target.exclusive and dead is not None and dead[0] == spec.name):
        return f"{ours.owner(key.key_id)} has or had it: rotate that one"
    mine = own.sure(spec, key.key_id)
    if mine:
        return f"it is {mine}"
    alike = own.alike(spec, target.hint)
    if alike:
        return f"it seems to be {alike}: the provider shows the same of it"
    if key.key_id in held.keys:
        return f"{held.keys[key.key_id]} holds it"
    if held.unclear:
        return f"nobody can say that no store holds it: {held.unclear[0]}"
    return _marked(assembly, ours, target)


def _marked(assembly: Assembly, ours: Ours, target: Target) -> str:
    """Why its mark spares a key."""
    spec, key = target.spec, target.key
    marked = ours.marked(spec.provider, key.name)
    if marked is not None and not (target.exclusive and marked[0] == spec.name):
        return f"it bears a mark of {marked[0]}: `rotate {marked[0]} --assume-compromise --again` kills it"
    installation = installation_of(key.name)
    if installation is not None and installation != assembly.installation.id:
        return f"it bears a mark of another installation of the rotator, {installation}"
    if installation is not None and not target.exclusive:
        return "it bears a mark of this installation of the rotator, and of no credential of the config"
    return ""


def _at_work(assembly: Assembly, spec: Credential, key_id: str) -> str:
    """Why an open rotation spares a key: of the same driver, it made the key, or sent a mint whose key that may be."""
    config = assembly.config
    driver = config.providers[spec.provider].driver
    for name, each in config.credentials.items():
        row = assembly.journal.open_rotation(name) if config.providers[each.provider].driver == driver else None
        if row is None:
            continue
        if row.new_key == key_id:
            return f"an open rotation of {name} made it"
        if not row.mint_fences or row.new_key is not None or key_id in row.baseline:
            continue
        if not assembly.world_of(each).provider.capabilities(each.principal).strategy.marked:
            return f"an open rotation of {name} may have made it: `rotator why {name}`"
    return ""


def _kill(assembly: Assembly, target: Target, asked: ForeignKey, sleep: Callable[[float], None]) -> ForeignKey:
    world = assembly.world_of(target.spec)
    state = _end(world.provider.capabilities(target.spec.principal))
    if state is None:
        return replace(asked, why="the provider neither deletes nor disables a key by its API: a person does")
    _patiently(
        lambda: _note(assembly, target, EventKind.INTENT, "revoke foreign", state=state.value),
        lambda: world.provider.set_state(target.spec.principal, target.key.key_id, state),
        sleep,
    )
    _note(assembly, target, EventKind.OUTCOME, "revoke foreign", state=state.value, result="ok")
    if state is KeyState.DELETED:
        return replace(asked, deleted_at=assembly.clock.now())
    return replace(asked, why="disabled: the provider deletes no key by its API, a person does")


def _end(capabilities: Capabilities) -> KeyState | None:
    """The furthest that the provider goes."""
    if capabilities.deletes:
        return KeyState.DELETED
    return KeyState.DISABLED if capabilities.disabling is not Disabling.NONE else None


def shut_out(assembly: Assembly, target: Target, sleep: Callable[[float], None] = time.sleep) -> str:
    """What keeps anybody from saying that nobody is in any more with a key that is gone; empty: nothing does.

    Where keys open sessions it is deleted once more, which ends what logins have become that were under way, and those
    whose end was asked for and answered by failures. Twice: nothing more.
    """
    spec, key = target.spec, target.key
    try:
        provider = assembly.world_of(spec).provider
        offers = provider.capabilities(spec.principal)
        if not offers.login_window or not offers.deletes:
            return ""
        if key.deleted_at is None and spared(assembly, OwnKeys(assembly), held_at(assembly, spec.provider), target):
            return ""  # it is gone by somebody else's doing
        _patiently(
            lambda: _note(assembly, target, EventKind.INTENT, "end sessions"),
            lambda: provider.set_state(spec.principal, key.key_id, KeyState.DELETED),
            sleep,
        )
        _note(assembly, target, EventKind.OUTCOME, "end sessions", result="ok")
    except (ConfigError, Failure) as failure:
        return failure.message
    return ""


def _patiently(intend: Callable[[], None], act: Callable[[], None], sleep: Callable[[float], None]) -> None:
    """Again where it may work later, each time with its intent; raises the last failure."""
    for attempt in range(1, ATTEMPTS + 1):
        intend()
        try:
            act()
        except Transient as failure:
            if attempt == ATTEMPTS:
                raise
            sleep(min(failure.retry_after or PAUSE, LONGEST_PAUSE).total_seconds())
        else:
            return


def note_gone(assembly: Assembly, key: ForeignKey) -> None:
    """Let the trail know that its death is proven."""
    detail = {"provider": key.provider, "principal": key.principal, "proof": "absent"}
    event = Event(kind=EventKind.OBSERVATION, action="foreign key gone", subject=key.key_id, detail=detail)
    assembly.journal.note(key.beside, (event,), assembly.clock.now())


def _note(assembly: Assembly, target: Target, kind: EventKind, action: str, **more: str) -> None:
    detail = {**_where(target), **more}
    event = Event(kind=kind, action=action, subject=target.key.key_id, detail=detail)
    assembly.journal.note(target.spec.name, (event,), assembly.clock.now())


def _spare(assembly: Assembly, target: Target, why: str) -> None:
    detail = {**_where(target), "why": why}
    event = Event(kind=EventKind.OBSERVATION, action="foreign key spared", subject=target.key.key_id, detail=detail)
    assembly.journal.note(target.spec.name, (event,), assembly.clock.now())


def _where(target: Target) -> dict[str, str]:
    return {"provider": target.key.provider, "principal": target.key.principal}
