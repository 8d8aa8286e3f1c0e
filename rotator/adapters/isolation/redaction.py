"""Secrets that a driver was told, taken out of what it says: whole, in parts, and as they are written elsewhere."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import quote, unquote, urlsplit

from rotator.domain.scalars import line
from rotator.domain.secret import HIDDEN

SHORTEST = 8
"""Characters from which on a text is taken out; a shorter one would be found in words."""
SHORTEST_PIECE = 16
"""Of a piece of a credential that has several."""


def without(text: str, secrets: Iterable[str]) -> str:
    """The text as a line, without these secrets; what a cut has left of one at its end goes too."""
    text = line(text, "a text")
    whole = {each for secret in secrets for each in (secret, *_pieces(secret)) if len(each) >= SHORTEST}
    for form in sorted(
        {form for each in whole for form in _forms(each) if len(form) >= SHORTEST}, key=len, reverse=True
    ):
        text = text.replace(form, HIDDEN)
    for each in sorted(whole, key=len, reverse=True):
        kept = next((n for n in range(min(len(each), len(text)), SHORTEST - 1, -1) if text.endswith(each[:n])), 0)
        if kept:
            text = text[:-kept] + HIDDEN
    return text


def _pieces(secret: str) -> Iterator[str]:
    """What is a secret by itself: lines, fields of a JSON document, `ID:SECRET`, the password of a URL."""
    yield from (each for each in secret.splitlines() if each != secret)
    yield from (each for each in re.split(r"[\s:,;]+", secret) if len(each) >= SHORTEST_PIECE and "/" not in each[:2])
    with suppress(ValueError):
        yield unquote(urlsplit(secret).password or "")
    with suppress(ValueError, RecursionError):
        document = json.loads(secret)
        for each in document.values() if isinstance(document, dict) else ():
            if isinstance(each, str) and len(each) >= SHORTEST_PIECE and "://" not in each:
                yield each
                yield from each.splitlines()


def _forms(secret: str) -> Iterator[str]:
    """How a secret is written in URLs, documents, headers and host names."""
    yield from (secret, line(secret, "a secret"), secret.lower(), quote(secret), quote(secret, safe=""))
    yield json.dumps(secret)[1:-1]
    coded = secret.encode("utf-8", "surrogatepass")
    yield coded.hex()
    for before in range(3):  # where in a triple of bytes it begins depends on what stands before it
        text = base64.b64encode(bytes(before) + coded).decode()
        inner = text[(0, 2, 3)[before] :].rstrip("=")
        inner = inner[:-1] if (before + len(coded)) % 3 else inner
        yield from (inner, inner.replace("+", "-").replace("/", "_"))
