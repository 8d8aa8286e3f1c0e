"""Rotations in words: what a phase is to a person, how long until, how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from rotator.app.reporting import WRITTEN
from rotator.cli.terminal import Terminal, clean
from rotator.domain.rotation import Phase, Proof, Rotation, StoreState, WaitFor

PHASES: dict[Phase, tuple[str, str]] = {
    # phase: (words, colour)
    Phase.PLANNED: ("looking", "cyan"),
    Phase.CONTAINING: ("disabling the exposed keys", "yellow"),
    Phase.MINTING: ("minting", "cyan"),
    Phase.STAGING: ("verifying the new key", "cyan"),
    Phase.PROMOTING: ("publishing", "cyan"),
    Phase.LIVE: ("live, both keys work", "green"),
    Phase.RETIRING: ("killing the old key", "yellow"),
    Phase.ROLLING_BACK: ("putting the old value back", "yellow"),
    Phase.WITHDRAWING: ("withdrawing the new key", "yellow"),
    Phase.SWEEPING: ("sweeping", "cyan"),
    Phase.STUCK: ("stuck", "red"),
    Phase.DONE: ("done", "green"),
    Phase.ROLLED_BACK: ("rolled back", "red"),
    Phase.SUPERSEDED: ("superseded", "dim"),
}
WAITS_FOR: dict[WaitFor, str] = {
    WaitFor.QUIET: "waits for quiet",
    WaitFor.PERSON: "waits for a person",
    WaitFor.STORE: "waits for a store",
    WaitFor.WINDOW: "waits for the window",
}
NEVER = 9999
"""The year of a wait without an end."""


def phase(row: Rotation, out: Terminal) -> str:
    """The phase in words."""
    words, color = PHASES[row.phase]
    if row.phase is Phase.DONE and row.rules.emergency:
        words = f"done, {sum(old.proof is not None for old in row.old_keys)} old dead and proven"
    return out.style(words, color)


def detail(row: Rotation, now: datetime) -> str:
    """What it waits for, or what went wrong, on one line."""
    return " — ".join(each.removeprefix("hint: ") for each in details(row, now))


def details(row: Rotation, now: datetime) -> tuple[str, ...]:
    """The same as lines: what went wrong and what helps, or the one thing that it waits for."""
    if row.phase in (Phase.STUCK, Phase.ROLLED_BACK):
        problem = row.problem
        hint = (clean(f"hint: {problem.hint}"),) if problem and problem.hint else ()
        return (clean(problem.message), *hint) if problem else ()
    if row.waiting is None or not row.open:
        return ()
    left = row.waiting.until - now
    endless = row.waiting.until.year >= NEVER or left <= timedelta(0)
    if row.problem is not None and row.attempts:
        when = "tries again" if endless else f"tries again in {span(left)}"
        return (clean(f"{when}: {row.problem.message}"),)
    what = WAITS_FOR.get(row.waiting.for_, "")
    # A person is waited for without an end: that it is looked at again from time to time says nothing to people.
    when = "" if endless or row.waiting.for_ is WaitFor.PERSON else f"{span(left)} to go"
    begun = ", ".join(each for each in (what, when) if each)
    return (clean(": ".join(each for each in (begun, row.waiting.note) if each)),) if begun or row.waiting.note else ()


def proofs(row: Rotation) -> str:
    """How the old keys stand."""
    return ", ".join(f"{clean(old.key_id)} {old_key(old.proof, old.deleted_at is not None)}" for old in row.old_keys)


def old_key(proof: Proof | None, deleted: bool) -> str:
    """One old key's state in a word."""
    if proof in (Proof.REFUSED, Proof.ABSENT):
        return f"dead ({proof.value})"
    if proof is Proof.UNPROVEN:
        return "deleted, unproven"
    return "deleted, being proven" if deleted else "alive"


def span(duration: timedelta) -> str:
    """A duration, short: `0.4 s`, `4 s`, `3 min`, `2 h 5 min`, `12 d`."""
    seconds = max(0.0, duration.total_seconds())
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def instant(when: datetime | None) -> str:
    """A time for people, in UTC."""
    return "—" if when is None else when.strftime("%Y-%m-%d %H:%M")


def ago(when: datetime | None, now: datetime) -> str:
    """How long ago, or how far ahead: `3 h ago`, `in 29 d`, `now`."""
    if when is None:
        return "—"
    if abs(when - now) < timedelta(seconds=1):
        return "now"
    whole = timedelta(seconds=round(abs(when - now).total_seconds()))
    return f"{span(whole)} ago" if when < now else f"in {span(whole)}"


def standing(row: Rotation, now: datetime) -> str:
    """Phase and detail in one line of plain words."""
    told = detail(row, now)
    return f"{PHASES[row.phase][0]} — {told}" if told else PHASES[row.phase][0]


def sentence(row: Rotation, now: datetime) -> str:
    """How a rotation stands or ended, in one sentence."""
    old = proofs(row)
    if row.phase is Phase.DONE:
        took = span((row.ended_at or now) - row.started_at)
        behind = _places(each for each in row.stores if each.left_behind)
        unread = _places(each for each in row.stores if each.unread and not each.left_behind)
        return clean(
            f"rotated in {took}; new key {row.new_key}"
            + (f"; old: {old}" if old else "")
            + (f"; {WRITTEN}: {unread}" if unread else "")
            + (f"; left behind: {behind}" if behind else "")
        )
    if row.phase in (Phase.LIVE, Phase.RETIRING, Phase.SWEEPING) and row.ends_as is not Phase.ROLLED_BACK:
        return clean(f"new key {row.new_key} is live; {dies(row, now)}")
    if row.phase is Phase.ROLLED_BACK:
        return f"rolled back: {detail(row, now) or 'as an operator asked'}"
    return clean(standing(row, now)).replace("stuck — ", "stuck: ", 1)


def _places(states: Iterable[StoreState]) -> str:
    return ", ".join(f"{each.store}:{each.ref}" for each in states)


def dies(row: Rotation, now: datetime) -> str:
    """When and by whom the old key will die."""
    if not row.old_keys:
        return "there was no old key"
    if row.phase is not Phase.LIVE:
        told = detail(row, now)
        return f"old: {proofs(row)}" + (f" — {told}" if told else "")
    ids = ", ".join(old.key_id for old in row.old_keys)
    key = "the old key" if len(row.old_keys) == 1 else "the old keys"
    die = "dies" if len(row.old_keys) == 1 else "die"
    when, note = "once it is quiet", ""
    if row.waiting is not None:
        if now < row.waiting.until and row.waiting.until.year < NEVER:
            when = f"not before {instant(row.waiting.until)} UTC, in {span(row.waiting.until - now)}"
        note = f" ({row.waiting.note})" if row.waiting.note else ""
    return f"{key} {ids} {die} {when}{note}, by the daemon or the next `rotate --due`"
