"""The evidence of one incident, gathered from the journal and the config; nothing is asked of anybody outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rotator.app import aftermath
from rotator.app.assembly import Assembly
from rotator.app.incidents import PREFIX, answers, incident_of, recall, remembered
from rotator.app.left_behind import as_it_stands
from rotator.config.errors import ConfigError, nearest
from rotator.domain.evidence import SURE, Evidence, Replaced
from rotator.domain.failures import Failure
from rotator.domain.incidents import Incident
from rotator.domain.records import Checkpoint
from rotator.domain.rotation import OldKey, Rotation, StoreState
from rotator.policy.reasons import Reason, worded

PAGE = 10_000
"""Events of one rotation that are looked at."""
NOT_BEGUN = "no rotation of it was begun"


def known(assembly: Assembly) -> tuple[str, ...]:
    """The ids of the incidents that the journal knows, each once: answered by a rotation or not."""
    answered = answers(assembly.journal.emergencies(worded(Reason.COMPROMISE, PREFIX)))
    return tuple(dict.fromkeys((*answered, *reversed(remembered(assembly.journal)))))


def gather(assembly: Assembly, incident: str, *, close: bool = True) -> Evidence:
    """All that is known of an incident now. With `close`, the trail behind it is closed into a signed checkpoint first.

    Raises `ConfigError` for an id that no incident has. Twice: the same, at a later time.
    """
    now, journal = assembly.clock.now(), assembly.journal
    if not incident.isprintable():  # nor are bytes that are no text, which no journal can be asked for
        raise no_such(incident, known(assembly))
    record = recall(journal, incident)
    rows = answers(journal.emergencies(worded(Reason.COMPROMISE, incident)))
    if incident not in rows and record is None:
        raise no_such(incident, known(assembly))
    of_it = rows.get(incident, {})
    if close:
        journal.checkpoint(now)
    checkpoints = journal.checkpoints()
    unknown = {name: why for name, why in _unknown(record).items() if name not in of_it}
    names = {*of_it, *(record.names if record else ())} - unknown.keys()
    first = min((row.asked_at or row.started_at for row in of_it.values()), default=now)
    return Evidence(
        incident=incident,
        reason=record.reason if record else "",
        installation=assembly.installation.id,
        made_at=now,
        detected_at=record.opened_at if record else first,
        contained=record is not None and record.contained_at is not None,
        window=record.window(record.closed.at if record.closed else now) if record else None,
        replaced=tuple(
            _as_known(each, record) if record else each
            for each in (
                _replaced(assembly, of_it[name]) if name in of_it else _not_begun(assembly, name, record)
                for name in sorted(names)
            )
        ),
        unknown=unknown,
        after=aftermath.recall(journal, incident),
        checkpoint=_head(checkpoints),
        closed=record.closed if record else None,
    )


def _as_known(each: Replaced, record: Incident) -> Replaced:
    """With why it is exposed, and without what was left behind and mended since."""
    stores = tuple(
        replace(place, left_behind=None) if mended_at(each.rotation, place) in record.mended else place
        for place in each.stores
    )
    return replace(each, why=record.why.get(each.credential, ()), stores=stores)


def mended_at(rotation: str | None, place: StoreState) -> str:
    """How it is remembered that a place has the new key of this rotation; a later one may leave it behind again."""
    return f"{rotation} {place.store}:{place.ref}"


def _unknown(remembered: Incident | None) -> Mapping[str, str]:
    return remembered.unknown if remembered else {}


def no_such(incident: str, known: Sequence[str]) -> ConfigError:
    """The answer to an id that no incident has."""
    near = nearest(incident, known)
    hint = f"did you mean {near}?" if near else "`rotator incident` lists them" if known else "there was none yet"
    return ConfigError(f"there is no incident {incident!r}", hint)


def _head(checkpoints: tuple[Checkpoint, ...]) -> tuple[int, str] | None:
    return (checkpoints[-1].number, checkpoints[-1].digest) if checkpoints else None


def _replaced(assembly: Assembly, row: Rotation) -> Replaced:
    row = as_it_stands(assembly, row)
    spec = assembly.config.credentials.get(row.credential)
    events = assembly.journal.events(row.id, limit=PAGE)
    problem = (row.problem.message, row.problem.hint) if row.problem is not None else None
    return Replaced(
        credential=row.credential,
        provider=spec.provider if spec else "",
        console_url=console(assembly, row.credential),
        rotation=row.id,
        mode=row.mode.value,
        phase=row.phase,
        started_at=row.started_at,
        live_at=row.live_at,
        ended_at=row.ended_at,
        new_key=row.new_key,
        minted_at=row.minted_at,
        old_keys=(*_dead_before(assembly, row), *row.old_keys),
        stores=row.stores,
        consumers=spec.consumers if spec else (),
        events=len(events),
        head=events[-1].digest if events else "",
        error=problem,
    )


def _dead_before(assembly: Assembly, row: Rotation) -> tuple[OldKey, ...]:
    """The keys that rotations of the same incident proved dead before this one took over from them."""
    earlier = (assembly.journal.rotation(rotation) for rotation in row.supersedes)
    keys = {
        old.key_id: old
        for each in earlier
        if each is not None and each.rules.emergency and incident_of(each) == incident_of(row)
        for old in each.old_keys
        if old.proof in SURE
    }
    return tuple(old for key_id, old in keys.items() if row.old_key(key_id) is None)


def _not_begun(assembly: Assembly, name: str, remembered: Incident | None) -> Replaced:
    spec = assembly.config.credentials.get(name)
    refusal = remembered.refusals.get(name) if remembered else None
    hint = f"rotate --incident {remembered.id} --assume-compromise" if remembered else "the same command goes on"
    return Replaced(
        credential=name,
        provider=spec.provider if spec else "",
        console_url=console(assembly, name),
        consumers=spec.consumers if spec else (),
        error=(refusal.message, refusal.hint) if refusal else (NOT_BEGUN, hint),
    )


def console(assembly: Assembly, credential: str) -> str:
    """Where a person looks at the keys; nothing where the driver cannot be had now, which is no reason to fail."""
    spec = assembly.config.credentials.get(credential)
    if spec is None:
        return ""
    try:
        return assembly.provider(spec.provider).capabilities(spec.principal).console_url
    except (ConfigError, Failure):
        return ""
