"""What a person says, on one line, and without what is secret: it is kept for ever."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from rotator.app.net import net
from rotator.domain.held import HIDDEN

MOST = 200
"""Places with characters that nobody sees; in a text with more of them nobody looks for secrets."""
_NEVER_SEEN = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs by their kind, and nothing on a page."""


def one_line(text: str) -> str:
    """The words in it, with a space for whatever is no letter that can be shown."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def spoken(text: str) -> str:
    """The same without values that this process held and what looks like a key. Twice: the same.

    A secret that was broken by line breaks, or by what nobody sees, hides the whole: its halves are found by nothing.
    """
    return HIDDEN if _broken(text) else net(one_line(text))


def _broken(text: str) -> bool:
    """Whether a secret is in it that is whole only once its gaps are closed."""
    rests = list(_rests(text))
    return len(rests) > MOST or any(map(_is_broken, rests))


def _is_broken(text: str) -> bool:
    closed = _closed(text)
    kept = net(closed)
    return kept != closed and _bare(kept) != _bare(net(one_line(text)))


def _rests(text: str) -> Iterator[str]:
    """The text from each of its gaps on, and whole: what stands before a gap may hide that a key begins behind it."""
    yield text
    for at, each in enumerate(text):
        if _is_gap(each) and not _is_gap(text[at + 1 : at + 2] or each):
            yield text[at + 1 :]


def _is_gap(character: str) -> bool:
    unseen = not character.isprintable() or character in _NEVER_SEEN
    return unseen or unicodedata.category(character) in ("Mn", "Me")


def _closed(text: str) -> str:
    return "".join(each for each in text if not _is_gap(each))


def _bare(text: str) -> str:
    return _closed(text).replace(" ", "")
