"""The evidence of one incident, gathered from the journal and the config; nothing is asked of anybody outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rotator.app.assembly import Assembly
from rotator.app.incidents import answers, recall
from rotator.config.errors import ConfigError, nearest
from rotator.domain.evidence import Evidence, Replaced
from rotator.domain.failures import Failure
from rotator.domain.incidents import Incident
from rotator.domain.records import Checkpoint
from rotator.domain.rotation import Rotation

PAGE = 10_000
"""Rotations, and events of one of them, that are looked at."""
NOT_BEGUN = ("no rotation of it was begun", "the same command goes on")


def known(assembly: Assembly) -> tuple[str, ...]:
    """The ids of the incidents that the journal knows, the newest first."""
    return tuple(answers(assembly.journal.rotations(limit=PAGE)))


def gather(assembly: Assembly, incident: str, *, close: bool = True) -> Evidence:
    """All that is known of an incident now. With `close`, the trail behind it is closed into a signed checkpoint first.

    Raises `ConfigError` for an id that no incident has. Twice: the same, at a later time.
    """
    now, journal = assembly.clock.now(), assembly.journal
    remembered = recall(journal, incident)
    rows = answers(journal.rotations(limit=PAGE))
    if incident not in rows and remembered is None:
        raise _no_such(incident, list(rows))
    of_it = rows.get(incident, {})
    if close:
        journal.checkpoint(now)
    checkpoints = journal.checkpoints()
    names = {*of_it, *(remembered.names if remembered else ())}
    first = min((row.asked_at or row.started_at for row in of_it.values()), default=now)
    return Evidence(
        incident=incident,
        reason=remembered.reason if remembered else "",
        installation=assembly.installation.id,
        made_at=now,
        detected_at=remembered.opened_at if remembered else first,
        contained=remembered is not None and remembered.contained_at is not None,
        window=remembered.window if remembered else None,
        replaced=tuple(
            replace(each, why=remembered.why.get(each.credential, ())) if remembered else each
            for each in (
                _replaced(assembly, of_it[name]) if name in of_it else _not_begun(assembly, name, remembered)
                for name in sorted(names)
            )
        ),
        unknown={name: why for name, why in _unknown(remembered).items() if name not in names},
        checkpoint=_head(checkpoints),
    )


def _unknown(remembered: Incident | None) -> Mapping[str, str]:
    return remembered.unknown if remembered else {}


def _no_such(incident: str, known: Sequence[str]) -> ConfigError:
    near = nearest(incident, known)
    hint = f"did you mean {near}?" if near else "`rotator incident` lists them" if known else "there was none yet"
    return ConfigError(f"there is no incident {incident!r}", hint)


def _head(checkpoints: tuple[Checkpoint, ...]) -> tuple[int, str] | None:
    return (checkpoints[-1].number, checkpoints[-1].digest) if checkpoints else None


def _replaced(assembly: Assembly, row: Rotation) -> Replaced:
    spec = assembly.config.credentials.get(row.credential)
    events = assembly.journal.events(row.id, limit=PAGE)
    problem = (row.problem.message, row.problem.hint) if row.problem is not None else None
    return Replaced(
        credential=row.credential,
        provider=spec.provider if spec else "",
        console_url=_console(assembly, row.credential),
        rotation=row.id,
        mode=row.mode.value,
        phase=row.phase,
        started_at=row.started_at,
        live_at=row.live_at,
        ended_at=row.ended_at,
        new_key=row.new_key,
        minted_at=row.minted_at,
        old_keys=row.old_keys,
        stores=row.stores,
        consumers=spec.consumers if spec else (),
        events=len(events),
        head=events[-1].digest if events else "",
        error=problem,
    )


def _not_begun(assembly: Assembly, name: str, remembered: Incident | None) -> Replaced:
    spec = assembly.config.credentials.get(name)
    refusal = remembered.refusals.get(name) if remembered else None
    return Replaced(
        credential=name,
        provider=spec.provider if spec else "",
        console_url=_console(assembly, name),
        consumers=spec.consumers if spec else (),
        error=(refusal.message, refusal.hint) if refusal else NOT_BEGUN,
    )


def _console(assembly: Assembly, credential: str) -> str:
    """Where a person looks at the keys; nothing where the driver cannot be had now, which is no reason to fail."""
    spec = assembly.config.credentials.get(credential)
    if spec is None:
        return ""
    try:
        return assembly.provider(spec.provider).capabilities(spec.principal).console_url
    except (ConfigError, Failure):
        return ""
