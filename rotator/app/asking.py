"""Everything that waits for a person, most urgent first: keys to make, and keys to delete."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.app.assembly import Assembly
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.rotation import Rotation
from rotator.engine import by_hand, handed, places
from rotator.engine.recorded import Recorded

SHOWN, LEAST = 4, 20
"""Characters at a value's end that consoles show beside a key, too, and how long a value must be for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """What a person has to delete. `ends`: of each key's value, as a console shows it; only for a person's screen."""

    credential: str
    instruction: str
    ends: tuple[tuple[str, str], ...]


def to_make(assembly: Assembly) -> list[tuple[Credential, Rotation]]:
    """The credentials whose rotations wait for a key: emergencies first, then the one that waits longest."""
    return [(spec, row) for spec, row in _open(assembly) if handed.awaits(row)]


def to_delete(assembly: Assembly) -> list[Deletion]:
    """The keys that rotations wait for a person to delete, in the same order."""
    return [_deletion(assembly, spec, row) for spec, row in _open(assembly) if by_hand.waiting_keys(row)]


def _open(assembly: Assembly) -> list[tuple[Credential, Rotation]]:
    specs = assembly.config.credentials.values()
    rows = ((spec, assembly.journal.open_rotation(spec.name)) for spec in specs)
    found = [(spec, row) for spec, row in rows if row is not None]
    return sorted(found, key=lambda each: (-each[1].rules.priority * each[1].rules.emergency, each[1].since))


def _deletion(assembly: Assembly, spec: Credential, row: Rotation) -> Deletion:
    key_ids = [old.key_id for old in by_hand.waiting_keys(row)]
    try:
        look = Recorded.looking(spec, patient(assembly.world_of(spec)))
        instruction = by_hand.instruction(look, *key_ids)
        ends = tuple((key_id, end) for key_id in key_ids if (end := _end(look, key_id)) is not None)
    except (ConfigError, Failure) as problem:
        text = f"delete {', '.join(key_ids)} of {spec.principal.name} ({problem.message})"
        return Deletion(credential=spec.name, instruction=text, ends=())
    return Deletion(credential=spec.name, instruction=instruction, ends=ends)


def _end(look: Recorded, key_id: str) -> str | None:
    try:
        value = places.find_value(look, look.known[key_id])
    except Failure:  # the ending only helps to find it
        return None
    text = value.reveal(look.capabilities.secret_part) if value is not None else ""
    return text[-SHOWN:] if len(text) >= LEAST and text.isprintable() else None
