"""`rotator provide`, without the terminal: what is asked for, what cannot be a value, whose key it must not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rotator.app.assembly import Assembly
from rotator.app.patient import patient
from rotator.domain.credential import Credential
from rotator.domain.secret import Secret
from rotator.engine import handed, providing
from rotator.engine.handed import NotTaken
from rotator.engine.providing import Provided, Sleep

LONGEST = 64 * 1024
"""Characters of one part of a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a rotation, by its id, waits for.

    `parts`: the names of a value's parts, in the order in which they are asked for.
    """

    rotation: str
    parts: tuple[str, ...]
    instruction: str


def wanted(assembly: Assembly, spec: Credential) -> Wanted:
    """What the open rotation asks a person for. Raises `NotTaken` where none does, `ConfigError` and `Failure`."""
    world = assembly.world_of(spec)
    row = providing.awaiting(spec, world)
    capabilities = world.provider.capabilities(spec.principal)
    return Wanted(rotation=row.id, parts=capabilities.parts, instruction=handed.instruction(spec, capabilities))


def read_value(texts: Mapping[str, str]) -> Secret:
    """The parts as a value; none of them is ever repeated. Raises `NotTaken` for what can be no key."""
    for name, text in texts.items():
        if not text:
            raise NotTaken(f"the {name} is empty", "paste the key that the console shows")
        if not text.isprintable() or text != text.strip() or len(text) > LONGEST:
            raise NotTaken(
                f"the {name} has a line break, another control character, a blank at an end, or no end",
                "paste the key alone, as the console shows it",
            )
    return Secret(texts)


def provide(assembly: Assembly, spec: Credential, want: Wanted, value: Secret, sleep: Sleep) -> Provided:
    """Hand the value over to the rotation that asked for it. Raises `NotTaken`, and then nothing was changed."""
    world = patient(assembly.world_of(spec))
    part = world.provider.capabilities(spec.principal).secret_part
    fingerprint = world.fingerprinter.of(value, part)
    for row in assembly.journal.credentials():
        if row.name == spec.name:
            continue
        if any(key.fingerprint == fingerprint for key in assembly.journal.keys(row.name)):
            hint = handed.instruction(spec, world.provider.capabilities(spec.principal))
            raise NotTaken(f"this is a key that {row.name} has or had", hint)
    return providing.provide(spec, world, value, sleep, asked_by=want.rotation)
