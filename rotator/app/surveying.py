"""How all credentials stand, judged in one pass that is kept for some seconds: for pages that show all of them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple, TypeVar

from rotator.app.assembly import Assembly
from rotator.app.seeing import Scope
from rotator.config.errors import ConfigError
from rotator.config.reading import Config
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Permanent
from rotator.domain.outline import Outline
from rotator.domain.records import CredentialRow
from rotator.domain.rotation import Phase
from rotator.ports import Accounts, Overview

KEPT = 5.0
"""Seconds for which a pass is good enough, at least; a long one for `RARELY` times as long as it took."""
RARELY = 20
MANY, AFTERWARDS = 5000, 0.1
"""With more credentials the first pass begins so many seconds later: whoever asked has an answer without it by then."""
UNASKED = 600.0
"""Seconds after which one that nobody asked for again is let go."""
SOON = timedelta(hours=24)
MOST_AMISS, LONGEST = 1000, 60.0
"""So many of those that are held or left behind are told; and seconds for which they are kept at most."""
TURN, GAP = 500, 0.0005
"""So many credentials are looked at between two pauses of so many seconds."""
T = TypeVar("T")


class State(StrEnum):
    """How one credential stands; the first that is true."""

    BROKEN = "cannot be used"
    STUCK = "stuck"
    UNKNOWN = "not adopted"
    ROTATING = "rotating"
    HELD = "held"
    BEHIND = "left behind"
    OLD = "too old"
    DUE = "due"
    FRESH = "in order"


class Standing(NamedTuple):
    """One credential. `share`: its key's age of what is `allowed`; None: nobody knows its age, which is not "young"."""

    name: str
    owner: str
    provider: str
    state: State
    since: datetime | None
    due: datetime | None
    allowed: timedelta | None
    share: float | None

    @property
    def rank(self) -> tuple[float, str]:
        """Where it comes, the worst first: too old, then of unknown age, then by age."""
        share = self.share
        order = 3.0 - min(share, 2.0) if share is not None and share > 1 else 2.0 if share is None else 3.0 - share
        return order, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many there are. `strangers`: credentials of the journal that the config has no more."""

    total: int
    of: Mapping[State, int] = field(default_factory=dict)
    soon: int = 0
    strangers: int = 0

    @property
    def fresh(self) -> int:
        """Those of which nothing is to be said."""
        return self.of.get(State.FRESH, 0)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """One pass, `at` its moment: all credentials of a config, the worst first."""

    at: datetime
    config: Config
    standings: tuple[Standing, ...]
    strangers: int

    def seen(self, scope: Scope) -> tuple[Standing, ...]:
        """Those that somebody sees."""
        if scope.owners is None:
            return self.standings
        return tuple(each for each in self.standings if each.owner in scope.owners)

    def counts(self, scope: Scope) -> Counts:
        """How many of those there are."""
        return self._all if scope.owners is None else _counted(self.seen(scope), self.at, 0)

    @cached_property
    def owners(self) -> tuple[str, ...]:
        """All there are, sorted."""
        return tuple(sorted({each.owner for each in self.standings if each.owner}))

    @cached_property
    def _all(self) -> Counts:
        return _counted(self.standings, self.at, self.strangers)


def _counted(standings: tuple[Standing, ...], at: datetime, strangers: int) -> Counts:
    until = at + SOON
    soon = sum(
        each.due is not None and each.due <= until and each.state in (State.FRESH, State.DUE, State.OLD)
        for each in standings
    )
    of = Counter(each.state for each in standings)
    return Counts(total=len(standings), of=of, soon=soon, strangers=strangers)


def survey(assembly: Assembly) -> Survey:
    """Look at every row once. Raises what the journal does."""
    config, opened = assembly.config, assembly.opened
    if not isinstance(opened, Overview) or not isinstance(opened, Accounts):
        raise Permanent("this journal gives no overview")
    now = assembly.clock.now()
    known = {each.name: each for each in _politely(_outlines(opened))}
    stuck = frozenset(each.credential for each in opened.figures().open if each.phase is Phase.STUCK)
    specs = _politely(config.credentials.items())
    found = [_standing(spec, known.get(name), now, name in stuck) for name, spec in specs]
    found += [_broken(name, known.get(name)) for name in config.broken if name not in config.credentials]
    found.sort(key=lambda each: each.rank)
    return Survey(at=now, config=config, standings=tuple(found), strangers=_strangers(known, config))


def _outlines(opened: Overview) -> Iterator[Outline]:
    page = opened.outline()
    while page:
        yield from page
        page = opened.outline(page[-1].name)


def _politely(found: Iterable[T]) -> Iterator[T]:
    """The same, letting go of the interpreter now and then: whoever waits for an answer comes first."""
    for number, each in enumerate(found):
        if number % TURN == 0:
            time.sleep(GAP)
        yield each


def _strangers(known: Iterable[str], config: Config) -> int:
    """Rows that the config does not name; what is no credential's, such as its own trail's, has a space in its name."""
    return sum(each not in config.credentials and each not in config.broken and " " not in each for each in known)


def _standing(spec: Credential, row: Outline | None, now: datetime, stuck: bool) -> Standing:
    name, owner = spec.name, spec.owner or ""
    if row is None:
        return Standing(name, owner, spec.provider, State.UNKNOWN, None, None, spec.policy.every, None)
    allowed = spec.policy.every
    if allowed is None and row.since is not None and row.due is not None:
        allowed = max(row.due - row.since, timedelta(seconds=1))
    share = None
    if row.since is not None and allowed is not None:
        share = max((now - row.since) / allowed, 0.0)
    state = State.STUCK if stuck else _state(row, share, now)
    return Standing(name, owner, spec.provider, state, row.since, row.due, allowed, share)


def _state(row: Outline, share: float | None, now: datetime) -> State:
    if row.rotates:
        return State.ROTATING
    if not row.keyed:
        return State.UNKNOWN
    if row.held:
        return State.HELD
    if row.drifts:
        return State.BEHIND
    if share is not None and share > 1:
        return State.OLD
    return State.DUE if row.due is not None and row.due <= now else State.FRESH


def _broken(name: str, row: Outline | None) -> Standing:
    """An entry of the config that cannot be used: its owner and its policy are not known."""
    since, due = (row.since, row.due) if row is not None else (None, None)
    return Standing(name, "", "", State.BROKEN, since, due, None, None)


class Surveys:
    """The newest survey, for whoever asks; a new one is made beside, so that nobody waits long. For many threads.

    `amiss` is asked of the journal itself, and kept only as long as its trail has no new event.
    """

    def __init__(
        self,
        assembly_of: Callable[[], Assembly],
        *,
        seconds: Callable[[], float] = time.monotonic,
        unasked: float = UNASKED,
    ) -> None:
        self._assembly_of = assembly_of
        self._seconds = seconds
        self._lock = threading.Lock()
        self._unasked = unasked
        self._forgetting: threading.Timer | None = None
        self._kept: Survey | None = None
        self._until = 0.0
        self._acted = 0
        self._making: threading.Event | None = None
        self._amiss: tuple[object, int, float, tuple[CredentialRow, ...]] | None = None

    def amiss(self, assembly: Assembly) -> tuple[CredentialRow, ...]:
        """Credentials that are held or were left behind somewhere, as they are now. Raises what the journal does.

        Both come with an event, so where there is none since the last look nothing has to be looked for again.
        """
        opened, now = assembly.opened, self._seconds()
        if not isinstance(opened, Overview):
            raise Permanent("this journal gives no overview")
        last, kept = opened.last_event(), self._amiss
        if kept is not None and kept[0] is opened and kept[1] == last and now - kept[2] < LONGEST:
            return kept[3]
        found = opened.amiss(MOST_AMISS)
        self._amiss = (opened, last, now, found)
        return found

    def over(self) -> None:
        """What is kept is not as it is: somebody did something. The next who asks has it taken anew."""
        with self._lock:
            self._until, self._acted = 0.0, self._acted + 1

    def latest(self, wait: float) -> Survey | None:
        """The newest there is, of this config; None where there is none after so many seconds.

        One that was good enough a while ago is given while the next one is made: its `at` says how old it is.
        """
        making = self._make() if self._seconds() >= self._until or not self._is_of_this_config() else None
        if making is not None and not self._is_of_this_config():
            making.wait(wait)
        kept = self._kept
        return kept if kept is not None and self._is_of_this_config() else None

    def _is_of_this_config(self) -> bool:
        kept = self._kept
        return kept is not None and kept.config is self._assembly_of().config

    def _make(self) -> threading.Event:
        with self._lock:
            if self._making is None:
                self._making = threading.Event()
                threading.Thread(target=self._take, args=(self._making,), name="survey", daemon=True).start()
            return self._making

    def _keep(self, found: Survey) -> None:
        """Until nobody asked for a while: it is some 30 MB for 100,000 credentials."""
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._kept = found
        self._forgetting = threading.Timer(self._unasked, self._forget, (found,))
        self._forgetting.daemon = True
        self._forgetting.start()

    def _forget(self, found: Survey) -> None:
        if self._kept is found:
            self._kept, self._until = None, 0.0

    def _take(self, done: threading.Event) -> None:
        began, acted = self._seconds(), self._acted
        try:
            if self._kept is None and len(self._assembly_of().config.credentials) > MANY:
                time.sleep(AFTERWARDS)
            self._keep(survey(self._assembly_of()))
        except (ConfigError, Failure):
            pass  # what is kept says how old it is, and nothing is kept of another config
        finally:
            ended = self._seconds()
            with self._lock:
                if acted == self._acted:
                    self._until = ended + max(KEPT, RARELY * (ended - began))
                self._making = None
            done.set()
