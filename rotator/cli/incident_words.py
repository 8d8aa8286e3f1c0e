"""An incident's plan in words: loud things first, then what is exposed, then what nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rotator.app.incident_planning import Plan
from rotator.app.reporting import FINDINGS, INCOMPLETE, PLANNED_OUTCOME
from rotator.cli import blast, words
from rotator.cli.terminal import Terminal, clean, count
from rotator.domain.incidents import NOT_THERE
from rotator.policy.growth import Growth

SHOWN = 8
"""Names of a list that are written out."""


def code(plan: Plan) -> int:
    """0 where of everybody it is known and something is to be done, 1 where nothing matches, 3 where nobody knows."""
    if not plan.covered:
        return INCOMPLETE
    return PLANNED_OUTCOME if plan.names else FINDINGS


def show(plan: Plan, out: Terminal) -> None:
    """Print it."""
    out.line(out.style(f"incident {plan.incident.id}", "bold") + f": {_about(plan)}")
    for line in loud(plan):
        out.line(out.style(clean(line), "red", "bold"))
    for line in lines(plan):
        out.line(clean(line))


def _about(plan: Plan) -> str:
    """What is to be replaced, and by which packages and window."""
    what = f"{count(len(plan.names), 'credential')} to replace, in this order" if plan.names else "nothing matches"
    if not plan.incident.of_packages:
        return what
    start, end = plan.incident.window(plan.at) or (plan.at, plan.at)
    to, said = words.instant(end), plan.incident.bad_to
    if said is None or said > plan.at:
        to = "now" if said is None else f"now, and on until {words.instant(said)}"
    about = "; ".join(plan.about[:SHOWN]) + (f"; and {len(plan.about) - SHOWN} more" if len(plan.about) > SHOWN else "")
    return clean(f"{what}; {about}, from {words.instant(start)} to {to} (UTC)")


def loud(plan: Plan) -> Iterator[str]:
    """What must not be overread."""
    if plan.growth is not None and plan.growth.fivefold:
        yield f"LOOK HERE: {loudly(plan)}: is it what it says, or is somebody at the records?"


def lines(plan: Plan) -> Iterator[str]:
    """The rotator itself, what changed, what is exposed and why, what nobody knows."""
    yield from blast.itself(plan.blast)
    growth = plan.growth
    if growth is not None and growth.new and not growth.fivefold:
        yield grown(growth, _since(plan))
    if growth is not None and growth.gone:
        yield f"no more in it: {named(growth.gone)}"
    for note in plan.incident.notes:
        yield f"note: {note}"
    yield from blast.others(plan.blast, plan.about)
    for name in plan.missing:
        yield f"unknown: credential {name}: {NOT_THERE}"
    for name, why in plan.gone.items():
        yield f"unknown: credential {name}: {why}"
    if plan.gone:
        close = f"`rotator incident close {plan.incident.id} --incomplete --reason TEXT`"
        yield f"  put it back or rotate it too; or {close}"
    for name, why in plan.closed_books.items():
        yield f"unknown: what {name} opens: {why}"
    if not plan.names:
        yield from _nothing(plan)


def _nothing(plan: Plan) -> Iterator[str]:
    if not plan.covered:
        yield "nothing matches, which is not the same as safe: of what is unknown above nobody has a record"
    elif plan.about:
        yield "nothing matches: by their records, none of your consumers had it in this time"


def _since(plan: Plan) -> datetime | None:
    return plan.incident.shown.at if plan.incident.shown is not None else None


def loudly(plan: Plan) -> str:
    """A growth that is loud, against the showing that shows it."""
    growth, first = plan.growth, plan.incident.first
    assert growth is not None
    if growth.measured == growth.before or first is None:
        return grown(growth, _since(plan))
    size = count(len(growth.now), "credential")
    when = f"since it was shown first, at {words.instant(first.at)} UTC"
    how = f"from {len(growth.measured)} to {size} {when}"
    return f"the plan grew fivefold or more, {how}: new is {named(growth.new)}"


def grown(growth: Growth, since: datetime | None) -> str:
    """By how much, and by what."""
    when = f" since it was shown at {words.instant(since)} UTC" if since is not None else " since it was begun"
    if len(growth.now) <= len(growth.before):
        return f"the plan has others in it{when}: {named(growth.new)}"
    how = " fivefold or more," if growth.fivefold else ""
    before = len(growth.before)
    return (
        f"the plan grew{how} from {before} to {count(len(growth.now), 'credential')}{when}: new is {named(growth.new)}"
    )


def named(names: tuple[str, ...]) -> str:
    """Some names, and how many more."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
