"""What has to be done now and then: start what is due, reconcile, close the trail into checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from rotator.adapters.calendar import CronCalendar
from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.gathering import gather
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Fenced, JournalOlder
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import Mode
from rotator.domain.times import format_time, parse_time
from rotator.engine import reconciling, starting
from rotator.engine.reconciling import Drift, PlaceFound
from rotator.policy.decision import first_reason
from rotator.policy.due import mended
from rotator.policy.reasons import Reason, worded
from rotator.policy.windows import Closed, may_act
from rotator.ports import Change

RECONCILE_EVERY = timedelta(hours=6)
BATCH = 1000
RECONCILED_AT = "reconciled at"

Line = tuple[str, str]
"""A credential's name, and what a person should read about it."""


@dataclass(kw_only=True)
class Begun:
    """What a pass began. `problems`: message and hint of what could not be begun; `remarks`: what adoption found."""

    problems: dict[str, tuple[str, str]] = field(default_factory=dict)
    remarks: list[Line] = field(default_factory=list)


def start_due(assembly: Assembly) -> Begun:
    """Open a scheduled rotation of everything that is due; what the journal does not know yet is adopted first."""
    begun = Begun()
    rows = assembly.journal.credentials()
    _enroll(assembly, {row.name for row in rows}, begun)
    _mend_due_times(assembly, rows)
    for row in assembly.journal.due(assembly.clock.now(), BATCH):
        try:
            _start_one(assembly, row)
        except Fenced:
            continue
        except (ConfigError, Failure) as error:
            begun.problems[row.name] = (error.message, error.hint)
    return begun


def _enroll(assembly: Assembly, known: set[str], begun: Begun) -> None:
    for name, spec in assembly.config.credentials.items():
        if name in known:
            continue
        try:
            begun.remarks += [(name, remark) for remark in adopt(assembly, spec).remarks()]
        except (ConfigError, Failure) as error:
            begun.problems[name] = (error.message, error.hint)
        except Fenced:
            continue  # somebody else does the same


def _mend_due_times(assembly: Assembly, rows: Sequence[CredentialRow]) -> None:
    """A clock that ran ahead must not keep a credential from its schedule once it is right again."""
    now, calendar = assembly.clock.now(), CronCalendar()
    for row in rows:
        spec = assembly.config.credentials.get(row.name)
        if spec is None or row.next_due is None or row.held:
            continue
        if spec.policy.every is not None and row.next_due - now <= spec.policy.every:
            continue  # cheap, and nearly always so
        due = mended(spec.policy, row.name, due_at=row.next_due, now=now, calendar=calendar)
        if due >= row.next_due or assembly.journal.open_rotation(row.name) is not None:
            continue
        try:
            assembly.journal.save(replace(row, next_due=due), now, Change())
        except Fenced:
            continue


def _start_one(assembly: Assembly, row: CredentialRow) -> None:
    spec, now = assembly.config.credentials.get(row.name), assembly.clock.now()
    if spec is None:
        return
    allowed = may_act(spec.policy, now)
    if isinstance(allowed, Closed):
        assembly.journal.save(replace(row, next_due=allowed.until), now, Change())
        return
    assembly.world_of(spec)
    reason = worded(_reason(assembly, spec))
    starting.start(spec, assembly.journal, assembly.ids, assembly.clock, mode=Mode.SCHEDULED, reason=reason)


def _reason(assembly: Assembly, spec: Credential) -> Reason:
    facts = replace(gather(assembly, spec), now=assembly.clock.now())
    # The journal said that it is due; a clock that went back since does not keep it from being rotated.
    return first_reason(facts) or (Reason.CRON if spec.policy.cron else Reason.AGE)


def tidy(assembly: Assembly, *, force: bool = False) -> tuple[Line, ...]:
    """Reconcile if it is time, and close a checkpoint. Raises `JournalOlder`, and then nothing was revoked."""
    lines: list[Line] = []
    if assembly.journal.older_than_world() is None and (force or _is_time(assembly)):
        lines = [line for result in reconcile_all(assembly) for line in in_words(result)]
        assembly.journal.remember(RECONCILED_AT, format_time(assembly.clock.now()))
    assembly.journal.checkpoint(assembly.clock.now())
    return tuple(lines)


def _is_time(assembly: Assembly) -> bool:
    latest, now = assembly.journal.recall(RECONCILED_AT), assembly.clock.now()
    # One that lies ahead was noted by a clock that was wrong.
    return latest is None or not timedelta(0) <= now - parse_time(latest) < RECONCILE_EVERY


def reconcile_all(assembly: Assembly, *, revoke: bool = True) -> tuple[reconciling.Reconciled, ...]:
    """One pass over every credential. Stops at the first sign that the journal is older than the world."""
    results = []
    for name, spec in assembly.config.credentials.items():
        try:
            results.append(reconciling.reconcile(spec, patient(assembly.world_of(spec)), revoke=revoke))
        except JournalOlder as older:
            assembly.journal.set_older_than_world(older.message)
            assembly.told.alert("journal older than the world", name, older.message)
            raise
        except (ConfigError, Failure) as error:
            hint = f" — {error.hint}" if error.hint else ""
            results.append(reconciling.Reconciled(credential=name, problems=(error.message + hint,)))
    return tuple(results)


def place_in_words(place: PlaceFound, name: str) -> str:
    """What was found in a place and what helps; empty where nothing is wrong."""
    match place.drift:
        case Drift.NONE:
            return ""
        case Drift.MISSING:
            return f"mended {place.where}, which held no value"
        case Drift.BEHIND:
            return f"mended {place.where}, which was behind: it held {place.held}"
        case Drift.UNCLEAR:
            return f"mended {place.where}, which cannot be read: nobody could tell what it held"
        case Drift.BY_HAND:
            adopt_, sync_ = f"`rotator adopt {name}` takes it over", f"empty the field, then `rotator sync {name}`"
            return f"{place.where} was changed by hand and is left as it is: {adopt_}; or {sync_}"
        case Drift.UNKNOWN:
            return f"{place.where}: {place.problem}; `rotator sync {name}` tries again"


def in_words(result: reconciling.Reconciled, *, revoke: bool = True) -> list[Line]:
    """What a pass found, a line each, with the command that helps. `revoke`: whether it was allowed to."""
    name = result.credential
    command = "`rotator reconcile --revoke-orphans` revokes what is seen twice"
    then = "revoked when it is seen again" if revoke else command
    lines = [(name, line) for place in result.places if (line := place_in_words(place, name))]
    lines += [(name, f"revoked the orphan {key}") for key in result.revoked]
    lines += [(name, f"{key} looks like an orphan; {then}") for key in result.orphans]
    lines += [(name, f"{key.id} is a foreign key and was not touched") for key in result.foreign_keys]
    return lines + [(name, problem) for problem in result.problems]
