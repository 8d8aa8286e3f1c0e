"""Rotations in words: what a phase is to a person, how long until, how it ended."""

from __future__ import annotations

from datetime import datetime, timedelta

from rotator.cli.terminal import Terminal, clean
from rotator.domain.rotation import Phase, Proof, Rotation, WaitFor

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


def phase(row: Rotation, out: Terminal) -> str:
    """The phase in words."""
    words, color = PHASES[row.phase]
    if row.phase is Phase.DONE and row.rules.emergency:
        words = f"done, {sum(old.proof is not None for old in row.old_keys)} old dead and proven"
    return out.style(words, color)


def detail(row: Rotation, now: datetime) -> str:
    """What it waits for, or what went wrong."""
    if row.phase is Phase.STUCK or row.phase is Phase.ROLLED_BACK:
        return clean(
            f"{row.problem.message} — {row.problem.hint}"
            if row.problem and row.problem.hint
            else row.problem.message
            if row.problem
            else ""
        )
    if row.waiting is not None and row.open:
        until = "" if row.waiting.until.year >= 9999 else f" for {span(row.waiting.until - now)}"
        note = f": {row.waiting.note}" if row.waiting.note else ""
        what = "waits" if row.waiting.for_ is WaitFor.TIME else f"waits for {row.waiting.for_.value}"
        return clean(f"{what}{until}{note}")
    return ""


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
    """A duration, short: `4 s`, `3 min`, `2 h 5 min`, `12 d`."""
    seconds = max(0.0, duration.total_seconds())
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d"


def instant(when: datetime | None) -> str:
    """A time for people, in UTC."""
    return "—" if when is None else when.strftime("%Y-%m-%d %H:%M UTC")


def sentence(row: Rotation, now: datetime) -> str:
    """How a rotation stands or ended, in one sentence."""
    old = proofs(row)
    if row.phase is Phase.DONE:
        took = span((row.ended_at or now) - row.started_at)
        return clean(f"rotated in {took}; new key {row.new_key}" + (f"; old: {old}" if old else ""))
    if row.phase in (Phase.LIVE, Phase.RETIRING, Phase.SWEEPING):
        return clean(f"new key {row.new_key} is live; {dies(row, now)}")
    if row.phase is Phase.ROLLED_BACK:
        return f"rolled back: {detail(row, now) or 'as an operator asked'}"
    words = detail(row, now) or PHASES[row.phase][0]
    return f"stuck: {words}" if row.phase is Phase.STUCK else f"{PHASES[row.phase][0]}; {words}"


def dies(row: Rotation, now: datetime) -> str:
    """When and by whom the old key will die."""
    if not row.old_keys:
        return "there was no old key"
    if row.phase is not Phase.LIVE:
        return f"old: {proofs(row)}"
    when = (
        f"not before {instant(row.waiting.until)}"
        if row.waiting and row.waiting.until.year < 9999
        else "once it is quiet"
    )
    note = f" ({row.waiting.note})" if row.waiting and row.waiting.note else ""
    ids = ", ".join(old.key_id for old in row.old_keys)
    return f"the old key {ids} dies {when}{note}, by the daemon or the next `rotate --due`"
