"""A report of leaked keys opens an incident and tells people. Nothing is rotated: a person pulls.

The values are matched by fingerprint, then by what stores hold, then by the providers' own word (`Leaks`), and kept
nowhere. By the fingerprints the same report is known again, whoever hands it in and however often.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from rotator.adapters.leak_reports import KINDS, LARGEST, Finding, LeakReport, read_report
from rotator.app.assembly import Assembly
from rotator.app.incidents import keep, recall
from rotator.app.knowing import Match, Trouble
from rotator.app.leaking import TEXT, Leak, Leaks
from rotator.app.opening import Asked, opened
from rotator.config.recognise import secrets_hidden
from rotator.domain.incidents import LEAKED, Incident
from rotator.domain.records import Event, EventKind
from rotator.ports import Journal

__all__ = ["KINDS", "LARGEST", "Intake", "LeakReport", "Unmanaged", "read_report", "take"]

KNOWN = "leak:"
"""Under this and a fingerprint the journal remembers the incident that a leaked value is in."""
SHOWN = 20
PLACE, RULE = 200, 60
"""Characters of what a report says."""
UNSURE = "nobody can say whose it is, or whether it is dead"
HIDDEN = "the report hides its value: nobody can say whose it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmanaged:
    """A key that no credential here has. `what` it is and `revoke`, where a person ends it; `where` it was found."""

    what: str
    revoke: str
    where: str


@dataclass(slots=True, kw_only=True)
class Intake:
    """What became of a report. `exposed`: living keys by credential; `places`: where each was found.

    `dead`: proven dead already. `doubtful`: of these nobody can say, with the reason. `strangers`: values of no form
    and of nobody here. `leaked`: the exposed keys, and `unproven` what is doubtful of deleted ones, by `_who` they are.
    `incident` None: nothing lives that anybody knows of. `new`: it was opened or enlarged now.
    """

    by: str
    exposed: dict[str, dict[str, None]] = field(default_factory=dict)
    places: dict[str, dict[str, None]] = field(default_factory=dict)
    unmanaged: list[Unmanaged] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    leaked: dict[str, None] = field(default_factory=dict)
    unproven: dict[str, str] = field(default_factory=dict)
    strangers: int = 0
    not_asked: dict[Trouble, None] = field(default_factory=dict)
    incident: Incident | None = None
    new: bool = False

    @property
    def complete(self) -> bool:
        """Whether of every finding it is known whose it is."""
        return not self.doubtful and not self.not_asked

    def words(self) -> str:
        """What people are told, without a value."""
        parts = [f"{name} ({', '.join(keys)})" for name, keys in list(self.exposed.items())[:SHOWN]]
        said = [f"{self.by} found keys of {', '.join(parts)}"] if parts else []
        said += [f"{each.what}: revoke it: {each.revoke}" for each in self.unmanaged[:SHOWN]]
        if self.doubtful:
            said.append(f"of {len(self.doubtful)} nobody can say")
        command = f"rotate --incident {self.incident.id} --assume-compromise" if self.incident is not None else ""
        return "; ".join([*said, *([f"nothing was rotated: `{command}`"] if parts else [])])


def take(assembly: Assembly, report: LeakReport) -> Intake:
    """Open an incident for what lives, remember it, and raise the alert. Twice: the same incident, and no alert.

    A successor that leaks is another incident: the one of its predecessor is answered by the rotation that made it.
    Raises what the journal raises.
    """
    intake, leaks = Intake(by=report.by), Leaks(assembly)
    marks: dict[str, None] = {}
    seen: dict[str, None] = {}
    fingerprint = assembly.installation.fingerprinter().of_text
    for number, finding in enumerate(report.findings, 1):
        mark = fingerprint(finding.values[0].reveal(TEXT) if finding.values else finding.mark)
        if mark in seen and finding.values:
            continue
        seen[mark] = None
        shown = replace(finding, rule=_shown(finding.rule)[:RULE], where=_shown(finding.where))
        if _judge(assembly, intake, leaks, number, shown, mark):
            marks[mark] = None
    if report.unread:
        intake.doubtful.append(f"{report.unread} findings of the report cannot be understood")
    if report.more:
        intake.doubtful.append(f"{report.more} findings beyond the first {len(report.findings)} were not looked at")
    if marks:
        _open(assembly, intake, tuple(marks))
    return intake


def _shown(text: str) -> str:
    """What a report says, for people; a link or a file's name may hold another key than the one it is about."""
    return secrets_hidden(text)[:PLACE]


