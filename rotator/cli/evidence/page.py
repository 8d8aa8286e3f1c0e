"""One HTML page with the evidence: nothing is loaded from anywhere, nothing in it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from html import escape
from importlib.resources import files

from rotator.cli import words
from rotator.cli.evidence.after import section
from rotator.cli.evidence.timeline import drawn
from rotator.cli.terminal import clean, count
from rotator.domain.evidence import SURE, Evidence, Left, Replaced
from rotator.domain.rotation import OldKey, Proof

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What a browser may do for this page (Content-Security-Policy): show it."""
LEGEND = (
    # what it is in the picture, its colour, what it says, its form
    ("exposed", "--redsoft", "an old key lives", ""),
    ("death", "--red", "proven dead", "dot"),
    ("cutover", "--green", "cutover: all stores hold the new key", "diamond"),
    ("fresh", "--greensoft", "consumers read the new key", ""),
)


def page(evidence: Evidence) -> bytes:
    """The page, without its seal."""
    style = files("rotator.cli.evidence").joinpath("page.css").read_text()
    title = f"Incident {clean(evidence.incident)}"
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>",
        *_top(evidence),
        *_left(evidence.left),
        *_timeline(evidence),
        *_cards(evidence),
        *section(evidence.after),
        *_foot(evidence),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts).encode()


def _top(evidence: Evidence) -> Iterator[str]:
    word, look = ("complete", "good") if evidence.complete else ("incomplete", "bad")
    yield f'<div class="top"><div><h1>Incident {_text(evidence.incident)}</h1>'
    if evidence.reason:
        yield f"<p>{_text(evidence.reason)}</p>"
    window = f", exposed {' to '.join(map(_time, evidence.window))}" if evidence.window is not None else ""
    contained = (
        "contained" if evidence.contained else "not contained: a thief in the stores may have read new keys, too"
    )
    told = f"first command {_time(evidence.detected_at)}{window}; {contained}{_ended(evidence)}"
    yield f'<p class="soft">{told}</p></div>'
    yield f'<div class="pill {look}">{word}</div></div>'
    deaths = [each.dead_at for each in evidence.replaced if each.dead_at is not None]
    keys = sum(old.proof in SURE for each in evidence.replaced for old in each.old_keys)
    yield '<div class="facts">'
    yield _fact(f"{evidence.percent:.4g} %", "proven clean, of exposed and unknown", look)
    yield _fact(f"{evidence.proven} / {len(evidence.replaced)}", "exposed credentials replaced, old keys dead")
    yield _fact(str(keys), "old keys proven dead")
    yield _fact(str(len(evidence.unknown)), "credentials that nobody can call safe", "bad" if evidence.unknown else "")
    yield _fact(_after(min(deaths, default=None), evidence), "until the first death")
    yield _fact(_after(max(deaths, default=None), evidence), "until the last one proven so far")
    yield "</div>"


def _ended(evidence: Evidence) -> str:
    if evidence.closed is None:
        return ""
    gave_up = f" incomplete: {evidence.closed.gave_up}" if evidence.closed.gave_up else ""
    return f"; closed {_time(evidence.closed.at)}{_text(gave_up)}"


def _fact(number: str, what: str, look: str = "") -> str:
    return f'<div class="fact"><b class="{look}">{_text(number)}</b><span>{_text(what)}</span></div>'


def _after(at: datetime | None, evidence: Evidence) -> str:
    return "—" if at is None or evidence.detected_at is None else words.span(at - evidence.detected_at)


def _left(left: Iterable[Left]) -> Iterator[str]:
    found = list(left)
    if not found:
        return
    yield f'<h2>What is left: {count(len(found), "thing")}</h2>\n<ul class="left">'
    for each in found:
        hint = f" — {_text(each.hint)}" if each.hint else ""
        url = f' — <a href="{_text(each.url)}" rel="noreferrer">{_text(each.url)}</a>' if _is_web(each.url) else ""
        yield f"<li><b>{_text(each.credential)}</b>: {_text(each.what)}{hint}{url}</li>"
    yield "</ul>"


