"""What the journal knows of a credential, as the facts that the policy judges. The provider is not asked."""

from __future__ import annotations

from rotator.adapters.calendar import CronCalendar
from rotator.app import pausing
from rotator.app.assembly import Assembly
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.keys import Minter
from rotator.engine import handed
from rotator.policy.due import Adoption, first_due
from rotator.policy.facts import Facts


def gather(assembly: Assembly, spec: Credential) -> Facts:
    """Facts of this moment, to the second; one never adopted is due as if it were adopted now."""
    now, journal = assembly.clock.now().replace(microsecond=0), assembly.journal
    row = journal.credential(spec.name)
    adoption = Adoption(at=now)
    due_at = row.next_due or first_due(spec.policy, spec.name, adoption, now=now, calendar=CronCalendar())
    open_row = journal.open_rotation(spec.name)
    pause = pausing.pause_of(journal, now)
    rotated = [each for each in journal.rotations(spec.name, limit=20) if each.ended_at is not None and each.new_key]
    return Facts(
        credential=spec.name,
        policy=spec.policy,
        now=now,
        due_at=due_at,
        rotated_at=row.current_since if rotated else None,
        key_created_at=row.current_since,
        held_by=(row.held_why or "an operator") if row.held else None,
        paused=pause.why if pause else None,
        paused_until=pause.until if pause else None,
        open_rotation=open_row.id if open_row else None,
    )


def by_a_person(assembly: Assembly, spec: Credential) -> str | None:
    """What a person has to do for a new key, now if a rotation waits for it; None where nobody has to, or can tell."""
    try:
        capabilities = assembly.provider(spec.provider).capabilities(spec.principal)
    except (ConfigError, Failure):
        return None  # `rotator check` tells of it
    if capabilities.strategy.minter is not Minter.PERSON:
        return None
    row = assembly.journal.open_rotation(spec.name)
    when = "now" if row is not None and handed.awaits(row) else "once a rotation asks for one"
    return f"{when}: {handed.instruction(spec, capabilities)}"
