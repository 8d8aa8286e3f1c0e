"""What has to be done now and then: start what is due, reconcile, close the trail into checkpoints."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.config.errors import ConfigError
from rotator.domain.failures import Failure, Fenced, JournalOlder
from rotator.domain.rotation import Mode
from rotator.domain.times import format_time, parse_time
from rotator.engine import reconciling, starting
from rotator.policy.windows import Closed, may_act
from rotator.ports import Change

RECONCILE_EVERY = timedelta(hours=6)
BATCH = 1000
RECONCILED_AT = "reconciled at"


def enroll(assembly: Assembly) -> dict[str, tuple[str, str]]:
    """Adopt the credentials that the journal does not know yet; returns what could not be, and why."""
    problems: dict[str, tuple[str, str]] = {}
    known = {row.name for row in assembly.journal.credentials()}
    for name, spec in assembly.config.credentials.items():
        if name in known:
            continue
        try:
            adopt(assembly, spec)
        except (ConfigError, Failure, Fenced) as error:
            problems[name] = (getattr(error, "message", str(error)), getattr(error, "hint", ""))
    return problems


def start_due(assembly: Assembly) -> dict[str, tuple[str, str]]:
    """Open a scheduled rotation of everything that is due; returns what could not be begun, and why."""
    problems = enroll(assembly)
    now = assembly.clock.now()
    for row in assembly.journal.due(now, BATCH):
        spec = assembly.config.credentials.get(row.name)
        if spec is None:
            continue
        allowed = may_act(spec.policy, now)
        try:
            if isinstance(allowed, Closed):
                assembly.journal.save(replace(row, next_due=allowed.until), now, Change())
            else:
                assembly.world_of(spec)
                starting.start(spec, assembly.journal, assembly.ids, assembly.clock, mode=Mode.SCHEDULED, reason="due")
        except Fenced:
            continue
        except (ConfigError, Failure) as error:
            problems[row.name] = (error.message, error.hint)
    return problems


def tidy(assembly: Assembly, *, force: bool = False) -> tuple[tuple[str, str], ...]:
    """Reconcile if it is time, and close a checkpoint; returns (credential, line) for people."""
    lines: list[tuple[str, str]] = []
    if assembly.journal.older_than_world() is None and (force or _is_time(assembly)):
        lines = [line for result in reconcile_all(assembly) for line in in_words(result)]
        assembly.journal.remember(RECONCILED_AT, format_time(assembly.clock.now()))
    assembly.journal.checkpoint(assembly.clock.now())
    return tuple(lines)


def _is_time(assembly: Assembly) -> bool:
    latest = assembly.journal.recall(RECONCILED_AT)
    return latest is None or assembly.clock.now() - parse_time(latest) >= RECONCILE_EVERY


def reconcile_all(assembly: Assembly, *, revoke: bool = True) -> tuple[reconciling.Reconciled, ...]:
    """One pass over every credential. Stops at the first sign that the journal is older than the world."""
    results = []
    for name, spec in assembly.config.credentials.items():
        try:
            results.append(reconciling.reconcile(spec, assembly.world_of(spec), revoke=revoke))
        except JournalOlder as older:
            assembly.journal.set_older_than_world(older.message)
            raise
        except (ConfigError, Failure) as error:
            results.append(reconciling.Reconciled(credential=name, problems=(error.message,)))
    return tuple(results)


def in_words(result: reconciling.Reconciled) -> list[tuple[str, str]]:
    """What a pass found, a line each, with the command that helps."""
    name = result.credential
    lines = [(name, f"mended {where}") for where in result.mended]
    lines += [(name, f"revoked the orphan {key}") for key in result.revoked]
    lines += [(name, f"{key} looks like an orphan; revoked when seen again") for key in result.orphans]
    lines += [(name, f"{where} holds a foreign value: `rotator adopt {name}`") for where in result.foreign_values]
    lines += [(name, f"{key.id} is a foreign key and was not touched") for key in result.foreign_keys]
    return lines + [(name, problem) for problem in result.problems]
