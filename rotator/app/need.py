"""One thing that needs a person, and how it is made by the table of notifications."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from rotator.config.recognise import secrets_hidden
from rotator.domain.notices import Notice, Severity
from rotator.policy import notifying

LONGEST = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Act(StrEnum):
    """What a button does about it."""

    RESUME = "resume"
    RELEASE = "release"
    ROTATE = "rotate"
    APPROVE = "approve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing. `kind`: the table's word. `since`: None where nobody knows. `more`: so many others of its kind.

    Of `credential`, `rotation` and `incident` those that it is about are not empty. `act`: None where a button is of no
    use and the command is what helps.
    """

    kind: str
    severity: Severity
    what: str
    words: str
    hint: str
    command: str
    since: datetime | None
    credential: str = ""
    rotation: str = ""
    incident: str = ""
    act: Act | None = None
    more: int = 0
    nowhere: bool = False
    """No page tells of its credential."""

    @property
    def order(self) -> tuple[int, int, float]:
        """The loudest first; of these what may be a thief's work or blocks everything; of these what waits longest."""
        loud = [Severity.CRITICAL, Severity.WARNING, Severity.INFO].index(self.severity)
        return loud, _RANKS.get(self.kind, 2), self.since.timestamp() if self.since else float("inf")


_RANKS = {
    **dict.fromkeys(("incident", "journal older than the world", "break-glass"), 0),
    **dict.fromkeys(("exposed until a person acts", "stranger's use", notifying.STUCK), 1),
}
"""What may be a thief's work, or stops everything; then what does not end by itself; then all else."""
ACTS = {
    notifying.STUCK: Act.RESUME,
    notifying.HELD: Act.RELEASE,
    "on hold": Act.RELEASE,
    "too old": Act.ROTATE,
    "about to be too old": Act.ROTATE,
    notifying.BACK: Act.ROTATE,
    "config waits": Act.APPROVE,
}


def made(kind: str, subject: str, words: str, since: datetime | None, *, hint: str = "") -> Need:
    """By the table of notifications."""
    at = since or EPOCH
    notice = notifying.of_alert(kind, subject, words, at) or Notice(
        kind=kind,
        severity=Severity.WARNING,
        subject=subject,
        what=kind,
        words=words,
        hint="",
        command=f"rotator status {subject}".rstrip(),
        at=at,
        about="",
    )
    return replace(need_of(replace(notice, hint=hint), since), credential=subject)


def need_of(notice: Notice, since: datetime | None) -> Need:
    """What a notice tells of, bounded; what looks like a key is left out."""
    return Need(
        kind=notice.kind,
        severity=notice.severity,
        what=notice.what,
        words=secrets_hidden(notice.words[: 2 * LONGEST])[:LONGEST],
        hint=secrets_hidden(notice.hint[: 2 * LONGEST])[:LONGEST],
        command=notice.command,
        since=since,
        act=ACTS.get(notice.kind),
    )