def _judge(assembly: Assembly, intake: Intake, leaks: Leaks, number: int, finding: Finding, mark: str) -> bool:
    """Sort one finding in; whether it is for the incident."""
    place = f" ({finding.where})" if finding.where else ""
    if not finding.values:
        intake.doubtful.append(f"{finding.rule or 'a finding'}{place}: {HIDDEN}")
        return True
    leak = _best(leaks, number, finding)
    if leak.matches:
        living = [_matched(assembly, intake, each, finding.where, mark) for each in leak.matches]
        return any(living)
    intake.not_asked.update(dict.fromkeys(leak.not_asked))
    if leak.foreign is not None:
        found = leak.foreign
        what = f"{found.key_id} at {found.provider}, which no credential has"
        revoke = found.console or f"in {found.provider}'s console"
        intake.unmanaged.append(Unmanaged(what=what, revoke=revoke, where=finding.where))
        return True
    if leak.form is None:
        intake.strangers += 1
        return False
    ends = f" ending in {leak.hint}" if leak.hint else ""
    revoke = leak.form.revoke or leak.form.admin
    what = f"what looks like a key of {leak.form.vendor}{ends}"
    intake.unmanaged.append(Unmanaged(what=what, revoke=revoke, where=finding.where))
    return True


def _best(leaks: Leaks, number: int, finding: Finding) -> Leak:
    """What is known of one value, by the cut of it that is known best."""
    found = [leaks.recognise(number, each) for each in finding.values]
    return max(found, key=lambda each: (bool(each.matches), each.foreign is not None, each.form is not None))


def _who(match: Match, mark: str) -> str:
    """What tells an exposed key from every other: where its id is not known, by its fingerprint."""
    return f"{match.credential} {match.key_id or mark}"


def _matched(assembly: Assembly, intake: Intake, match: Match, where: str, mark: str) -> bool:
    name, key = match.credential, match.key_id or "a key without a known id"
    if match.alive is False:
        if match.proven:
            intake.dead.append(f"{key} of {name} is proven dead")
            return False
        doubt = f"{key} of {name} was deleted and never proven dead: `rotator prove {name}`"
        intake.doubtful.append(doubt)
        intake.unproven[_who(match, mark)] = doubt
        return True
    if name not in assembly.config.credentials and name not in assembly.config.broken:
        what = f"{key} of {name}, which the config no longer has"
        intake.unmanaged.append(Unmanaged(what=what, revoke=f"in {match.provider}'s console", where=where))
        return True
    intake.exposed.setdefault(name, {})[key] = None
    intake.leaked[_who(match, mark)] = None
    if where:
        intake.places.setdefault(name, {})[where] = None
    return True


def _open(assembly: Assembly, intake: Intake, marks: Sequence[str]) -> None:
    journal, now = assembly.journal, assembly.clock.now()
    known = _known(journal, intake, marks)
    if known is not None and _unknown(intake, known).keys() <= known.unknown.keys():
        intake.incident = known
        return
    names, leaked = tuple(sorted(intake.exposed)), tuple(sorted(intake.leaked))
    asked = Asked(names=names, leaked=leaked, reason=f"leak reported by {intake.by}")
    incident = known or opened(assembly, asked)
    notes = dict.fromkeys((*incident.notes, *_notes(intake)))
    unknown = {**incident.unknown, **_unknown(intake, incident)}
    intake.incident = replace(incident, notes=tuple(notes), unknown=unknown)
    intake.incident = replace(intake.incident, said=intake.words())
    intake.new = True
    keep(journal, intake.incident)
    for mark in marks:
        journal.remember(f"{KNOWN}{mark}", incident.id)
    for name, keys in intake.exposed.items() if known is None else ():
        detail = {"incident": incident.id, "by": intake.by}
        kind = EventKind.OBSERVATION
        journal.note(name, [Event(kind=kind, action="leak reported", subject=key, detail=detail) for key in keys], now)
    assembly.told.alert("leak reported", incident.id, intake.incident.said)


def _known(journal: Journal, intake: Intake, marks: Sequence[str]) -> Incident | None:
    """The open incident that all of these values are in, if it is about every key that is exposed now."""
    before = {journal.recall(f"{KNOWN}{mark}") for mark in marks}
    known = next(iter(before)) if len(before) == 1 else None
    record = recall(journal, known) if known is not None else None
    if record is None or record.closed is not None or not intake.leaked.keys() <= set(record.leaked):
        return None
    return record


def _unknown(intake: Intake, incident: Incident) -> dict[str, str]:
    """What nobody can say; not of keys that the incident is about: what became of those its rotations say."""
    unknown = {f"{LEAKED}{each.what}": f"revoke it: {each.revoke}" for each in intake.unmanaged}
    answered = {doubt for who, doubt in intake.unproven.items() if who in incident.leaked}
    return unknown | {f"{LEAKED}{each}": UNSURE for each in intake.doubtful if each not in answered}


def _notes(intake: Intake) -> Iterator[str]:
    """What stays with the incident."""
    for name, places in intake.places.items():
        yield f"a key of {name} was found at {', '.join(list(places)[:SHOWN])}"
    for each in intake.unmanaged[:SHOWN]:
        yield f"{each.what}{f', found at {each.where}' if each.where else ''}: revoke it: {each.revoke}"
    yield from intake.doubtful[:SHOWN]
