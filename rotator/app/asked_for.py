"""Rotations that a person asks for: begun here, and run by whoever runs rotations."""

from __future__ import annotations

from contextlib import suppress

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Fenced, Transient
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.engine import starting
from rotator.policy.reasons import Reason, worded


def refuse_stuck(assembly: Assembly, spec: Credential) -> None:
    """Raises `Stuck` for a parked rotation, unless somebody has just asked for its resumption."""
    row = assembly.journal.open_rotation(spec.name)
    asked = row is not None and row.next_at <= assembly.clock.now()  # by `resume`, and nobody has heeded it
    if row is not None and row.phase is Phase.STUCK and not asked:
        why = row.problem.message if row.problem else "see its history"
        hint = row.problem.hint if row.problem else ""
        raise Stuck(f"{spec.name} is stuck: {why}", hint or f"`rotator resume {spec.name}`")


class Stuck(ConfigError):
    """The credential has a parked rotation, which ends first."""


def begin(assembly: Assembly, spec: Credential, reason: str) -> Rotation:
    """A manual rotation of one credential, adopted first where the journal does not know it. Twice: the open one.

    Raises `Stuck`, `ConfigError` and `Failure`, and then nothing was begun.
    """
    refuse_stuck(assembly, spec)
    journal = assembly.journal
    assembly.world_of(spec)
    if journal.credential(spec.name).current is None and journal.open_rotation(spec.name) is None:
        with suppress(Fenced):  # somebody else adopted it meanwhile, or began
            for remark in adopt(assembly, spec).remarks():
                assembly.told.alert("adopted", spec.name, remark)
    return start(assembly, spec, reason)


def start(assembly: Assembly, spec: Credential, reason: str) -> Rotation:
    """A row for it, or the one that is open. Raises `Transient` where one ended at this very moment."""
    journal = assembly.journal
    said = worded(Reason.ASKED, reason)
    row = starting.start(spec, journal, assembly.ids, assembly.clock, mode=Mode.MANUAL, reason=said)
    row = row or journal.open_rotation(spec.name)
    if row is None:
        raise Transient(f"{spec.name} was rotated at this very moment", "`rotator status` shows it")
    return row
