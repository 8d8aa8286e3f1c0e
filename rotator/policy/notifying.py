"""Which of what happens is told to people, how loudly, with which command, and when it is over: the table.

Every word of `rotator.domain.vocabulary` is either in `ROWS` or in `NOBODY`, and so is every phase that matters to a
person; a word that is in neither fails tests/policy/test_notifying.py until somebody decides.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rotator.domain.notices import Notice, Severity
from rotator.domain.records import CredentialRow, Event, EventKind
from rotator.domain.rotation import ON_HOLD, Phase, Proof, Rotation, WaitFor


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is true now of a notice's subject. `row`: the newest rotation of the credential; None: there is none.

    `older`: the journal is older than the world. `closed`: the incident that it is about is closed.
    """

    row: Rotation | None = None
    credential: CredentialRow | None = None
    older: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is made of one word. `{name}` in the command is the subject, quoted for a shell.

    `over`: whether it is over by these facts; None: it has no end that anybody could see. `parts`: what of the words
    tells two such troubles of one credential apart.
    """

    severity: Severity
    what: str
    command: str
    over: Callable[[Facts], bool] | None = None
    parts: Callable[[str], str] = lambda words: ""


def _open(facts: Facts) -> Rotation | None:
    return facts.row if facts.row is not None and facts.row.open else None


def _moved_on(facts: Facts) -> bool:
    return facts.row is None or facts.row.phase is not Phase.STUCK


def _done_since(facts: Facts) -> bool:
    return facts.row is not None and facts.row.phase is Phase.DONE


def _gets_on(facts: Facts) -> bool:
    row = _open(facts)
    return row is None or row.failing_since is None


def _no_person(facts: Facts) -> bool:
    """Whether no rotation waits for a person any more."""
    row = _open(facts)
    return row is None or row.waiting is None or row.waiting.for_ is not WaitFor.PERSON


def _nothing_to_delete(facts: Facts) -> bool:
    row = _open(facts)
    return row is None or not any(each.waits_for_a_person for each in row.old_keys)


def _everybody_told(facts: Facts) -> bool:
    row = _open(facts)
    return row is None or all(each.trouble is None for each in row.consumers)


def _not_adrift(facts: Facts) -> bool:
    return facts.credential is None or not facts.credential.drift


def _young(facts: Facts) -> bool:
    return not facts.older


def _closed(facts: Facts) -> bool:
    return facts.closed


def _released(facts: Facts) -> bool:
    return _open(facts) is None or facts.credential is None or not facts.credential.held


def _ended(facts: Facts) -> bool:
    return _open(facts) is None


def _whole(words: str) -> str:
    return words


def _first_word(words: str) -> str:
    return words.partition(" ")[0]


CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
# Names of what is no single word of the trail: a phase that was entered, how a rotation ended, or that it is held.
STUCK, BACK, UNPROVEN, HELD = "stuck", "rolled back", "not proven", "on hold"
TEST = "test"

ROWS: Final[Mapping[str, Row]] = {
    # word: how loudly, what happened, what mends it, when it is over
    STUCK: Row(severity=CRITICAL, what="a rotation is stuck", command="rotator resume {name}", over=_moved_on),
    BACK: Row(severity=WARNING, what="a rotation went back", command="rotate {name}", over=_done_since),
    UNPROVEN: Row(severity=CRITICAL, what="an old key is not proven dead", command="rotator prove {name}"),
    "does not get on": Row(
        severity=WARNING, what="a rotation does not get on", command="rotator status {name}", over=_gets_on
    ),
    # a person is waited for
    HELD: Row(severity=WARNING, what="an open rotation is on hold", command="rotator release {name}", over=_released),
    "needs a key": Row(
        severity=WARNING, what="a person has to make a key", command="rotator provide {name}", over=_no_person
    ),
    "needs a deletion": Row(
        severity=WARNING,
        what="a person has to delete a key",
        command="rotator status {name}",
        over=_nothing_to_delete,
        parts=_whole,
    ),
    "exposed until a person acts": Row(
        severity=CRITICAL, what="exposed until a person acts", command="rotator provide --next", over=_no_person
    ),
    "handed over and not taken": Row(
        severity=WARNING, what="a key that was handed over was refused", command="rotator provide {name}"
    ),
    "overlap over": Row(
        severity=WARNING, what="an old key is still used", command="rotator status {name}", over=_no_person
    ),
    # a thief, or somebody who looks like one
    "stranger's use": Row(
        severity=CRITICAL,
        what="an old key is used although every consumer has the new one",
        command="rotate {name} --assume-compromise",
        over=_ended,
    ),
    "foreign value": Row(
        severity=CRITICAL,
        what="a store holds a value that nobody here wrote",
        command="rotator adopt {name}",
        parts=_whole,
    ),
    "foreign key spared": Row(
        severity=WARNING, what="a foreign key was not revoked", command="rotator status {name}", parts=_whole
    ),
    "leak reported": Row(
        severity=CRITICAL,
        what="a leak was reported",
        command="rotator incident plan {name}",
        over=_closed,
        parts=_whole,
    ),
    # what is not as it should be
    "left behind": Row(
        severity=WARNING, what="a store was left behind", command="rotator sync {name}", over=_not_adrift, parts=_whole
    ),
    "foreign value stays": Row(
        severity=WARNING, what="a foreign value was left alone", command="rotator adopt {name}", parts=_whole
    ),
    "cannot contain": Row(
        severity=WARNING,
        what="the provider cannot disable an exposed key",
        command="rotator status {name}",
        over=_ended,
        parts=_whole,
    ),
    "not kept yet": Row(
        severity=WARNING, what="no store takes an exposed key's value", command="rotator check", over=_ended
    ),
    "another installation": Row(
        severity=WARNING,
        what="a store holds a pending value of another installation",
        command="rotator status {name}",
        parts=_whole,
    ),
    "consumer not told": Row(
        severity=WARNING,
        what="a consumer could not be told",
        command="rotator status {name}",
        over=_everybody_told,
        parts=_first_word,
    ),
    "acknowledgement refused": Row(
        severity=WARNING,
        what="a consumer acknowledged another key",
        command="rotator status {name}",
        over=_ended,
        parts=_first_word,
    ),
    "adopted": Row(
        severity=WARNING, what="an adoption found other living keys", command="rotator status {name}", parts=_whole
    ),
    "reconciled": Row(
        severity=WARNING, what="the reconciler found something", command="rotator reconcile", parts=_whole
    ),
    "journal older than the world": Row(
        severity=CRITICAL,
        what="the journal is older than the world: nothing is rotated and nothing revoked",
        command="rotator reconcile --rebuild",
        over=_young,
    ),
    # the service
    "about to be too old": Row(severity=WARNING, what="a key is about to be too old", command="rotator why {name}"),
    "too old": Row(severity=CRITICAL, what="a key is too old", command="rotate {name}"),
    "cannot begin": Row(severity=WARNING, what="a rotation could not be begun", command="rotator why {name}"),
    "not adopted": Row(severity=WARNING, what="a credential was not adopted", command="rotator adopt {name}"),
    "driver would not start": Row(
        severity=CRITICAL, what="a configured driver would not start", command="rotator plugins list", parts=_whole
    ),
    "cannot look at the config": Row(
        severity=WARNING, what="the config's file could not be looked at", command="rotator config diff"
    ),
    "duty failed": Row(severity=WARNING, what="a duty of the service failed", command="rotator check", parts=_whole),
    "defect": Row(severity=WARNING, what="an error of the rotator itself", command="rotator status", parts=_whole),
    "redacted": Row(
        severity=CRITICAL, what="a value of a key stood in a line of the log", command="rotator log export"
    ),
    "cannot listen": Row(
        severity=CRITICAL, what="the API or the metrics cannot be had", command="rotator check", parts=_whole
    ),
    "journal away": Row(severity=CRITICAL, what="the journal does not answer", command="rotator check"),
    "journal back": Row(severity=INFO, what="the journal answers again", command="rotator status"),
    "paused": Row(severity=INFO, what="scheduled rotations are paused", command="rotator pause --end"),
    "pause over": Row(severity=INFO, what="scheduled rotations begin again", command="rotator status"),
    # its API
    "break-glass": Row(
        severity=CRITICAL, what="a token for an hour was made on the host", command="rotator token list", parts=_whole
    ),
    "logins refused": Row(severity=WARNING, what="too many logins failed", command="rotator token list", parts=_whole),
    "no sign-in": Row(
        severity=WARNING, what="nobody can sign in at the provider", command="rotator check", parts=_whole
    ),
    "request failed": Row(severity=WARNING, what="a request met a defect", command="rotator status", parts=_whole),
    # its config
    "config waits": Row(
        severity=WARNING, what="a change of the config waits", command="rotator config diff", parts=_whole
    ),
    "config approved": Row(
        severity=INFO, what="a config was put in force", command="rotator config diff", parts=_whole
    ),
    "bad config": Row(severity=WARNING, what="the config's file is none", command="rotator check", parts=_whole),
    "approved config not believed": Row(
        severity=CRITICAL, what="the approved config is not believed", command="rotator config diff", parts=_whole
    ),
    "no longer rotated": Row(
        severity=WARNING, what="a credential is gone from the config", command="rotator config diff"
    ),
}
"""What is told, and how."""

COUNTERPARTS: Final = {
    "journal away": "journal back",
    "journal back": "journal away",
    "paused": "pause over",
    "pause over": "paused",
}
"""Of what ends another, and the other way round: the later one makes the earlier one news the next time."""

NOBODY: Final = frozenset(
    {
        # as it should be
        *("begin", "phase", "emergency joins", "superseded", "mint", "contain", "disable", "delete"),
        *("clean up", "end sessions"),
        *("make room", "withdraw", "empty slot", "sweep", "revoke", "revoke foreign", "revoke orphan"),
        *("open escrow", "save in escrow", "keep previous", "stage", "promote", "finish promotion", "put back"),
        *("rewrite", "mend", "mended", "drop pending", "drop value", "tell", "proven", "foreign key gone"),
        *("written again", "stray in use", "handed over"),
        # told by the alert that stands beside it
        "asked for a key",
        # a person typed it
        *("adopt", "hold", "release", "resume", "rollback", "provide", "acknowledge", "rebuild", "restore"),
        *("recorded", "verified"),
        # passes by itself
        "lease over",
        # a person typed it on the host
        *("token made", "token revoked"),
        # as the service should be
        *("serving", "stopping", "reloading", "config applied"),
        # whoever reads notices would be told of it by what does not work
        "notice not delivered",
        "checkpoint",
    }
)
"""Words that nobody is told of, with the reason."""

UNKNOWN: Final = Row(severity=WARNING, what="an alert", command="rotator status {name}", parts=_whole)
"""Of an alert with a word that is not there: somebody is told."""

LONGEST_ABOUT = 200
"""Characters that tell two troubles apart."""
_GLOBAL = frozenset({"journal older than the world"})
"""What is said of a credential and is about all of them."""

_PHASES: Final[Mapping[Phase, str]] = {Phase.STUCK: STUCK, Phase.ROLLING_BACK: BACK, Phase.ROLLED_BACK: BACK}
TOLD_BY_EVENT: Final = frozenset(
    {
        *("left behind", "foreign value stays", "cannot contain", "not kept yet", "another installation"),
        *("handed over and not taken", "foreign key spared"),
    }
)
"""Words of the trail that come with no alert."""


def of_alert(action: str, subject: str, message: str, at: datetime) -> Notice | None:
    """The notice of an alert; None where nobody is told."""
    return None if action in NOBODY else _notice(action, subject, message, "", at)


def of_commit(row: Rotation, events: Sequence[Event], at: datetime) -> Iterator[Notice]:
    """The notices of one commit."""
    for event in events:
        if event.kind is EventKind.PHASE and event.action == "phase":
            kind = _entered(row, event)
            if kind is not None:
                problem = row.problem
                words, hint = (problem.message, problem.hint) if problem is not None else ("", "")
                yield _notice(kind, row.credential, words if kind != UNPROVEN else "", hint, at)
        elif event.action in TOLD_BY_EVENT and event.kind is not EventKind.INTENT:
            words = ": ".join(filter(None, (event.subject, event.detail.get("why", ""))))
            yield _notice(event.action, row.credential, words, "", at)


def _entered(row: Rotation, event: Event) -> str | None:
    """The kind of a phase that was entered, as far as a person is told of it."""
    if event.subject == Phase.DONE.value:
        unproven = any(old.proof in (None, Proof.UNPROVEN) for old in row.old_keys)
        return UNPROVEN if unproven else None
    known = {phase.value: kind for phase, kind in _PHASES.items()}
    return known.get(event.subject)


def _notice(kind: str, subject: str, words: str, hint: str, at: datetime) -> Notice:
    row = ROWS.get(kind, UNKNOWN)
    return Notice(
        kind=kind,
        severity=row.severity,
        subject="" if kind in _GLOBAL else subject,
        what=row.what,
        words=words,
        hint=hint,
        command=row.command.replace("{name}", shlex.quote(subject)) if subject else row.command.replace(" {name}", ""),
        at=at,
        about=about(kind, words),
    )


def about(kind: str, words: str) -> str:
    """What of the words tells two troubles of this kind and of one subject apart."""
    return ROWS.get(kind, UNKNOWN).parts(words)[:LONGEST_ABOUT]


def is_over(notice: Notice, facts: Facts) -> bool:
    """Whether what was told is over, by what is true now; False for what has no end that anybody could see."""
    over = ROWS.get(notice.kind, UNKNOWN).over
    return over is not None and over(facts)


def has_an_end(kind: str) -> bool:
    """Whether there can be a notice that it is over."""
    return ROWS.get(kind, UNKNOWN).over is not None


def standing(row: Rotation, at: datetime, *, held: bool = False, older: str | None = None) -> Notice | None:
    """What a rotation that stands so is to be told of, for what was committed while nobody listened.

    `held`: its credential is on hold, or was until just now where this is False. `older`: what is said where the
    journal is older than the world, which has a notice of its own.
    """
    if row.phase is Phase.STUCK:
        problem = row.problem
        words, hint = (problem.message, problem.hint) if problem is not None else ("", "")
        return _notice(STUCK, row.credential, words, hint, at)
    waiting = row.waiting
    if not row.open or waiting is None or waiting.for_ is not WaitFor.PERSON:
        return None
    if waiting.note == older:
        return None
    if waiting.note == ON_HOLD:
        return _notice(HELD, row.credential, "", "", at) if held else None
    if row.rules.emergency:
        return _notice("exposed until a person acts", row.credential, waiting.note, "", at)
    if any(each.waits_for_a_person for each in row.old_keys):
        return _notice("needs a deletion", row.credential, waiting.note, "", at)
    return _notice("needs a key" if row.new_key is None else "overlap over", row.credential, waiting.note, "", at)
