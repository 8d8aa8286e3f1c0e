"""What the rotator writes on a consumers' secret beside its versions, and which version that makes the current one.

Two kinds of readers look at one secret: those of `latest`, which is the newest version whatever anybody meant by it,
and those of the alias. Between the two requests that adding a version and moving the alias are, or when somebody else
did only one of them, they read different versions. What is *current* then is whatever is not as the last settled write
left it, so that a change by others is always seen; and of a write of ours that was not finished, what was current
before it, so that it is written again. docs/decisions/2026-11-25-gcp-store.md walks through it crash by crash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

WROTE, WRITING = "rotator-wrote", "rotator-writing"
FIRST = "1:0"
"""The claim of whoever makes the secret."""

LONGEST = 50
"""Of so many versions of ours the numbers are kept; older ones were destroyed long ago."""

_NUMBERS = re.compile(r"[0-9]{1,18}(?:,[0-9]{1,18})*")
_CLAIM = re.compile(r"([0-9]{1,18}):([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Claim:
    """A write that was begun: the number that its version was to have, and what was current before it."""

    number: int
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The secret's resource without its versions: the etag that guards it, the aliases and our two annotations."""

    etag: str
    aliases: Mapping[str, int]
    annotations: Mapping[str, str]
    alias: str

    @property
    def aliased(self) -> int | None:
        """Where our alias points."""
        return self.aliases.get(self.alias)

    @property
    def wrote(self) -> tuple[int, ...]:
        """The versions of settled writes of ours, oldest first."""
        text = self.annotations.get(WROTE, "")
        return tuple(int(each) for each in text.split(",")) if _NUMBERS.fullmatch(text) else ()

    @property
    def known(self) -> int:
        """The highest number that a version is known to have, 0 for none: `latest` may lag behind it."""
        return max((0, *self.aliases.values(), *self.wrote))

    @property
    def claim(self) -> Claim | None:
        """The write that was begun and has not ended, if any."""
        match = _CLAIM.fullmatch(self.annotations.get(WRITING, ""))
        return Claim(int(match[1]), int(match[2])) if match else None

    def unfinished(self, newest: int) -> Claim | None:
        """The claim of a write whose version is there, while the alias was not moved to it."""
        claim = self.claim
        return claim if claim and newest >= claim.number and self.aliased != newest else None

    def current(self, newest: int) -> int:
        """The number of the current version, 0 for none, where `newest` is the number of `latest`."""
        claim, aliased = self.unfinished(newest), self.aliased
        if claim:
            return claim.before
        if aliased is None or aliased == (self.wrote or (None,))[-1]:
            return newest
        return aliased

    def claimed(self, newest: int) -> Marks:
        """As they are while the next version is written."""
        writing = f"{newest + 1}:{self.current(newest)}"
        return replace(self, annotations={**self.annotations, WRITING: writing})

    def settled(self, number: int) -> Marks:
        """As they are when that version is everybody's."""
        wrote = ",".join(str(each) for each in (*self.wrote, number)[-LONGEST:])
        kept = {**self.unclaimed().annotations, WROTE: wrote}
        return replace(self, annotations=kept, aliases={**self.aliases, self.alias: number})

    def unclaimed(self) -> Marks:
        """Without the claim."""
        return replace(self, annotations={name: text for name, text in self.annotations.items() if name != WRITING})
