"""The reasons not to rotate now: a second chain of predicates over the same facts, with its own closed words."""

from enum import StrEnum

from rotator.domain.times import format_time, quoted
from rotator.policy.facts import Facts, No, Predicate, Yes
from rotator.policy.reasons import Reason
from rotator.policy.windows import Allowed, Closure, may_act


class Obstacle(StrEnum):
    """Why a credential is not rotated although there is a reason."""

    OPEN_ROTATION = "open_rotation"
    """One is on its way."""
    HELD = "held"
    """Somebody put it on hold."""
    PAUSED = "paused"
    """Somebody paused all that is new."""
    FOREIGN_CURRENT = "foreign_current"
    """A store's current value is not ours: publishing would be refused."""
    BACKING_OFF = "backing_off"
    """The last rotation was rolled back not long ago."""
    BLACKOUT = Closure.BLACKOUT.value
    """The day is in a blackout of its policy."""
    OUTSIDE_WINDOW = Closure.WINDOW.value
    """The window of its policy is closed."""


def open_rotation(facts: Facts) -> Yes | No:
    if facts.open_rotation is None:
        return No("no rotation is open")
    return Yes(f"rotation {quoted(facts.open_rotation)} is open")


def held(facts: Facts) -> Yes | No:
    return No("nobody holds it") if facts.held_by is None else Yes(f"{quoted(facts.held_by)} holds it")


def paused(facts: Facts) -> Yes | No:
    if facts.paused is None or (facts.paused_until is not None and facts.paused_until <= facts.now):
        return No("nothing is paused")
    until = f"until {format_time(facts.paused_until)}" if facts.paused_until else "until somebody ends it"
    return Yes(f"all that is new is paused {until}" + (f": {quoted(facts.paused)}" if facts.paused else ""))


def foreign_current(facts: Facts) -> Yes | No:
    if not facts.foreign_in:
        return No("no store is known to hold a foreign value")
    return Yes(f"a value that nobody here made is current in {', '.join(map(quoted, facts.foreign_in))}")


def backing_off(facts: Facts) -> Yes | No:
    if facts.not_before is None or facts.not_before <= facts.now:
        return No("no rolled back rotation keeps it waiting")
    return Yes(f"its last rotation was rolled back; not before {format_time(facts.not_before)}")


def blackout(facts: Facts) -> Yes | No:
    return _closed(facts, Closure.BLACKOUT, "no blackout covers this moment")


def outside_window(facts: Facts) -> Yes | No:
    window = facts.policy.window
    return _closed(facts, Closure.WINDOW, f"the window {window} is open" if window else "its policy has no window")


OBSTACLES: dict[Obstacle, Predicate] = {
    Obstacle.OPEN_ROTATION: open_rotation,
    Obstacle.HELD: held,
    Obstacle.PAUSED: paused,
    Obstacle.FOREIGN_CURRENT: foreign_current,
    Obstacle.BACKING_OFF: backing_off,
    Obstacle.BLACKOUT: blackout,
    Obstacle.OUTSIDE_WINDOW: outside_window,
}

OVERRIDES: dict[Reason, frozenset[Obstacle]] = {
    Reason.COMPROMISE: frozenset(Obstacle),
    Reason.ASKED: frozenset({Obstacle.PAUSED, Obstacle.BACKING_OFF, Obstacle.BLACKOUT, Obstacle.OUTSIDE_WINDOW}),
}
"""Which obstacles do not stop which reason; a reason that is not named here is stopped by all."""


def _closed(facts: Facts, by: Closure, otherwise: str) -> Yes | No:
    match may_act(facts.policy, facts.now):
        case Allowed():
            return No(otherwise)
        case closed:
            return Yes(f"{closed.why} until {format_time(closed.until)}") if closed.by is by else No(otherwise)
