"""Foreign keys and what else an incident left behind, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rotator.cli import words
from rotator.cli.terminal import clean, count
from rotator.domain.aftermath import AdminKey, AdminState, Aftermath, ForeignKey, Trail
from rotator.domain.made import Made

SHOWN = 200
"""Lines of one kind; the evidence has all."""


def described(key: ForeignKey, now: datetime) -> str:
    """One key: where it is, whose name it bears, who made it when, and when it was last used."""
    made = f"made {words.instant(key.created_at)} UTC" if key.created_at is not None else "made nobody knows when"
    age = f" ({words.span(now - key.created_at)} ago)" if key.created_at is not None and key.created_at < now else ""
    by = f" by {key.created_by!r}" if key.created_by else ""
    name = f" {key.name!r}" if key.name else ""
    used = f", last used {words.instant(key.last_used_at)} UTC" if key.last_used_at is not None else ""
    window = "in the window" if key.in_window else "before the window"
    where = f"{key.key_id}{name} at {key.provider}, principal {key.principal}, beside {key.beside}"
    return clean(f"{where}: {made}{age}{by}{used}, {window}")


def planned(keys: Sequence[ForeignKey], now: datetime, *, revoke: bool) -> Iterator[str]:
    """Those of the plan."""
    verb = "foreign key, to be revoked" if revoke else "foreign key, not touched"
    for key in keys[:SHOWN]:
        yield f"{verb}: {described(key, now)}"
    if len(keys) > SHOWN:
        yield f"and {count(len(keys) - SHOWN, 'more foreign key')}"


def fate(key: ForeignKey, now: datetime) -> str:
    """What became of one key."""
    if key.absent_at is not None:
        return clean(f"foreign key {key.key_id} at {key.provider}: dead (absent: two lists lack it)")
    alive = "deleted, and not proven dead yet" if key.deleted_at is not None else "it lives"
    why = f": {key.why}" if key.why else ""
    return f"foreign key {described(key, now)}; " + clean(f"{alive}{why}")


def lines(after: Aftermath, now: datetime) -> Iterator[str]:
    """All of it: what is dead, what lives, what nobody could say, what trails tell, and what is left to look for."""
    for key in after.foreign[:SHOWN]:
        yield fate(key, now)
    if len(after.foreign) > SHOWN:
        yield f"and {count(len(after.foreign) - SHOWN, 'more foreign key')}: `rotator incident report {after.incident}`"
    for name, why in after.untold.items():
        yield clean(f"foreign keys beside {name}: nobody knows: {why}")
    if not after.settled:
        looks = count(after.rounds, "look")
        yield f"after {looks} keys still come and go: the same command looks again"
    for admin in after.admins:
        line = admin_line(admin)
        if line:
            yield line
    for trail in after.trails:
        yield from _trail(trail, after.searched_since)


def admin_line(admin: AdminKey) -> str:
    """What to say of an admin credential; nothing of one that is dead."""
    who = f"the admin key of {admin.provider}"
    match admin.state:
        case AdminState.DEAD:
            return ""
        case AdminState.ALIVE:
            return clean(
                f"{who} is {admin.credential}, whose old key is not proven dead: whoever has it can still mint"
            )
        case AdminState.REPLACED:
            return clean(f"{who} was replaced since this incident began; that the old one is dead nobody here can try")
    help_ = f"`rotate {admin.credential} --assume-compromise`" if admin.credential else "replace it"
    said = f"{who} was not replaced in this incident: whoever has it can still mint"
    return clean(f"{'' if admin.exposed else 'note: '}{said}; {help_}, then the same command sweeps again")


def _trail(trail: Trail, since: datetime | None) -> Iterator[str]:
    told = f"{trail.provider}'s trail since {words.instant(since)} UTC"
    for made in trail.made[:SHOWN]:
        yield clean(f"made in the window, and not by the rotator: {made_words(made)} at {trail.provider}")
    if len(trail.made) > SHOWN:
        yield clean(
            f"and {len(trail.made) - SHOWN} more made in the window at {trail.provider}, which the evidence has"
        )
    if trail.cut:
        yield clean(
            f"and {trail.cut} more made in the window at {trail.provider}, which nobody here keeps: {_look(trail)}"
        )
    if trail.untold:
        yield clean(f"{told}: not read: {trail.untold}; {_look(trail)}")
        for line in trail.checklist:
            yield clean(f"  [ ] {line}")
    elif not trail.made:
        yield clean(f"{told}: nothing that nobody here made")
    if not trail.untold and trail.checklist:
        yield clean(f"  besides, look at {trail.url or trail.provider} for: {'; '.join(trail.checklist)}")


def _look(trail: Trail) -> str:
    return "look for yourself" + (f" at {trail.url}" if trail.url else "")


def made_words(made: Made) -> str:
    """One thing that a trail tells of."""
    name = f" {made.name!r}" if made.name else ""
    where = f" of {made.where}" if made.where else ""
    at = f", {words.instant(made.at)} UTC" if made.at is not None else ", nobody knows when"
    by = f", by {made.by!r}" if made.by else ""
    return f"{made.kind.value} {made.id}{name}{where}{at}{by}"
