"""What really happened: whose key lived when, who began what, who was told of what, and what stood in the way."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from tests.simulation.year.laws import Law
from tests.simulation.year.time import VirtualTime

FOREVER = float("inf")
SERVICE = "the service"


@dataclass(frozen=True, slots=True)
class Violation:
    """Which check failed, of which credential or duty, how, and when in seconds."""

    check: str
    subject: str
    what: str
    at: float


class Broken(BaseException):
    """The year is over: a policy was not met."""


@dataclass(slots=True, eq=False)
class Span:
    """From `begin` on, up to but not including `end`."""

    begin: float
    end: float = FOREVER

    def covers(self, at: float) -> bool:
        return self.begin <= at < self.end

    def meets(self, begin: float, end: float) -> bool:
        return self.begin < end and begin < self.end


@dataclass(slots=True, eq=False)
class Live:
    """One key, since it was in every store: in truth, and by the wall clock. `asked`: somebody asked for it by name."""

    value: str
    since: float
    wall: datetime
    adopted: bool = False
    born: datetime | None = None  # of an adopted one, if the provider tells
    warned: bool = False
    told_too_old: float = -FOREVER
    overdue: float = 0.0
    """Seconds in which nothing was in the way of its successor, since it was due; looked at up to `looked`."""
    looked: float = 0.0
    put_back: float = 0.0


@dataclass(slots=True, eq=False)
class Begin:
    """One rotation. `minted`: whether it made a key. `ended`: by when, and in which phase."""

    rotation: str
    mode: str
    at: float
    phase: str = "planned"
    ended: float | None = None


@dataclass(slots=True, eq=False)
class Subject:
    """One credential. `who`: its principal, and its reference in every store, which stay when its name changes.

    `laws`: since when which policy was in force. `absent`: while it was not in the config. `back`: while a rotation of
    it was rolled back, and an hour more, before which the next one does not begin. `stray_since`: since when a
    living key is nobody's.
    """

    who: str
    name: str
    provider: str
    stores: tuple[str, ...]
    laws: list[tuple[float, Law]]
    lives: list[Live] = field(default_factory=list)
    begins: list[Begin] = field(default_factory=list)
    held: list[Span] = field(default_factory=list)
    absent: list[Span] = field(default_factory=list)
    person: list[Span] = field(default_factory=list)
    back: list[Span] = field(default_factory=list)
    renamed: list[float] = field(default_factory=list)
    stray_since: dict[str, float] = field(default_factory=dict)

    @property
    def law(self) -> Law:
        return self.laws[-1][1]

    @property
    def here(self) -> bool:
        """Whether the config has it."""
        return not (self.absent and self.absent[-1].end == FOREVER)

    def current(self) -> Live:
        """The key that consumers read."""
        return self.lives[-1]


class Truth:
    """Everything that checks are made of. `down`: by name of a provider or store, and `SERVICE` for us."""

    def __init__(self, time: VirtualTime) -> None:
        self.time = time
        self.subjects: dict[str, Subject] = {}
        self.down: defaultdict[str, list[Span]] = defaultdict(list)
        self.paused: list[Span] = []
        self.duties: dict[str, float] = {}
        self.alerts: defaultdict[str, int] = defaultdict(int)
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.broken: Violation | None = None

    def violate(self, check: str, subject: str, what: str) -> None:
        """The year ends here, whoever catches what is raised."""
        self.broken = self.broken or Violation(check, subject, what, self.time.seconds)
        raise Broken(self.broken)

    def excuses(self, subject: Subject) -> list[Span]:
        """When nobody could replace its key, by what people did and what was away."""
        away = [span for name in (subject.provider, *subject.stores, SERVICE) for span in self.down[name]]
        return [*away, *self.paused, *subject.held, *subject.absent, *subject.person, *subject.back]

    def served(self, since: float) -> bool:
        """Whether the service was up, with a right clock and one config, from then on until now."""
        now = self.time.seconds
        whole = not any(span.meets(since, now) for span in self.down[SERVICE][-10:])
        return whole and not self.time.wrong_by(since)
