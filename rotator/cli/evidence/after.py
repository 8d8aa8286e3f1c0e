"""The part of the evidence's page on foreign keys, admin credentials, and what the providers' trails tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape

from rotator.cli import foreign
from rotator.cli.terminal import clean, count
from rotator.domain.aftermath import AdminState, Aftermath, ForeignKey, Trail

HEADS = ("foreign key", "name", "at", "made", "by", "last used", "revoked", "gone since", "state")


def section(after: Aftermath | None) -> Iterator[str]:
    """All of it, as lines of HTML; nothing where no command came so far."""
    if after is None or after.swept_at is None:
        return
    yield "<h2>Keys that nobody here made</h2>"
    since = f"since {_time(after.since)}" if after.since is not None else "; nobody said since when the thief could"
    settled = (
        "the last two, more than a propagation apart, are the same" if after.settled else "keys still came and went"
    )
    yield f'<p class="soft">{count(after.rounds, "look")} until {_time(after.swept_at)}, {settled}. Window {since}.</p>'
    if after.stale:
        yield '<p class="bad">a command came since, and did not look; this is what an earlier one saw</p>'
    yield from _keys(after)
    for name, why in after.untold.items():
        yield f'<p class="bad">beside {_text(name)} nobody knows: {_text(why)}</p>'
    for admin in after.admins:
        if admin.state is AdminState.DEAD:
            dead = f"proven dead {_time(admin.dead_at)}" if admin.dead_at is not None else "proven dead"
            yield f'<p class="good">the old admin key of {_text(admin.provider)}: {dead}</p>'
        else:
            look = "bad" if admin in after.minting_goes_on else "soft"
            yield f'<p class="{look}">{_text(foreign.admin_line(admin))}</p>'
    for trail in after.trails:
        yield from _trail(trail, after.searched_since)


def _keys(after: Aftermath) -> Iterator[str]:
    if not after.foreign:
        yield '<p class="good">none was seen</p>' if after.settled and not after.untold else ""
        return
    yield f"<table><tr>{''.join(f'<th>{head}</th>' for head in HEADS)}</tr>"
    for key in after.foreign:
        cells = [
            f"<code>{_text(key.key_id)}</code>",
            _text(key.name),
            f"{_text(key.provider)}, {_text(key.principal)}",
            *(_time(key.created_at) if key.created_at else "nobody knows", _text(key.created_by) or "—"),
            *(_time(each) for each in (key.last_used_at, key.asked_at, key.missing_at)),
            _state(key),
        ]
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    yield "</table>"


def _state(key: ForeignKey) -> str:
    why = f": {_text(key.why)}" if key.why else ""
    if key.absent_at is not None:
        return '<span class="good">absent</span>: two full lists lack it; its value could never be had'
    if not key.left:
        return f"alive; made before the window{why}"
    return f'<span class="bad">{_text(key.state)}</span>{why}'


def _trail(trail: Trail, since: datetime | None) -> Iterator[str]:
    yield f'<section class="card"><header><h3>Trail of {_text(trail.provider)}</h3></header>'
    if trail.untold:
        yield f'<p class="warn">not read: {_text(trail.untold)}</p>'
    elif not trail.made:
        yield f"<p>since {_time(since)} it tells of nothing that nobody here made</p>"
    for made in trail.made:
        yield f"<p>{_text(foreign.made_words(made))}</p>"
    if trail.cut:
        yield f'<p class="bad">and {trail.cut} more, which are not kept here</p>'
    if trail.checklist:
        where = f" at {_text(trail.url)}" if trail.url else ""
        yield f'<p class="soft">What a person looks for{where}:</p><ul>'
        yield from (f"<li>{_text(line)}</li>" for line in trail.checklist)
        yield "</ul>"
    yield "</section>"


def _time(at: datetime | None) -> str:
    return "—" if at is None else at.strftime("%Y-%m-%d %H:%M:%S")


def _text(text: str) -> str:
    return escape(clean(text))
