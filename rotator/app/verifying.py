"""Proving an incident once more: every old key of it asked about, stores left behind looked at, foreign keys listed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from rotator.app import aftermath
from rotator.app.assembly import Assembly
from rotator.app.evidence import console, mended_at
from rotator.app.incident_planning import Plan, rows_of
from rotator.app.incidents import keep, recall
from rotator.app.last_looks import LastLooks, Looks
from rotator.app.patient import patient
from rotator.app.pausing import OWN
from rotator.app.proving import Death, prove
from rotator.config.errors import ConfigError
from rotator.domain.aftermath import Aftermath, ForeignKey
from rotator.domain.credential import Credential, Publication
from rotator.domain.evidence import SURE, Left, by_hand, left_after, unsafe
from rotator.domain.failures import Failure
from rotator.domain.incidents import Closed, Incident
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Phase, Proof, Rotation, StoreState
from rotator.engine import places
from rotator.engine.recorded import Recorded

AT_ONCE = 32
"""Credentials that are asked about at the same time, at most."""
NOBODY_SAID = "nobody was asked: it is neither the current key nor one that is known here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One credential of it. `left`: what is not proven or not done. `mended`: places that were left behind once."""

    credential: str
    deaths: tuple[Death, ...] = ()
    left: tuple[Left, ...] = ()
    mended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """All of it. `foreign`: living keys beside its credentials that are nobody's.

    `unknown`: of whom or of what nobody can say whether it is exposed. `behind`: what is left of its end, as the
    evidence has it, less what is seen gone now. `by_hand`: what keeps it from nothing, and is for a person to look at.
    """

    checked: tuple[Checked, ...]
    unknown: Mapping[str, str] = field(default_factory=dict)
    foreign: tuple[ForeignKey, ...] = ()
    behind: tuple[Left, ...] = ()
    by_hand: tuple[Left, ...] = ()

    @property
    def left(self) -> tuple[Left, ...]:
        """All that keeps it from being complete."""
        found = [left for each in self.checked for left in each.left]
        found += self.behind
        found += [unsafe(name, why) for name, why in self.unknown.items()]
        return tuple(found)

    @property
    def keys(self) -> int:
        """How many old keys were asked about and are dead."""
        return sum(death.proof in SURE for each in self.checked for death in each.deaths)


def verify(assembly: Assembly, found: Plan) -> Verified:
    """Ask about all of it; one that cannot be asked stops no other. Changes nothing there. Twice: asked again."""
    incident, config = found.incident, assembly.config
    rows = rows_of(assembly, incident.id)
    unknown = {name: why for name, why in found.unknown.items() if name not in rows}
    names = [name for name in dict.fromkeys((*found.names, *incident.names, *rows)) if name not in unknown]
    with ThreadPoolExecutor(min(AT_ONCE, max(1, len(names))), thread_name_prefix="verifying") as pool:
        checked = tuple(pool.map(lambda name: _check(assembly, incident, name, rows.get(name)), names))
    specs = [config.credentials[name] for name in rows if name in config.credentials]  # of others which are ours?
    after = aftermath.recall(assembly.journal, incident.id)
    looked = LastLooks(assembly, specs, AT_ONCE, since=(after.since if after else None) or incident.bad_from).once()
    asked = {each.credential for each in checked if each.deaths}
    return Verified(
        checked=checked,
        unknown=unknown,
        foreign=tuple(key for key in looked.foreign if key.absent_at is None),
        behind=tuple(left_after(incident.id, _now(after, looked, specs, asked))) if rows or after else (),
        by_hand=by_hand(after),
    )


def _now(
    after: Aftermath | None, looked: Looks, specs: Sequence[Credential], asked: Collection[str]
) -> Aftermath | None:
    """The end as the last command saw it, with the keys of the lists of now. `asked`: who could be asked at all."""
    if after is None:
        return None
    untold = {(spec.provider, spec.principal.name) for spec in specs if spec.name in looked.untold}
    listed = {(spec.provider, spec.principal.name) for spec in specs} - untold
    at = {spec.name: (spec.provider, spec.principal.name) for spec in specs}
    now = {key.place: key for key in looked.foreign}
    known = {key.place: key for key in after.foreign if key.place in now or key.place[:2] not in listed}
    told = {name: why for name, why in after.untold.items() if at.get(name) not in listed}
    told |= {name: why for name, why in looked.untold.items() if name in asked}
    return replace(after, foreign=tuple({**now, **known}.values()), untold=told)


