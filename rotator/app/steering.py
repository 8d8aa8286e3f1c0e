"""An operator's word: resume, rollback, hold, release. The owner of the row reads it before its next intent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from rotator.app.assembly import Assembly
from rotator.config.errors import ConfigError
from rotator.domain.records import Event, EventKind, Verb
from rotator.domain.rotation import Phase, Rotation
from rotator.engine.by_hand import waiting_keys
from rotator.engine.outcomes import BEFORE_PIVOT
from rotator.ports import Change


def in_a_word(row: Rotation, now: datetime) -> str:
    """Where a rotation stands, in its phase's own word."""
    return row.phase.value


def steer(
    assembly: Assembly,
    name: str,
    verb: Verb,
    reason: str,
    standing: Callable[[Rotation, datetime], str] = in_a_word,
) -> str:
    """Leave the request; returns what a person should read. Twice: the same request.

    `standing`: where a rotation stands, in words. Raises `ConfigError` where nothing can be asked of it, and `Fenced`
    where the credential began to rotate at this very moment.
    """
    row, now = assembly.journal.open_rotation(name), assembly.clock.now()
    if verb in (Verb.HOLD, Verb.RELEASE):
        return _hold(assembly, name, verb, reason, row)
    if row is None:
        raise ConfigError(f"{name} has no open rotation", f"`rotator history {name}` shows past ones")
    if verb is Verb.RESUME and row.phase is not Phase.STUCK:
        if not waiting_keys(row):
            raise ConfigError(f"{name} is not stuck: {standing(row, now)}", "there is nothing to resume")
        assembly.journal.ask(name, verb, reason, now)
        return "looked at again by `rotate --due` or the daemon; it goes on once the old key is refused"
    if verb is Verb.ROLLBACK and not can_go_back(row):
        raise ConfigError(f"{name} cannot go back: {_why_not(row)}", f"`rotator status {name}` shows what it does")
    assembly.journal.ask(name, verb, reason, now)
    return f"{verb.value} asked for; `rotate --due` or the daemon acts on it"


def how_it_goes(assembly: Assembly, name: str, before: Rotation | None) -> str:
    """What a person should read who has just asked for a rotation. `before`: the one that was open then."""
    row, held = assembly.journal.open_rotation(name), assembly.journal.credential(name).held
    if row is None:
        return f"{name} has been rotated already"
    if row.phase is not Phase.STUCK and not _goes_on(row):
        return f"{name} is on its way back, and nothing new was begun: rotate it again when that is over"
    if held and not row.rules.emergency:
        return f"{name} is held, so its rotation waits for `rotator release {name}`"
    if before is not None and before.id == row.id:
        return f"{name} was being rotated already ({row.phase.value}); what was asked of that one comes first"
    return f"{name} is being rotated: {row.phase.value}"


def _goes_on(row: Rotation) -> bool:
    return row.phase not in (Phase.ROLLING_BACK, Phase.WITHDRAWING) and row.ends_as is not Phase.ROLLED_BACK


def stuck(assembly: Assembly) -> list[str]:
    """The credentials whose rotations are parked, by name."""
    return sorted(row.credential for row in assembly.journal.rotations() if row.phase is Phase.STUCK)


def can_go_back(row: Rotation) -> bool:
    """Whether a rotation may still be undone."""
    at = row.parked_from or row.phase
    return at in BEFORE_PIVOT and not row.beyond_pivot and row.rules.may_go_back


def _why_not(row: Rotation) -> str:
    if row.rules.emergency:
        return "its old keys are taken for stolen"
    if not _goes_on(row):
        return "it is on its way back already"
    return "its old key is dying or dead"


def _hold(assembly: Assembly, name: str, verb: Verb, reason: str, row: Rotation | None) -> str:
    credential = assembly.journal.credential(name)
    if row is not None:
        assembly.journal.ask(name, verb, reason, assembly.clock.now())
    elif verb is Verb.RELEASE and not credential.held:
        return "it was not held"
    else:
        held = replace(credential, held=verb is Verb.HOLD, held_why=reason if verb is Verb.HOLD else "")
        event = Event(kind=EventKind.OPERATOR, action=verb.value, subject=name, detail={"why": reason})
        assembly.journal.save(held, assembly.clock.now(), Change(events=(event,)))
    if verb is Verb.HOLD:
        return f"held until `rotator release {name}`"
    return "released" if credential.held else "it was not held, unless somebody has just asked for that"
