"""What has to be done now and then: start what is due, reconcile, close the trail into checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rotator.adapters.calendar import CronCalendar
from rotator.app import pausing
from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.findings_kept import keep_found
from rotator.app.gathering import gather
from rotator.app.not_begun import keep_not_begun
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Fenced, JournalOlder
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import Mode, Phase
from rotator.domain.times import format_time, parse_time
from rotator.engine import reconciling, starting
from rotator.engine.reconciling import Drift, PlaceFound
from rotator.policy.decision import first_reason
from rotator.policy.due import CATCH_UP, Adoption, caught_up, first_due, mended, next_due
from rotator.policy.reasons import Reason, worded
from rotator.policy.windows import Closed, may_act
from rotator.ports import Change, Journal

RECONCILE_EVERY = timedelta(hours=6)
BATCH = 1000
AGAIN = timedelta(minutes=10)
"""When what could not be begun is tried again."""
RECONCILED_AT = "reconciled at"
RECONCILED_UP_TO = "reconciled up to"
"""The last credential of a pass that had to end before its end."""

Line = tuple[str, str]
"""A credential's name, and what a person should read about it."""


@dataclass(kw_only=True)
class Begun:
    """What a pass began. `problems`: message and hint of what could not be begun; `remarks`: what adoption found."""

    problems: dict[str, tuple[str, str]] = field(default_factory=dict)
    remarks: list[Line] = field(default_factory=list)


def _never() -> bool:
    return False


def start_due(assembly: Assembly, stop: Callable[[], bool] = _never) -> Begun:
    """Open a scheduled rotation of everything that is due; what the journal does not know yet is adopted first.

    `stop`: asked before each; True leaves the others to the next pass.
    """
    begun = enroll(assembly, stop)
    more = begin_due(assembly, BATCH, stop)
    return Begun(problems=begun.problems | more.problems, remarks=begun.remarks)


def enroll(assembly: Assembly, stop: Callable[[], bool] = _never) -> Begun:
    """Adopt what the journal does not know yet; mend due times that a wrong clock left. Looks at every credential."""
    begun, configured, known = Begun(), assembly.config.credentials, 0
    for rows in pages(assembly.journal):
        known += sum(row.name in configured and not _left_behind(row) for row in rows)
        _mend_due_times(assembly, rows)
    if known < len(configured):
        _enroll(assembly, _missing(assembly), begun, stop)
    return begun


def _missing(assembly: Assembly) -> set[str]:
    """What the journal does not know: nothing, nearly always, so only who saw that there is something looks for it."""
    missing = set(assembly.config.credentials)
    for rows in pages(assembly.journal):
        missing.difference_update(row.name for row in rows if not _left_behind(row))
    return missing


def _left_behind(row: CredentialRow) -> bool:
    """Whether nothing is known of it: another credential adopted its key, or it was put on hold before its adoption."""
    return row.current is None and row.next_due is None


def pages(journal: Journal) -> Iterator[tuple[CredentialRow, ...]]:
    """All credentials, so many at a time that 100,000 of them are never held at once."""
    rows = journal.credentials(limit=BATCH)
    while rows:
        yield rows
        rows = journal.credentials(rows[-1].name, BATCH)


def spread_missed(assembly: Assembly) -> int:
    """Spread over an hour what became due long ago, when nobody was there to begin it; says how many that are."""
    now, count = assembly.clock.now(), 0
    while rows := [row for row in _due_here(assembly, now - CATCH_UP, BATCH) if _caught_up(assembly, row, now)]:
        count += len(rows)
    return count


def _due_here(assembly: Assembly, before: datetime, limit: int) -> list[CredentialRow]:
    """What is due of this config, up to `limit`. Others' are passed over: a replica's with a newer file, maybe."""
    take = limit
    while True:
        rows = assembly.journal.due(before, take)
        here = [row for row in rows if row.name in assembly.config.credentials]
        if len(here) >= limit or len(rows) < take:
            return here[:limit]
        take *= 4


def _caught_up(assembly: Assembly, row: CredentialRow, now: datetime) -> bool:
    spec = assembly.config.credentials.get(row.name)
    if spec is None or row.next_due is None:
        return False
    due = caught_up(spec.policy, row.name, due_at=row.next_due, now=now)
    try:
        assembly.journal.save(replace(row, next_due=due), now, Change())
    except Fenced:  # somebody else has it in hand
        return False
    return due > row.next_due