def _is_web(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _timeline(evidence: Evidence) -> Iterator[str]:
    if not evidence.replaced:
        return
    yield "<h2>When</h2>"
    yield f'<div class="timeline">{drawn(evidence)}</div>'
    yield '<div class="legend">'
    for _, color, what, form in LEGEND:
        yield f'<span><i class="{form}" style="background:var({color})"></i>{_text(what)}</span>'
    yield "<span>hatched: not proven dead</span></div>"


def _cards(evidence: Evidence) -> Iterator[str]:
    yield "<h2>Evidence, credential by credential</h2>"
    day = (evidence.detected_at or evidence.made_at).date()
    yield f'<p class="soft">Times without a date are of {day}.</p>'
    for each in evidence.replaced:
        yield from _card(each, day)
    for name, why in evidence.unknown.items():
        yield f'<section class="card"><header><h3>{_text(name)}</h3><span class="warn">unknown</span></header>'
        yield f"<p>{_text(why)}</p></section>"


def _card(each: Replaced, day: date) -> Iterator[str]:
    state = '<span class="good">proven clean</span>' if each.proven else '<span class="bad">not proven</span>'
    yield f'<section class="card"><header><h3>{_text(each.credential)}</h3>{state}</header>'
    mode = f" · {_text(each.mode.replace('_', ' '))}" if each.mode else ""
    yield f'<p class="soft">provider {_text(each.provider) or "no longer configured"}{mode}</p>'
    for way in each.why:
        yield f"<p>exposed because {' → '.join(map(_text, way))}</p>"
    yield from _keys(each, day)
    if each.new_key:
        live = f"live {_at(each.live_at, day)}" if each.live_at else "not live yet"
        yield f"<p>new key <code>{_text(each.new_key)}</code>, minted {_at(each.minted_at, day)}, {live}</p>"
    for place in each.stores:
        where = f"<code>{_text(place.store)}:{_text(place.ref)}</code>"
        if place.left_behind is not None:
            yield f'<p class="bad">{where} left behind: {_text(place.left_behind)}</p>'
        elif place.promoted_at is not None:
            how = "written, not read" if place.unread else "written and read back"
            yield f"<p>{where} {how} {_at(place.promoted_at, day)}</p>"
    if each.consumers:
        yield f'<p class="soft">read by {_text(", ".join(each.consumers))}</p>'
    if each.error is not None and not each.proven:
        yield f'<p class="bad">{_text(each.error[0])}</p>'
    if each.head:
        trail = f"{count(each.events, 'event')} in the trail, the last one <code>{_text(each.head)}</code>"
        yield f'<p class="soft">rotation <code>{_text(each.rotation or "")}</code>: {trail}</p>'
    yield "</section>"


def _keys(each: Replaced, day: date) -> Iterator[str]:
    if not each.old_keys:
        yield '<p class="soft">it had no old key</p>' if each.proven else ""
        return
    heads = ("old key", "disabled", "deleted", "refused first", "proven dead", "proof")
    yield f"<table><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"
    for old in each.old_keys:
        times = (old.disabled_at, old.deleted_at, old.first_refused_at, old.dead_at)
        cells = [f"<code>{_text(old.key_id)}</code>", *(_at(time, day) for time in times), _proof(old)]
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    yield "</table>"


def _proof(old: OldKey) -> str:
    match old.proof:
        case Proof.REFUSED:
            return '<span class="good">refused</span>: twice, a death window apart, while the new key was accepted'
        case Proof.ABSENT:
            return '<span class="good">absent</span>: two full lists lack it; its value could never be had'
        case Proof.UNPROVEN:
            return '<span class="bad">unproven</span>: its value could be had and no longer can'
    return f'<span class="bad">{"deleted, not proven yet" if old.deleted_at else "alive"}</span>'


def _foot(evidence: Evidence) -> Iterator[str]:
    yield "<footer>"
    made = f"Made {_time(evidence.made_at)} by the rotator's installation {_text(evidence.installation)}"
    yield f"<p>{made}. All times are UTC."
    if evidence.checkpoint is not None:
        number, digest = evidence.checkpoint
        yield f" The trail behind it is closed by checkpoint {number}, <code>{_text(digest)}</code>:"
        yield f" <code>rotator log verify --head {_text(digest)}</code>."
    yield "</p><p>The last line of this file is its seal: <code>rotator incident check FILE --key KEY</code>, with the"
    yield " public key noted before the incident, says whether one byte was changed.</p></footer>"


def _time(at: datetime | None) -> str:
    return "—" if at is None else at.strftime("%Y-%m-%d %H:%M:%S")


def _at(at: datetime | None, day: date) -> str:
    """An instant in a credential's evidence, without the date where it is the incident's own."""
    return f"{at:%H:%M:%S}" if at is not None and at.date() == day else _time(at)


def _text(text: str) -> str:
    return escape(clean(text))
