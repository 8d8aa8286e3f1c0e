"""Which keys are in files, archives and texts: managed ones by fingerprint, others by their form. Never a value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rotator.adapters.finding.candidates import SHORTEST, Seeker
from rotator.adapters.finding.looked import Bounds, Looked, Where
from rotator.adapters.finding.looking import Looking, TooMuch
from rotator.adapters.finding.texts import Text
from rotator.app.assembly import Assembly
from rotator.app.hardening import forbid_core_files
from rotator.app.knowing import Known, Match, Trouble, from_stores, nothing_known, offline
from rotator.config.errors import ConfigError
from rotator.config.recognise import Form, recognise
from rotator.domain.failures import Failure

__all__ = ["SHORTEST", "Finder", "Finding", "Stranger", "Where", "known_here"]

MOST = 100_000
"""So many different finds are told."""
_LIKELY = re.compile(
    r"sk-|[AP]KIA|ASIA|ABSK|AIza|gh[pousr]_|github_pat_|glpat-|hf_|gsk_|pcsk_|[sr]k_|xox|npm_|SG\.|xai-|hv[sbr]\.|ks_|"
    r"[ps]k-lf|eyJ|-----BEGIN|rotator-inst|[A-Za-z][A-Za-z0-9+.-]*://"
)
"""How every form begins; asking all of them of every word takes too long."""
_PLACEHOLDER = re.compile(r"://[^:@/]*:(?:[$<{%*].*|(.)\1*|password|changeme|secret|pass)@", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One key of ours in one file, first in this line or at this byte, and how often."""

    where: Where
    line: int | None
    byte: int | None
    match: Match
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """What has the form of a key and is none of ours. `hint`: its end, or nothing."""

    where: Where
    line: int | None
    byte: int | None
    form: Form
    hint: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of one candidate."""

    matches: tuple[Match, ...]
    form: Form | None


def known_here(assembly: Assembly) -> tuple[Known, list[Trouble]]:
    """What the journal knows, and of what it does not what stores hold; and what could not be asked."""
    forbid_core_files()
    troubles = [Trouble(name, error.message) for name, error in assembly.config.broken.items()]
    try:
        with offline(assembly) as found:
            known = found
    except (ConfigError, Failure) as error:
        assembly.installation.fingerprinter()  # without it nothing can be compared, and that is bad input
        troubles.append(Trouble("the journal", error.message))
        known = nothing_known(assembly)
    unseen = [spec for name, spec in assembly.config.credentials.items() if name in known.unseen]
    return known, [*troubles, *from_stores(assembly, unseen, known)]


@dataclass(slots=True)
class Finder:
    """One search. Feed it paths and streams; then `findings`, `strangers` and `looked` say what came of it."""

    known: Known
    bounds: Bounds = field(default_factory=Bounds)
    _looking: Looking = field(init=False)
    _seeker: Seeker[_Seen] = field(init=False)
    _findings: dict[tuple[Where, Match], Finding] = field(init=False, default_factory=dict)
    _strangers: dict[tuple[Where, str, str], Stranger] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._looking = Looking(self.bounds)
        self._seeker = Seeker(self._seen)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Keys of ours, in the order in which they were met."""
        return tuple(self._findings.values())

    @property
    def strangers(self) -> tuple[Stranger, ...]:
        """Keys of others."""
        return tuple(self._strangers.values())

    @property
    def looked(self) -> Looked:
        """How much was looked at, and what was not."""
        return self._looking.looked

    def path(self, path: str) -> None:
        """Search a file, a directory or processes. Raises `OSError` for a path that cannot be begun with."""
        self._all(path, self._looking.at_path(path))

    def stream(self, stream: object) -> None:
        """Search standard input."""
        self._all("-", self._looking.at_stream("-", stream))

    def _all(self, name: str, pieces: Iterable[tuple[Where, Text]]) -> None:
        try:
            for where, text in pieces:
                self._piece(where, text)
        except TooMuch as bound:
            self.looked.miss(name, f"the rest: {bound}")

    def _piece(self, where: Where, text: Text) -> None:
        seen = self._seeker.found(text.text)
        for match in dict.fromkeys(match for _, found in seen for match in found.matches):
            self._found(where, text, match)
        told = [candidate for candidate, found in seen if found.matches]
        others = [(candidate, found.form) for candidate, found in seen if found.form is not None]
        for candidate, form in sorted(others, key=lambda each: -len(each[0])):
            if any(candidate in each for each in told) or self._holds_ours(candidate):
                continue
            told.append(candidate)
            self._strange(where, text, form, form.hint(candidate))

    def _holds_ours(self, candidate: str) -> bool:
        """Whether there is a key of ours within, as the password in a URL is."""
        return any(found.matches for _, found in self._seeker.found(candidate))

    def _seen(self, candidate: str) -> _Seen | None:
        matches = self.known.of(candidate)
        form = recognise(candidate) if not matches and _LIKELY.match(candidate) else None
        if form is not None and (_PLACEHOLDER.search(candidate) or candidate != candidate.strip()):
            form = None
        if form is not None:
            matches = tuple(replace(each, secret=False) for each in self.known.of_key_id(candidate))
        return _Seen(matches, None if matches else form) if matches or form else None

    def _found(self, where: Where, text: Text, match: Match) -> None:
        known = self._findings.get((where, match))
        if known is None and self._room(where):
            self._findings[where, match] = Finding(where=where, line=text.line, byte=text.byte, match=match)
        elif known is not None and (known.line, known.byte) != (text.line, text.byte) and not text.whole:
            self._findings[where, match] = replace(known, times=known.times + 1)

    def _strange(self, where: Where, text: Text, form: Form, hint: str) -> None:
        at = (where, form.vendor, hint)
        known = self._strangers.get(at)
        if known is None and self._room(where):
            self._strangers[at] = Stranger(where=where, line=text.line, byte=text.byte, form=form, hint=hint)
        elif known is not None and (known.line, known.byte) != (text.line, text.byte) and not text.whole:
            self._strangers[at] = replace(known, times=known.times + 1)

    def _room(self, where: Where) -> bool:
        if len(self._findings) + len(self._strangers) < MOST:
            return True
        self.looked.miss(where, f"more than {MOST:,} keys were found: the others are not told")
        return False
