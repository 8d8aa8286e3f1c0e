"""Keys that are about to be older than their policy allows, or are: said before it is a failure, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from rotator.adapters.calendar import CronCalendar
from rotator.app import pausing
from rotator.app.assembly import Assembly
from rotator.app.housekeeping import pages
from rotator.domain.credential import Credential
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import WaitFor
from rotator.domain.times import format_time
from rotator.policy.due import Deadline, deadline
from rotator.policy.windows import Closed, may_act


@dataclass(frozen=True, slots=True, kw_only=True)
class Ageing:
    """A key whose successor is not there yet. `why`: half a sentence; `mend`: what helps."""

    credential: str
    deadline: Deadline
    missed: bool
    why: str
    mend: str

    @property
    def said(self) -> str:
        """A line for a person."""
        due, latest = format_time(self.deadline.due), format_time(self.deadline.latest)
        when = f"since {latest} it is too old" if self.missed else f"it must be replaced by {latest}"
        return f"due since {due}, {when}: {self.why} — {self.mend}"


def ageing(assembly: Assembly) -> Iterator[Ageing]:
    """Each credential whose key is late. Looks at every row."""
    return ageing_of(assembly, (row for page in pages(assembly.journal) for row in page))


def ageing_of(assembly: Assembly, rows: Iterable[CredentialRow]) -> Iterator[Ageing]:
    """Those among these whose key is late."""
    now, calendar = assembly.clock.now(), CronCalendar()
    for row in rows:
        spec = assembly.config.credentials.get(row.name)
        if spec is None or row.current_since is None:
            continue
        if spec.policy.every is not None and now - row.current_since < spec.policy.every / 2:
            continue  # cheap, and nearly always so
        until = deadline(spec.policy, row.name, rotated_at=row.current_since, calendar=calendar)
        if now < until.warn:
            continue
        held = _held_up(assembly, spec, row, now)
        if held is not None:
            yield Ageing(credential=row.name, deadline=until, missed=now >= until.latest, why=held[0], mend=held[1])


def _held_up(assembly: Assembly, spec: Credential, row: CredentialRow, now: datetime) -> tuple[str, str] | None:
    """What keeps the next key from being there, and what helps; None where it is there already."""
    name = row.name
    if row.held:
        return f"it is on hold ({row.held_why or 'nobody said why'})", f"`rotator release {name}`"
    rotation = assembly.journal.open_rotation(name)
    if rotation is not None:
        if rotation.beyond_pivot:
            return None
        trouble = rotation.problem.message if rotation.problem else f"its rotation is {rotation.phase.value}"
        wanted = rotation.waiting if rotation.waiting and rotation.waiting.for_ is WaitFor.PERSON else None
        return trouble, wanted.note if wanted and wanted.note else f"`rotator status {name}` shows how it stands"
    if pausing.pause_of(assembly.journal, now) is not None:
        return "all that is new is paused", "`rotator pause --end`"
    allowed = may_act(spec.policy, now)
    if isinstance(allowed, Closed):
        return allowed.why, f"`rotate {name}` does it now"
    return "nothing has begun it", f"`rotator why {name}` tells more"