def _check(assembly: Assembly, incident: Incident, name: str, row: Rotation | None) -> Checked:
    spec, url = assembly.config.credentials.get(name), console(assembly, name)
    again = f"rotate --incident {incident.id} --assume-compromise"
    if spec is None:
        broken = assembly.config.broken.get(name)
        what, hint = (broken.message, broken.hint) if broken else ("the config has no such credential any more", "")
        return _left(name, what, hint or "put it back into the config, or close it as incomplete", url)
    if row is None:
        refusal = incident.refusals.get(name)
        what = f"it was not rotated: {refusal.message}" if refusal else "it was not rotated yet"
        return _left(name, what, f"{refusal.hint}; then {again}" if refusal and refusal.hint else again, url)
    undone = _undone(row, again, url)
    deaths: tuple[Death, ...] = ()
    try:
        deaths, left = _proven(assembly, spec, row, url)
    except (ConfigError, Failure) as failure:
        left = (Left(credential=name, what=f"nobody knows: {failure.message}", hint=failure.hint, url=url),)
    behind, mended = _behind(assembly, spec, row)
    return Checked(credential=name, deaths=deaths, left=(*undone, *left, *behind), mended=mended)


def _left(name: str, what: str, hint: str, url: str) -> Checked:
    return Checked(credential=name, left=(Left(credential=name, what=what, hint=hint, url=url),))


def _undone(row: Rotation, again: str, url: str) -> tuple[Left, ...]:
    """A rotation that is not over, or that another incident took over."""
    if row.phase is Phase.DONE:
        return ()
    problem = row.problem
    why = f": {problem.message}" if problem is not None else ""
    if row.phase is Phase.STUCK:
        hint = problem.hint if problem is not None else ""
        after = f"rotator resume {row.credential}"
        what, hint = f"its rotation is stuck{why}", f"{hint}; then {after}" if hint and after not in hint else after
    else:
        what, hint = f"its rotation is not over, it is {row.phase.value}{why}", again
    return (Left(credential=row.credential, what=what, hint=hint, url=url),)


def _proven(
    assembly: Assembly, spec: Credential, row: Rotation, url: str
) -> tuple[tuple[Death, ...], tuple[Left, ...]]:
    """Each old key of the rotation: what was seen now, and what is left of those that are not dead."""
    seen = {death.key_id: death for death in prove(assembly, spec)}
    current = assembly.journal.credential(spec.name).current
    deaths = tuple(seen.get(old.key_id) or _unseen(old.key_id, current) for old in row.old_keys)
    left = tuple(
        Left(
            credential=spec.name,
            what=f"key {death.key_id} is not proven dead: {death.text}",
            hint=f"revoke it by hand; then rotator prove {spec.name}",
            url=url,
        )
        for death in deaths
        if death.proof not in SURE
    )
    return deaths, left


def _unseen(key_id: str, current: str | None) -> Death:
    text = "it is the current key" if key_id == current else NOBODY_SAID
    return Death(key_id=key_id, proof=Proof.UNPROVEN, text=text)


def _behind(assembly: Assembly, spec: Credential, row: Rotation) -> tuple[tuple[Left, ...], tuple[str, ...]]:
    """Places that the rotation left behind: those that still are, and those that have the current key by now."""
    states = [each for each in row.stores if each.left_behind is not None]
    if not states:
        return (), ()
    left, mended = [], []
    for state in states:
        place = next((each for each in spec.publish if (each.store, each.ref) == (state.store, state.ref)), None)
        if place is None or _has_current(assembly, spec, place):
            mended.append(mended_at(row.id, state))
        else:
            left.append(_still(spec.name, state))
    return tuple(left), tuple(mended)


def _has_current(assembly: Assembly, spec: Credential, place: Publication) -> bool:
    """Whether it was seen there; a store that does not answer has shown nothing."""
    try:
        look = Recorded.looking(spec, patient(assembly.world_of(spec)))
        key = places.current(look, place).key
    except (ConfigError, Failure):
        return False
    return key is not None and key.key_id == look.credential.current


def _still(name: str, state: StoreState) -> Left:
    what = f"{state.store}:{state.ref} was left behind: {state.left_behind}"
    return Left(credential=name, what=what, hint="rotator reconcile")


# -- what is remembered of it ------------------------------------------------------------------------------------------


def noted(assembly: Assembly, incident: Incident, found: Verified) -> None:
    """Remember who asked, and which places are mended, so that the evidence does not name them any more."""
    detail = {"keys": str(found.keys), "left": str(len(found.left))}
    event = Event(kind=EventKind.OPERATOR, action="verified", subject=incident.id, detail=detail)
    assembly.journal.note(OWN, (event,), assembly.clock.now())
    mended = tuple(dict.fromkeys((*incident.mended, *(each for one in found.checked for each in one.mended))))
    record = recall(assembly.journal, incident.id)
    if record is not None and mended != record.mended:
        keep(assembly.journal, replace(record, mended=mended))


def close(assembly: Assembly, incident: Incident, gave_up: str = "") -> Incident:
    """It is over. `gave_up`: why it can never be complete."""
    closed = replace(incident, closed=Closed(at=assembly.clock.now(), gave_up=gave_up))
    keep(assembly.journal, closed)
    return closed
