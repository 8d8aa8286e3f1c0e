"""What needs a person now, as the journal and the config tell it: the same words and commands as notifications have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice, takewhile

from rotator.app import pausing, standing
from rotator.app.ageing import Ageing, ageing_of
from rotator.app.assembly import Assembly
from rotator.app.findings_kept import recall_found
from rotator.app.housekeeping import AGAIN
from rotator.app.incidents import recall, remembered
from rotator.app.need import ACTS, LONGEST, Need, made, need_of
from rotator.app.not_begun import not_begun
from rotator.app.one_credential import told_of
from rotator.app.seeing import Scope
from rotator.app.surveying import State, Survey
from rotator.app.tokens import broken_glass, glass_words
from rotator.config.errors import ConfigError
from rotator.config.recognise import secrets_hidden
from rotator.domain.failures import Permanent
from rotator.domain.figures import Figures
from rotator.domain.notices import Severity
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import Phase, Rotation
from rotator.domain.times import format_time
from rotator.policy import notifying
from rotator.ports import Accounts

MOST_OF_A_KIND = 50
"""Needs of one kind that are told each; of more it is said how many there are."""
MOST_LOOKED_AT, MOST_DUE, MOST_OLD = 1000, 200, 200
NEAR = 0.5
"""Of keys that are younger, by their share of what is allowed, only those are looked at that are due."""
SLOW = timedelta(minutes=30)
"""An open rotation younger than this is never late: a key is due an hour before it is too old."""
OF_THE_SERVICE = ("config waits", "bad config", "driver would not start")
"""What the service's duties found; whose they are is nobody's alone."""


def needs(assembly: Assembly, scope: Scope, survey: Survey | None, amiss: Sequence[CredentialRow]) -> tuple[Need, ...]:
    """All of it that somebody sees, the loudest first. Raises what the journal does.

    `survey`: tells of those that were not adopted, as far as it is there. `amiss`: what is held or was left behind.
    """
    now = assembly.clock.now()
    seen = (each for each in _all(assembly, scope, survey, amiss, now) if _seen(assembly, scope, each))
    found = bounded([_gone(each) if _is_gone(assembly, each.credential) else each for each in seen])
    return tuple(sorted(_told(assembly, list(found)), key=lambda each: each.order))


def needs_of(assembly: Assembly, row: CredentialRow, open_row: Rotation | None) -> tuple[Need, ...]:
    """Those of one credential."""
    now, journal = assembly.clock.now(), assembly.journal
    rows, held = [open_row] if open_row is not None else [], {row.name: row} if row.held else {}
    found = [*_of_rotations(rows, held, journal.older_than_world(), now)]
    found += _of_rows([row], {each.credential for each in rows})
    stuck = open_row is not None and open_row.phase is Phase.STUCK
    for each in ageing_of(assembly, [row] if not stuck else []):
        found.append(_late(each) if open_row is None else replace(_late(each), act=None))
    if _is_gone(assembly, row.name):
        found = [_gone(each) for each in found]
    return tuple(sorted(found, key=lambda each: each.order))


def _is_gone(assembly: Assembly, name: str) -> bool:
    return bool(name) and name not in assembly.config.credentials and name not in assembly.config.broken


def _gone(need: Need) -> Need:
    words = f"the config has it no more; {need.words}" if need.words else "the config has it no more"
    return replace(need, words=words, act=None)


def _told(assembly: Assembly, found: Sequence[Need]) -> Iterator[Need]:
    told = told_of(assembly, {each.credential for each in found if each.credential})
    for each in found:
        yield each if not each.credential or each.credential in told else replace(each, nowhere=True)


def _seen(assembly: Assembly, scope: Scope, need: Need) -> bool:
    return not need.credential or scope.sees(assembly.config, need.credential)


def _all(
    assembly: Assembly, scope: Scope, survey: Survey | None, amiss: Sequence[CredentialRow], now: datetime
) -> Iterator[Need]:
    opened = assembly.opened
    if not isinstance(opened, Accounts):
        raise Permanent("this journal tells no numbers")
    figures, older = opened.figures(), opened.older_than_world()
    rows = opened.open_rotations()
    held = {row.name: row for row in amiss if row.held}
    yield from _of_rotations(rows, held, older, now)
    yield from _of_rows(amiss, {row.credential for row in rows})
    yield from _ages(assembly, rows, held.values(), _oldest(survey, scope), now)
    yield from _not_begun(assembly, now)
    yield from _unproven(figures)
    yield from _broken(assembly)
    if survey is not None:
        yield from _not_adopted(assembly, scope, survey)
    yield from _incidents(assembly, scope)
    yield from _of_all(assembly, scope, older, now)
    if scope.owners is None:
        yield from _of_the_service(assembly, now)


def _of_rotations(
    rows: Iterable[Rotation], held: dict[str, CredentialRow], older: str | None, now: datetime
) -> Iterator[Need]:
    for row in rows:
        notice = notifying.standing(row, row.since, held=row.credential in held, older=older)
        if notice is not None:
            yield replace(need_of(notice, row.since), credential=row.credential, rotation=row.id)
        elif row.phase in (Phase.ROLLING_BACK, Phase.WITHDRAWING):
            problem = row.problem
            words = problem.message if problem else ""
            back = made(notifying.BACK, row.credential, words, row.since, hint=problem.hint if problem else "")
            yield replace(back, rotation=row.id, act=None)
        elif row.problem is not None and row.failing_since is not None and now - row.failing_since > SLOW:
            problem, kind = row.problem, "cannot begin" if row.phase is Phase.PLANNED else "does not get on"
            found = made(kind, row.credential, problem.message, row.failing_since, hint=problem.hint)
            yield replace(found, rotation=row.id, act=None)


def _of_rows(amiss: Iterable[CredentialRow], rotating: set[str]) -> Iterator[Need]:
    for row in amiss:
        if row.drift:
            yield made("left behind", row.name, ", ".join(row.drift), None)
        if row.held and row.name not in rotating:
            found = made("on hold", row.name, row.held_why or "nobody said why", None)
            what, command = "a credential is on hold", f"rotator release {row.name}"
            yield replace(found, severity=Severity.INFO, what=what, command=command)


def _ages(
    assembly: Assembly, rows: Sequence[Rotation], held: Iterable[CredentialRow], oldest: Sequence[str], now: datetime
) -> Iterator[Need]:
    """Late keys are among those that are due, on hold, or in the middle of a rotation; and among the oldest of all.

    A closed window, a freeze and what could not be begun move the next time ahead, and the key is as late as before.
    """
    journal = assembly.journal
    slow = [row.credential for row in rows if _is_slow(row, now)][:MOST_LOOKED_AT]
    begun = {row.credential for row in rows} - set(slow)
    late = {row.name: row for row in (*journal.due(now, MOST_DUE), *held)}
    late |= {row.name: row for row in journal.credentials_among({*slow, *oldest} - late.keys() - begun)}
    for each in ageing_of(assembly, late.values()):
        yield replace(_late(each), act=None) if each.credential in slow else _late(each)


def _oldest(survey: Survey | None, scope: Scope) -> Sequence[str]:
    """Those of the survey that may be late, the oldest first."""
    if survey is None:
        return ()
    aged = (each for each in survey.seen(scope) if each.share is not None)  # the oldest come first
    near = takewhile(lambda each: each.share is not None and each.share > NEAR, aged)
    return [each.name for each in islice(near, MOST_OLD)]


def _not_begun(assembly: Assembly, now: datetime) -> Iterator[Need]:
    for each in not_begun(assembly.journal, now, AGAIN):
        yield replace(made("cannot begin", each.subject, each.words, each.since), act=None)


def _is_slow(row: Rotation, now: datetime) -> bool:
    """Of one that is stuck it is said already, and with what helps."""
    return not row.beyond_pivot and row.phase is not Phase.STUCK and now - row.started_at > SLOW


def _late(each: Ageing) -> Need:
    kind = "too old" if each.missed else "about to be too old"
    until = "since" if each.missed else "it must be replaced by"
    words = f"{each.why}; {until} {format_time(each.deadline.latest.replace(microsecond=0))}"
    return made(kind, each.credential, words, each.deadline.due, hint=each.mend.replace("`", ""))


def _unproven(figures: Figures) -> Iterator[Need]:
    for name, counted in figures.unproven.items():
        keys = "1 old key" if counted.number == 1 else f"{counted.number} old keys"
        yield made(notifying.UNPROVEN, name, f"{keys}: nobody can say whether it still opens anything", counted.at)


def _broken(assembly: Assembly) -> Iterator[Need]:
    for name, error in assembly.config.broken.items():
        found = made("bad config", name, error.message, None, hint=error.hint)
        yield replace(found, what="an entry of the config cannot be used", command="rotator check")


def _not_adopted(assembly: Assembly, scope: Scope, survey: Survey) -> Iterator[Need]:
    if not survey.counts(scope).of.get(State.UNKNOWN):
        return
    why = {each.subject: each for each in standing.recall(assembly.journal, "not adopted")}
    names = (each.name for each in survey.seen(scope) if each.state is State.UNKNOWN)
    more = survey.counts(scope).of.get(State.UNKNOWN, 0) - MOST_OF_A_KIND
    for number, name in enumerate(islice(names, MOST_OF_A_KIND), 1):
        trouble = why.get(name)
        words = trouble.words if trouble else "nobody knows its key, nor how old it is"
        found = made("not adopted", name, words, trouble.since if trouble else None)
        yield replace(found, more=max(more, 0)) if number == MOST_OF_A_KIND else found


def _incidents(assembly: Assembly, scope: Scope) -> Iterator[Need]:
    for incident in remembered(assembly.journal):
        try:
            record = recall(assembly.journal, incident)
        except ConfigError as error:
            record, words, since = None, error.message, None
        else:
            if record is None or record.closed is not None:
                continue
            names = scope.among(assembly.config, record.names)
            if not names and scope.owners is not None:
                continue
            many = "1 credential" if len(names) == 1 else f"{len(names)} credentials"
            reason = f": {record.reason}" if record.reason and scope.owners is None else ""
            words, since = f"{many}{reason}", record.opened_at
        yield Need(
            kind="incident",
            severity=Severity.CRITICAL,
            what="an incident is open",
            words=secrets_hidden(words)[:LONGEST],
            hint="" if record is None or record.contained_at else "nobody said that it is contained",
            command=f"rotator incident plan {incident}",
            since=since,
            incident=incident,
        )


def _of_all(assembly: Assembly, scope: Scope, older: str | None, now: datetime) -> Iterator[Need]:
    """What is true of everything, and everybody sees."""
    if older is not None:
        yield made("journal older than the world", "", older if scope.owners is None else "", None)  # it names some
    pause = pausing.pause_of(assembly.journal, now)
    if pause is not None:
        until = f"until {format_time(pause.until.replace(microsecond=0))}" if pause.until else "until somebody ends it"
        words = f"{until}: {pause.why}" if pause.why else until
        yield made("paused", "", words, pause.since)


def _of_the_service(assembly: Assembly, now: datetime) -> Iterator[Need]:
    for kind in OF_THE_SERVICE:
        for each in standing.recall(assembly.journal, kind):
            words = f"{each.subject}: {each.words}"
            yield replace(made(kind, "", words, each.since), act=ACTS.get(kind))
    for token in broken_glass(assembly):
        yield replace(made("break-glass", "", glass_words(token), token.created_at), act=None)
    found = recall_found(assembly.journal)
    for provider, number in found.foreign.items():
        if number:
            keys = "1 key" if number == 1 else f"{number} keys"
            need = made("reconciled", "", f"{provider} has {keys} that no credential has", found.at)
            yield replace(need, what="keys that nobody here knows", command="rotator reconcile", severity=Severity.INFO)


def bounded(found: Iterable[Need]) -> Iterator[Need]:
    """Of each kind not more than can be read; the last one says how many there are besides."""
    kinds: dict[str, list[Need]] = {}
    for each in found:
        kinds.setdefault(each.kind, []).append(each)
    for several in kinds.values():
        several.sort(key=lambda each: each.order)
        more = max(len(several) - MOST_OF_A_KIND, 0) + sum(each.more for each in several)
        *shown, last = (replace(each, more=0) for each in several[:MOST_OF_A_KIND])
        yield from shown
        yield replace(last, more=more)
