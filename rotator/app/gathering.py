"""What the journal knows of a credential, as the facts that the policy judges. The provider is not asked."""

from __future__ import annotations

from rotator.adapters.calendar import CronCalendar
from rotator.app.assembly import Assembly
from rotator.domain.credential import Credential
from rotator.policy.due import Adoption, first_due
from rotator.policy.facts import Facts


def gather(assembly: Assembly, spec: Credential) -> Facts:
    """Facts of this moment, to the second; one never adopted is due as if it were adopted now."""
    now, journal = assembly.clock.now().replace(microsecond=0), assembly.journal
    row = journal.credential(spec.name)
    adoption = Adoption(at=now)
    due_at = row.next_due or first_due(spec.policy, spec.name, adoption, now=now, calendar=CronCalendar())
    open_row = journal.open_rotation(spec.name)
    rotated = [each for each in journal.rotations(spec.name, limit=20) if each.ended_at is not None and each.new_key]
    return Facts(
        credential=spec.name,
        policy=spec.policy,
        now=now,
        due_at=due_at,
        rotated_at=row.current_since if rotated else None,
        key_created_at=row.current_since,
        held_by=(row.held_why or "an operator") if row.held else None,
        open_rotation=open_row.id if open_row else None,
    )
