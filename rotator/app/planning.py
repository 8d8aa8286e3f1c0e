"""What a rotation would do, found by looking only: for `--dry-run` and for the question before an emergency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta

from rotator.app.adopting import read_now
from rotator.app.assembly import Assembly
from rotator.app.glance import REMEMBERED
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.keys import Capabilities, Disabling, Key, Minter
from rotator.domain.rotation import RULES, Mode, Rotation
from rotator.engine import handed, picked_up, starting
from rotator.engine.world import World

ROUND_TRIP = timedelta(milliseconds=300)
"""What a request is reckoned with in estimates; the bounds say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One credential's plan. `problem`: why it cannot be done, with a hint; then the rest may be missing.

    `outage`: how long its consumers have no working key; None: they always have one. `quiet_for`: None where nobody
    waits for quiet. `requests`: how many the provider gets at least, `rate`: how many a second it allows. `held`: why.
    `looked`: whether the provider was asked; else its old and foreign keys are not known. `by_hand`: what a person has
    to do for the new key; None where the provider mints it. `deletes`: whether it deletes the old ones.
    """

    credential: str
    provider: str
    principal: str
    places: tuple[str, ...]
    consumers: tuple[str, ...]
    old_keys: tuple[str, ...] = ()
    open_rotation: str | None = None
    takes: str = "a new rotation"
    by_hand: str | None = None
    deletes: bool = True
    outage: timedelta | None = None
    overlap: timedelta = timedelta(0)
    quiet_for: timedelta | None = None
    critical_path: timedelta = timedelta(0)
    requests: int = 0
    rate: float | None = None
    held: str | None = None
    cannot: tuple[str, ...] = ()
    problem: tuple[str, str] | None = None
    looked: bool = True
    foreign: tuple[Key, ...] = field(default=())
    pick_up: Mapping[str, tuple[timedelta, ...]] = field(default_factory=dict)  # what was measured, by consumer


def plans(
    assembly: Assembly, specs: Sequence[Credential], mode: Mode, parallel: int, *, look: bool = True
) -> list[Planned]:
    """The plan of each, in their order; so many are looked at at the same time."""
    if len(specs) < 2 or not look:
        return [plan(assembly, spec, mode, look=look) for spec in specs]
    with ThreadPoolExecutor(min(parallel, len(specs)), thread_name_prefix="looking") as pool:
        return list(pool.map(lambda spec: plan(assembly, spec, mode), specs))


def plan(assembly: Assembly, spec: Credential, mode: Mode, *, look: bool = True) -> Planned:
    """Look at provider, stores and journal, and say what would happen. Changes nothing.

    `look` False: as far as config and journal tell, without a request: when nobody is asked, every second counts.
    """
    base = Planned(
        credential=spec.name,
        provider=spec.provider,
        principal=spec.principal.name,
        rate=assembly.config.providers[spec.provider].rate,
        places=tuple(f"{each.store}:{each.ref}" for each in spec.publish),
        consumers=spec.consumers,
        looked=look,
    )
    try:
        world = patient(assembly.world_of(spec))
        capabilities = world.provider.capabilities(spec.principal)
        listed = world.provider.keys(spec.principal) if look else ()
        unreadable = _unreadable(spec, world, emergency=RULES[mode].emergency) if look else ()
        current = _current(assembly, spec, world, emergency=RULES[mode].emergency, look=look)
    except (ConfigError, Failure) as error:
        return replace(base, problem=(error.message, error.hint))
    open_row = assembly.journal.open_rotation(spec.name)
    old_keys = _old_keys(assembly, spec, mode, listed, current)
    old = len(old_keys)
    return replace(
        base,
        old_keys=old_keys,
        foreign=_foreign(assembly, spec, listed, current),
        pick_up=_pick_up(assembly, spec),
        open_rotation=open_row.id if open_row else None,
        takes=_takes(assembly, open_row, mode),
        by_hand=handed.instruction(spec, capabilities) if capabilities.strategy.minter is Minter.PERSON else None,
        deletes=capabilities.deletes,
        overlap=RULES[mode].overlap(spec.policy) if capabilities.strategy.overlap else timedelta(0),
        outage=_outage(capabilities, mode, len(spec.publish)),
        quiet_for=spec.policy.quiet_for if RULES[mode].waits_for_quiet and capabilities.usage else None,
        critical_path=_critical_path(capabilities, len(spec.publish), old),
        requests=_requests(capabilities, old),
        held=_held(assembly, spec),
        cannot=(*unreadable, *_written_unread(spec, world), *_cannot(capabilities, mode, spec)),
    )


def _unreadable(spec: Credential, world: World, *, emergency: bool) -> tuple[str, ...]:
    """Which stores cannot be read. In an emergency one that can is enough, else the first failure is raised."""
    failures: list[tuple[str, Failure]] = []
    for publication in spec.publish:
        try:
            world.stores[publication.store].read(publication.place)
        except Failure as failure:
            failures.append((f"{publication.store}:{publication.ref}", failure))
    if failures and (not emergency or len(failures) == len(spec.publish)):
        raise failures[0][1]
    return tuple(f"{where} cannot be read and may be left behind: {failure.message}" for where, failure in failures)


def _written_unread(spec: Credential, world: World) -> tuple[str, ...]:
    unread = (each for each in spec.publish if not world.stores[each.store].capabilities().readable)
    return tuple(f"{each.store}:{each.ref} gives nothing back: written last, and not read" for each in unread)


def _current(assembly: Assembly, spec: Credential, world: World, *, emergency: bool, look: bool) -> str | None:
    """The key that the journal knows as current; of a credential not adopted yet the one that adoption would find."""
    current = assembly.journal.credential(spec.name).current
    if current is not None or not look or assembly.journal.open_rotation(spec.name) is not None:
        return current
    return read_now(spec, world, emergency=emergency).key_id


def _old_keys(
    assembly: Assembly, spec: Credential, mode: Mode, listed: tuple[Key, ...], current: str | None
) -> tuple[str, ...]:
    if not RULES[mode].every_key:
        return (current,) if current else ()
    known = {key.key_id for key in assembly.journal.keys(spec.name) if key.alive}
    marker = assembly.installation.marker()
    belonging = {
        key.id for key in listed if key.live and (spec.principal.exclusive or marker.read(spec.name, key.mark))
    }
    return tuple(sorted(known | belonging | ({current} if current else set())))


def _foreign(assembly: Assembly, spec: Credential, listed: tuple[Key, ...], current: str | None) -> tuple[Key, ...]:
    if spec.principal.exclusive:
        return ()
    names = [name for name, each in assembly.config.credentials.items() if each.provider == spec.provider]
    known = {key.key_id for name in names for key in assembly.journal.keys(name)} | {current}
    marker = assembly.installation.marker()
    return tuple(
        key
        for key in listed
        if key.live and key.id not in known and not any(marker.read(name, key.mark) for name in names)
    )


def _takes(assembly: Assembly, row: Rotation | None, mode: Mode) -> str:
    if row is None:
        return "a new rotation"
    if not RULES[mode].emergency:
        return f"goes on with {row.id}, which is open"
    joined = starting.joins(row, assembly.clock.now())
    return f"joins {row.id}" if joined else f"supersedes {row.id}, which is {row.phase.value}"


def _outage(capabilities: Capabilities, mode: Mode, places: int) -> timedelta | None:
    """How long consumers cannot work, if they read the store every time; None: not at all."""
    if capabilities.strategy.overlap and not RULES[mode].contains:
        return None
    if RULES[mode].contains and capabilities.disabling is Disabling.NONE and capabilities.strategy.overlap:
        return None
    return ROUND_TRIP * (4 + 3 * places)


def _critical_path(capabilities: Capabilities, places: int, old: int) -> timedelta:
    """From now to the proof of the last death, if nothing is in the way; without overlap and quiet."""
    return ROUND_TRIP * (_requests(capabilities, old) + 6 * places) + capabilities.last_look


def _requests(capabilities: Capabilities, old: int) -> int:
    """To the provider: two lists, a mint, three looks at the new key; per old key its end and two looks at it."""
    disables = capabilities.disabling is not Disabling.NONE
    return 6 + old * (4 if disables else 3)


def _pick_up(assembly: Assembly, spec: Credential) -> dict[str, tuple[timedelta, ...]]:
    """How long each consumer took to pick up in the latest rotations in which it proved it."""
    rows = assembly.journal.rotations(spec.name, limit=REMEMBERED)
    return {name: picked_up.times(rows, name) for name in spec.consumers}


def _held(assembly: Assembly, spec: Credential) -> str | None:
    row = assembly.journal.credential(spec.name)
    return (row.held_why or "no reason was given") if row.held else None


def _cannot(capabilities: Capabilities, mode: Mode, spec: Credential) -> tuple[str, ...]:
    cannot = []
    if RULES[mode].contains and capabilities.disabling is Disabling.NONE:
        cannot.append("the provider cannot disable a key, so nothing is contained before the new key is live")
    if not capabilities.strategy.overlap:
        cannot.append("the provider has no overlap: the old key dies when the new one is minted")
    if spec.scopes and not capabilities.scopes:
        cannot.append("the provider does not narrow a key to scopes: the new key may do all that its principal may")
    if spec.lifetime is not None and not capabilities.expiry:
        cannot.append("the provider makes no keys that end by themselves: needs.expires changes nothing")
    if not capabilities.usage and RULES[mode].waits_for_quiet:
        cannot.append("the provider does not tell when a key was last used: time alone decides")
    if capabilities.probe is None:
        cannot.append("there is no plain HTTP call to try a key with: that an old one is dead is the driver's word")
    if capabilities.strategy.minter is Minter.PERSON:
        cannot.append("the provider mints no key by its API: nothing is published before a person hands one over")
        cannot += _cannot_alone(capabilities, mode)
    elif not capabilities.strategy.marked and not spec.principal.exclusive:
        cannot.append("keys carry no mark and the principal is shared: a lost mint must be found by a person")
    return tuple(cannot)


def _cannot_alone(capabilities: Capabilities, mode: Mode) -> list[str]:
    """What is left to a person besides, and what rests on a person's word alone."""
    cannot = []
    if not capabilities.lists:
        cannot.append("the provider lists no keys: one that nobody handed over is never found")
    if not capabilities.lists and RULES[mode].emergency:
        cannot.append("that the new key was made after the exposure is the word of whoever hands it over")
    if not capabilities.deletes:
        cannot.append("the provider deletes no key by its API: the old one lives until a person deletes it")
    return cannot