def begin_due(assembly: Assembly, limit: int, stop: Callable[[], bool] = _never, *, put_off: bool = False) -> Begun:
    """Open a scheduled rotation of what is due, the longest due first, up to `limit`. Nothing while all is paused.

    By an index, so as often as one likes. `put_off`: what cannot be begun is due again a little later, so that it never
    stands before what can, and is kept for whoever looks meanwhile.
    """
    begun, due = Begun(), _due_here(assembly, assembly.clock.now(), limit)
    if not due or pausing.pause_of(assembly.journal, assembly.clock.now()) is not None:
        return begun
    for row in due:
        if stop():
            break
        try:
            _start_one(assembly, row)
            continue
        except Fenced:  # somebody else begins it at this moment
            continue
        except (ConfigError, Failure) as error:
            begun.problems[row.name] = (error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - one credential's defect keeps no other waiting
            begun.problems[row.name] = _defect(assembly, row.name, error)
        if put_off:
            _put_off(assembly, row)
    if put_off and begun.problems:
        keep_not_begun(assembly.journal, begun.problems, assembly.clock.now(), AGAIN)
    return begun


def _defect(assembly: Assembly, name: str, error: Exception) -> tuple[str, str]:
    """An error of ours or of a driver, whose text may hold anything."""
    assembly.defect(name, error)
    return f"an error of the rotator or a driver itself ({type(error).__name__})", "report it"


def _put_off(assembly: Assembly, row: CredentialRow) -> None:
    now = assembly.clock.now()
    with suppress(Fenced):  # somebody else has it in hand
        assembly.journal.save(replace(row, next_due=now + AGAIN), now, Change())


def _enroll(assembly: Assembly, missing: Collection[str], begun: Begun, stop: Callable[[], bool]) -> None:
    for name, spec in assembly.config.credentials.items():
        if name not in missing:
            continue
        if stop():
            return
        try:
            begun.remarks += [(name, remark) for remark in adopt(assembly, spec).remarks()]
        except (ConfigError, Failure) as error:
            begun.problems[name] = (error.message, error.hint)
        except Fenced:
            continue  # somebody else does the same
        except Exception as error:  # noqa: BLE001 - one credential's defect keeps no other waiting
            begun.problems[name] = _defect(assembly, name, error)


def _mend_due_times(assembly: Assembly, rows: Sequence[CredentialRow]) -> None:
    """A clock that ran ahead must not keep a credential from its schedule once it is right again.

    Nor must a policy that was another one when its key went live.
    """
    now, calendar = assembly.clock.now(), CronCalendar()
    for row in rows:
        spec = assembly.config.credentials.get(row.name)
        if spec is None or row.next_due is None or row.held:
            continue
        policy, since = spec.policy, row.current_since
        if policy.every is not None and row.next_due <= (since or now) + policy.every:
            continue  # cheap, and nearly always so
        due = mended(policy, row.name, due_at=row.next_due, now=now, calendar=calendar)
        if since is not None and since <= now and row.next_due - now > CATCH_UP:
            due = min(due, _due_again(assembly, spec, since, now))
        if due >= row.next_due or assembly.journal.open_rotation(row.name) is not None:
            continue
        try:
            assembly.journal.save(replace(row, next_due=due), now, Change())
        except Fenced:  # somebody else has it in hand, and writes the time himself
            continue


def _due_again(assembly: Assembly, spec: Credential, since: datetime, now: datetime) -> datetime:
    """When a key is due by the policy of today. One too old for it that was adopted is spread, as at its adoption."""
    policy, calendar = spec.policy, CronCalendar()
    if any(row.phase is Phase.DONE for row in assembly.journal.rotations(spec.name, limit=1)):
        return next_due(policy, spec.name, rotated_at=since, now=now, calendar=calendar)
    return first_due(policy, spec.name, Adoption(at=now, key_created_at=since), now=now, calendar=calendar)


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


def tidy(assembly: Assembly, *, force: bool = False, stop: Callable[[], bool] = _never) -> tuple[Line, ...]:
    """Reconcile if it is time, and close a checkpoint. Raises `JournalOlder`, and then nothing was revoked.

    `stop`: asked before each credential; True ends the pass there, and the next one goes on behind it.
    """
    lines: list[Line] = []
    if assembly.journal.older_than_world() is None and (force or _is_time(assembly)):
        results = reconcile_all(assembly, stop=stop, among=_left(assembly))
        lines = [line for result in results for line in in_words(result)]
        if not stop():
            assembly.journal.remember(RECONCILED_UP_TO, None)
            assembly.journal.remember(RECONCILED_AT, format_time(assembly.clock.now()))
        elif results:
            assembly.journal.remember(RECONCILED_UP_TO, results[-1].credential)
    assembly.journal.checkpoint(assembly.clock.now())
    return tuple(lines)


def _left(assembly: Assembly) -> Sequence[str]:
    """Whose turn it is: all, or those behind the last one of a pass that had to end early."""
    names, last = list(assembly.config.credentials), assembly.journal.recall(RECONCILED_UP_TO)
    with suppress(ValueError):  # the config has it no more
        return names[names.index(last or "") + 1 :]
    return names


def _is_time(assembly: Assembly) -> bool:
    latest, now = assembly.journal.recall(RECONCILED_AT), assembly.clock.now()
    # One that lies ahead was noted by a clock that was wrong.
    return latest is None or not timedelta(0) <= now - parse_time(latest) < RECONCILE_EVERY


def reconcile_all(
    assembly: Assembly,
    *,
    revoke: bool = True,
    stop: Callable[[], bool] = _never,
    among: Sequence[str] | None = None,
) -> tuple[reconciling.Reconciled, ...]:
    """One pass over every credential, or those `among` them. Stops at the first sign of a journal older than the world.

    `stop`: asked before each of them.
    """
    results = []
    for name in assembly.config.credentials if among is None else among:
        if stop():
            break
        spec = assembly.config.credentials[name]
        try:
            results.append(reconciling.reconcile(spec, patient(assembly.world_of(spec)), revoke=revoke))
        except JournalOlder as older:
            assembly.journal.set_older_than_world(older.message)
            assembly.told.alert("journal older than the world", name, older.message)
            raise
        except (ConfigError, Failure) as error:
            hint = f" — {error.hint}" if error.hint else ""
            results.append(reconciling.Reconciled(credential=name, problems=(error.message + hint,)))
        except Exception as error:  # noqa: BLE001 - one credential's defect keeps no other waiting
            message, hint = _defect(assembly, name, error)
            results.append(reconciling.Reconciled(credential=name, problems=(f"{message} — {hint}",)))
    providers = {name: spec.provider for name, spec in assembly.config.credentials.items()}
    keep_found(assembly.journal, results, providers, assembly.clock.now())
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
