"""How values become text and markup on a page; what comes from elsewhere is cleaned and escaped here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup

from rotator.app.surveying import State
from rotator.config.recognise import secrets_hidden
from rotator.domain.notices import Severity
from rotator.domain.rotation import Mode, Phase, Proof, WaitFor
from rotator.domain.times import format_time, roughly

LONGEST = 2000
"""Characters of any one text."""
NEVER = 9999
"""The year of a wait without an end."""
OLD = timedelta(minutes=1)
"""What is older than this says so."""

PHASES: Final[Mapping[Phase, str]] = {
    Phase.PLANNED: "looking",
    Phase.CONTAINING: "disabling exposed keys",
    Phase.MINTING: "minting",
    Phase.STAGING: "verifying",
    Phase.PROMOTING: "publishing",
    Phase.LIVE: "live, both keys work",
    Phase.RETIRING: "killing the old key",
    Phase.ROLLING_BACK: "putting the old value back",
    Phase.WITHDRAWING: "withdrawing the new key",
    Phase.SWEEPING: "sweeping",
    Phase.STUCK: "stuck",
    Phase.DONE: "done",
    Phase.ROLLED_BACK: "rolled back",
    Phase.SUPERSEDED: "superseded by an emergency",
}
MODES: Final[Mapping[Mode, str]] = {
    Mode.SCHEDULED: "scheduled",
    Mode.MANUAL: "asked for",
    Mode.COMPROMISE: "emergency",
    Mode.CONTAIN_FIRST: "emergency, contained first",
}
WAITS: Final[Mapping[WaitFor, str]] = {
    WaitFor.TIME: "waits",
    WaitFor.QUIET: "waits for quiet",
    WaitFor.PERSON: "waits for a person",
    WaitFor.STORE: "waits for a store",
    WaitFor.WINDOW: "waits for the window",
}
PROOFS: Final[Mapping[Proof, str]] = {
    Proof.REFUSED: "proven dead: refused",
    Proof.ABSENT: "proven dead: absent",
    Proof.UNPROVEN: "not proven dead",
}
TONES: Final[Mapping[Any, str]] = {
    Severity.CRITICAL: "bad",
    Severity.WARNING: "warn",
    Severity.INFO: "calm",
    State.BROKEN: "bad",
    State.STUCK: "bad",
    State.OLD: "bad",
    State.UNKNOWN: "warn",
    State.BEHIND: "warn",
    State.HELD: "warn",
    State.DUE: "note",
    State.ROTATING: "note",
    State.FRESH: "good",
    Phase.STUCK: "bad",
    Phase.ROLLED_BACK: "warn",
    Phase.ROLLING_BACK: "warn",
    Phase.WITHDRAWING: "warn",
    Phase.DONE: "good",
    Phase.SUPERSEDED: "note",
    Proof.REFUSED: "good",
    Proof.ABSENT: "good",
    Proof.UNPROVEN: "bad",
}
"""How something is coloured; its words always say the same."""


def shown(value: Any) -> Any:
    """What a template prints: a text bounded, and each character that is none to see is a dot."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
    return text if text.isprintable() else "".join(each if each.isprintable() else "·" for each in text)


def when(at: datetime | None, now: datetime | None = None, *, nobody: str = "—") -> Markup:
    """An instant in UTC, and with `now` how far away it is."""
    if at is None:
        return Markup("<span class='none'>{}</span>").format(nobody)
    exact = format_time(at.replace(microsecond=0))
    text = f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
    found = Markup("<time datetime='{}'>{}&nbsp;UTC</time>").format(exact, text)
    return found if now is None else found + Markup(" <span class='away'>{}</span>").format(away_from(at, now))


def moment(at: datetime, now: datetime) -> Markup:
    """How far away an instant is; the instant itself for who asks for it."""
    exact = format_time(at.replace(microsecond=0))
    return Markup("<time datetime='{}' title='{}'>{}</time>").format(exact, exact, away_from(at, now))


def away_from(at: datetime, now: datetime) -> str:
    """How long ago, or in how long."""
    if abs(at - now) < timedelta(seconds=1):
        return "now"
    return f"{roughly(at - now)} ago" if at < now else f"in {roughly(at - now)}"


def exactly(at: datetime) -> Markup:
    """An instant to the second."""
    exact = format_time(at.replace(microsecond=0))
    text = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return Markup("<time datetime='{}'>{}&nbsp;UTC</time>").format(exact, text)


def clock(at: datetime, on: date) -> Markup:
    """The time of day; with the day where that is another one than `on`, which a zone's own may be."""
    there = at.astimezone(UTC)
    text = f"{there:%H:%M}" if there.date() == on else f"{there:%d %b %H:%M}"
    return Markup("<time datetime='{}'>{}&nbsp;UTC</time>").format(format_time(at.replace(microsecond=0)), text)


def day(at: date) -> Markup:
    """A day of a calendar."""
    return Markup("<time datetime='{}'>{}</time>").format(at.isoformat(), f"{at:%a %d %b}")


def span(duration: timedelta | None) -> str:
    """A duration in words."""
    if duration is None:
        return "—"
    seconds = duration.total_seconds()
    return f"{seconds:.1f}s" if 0 < seconds < 10 else roughly(duration)


def percent(share: float | None) -> str:
    """A share of what is allowed; far above it nobody counts."""
    if share is None:
        return "unknown"
    return f"{int(share * 100)} %" if share < 10 else "over 1000 %"


def segment(name: str) -> str:
    """A name as one part of a path; one that is no text leads nowhere."""
    return quote(name, safe="", errors="replace")


def path_in_query(path: str) -> str:
    """A path of ours as a value of a query; Jinja's own filter raises for what is no text."""
    return quote(path, safe="/", errors="replace")


def thousands(number: int) -> str:
    """A number that can be read."""
    return f"{number:,}".replace(",", "\u2009") if number >= 10_000 else str(number)


def plural(number: int, one: str, many: str = "") -> str:
    """`1 key`, `2 keys`."""
    return f"{thousands(number)} {one if number == 1 else many or f'{one}s'}"


def is_old(at: datetime | None, now: datetime) -> bool:
    """Whether what was true then has to say when that was."""
    return at is not None and now - at > OLD


def endless(at: datetime) -> bool:
    """Whether a wait has no end that anybody knows."""
    return at.year >= NEVER


def tone(value: Any) -> str:
    """Its colour's name."""
    return TONES.get(value, "note")


def fingerprint(text: str) -> str:
    """A few characters that stay the same for the same text: for ids."""
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:10]


def hidden(text: str) -> str:
    """The same without what has the form of a key."""
    return secrets_hidden(text[: 2 * LONGEST])


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "when": when,
    "moment": moment,
    "exactly": exactly,
    "clock": clock,
    "day": day,
    "span": span,
    "percent": percent,
    "segment": segment,
    "urlencode": path_in_query,
    "thousands": thousands,
    "plural": plural,
    "is_old": is_old,
    "endless": endless,
    "tone": tone,
    "hidden": hidden,
    "fingerprint": fingerprint,
    "phase": lambda phase: PHASES[phase],
    "mode": lambda mode: MODES[mode],
    "waits": lambda kind: WAITS[kind],
    "proof": lambda proof: PROOFS[proof or Proof.UNPROVEN],
}
"""What templates may do with a value."""
