"""A notice: what a person is told outside of any command, with the command that mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256


class Severity(StrEnum):
    """How much it matters when somebody reads it."""

    INFO = "info"  # worth knowing
    WARNING = "warning"  # somebody must look, in working hours
    CRITICAL = "critical"  # somebody must act now

    @property
    def rank(self) -> int:
        """The greater, the worse."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notice. `kind`: a word of `rotator.policy.notifying`; `subject`: whose it is, mostly a credential's name.

    `what` happened and the `command` that mends it are our own words; `words` and `hint`, what was said to it, may come
    from a provider, a file or a person, and are data. `about`: what tells two of the same kind and subject apart.
    `over`: this is the end of one that was told before. `stands_for`: those that this one sums up. None of it holds a
    value of a key.
    """

    kind: str
    severity: Severity
    subject: str
    what: str
    command: str
    at: datetime
    words: str = ""
    hint: str = ""
    owner: str = ""
    about: str = ""
    over: bool = False
    stands_for: tuple[Notice, ...] = field(default=(), repr=False)

    @property
    def key(self) -> str:
        """Equal for the same trouble, however often it is noticed; also for its end. 24 hexadecimal digits."""
        parts = (self.kind, self.subject, self.about)
        return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:24]

    @property
    def each(self) -> tuple[Notice, ...]:
        """The notices that are in it."""
        return self.stands_for or (self,)

    def ended(self, at: datetime) -> Notice:
        """The same trouble, over."""
        return replace(self, over=True, at=at)


SEVERAL = "several"
"""The kind of a notice that sums others up."""
_NAMED, _KINDS = 5, 8
"""So many subjects of a kind and so many kinds are written out."""


def summed_up(notices: Sequence[Notice]) -> Notice:
    """One notice for all of these, at least one: the worst severity, and of each kind how many and some of whose."""
    kinds: dict[tuple[bool, str], list[Notice]] = {}
    for each in sorted(notices, key=lambda each: (each.over, -each.severity.rank)):
        kinds.setdefault((each.over, each.kind), []).append(each)
    parts = [_of_a_kind(kind, over, those) for (over, kind), those in list(kinds.items())[:_KINDS]]
    more = len(kinds) - _KINDS
    owners = {each.owner for each in notices}
    return Notice(
        kind=SEVERAL,
        severity=max((each.severity for each in notices), key=lambda each: each.rank),
        subject="",
        what=f"{len(notices):,} notices",
        words="; ".join(parts) + (f"; and {more} other kinds" if more > 0 else ""),
        command="rotator status",
        at=max(each.at for each in notices),
        owner=owners.pop() if len(owners) == 1 else "",
        about="\0".join(sorted(each.key for each in notices)),
        over=all(each.over for each in notices),
        stands_for=tuple(notices),
    )


def _of_a_kind(kind: str, over: bool, those: Sequence[Notice]) -> str:
    names = list(dict.fromkeys(each.subject for each in those))
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{len(those):,} × {'over: ' if over else ''}{kind} ({', '.join(names[:_NAMED])}{more})"
