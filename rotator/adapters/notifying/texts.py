"""A notice as people and programs read it. Words from elsewhere are data: bounded, and inert where they are rendered.

Ours are the title, the command and the severity; what was said to it comes from providers and files. In a chat or a
mail it must not mention everybody, be a link or begin a line of its own.
"""

from __future__ import annotations

import json

from rotator.domain.notices import Notice
from rotator.domain.times import format_time

TITLE, WORDS = 120, 1000
"""Characters."""
ZERO_WIDTH = "\u200b"
_INERT = {
    "@": f"@{ZERO_WIDTH}",  # @everyone, @here, a person
    "<": "‹",  # <!channel>, <https://…|text>, HTML
    ">": "›",
    "[": "(",  # [text](https://…)
    "]": ")",
    "`": "'",
    "://": "[:]//",
    "www.": "www[.]",
    "#": f"#{ZERO_WIDTH}",
    "!": "ǃ",  # ![image]
}
_MARKS = {"over": "resolved", "info": "info", "warning": "warning", "critical": "critical"}


def one_line(text: str, longest: int) -> str:
    """Bounded, without control characters, line breaks or what turns the direction of a text."""
    text = "".join(each if each.isprintable() else " " for each in text[: longest * 2])
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def inert(text: str) -> str:
    """The same text, that no chat and no mail program takes for a mention, a link or markup."""
    for mark, instead in _INERT.items():
        text = text.replace(mark, instead)
    return text


def title(notice: Notice, installation: str = "") -> str:
    """One line, e.g. for a mail's subject: `[critical] openai-prod: a rotation is stuck`."""
    mark = _MARKS["over" if notice.over else notice.severity.value]
    whose = f"{inert(one_line(notice.subject, 80))}: " if notice.subject else ""
    where = f" ({installation})" if installation else ""
    return one_line(f"[{mark}] {whose}{inert(notice.what)}{where}", TITLE)


def plain(notice: Notice, dropped: int = 0) -> str:
    """The body for people: the words, the command on a line of its own, since when, and how many were dropped."""
    lines = [title(notice), ""]
    lines += [inert(one_line(each, WORDS)) for each in (notice.words, notice.hint) if each]
    if not notice.over:
        lines += ["", "what mends it:", f"    {inert(one_line(notice.command, WORDS))}"]
    whose = f", {inert(one_line(notice.owner, 80))}" if notice.owner else ""
    lines += ["", format_time(notice.at.replace(microsecond=0)) + whose]
    if dropped:
        lines.append(f"{dropped:,} notices before this one could not be delivered and were dropped: `rotator status`")
    return "\n".join(lines) + "\n"


def as_json(notice: Notice, dropped: int = 0) -> bytes:
    """The body for programs, compact and in ASCII: `type`, `timestamp` and `data`. Words are as they came, bounded."""
    data = {
        "kind": notice.kind,
        "severity": notice.severity.value,
        "resolved": notice.over,
        "subject": one_line(notice.subject, WORDS),
        "owner": one_line(notice.owner, WORDS) or None,
        "title": one_line(notice.what, WORDS),
        "words": one_line(notice.words, WORDS),
        "hint": one_line(notice.hint, WORDS),
        "command": None if notice.over else one_line(notice.command, WORDS),
        "key": notice.key,
        "count": len(notice.each),
        "dropped": dropped,
    }
    what = "notice.resolved" if notice.over else "notice.raised"
    whole = {"type": what, "timestamp": format_time(notice.at), "data": data}
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=True).encode()


def identity(notice: Notice) -> str:
    """Equal for each attempt to deliver the same notice, else different."""
    return f"msg_{notice.key}{'o' if notice.over else 'r'}{int(notice.at.timestamp() * 1000):x}"
